//! What this program calls itself towards servers: some of them answer by it.

use std::sync::LazyLock;

/// The version whose images and protocols are understood.
pub const LEVEL: &str = "3.0.0";

/// `LXD 3.0.0 (Linux; x86_64; 6.1.0; Debian GNU/Linux; 12)`.
#[must_use]
pub fn agent() -> &'static str {
    static AGENT: LazyLock<String> = LazyLock::new(|| {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        compose(std::env::consts::ARCH, release.trim(), &system)
    });
    &AGENT
}

fn compose(arch: &str, release: &str, system: &str) -> String {
    let arch = if arch == "x86" { "i686" } else { arch };
    let told = |key: &str| {
        let value = system.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let parts = ["Linux".to_owned(), arch.to_owned(), release.to_owned()];
    let parts: Vec<String> = parts
        .into_iter()
        .chain(told("NAME"))
        .chain(told("VERSION_ID"))
        .filter(|part| !part.is_empty())
        .collect();
    // It goes into a header.
    let text = format!("LXD {LEVEL} ({})", parts.join("; "));
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}

#[cfg(test)]
mod tests {
    use super::compose;

    #[test]
    fn as_image_servers_know_it() {
        let system = "PRETTY_NAME=\"x\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"18.04\"\n";
        assert_eq!(compose("x86_64", "4.15.0", system), "LXD 3.0.0 (Linux; x86_64; 4.15.0; Ubuntu; 18.04)");
        assert_eq!(compose("x86", "", "NAME=é\n"), "LXD 3.0.0 (Linux; i686; )");
    }
}
