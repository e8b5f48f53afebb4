//! A real system: Debian 12 with systemd.

use std::time::Duration;
use testkit::{TestDaemon, debian_image, eventually_within, or_skip, run};

/// Units that may fail, each with its reason in `docs/troubleshooting.md`.
const MAY_FAIL: &[&str] = &[];

fn with_image() -> Result<TestDaemon, testkit::Unavailable> {
    let image = debian_image()?;
    let d = TestDaemon::builder().without_image().start()?;
    let (metadata, rootfs) = (image.metadata.to_string_lossy(), image.rootfs.to_string_lossy());
    d.lxc_ok(&["image", "import", &metadata, &rootfs, "--alias", "debian/12"]);
    Ok(d)
}

/// Wait until systemd has come up; what failed must be on the list.
fn booted(d: &TestDaemon, name: &str) {
    let state = eventually_within(Duration::from_secs(120), "systemd has come up", || {
        let asked = d.lxc(&["exec", name, "--", "systemctl", "is-system-running"]);
        let state = asked.text().trim().to_owned();
        ["running", "degraded"].contains(&state.as_str()).then_some(state)
    });
    let failed = d.exec(name, &["systemctl", "--failed", "--plain", "--no-legend"]);
    let units: Vec<_> = failed.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(units.iter().all(|u| MAY_FAIL.contains(u)), "{state}: {failed}");
}

#[test]
fn debian_boots_gets_an_address_and_powers_off() {
    let d = or_skip!(with_image());
    d.lxc_ok(&["launch", "debian/12", "first"]);
    booted(&d, "first");
    assert!(d.exec("first", &["cat", "/etc/os-release"]).contains("Debian GNU/Linux 12"));
    eventually_within(Duration::from_secs(60), "an address in the list", || {
        d.lxc_ok(&["list", "first", "-c", "4", "--format", "csv"]).contains("(eth0)").then_some(())
    });
    assert_eq!(d.exec("first", &["hostname"]).trim(), "first");
    assert_eq!(d.exec("first", &["systemd-detect-virt"]).trim(), "lxc");
    assert_eq!(d.exec("first", &["cat", "/proc/1/comm"]).trim(), "systemd");
    d.exec("first", &["systemd-run", "--wait", "--quiet", "true"]);
    d.exec("first", &["apt-get", "--version"]);
    d.exec("first", &["ping", "-c", "1", "-W", "5", "10.177.0.1"]);

    let before = d.init_pid("first");
    let _ = d.lxc(&["exec", "first", "--", "systemctl", "reboot"]);
    eventually_within(Duration::from_secs(60), "it runs again", || {
        let now = d.init_pid("first");
        (now != 0 && now != before).then_some(())
    });
    booted(&d, "first");
    d.lxc_ok(&["stop", "first", "--timeout", "60"]);
    assert_eq!(d.status("first"), "Stopped");
    d.lxc_ok(&["start", "first"]);
    booted(&d, "first");
    let _ = d.lxc(&["exec", "first", "--", "systemctl", "poweroff"]);
    d.wait_status("first", "Stopped");
}

#[test]
fn debian_boots_privileged_and_survives_a_killed_daemon() {
    let mut d = or_skip!(with_image());
    d.lxc_ok(&["launch", "debian/12", "strong", "-c", "security.privileged=true"]);
    booted(&d, "strong");
    let before = d.init_pid("strong");
    d.kill9();
    d.start_again();
    assert_eq!(d.init_pid("strong"), before);
    d.exec("strong", &["systemctl", "is-active", "systemd-networkd"]);
    d.lxc_ok(&["stop", "--force", "strong"]);
}

#[test]
fn debian_has_the_same_files_as_its_image() {
    let d = or_skip!(with_image());
    let image = or_skip!(debian_image());
    d.lxc_ok(&["init", "debian/12", "c1"]);
    let plain = d.scratch().join("plain");
    let mut unpack = std::process::Command::new("unsquashfs");
    let _ =
        run(unpack.args(["-no-progress", "-quiet", "-dest"]).arg(&plain).arg(&image.rootfs)).expect_success();
    let look = "cd $1; find . -path ./dev -prune -o -printf '%p %y %m %U %G %n %l\\n' | sort; \
                find . -type f -links +1 | sort; getcap -r . 2>/dev/null";
    let list = |root: &std::path::Path| {
        run(std::process::Command::new("sh").args(["-c", look, "sh"]).arg(root)).expect_success().text()
    };
    let copy = d.lxd_dir().join("storage-pools/default/containers/c1/rootfs");
    let (expected, found) = (list(&plain), list(&copy));
    let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
    assert!(differs.is_none() && expected.lines().count() == found.lines().count(), "{differs:?}");
}
