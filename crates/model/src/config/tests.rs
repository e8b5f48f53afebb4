//! Tests of the tables of keys and of what is read off them.

use super::*;
use crate::Architecture;
use crate::power::LastPower;
use proptest::prelude::*;
use std::time::Duration;

fn config(pairs: &[(&str, &str)]) -> Config {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn message(scope: Scope, pairs: &[(&str, &str)]) -> String {
    validate(scope, &config(pairs)).map_or_else(|e| e.to_string(), |()| "fine".to_owned())
}

#[test]
fn every_row_is_documented_and_its_default_is_good() {
    for key in KEYS {
        assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.pattern);
        assert_eq!(key.grammar.check(key.default), Ok(()), "{}", key.pattern);
        let example = key.pattern.replace('*', "x");
        assert_eq!(find(&example).map(|k| k.pattern), Some(key.pattern), "{example}");
    }
    for key in server::KEYS {
        assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.name);
        assert_eq!(key.grammar.check(key.default), Ok(()), "{}", key.name);
    }
}

#[test]
fn empty_values_are_good_everywhere() {
    for key in KEYS {
        let name = key.pattern.replace("kernel.*", "kernel.nofile").replace('*', "x");
        assert_eq!(message(Scope::Instance, &[(&name, "")]), "fine");
    }
}

#[test]
fn unknown_keys_are_named() {
    for key in [
        "boot.autostrat",
        "environment.",
        "user.",
        "limits.kernel.",
        "volatile.x",
        "",
        "environment.A=B",
        "user.a\nb",
    ] {
        let text = message(Scope::Instance, &[(key, "1")]);
        assert!(text.starts_with(&format!("Unknown configuration key: {key} (")), "{text}");
    }
    assert!(message(Scope::Instance, &[("boot.autostrat", "1")]).ends_with("(did you mean boot.autostart?)"));
}

#[test]
fn wrong_values_say_what_is_allowed() {
    assert_eq!(
        message(Scope::Instance, &[("security.privileged", "maybe")]),
        "Invalid value \"maybe\" for security.privileged: use true or false (or yes, no, on, off, 1, 0)"
    );
    let wrong = [
        ("boot.autostart.delay", "soon"),
        ("limits.cpu.priority", "11"),
        ("limits.cpu", "many"),
        ("limits.cpu.allowance", "50"),
        ("limits.memory", "1M"),
        ("limits.memory.enforce", "Hard"),
        ("limits.kernel.nofile", "1:2:3"),
        ("limits.kernel.nofile", "2:1"),
        ("limits.kernel.nofile", "unlimited:1"),
        ("limits.cpu", "0"),
        ("limits.memory", "0"),
        ("limits.processes", "-1"),
        ("limits.processes", "1.5"),
        ("linux.kernel_modules", "a;b"),
        ("raw.idmap", "both 1000"),
        ("raw.lxc", "lxc.logfile = /x"),
        ("security.idmap.size", "-1"),
        ("security.idmap.base", "+1"),
        ("volatile.eth0.hwaddr", "00:16:3e"),
        ("volatile.eth0.name", "a b"),
        ("volatile.idmap.next", "{}"),
        ("user.x", "a\0b"),
    ];
    for (key, value) in wrong {
        let text = message(Scope::Instance, &[(key, value)]);
        assert!(text.starts_with("Invalid value") && text.contains(key), "{text}");
    }
    let right = [
        ("security.privileged", "YES"),
        ("limits.memory", "50%"),
        ("limits.memory", "512MiB"),
        ("limits.kernel.nofile", "1000:unlimited"),
        ("limits.cpu", "0,2-3"),
        ("linux.kernel_modules", "overlay, nf_nat"),
        ("environment.http_proxy", "http://a:1/?b=c\nd"),
        ("volatile.eth0.hwaddr", "00:16:3E:01:02:03"),
        ("volatile.a.b.host_name", "veth12345678"),
        ("volatile.last_state.idmap", "[]"),
        ("image.os", "Debian"),
        ("user.user-data", "#cloud-config\n"),
    ];
    for (key, value) in right {
        assert_eq!(message(Scope::Instance, &[(key, value)]), "fine", "{key}");
    }
}

#[test]
fn profiles_have_no_keys_of_single_containers() {
    assert_eq!(
        message(Scope::Profile, &[("image.os", "Debian")]),
        "image.os can only be set on containers, not in profiles"
    );
    assert!(message(Scope::Profile, &[("volatile.base_image", "x")]).contains("not in profiles"));
    assert_eq!(message(Scope::Profile, &[("user.x", "y"), ("boot.autostart", "1")]), "fine");
}

#[test]
fn what_may_not_be_together() {
    let raw = "raw.seccomp is mutually exclusive with security.syscalls*";
    let lists = "security.syscalls.whitelist is mutually exclusive with security.syscalls.blacklist*";
    let cases = [
        (vec![("raw.seccomp", "2\nblacklist\n"), ("security.syscalls.whitelist", "read")], raw),
        (vec![("raw.seccomp", "2\nblacklist\n"), ("security.syscalls.blacklist_default", "true")], raw),
        (vec![("raw.seccomp", "2\nblacklist\n"), ("security.syscalls.blacklist", "")], "fine"),
        (vec![("security.syscalls.whitelist", "read"), ("security.syscalls.blacklist", "open")], lists),
        (vec![("security.syscalls.whitelist", "read"), ("security.syscalls.blacklist_default", "1")], lists),
        (
            vec![("security.syscalls.whitelist", "read"), ("security.syscalls.blacklist_default", "false")],
            "fine",
        ),
        (vec![("security.syscalls.whitelist", "read")], "fine"),
    ];
    for (pairs, expected) in cases {
        assert_eq!(message(Scope::Instance, &pairs), expected);
    }
}

#[test]
fn what_the_host_cannot_do() {
    let host = Host { architecture: Architecture::S390x, has_ids: false };
    let privileged = config(&[("security.privileged", "1")]);
    assert_eq!(validate_on(&host, &privileged), Ok(()));
    assert_eq!(validate_on(&host, &Config::new()), Err(ConfigError::NoIds));
    let compat = config(&[("security.syscalls.blacklist_compat", "true")]);
    assert!(matches!(validate_on(&host, &compat), Err(ConfigError::NoCompat { .. })));
    let host = Host { architecture: Architecture::X86_64, has_ids: true };
    assert_eq!(validate_on(&host, &compat), Ok(()));
}

#[test]
fn effective_defaults_and_values() {
    let nothing = Effective::parse(&Config::new()).unwrap();
    assert_eq!(nothing.autostart, None);
    assert_eq!(nothing.host_shutdown_timeout, Duration::from_secs(30));
    assert_eq!(nothing.syscalls, Syscalls::Blacklist { default: true, compat: false, lines: String::new() });
    assert!(!nothing.syscalls.is_unfiltered());
    assert_eq!(nothing.last_power, LastPower::Stopped);

    let all = Effective::parse(&config(&[
        ("boot.autostart", "no"),
        ("boot.autostart.delay", "5"),
        ("boot.host_shutdown_timeout", "-3"),
        ("boot.stop.priority", "-2"),
        ("environment.B", "2"),
        ("environment.A", "1"),
        ("environment.C", ""),
        ("security.nesting", "on"),
        ("security.idmap.isolated", "true"),
        ("security.idmap.size", "100000"),
        ("raw.idmap", "both 1000 1000\n"),
        ("security.syscalls.blacklist_default", "false"),
        ("volatile.last_state.power", "RUNNING"),
        ("some.later.key", "x"),
    ]))
    .unwrap();
    assert_eq!(all.autostart, Some(false));
    assert_eq!(all.autostart_delay, Duration::from_secs(5));
    assert_eq!(all.host_shutdown_timeout, Duration::ZERO);
    assert_eq!(all.stop_priority, -2);
    assert_eq!(all.environment, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
    assert!(all.nesting && !all.privileged && all.idmapping.isolated);
    assert_eq!(all.idmapping.size, Some(100_000));
    assert_eq!(all.idmapping.raw.len(), 1);
    assert!(all.syscalls.is_unfiltered());
    assert_eq!(all.last_power, LastPower::Running);

    let error = Effective::parse(&config(&[("security.privileged", "perhaps")])).unwrap_err();
    assert!(error.to_string().contains("perhaps"));
}

#[test]
fn server_errors_are_summed_up() {
    let check = |pairs: &[(&str, &str)]| {
        server::validate(&config(pairs)).map_or_else(|e| e.to_string(), |()| "fine".to_owned())
    };
    assert_eq!(check(&[("core.x", "1")]), "cannot set 'core.x' to '1': unknown key");
    assert!(check(&[("core.http_address", "1")]).ends_with("unknown key (did you mean core.https_address?)"));
    assert_eq!(check(&[("user.note", "anything")]), "fine");
    assert_eq!(check(&[("user.", "1")]), "cannot set 'user.' to '1': unknown key");
    assert_eq!(
        check(&[("core.x", "1"), ("core.y", "2"), ("images.auto_update_interval", "z")]),
        "cannot set 'core.x' to '1': unknown key (and 2 more errors)"
    );
    assert_eq!(
        check(&[("storage.zfs_pool_name", "tank")]),
        "cannot set 'storage.zfs_pool_name' to 'tank': deprecated: use storage pool configuration"
    );
    assert_eq!(check(&[("storage.zfs_pool_name", ""), ("core.https_address", "[::]:8443")]), "fine");
    for address in ["host", "host:1", ":8443", "10.0.0.1", "10.0.0.1:1", "[::1]", "::"] {
        assert_eq!(check(&[("core.https_address", address)]), "fine");
    }
    for address in ["host:x", "host:99999", "a b", "[x]:1", "[::1]x", "a/b"] {
        assert!(check(&[("core.https_address", address)]).starts_with("cannot set"), "{address}");
    }
    assert!(check(&[("cluster.offline_threshold", "4")]).ends_with("use a whole number above 4"));
    for algorithm in ["none", "xz", "gzip -9", "zstd --long=27 -T0", "xz -9 -e"] {
        assert_eq!(check(&[("images.compression_algorithm", algorithm)]), "fine");
    }
    for algorithm in
        ["sh", "gzip file", "/bin/gzip", "tar -f/x", "gzip -S/x", "-9", "xz --files=x", "zstd -oX"]
    {
        assert!(
            check(&[("images.compression_algorithm", algorithm)]).starts_with("cannot set"),
            "{algorithm}"
        );
    }
    assert_eq!(server::value(&Config::new(), "images.compression_algorithm"), Some("gzip"));
    assert_eq!(server::value(&Config::new(), "core.https_address"), None);
}

proptest! {
    #[test]
    fn checking_never_panics(key in "[a-z.*]{0,20}", value in "\\PC{0,40}") {
        let _ = validate(Scope::Instance, &config(&[(&key, &value)]));
        let _ = server::validate(&config(&[(&key, &value)]));
    }

    #[test]
    fn what_is_valid_can_be_read(index in 0..KEYS.len(), value in "[a-z0-9:% ]{0,6}") {
        let name = KEYS[index].pattern.replace('*', "x");
        let config = config(&[(&name, &value)]);
        if validate(Scope::Instance, &config).is_ok() {
            prop_assert!(Effective::parse(&config).is_ok());
        }
    }
}
