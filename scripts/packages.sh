#!/bin/sh
# Make sure that this machine has what Lightervisor needs from its distribution.
#
#   scripts/packages.sh [GROUP...]
#
# Groups: build          compiler and libraries (and it looks for a Rust toolchain)
#         run            the programs that the daemon calls
#         image-debian   what scripts/image-debian.sh needs
#         image-busybox  what scripts/image-busybox.sh needs
#         test           what the tests call; parts of it are optional
#         vm             what scripts/vm needs to build and start the virtual machine
#         bench          the daemon to compare with, and XFS tools
# Without a group: build run.
#
# Prints what it installs, and nothing when everything is there. Knows apt (Debian 12 and 13,
# Ubuntu); elsewhere it names what is missing and stops.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- build run

id=unknown
[ -r /etc/os-release ] && id=$(. /etc/os-release && echo "${ID:-unknown}")

required=
optional=
toolchain=no
for group in "$@"; do
    case $group in
        build)
            required="$required gcc libc6-dev make pkg-config libseccomp-dev"
            toolchain=yes ;;
        run)
            required="$required libseccomp2 dnsmasq-base nftables iproute2 rsync squashfs-tools xz-utils" ;;
        image-debian)
            required="$required mmdebstrap squashfs-tools xz-utils debian-archive-keyring" ;;
        image-busybox)
            required="$required busybox-static tar gzip" ;;
        test)
            required="$required busybox-static squashfs-tools xz-utils zstd bzip2 gzip tar acl attr util-linux bsdutils iproute2 procps"
            # Debian's own client and container tools: tests that compare with them skip without.
            # Package lxc is not among them: it would bring up a bridge on this machine.
            [ "$id" = debian ] && optional="$optional lxd-client zsh fish" ;;
        vm)
            required="$required qemu-system-x86 mmdebstrap debian-archive-keyring e2fsprogs cpio kmod xz-utils binutils" ;;
        bench)
            required="$required python3 xfsprogs busybox-static squashfs-tools"
            [ "$id" = debian ] && optional="$optional lxd lxd-client" ;;
        *)
            echo "packages.sh: unknown group '$group' (build, run, image-debian, image-busybox, test, vm, bench)" >&2
            exit 2 ;;
    esac
done

# Is the package here, or one that provides it (pkgconf for pkg-config)?
installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed' && return
    case $1 in
        pkg-config) command -v pkg-config >/dev/null 2>&1 ;;
        busybox-static) busybox --list >/dev/null 2>&1 && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

can_install() {
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "packages.sh: this is not a Debian or Ubuntu machine; please install the equivalents of:" >&2
    echo "  $required" >&2
    [ "$toolchain" = yes ] || exit 0
else
    missing=
    for p in $required; do
        installed "$p" || case " $missing " in *" $p "*) ;; *) missing="$missing $p" ;; esac
    done
    wanted=
    for p in $optional; do
        installed "$p" || wanted="$wanted $p"
    done
    if [ -n "$missing$wanted" ]; then
        if [ "$(id -u)" != 0 ]; then
            echo "packages.sh: missing:$missing$wanted" >&2
            echo "packages.sh: run this as root, or: sudo apt-get install$missing$wanted" >&2
            exit 1
        fi
        echo "== Installing distribution packages:$missing$wanted"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q </dev/null || echo "packages.sh: apt-get update failed; trying with the lists that are here" >&2
        if [ -n "$missing" ]; then
            # shellcheck disable=SC2086 # a list of names
            apt-get install -y -q --no-install-recommends $missing </dev/null
        fi
        for p in $wanted; do
            if ! can_install "$p"; then
                echo "packages.sh: $p is not available here; what needs it is skipped"
                continue
            fi
            # The packaged daemon must not start next to ours.
            if [ "$p" = lxd ] && [ -d /run/systemd/system ]; then
                systemctl mask lxd.service lxd.socket >/dev/null 2>&1 || true
            fi
            apt-get install -y -q --no-install-recommends "$p" </dev/null ||
                echo "packages.sh: $p could not be installed; what needs it is skipped"
        done
    fi
fi

[ "$toolchain" = yes ] || exit 0

# --- Rust ---------------------------------------------------------------------------------------
. scripts/rust-path.sh
want=$(sed -n 's/^rust-version = "\([0-9.]*\)"/\1/p' Cargo.toml | head -n 1)

new_enough() { # have want
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

have=
command -v cargo >/dev/null 2>&1 && have=$(cargo --version 2>/dev/null | awk '{print $2}')
if [ -n "$have" ] && new_enough "$have" "$want"; then
    exit 0
fi
if command -v rustup >/dev/null 2>&1; then
    echo "== cargo ${have:-is missing}, at least $want is needed: rustup installs the stable toolchain"
    rustup toolchain install stable --profile minimal -c clippy -c rustfmt && rustup default stable
    exit 0
fi
{
    echo "packages.sh: cargo ${have:+$have is too old: }${have:-was not found: }at least $want is needed."
    if can_install rustup; then
        echo "Get it from your distribution:  apt-get install rustup && rustup default stable"
    else
        echo "Get it from https://rustup.rs:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    fi
    echo "Then run the same command again."
} >&2
exit 1
