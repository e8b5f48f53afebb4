# Sourced: finds the Rust toolchain of a user who became root by sudo or su, whose PATH forgets it.
if ! command -v cargo >/dev/null 2>&1; then
    for d in "${CARGO_HOME:-$HOME/.cargo}" "/home/${SUDO_USER:-/}/.cargo" /root/.cargo /usr/local/cargo; do
        if [ -x "$d/bin/cargo" ]; then
            PATH="$d/bin:$PATH"
            # rustup's proxies look for toolchains below the home directory of whoever calls them.
            [ -d "${d%/.cargo}/.rustup" ] && [ -z "${RUSTUP_HOME:-}" ] && export RUSTUP_HOME="${d%/.cargo}/.rustup"
            export PATH
            break
        fi
    done
fi
