//! A container as a whole machine: what people run in a Debian system works as on one of metal.

use std::time::Duration;
use testkit::{TestDaemon, debian_services_image, eventually_within, or_skip, run};

const PATIENCE: Duration = Duration::from_secs(180);

/// Units that may fail: formats of binaries belong to the host.
const MAY_FAIL: &[&str] = &["systemd-binfmt.service"];

fn machine(options: &[&str]) -> Result<TestDaemon, testkit::Unavailable> {
    let image = debian_services_image()?;
    let d = TestDaemon::builder().without_image().start()?;
    let (metadata, rootfs) = (image.metadata.to_string_lossy(), image.rootfs.to_string_lossy());
    d.lxc_ok(&["image", "import", &metadata, &rootfs, "--alias", "services"]);
    d.lxc_ok(&[&["launch", "services", "m1"], options].concat());
    eventually_within(PATIENCE, "systemd has come up", || {
        let asked = d.lxc(&["exec", "m1", "--", "systemctl", "is-system-running"]);
        ["running", "degraded"].contains(&asked.text().trim()).then_some(())
    });
    Ok(d)
}

fn sh(d: &TestDaemon, script: &str) -> String {
    d.exec("m1", &["sh", "-ec", script])
}

fn as_user(d: &TestDaemon, script: &str) -> String {
    d.exec("m1", &["runuser", "-l", "user", "-c", script])
}

#[test]
fn a_debian_system_with_its_services() {
    let d = or_skip!(machine(&[]));
    // Cron looks once a minute, so it is asked first.
    sh(&d, "echo '* * * * * root date > /root/cron-was-here' > /etc/cron.d/example");
    let failed = sh(&d, "systemctl --failed --plain --no-legend | cut -d' ' -f1");
    assert!(failed.split_whitespace().all(|unit| MAY_FAIL.contains(&unit)), "{failed}");

    assert_eq!(sh(&d, "systemd-run --wait --pipe --quiet id -u"), "0\n");
    let hardened = "-p PrivateTmp=yes -p ProtectSystem=strict -p DynamicUser=yes -p PrivateDevices=yes \
                    -p ProtectKernelTunables=yes -p PrivateNetwork=yes -p NoNewPrivileges=yes";
    sh(&d, &format!("systemd-run --wait --quiet {hardened} true"));

    sh(&d, "logger -t example what-is-logged; journalctl --sync");
    assert!(sh(&d, "journalctl -q -b -t example -o cat").contains("what-is-logged"));
    // It can fail while something is being written.
    sh(&d, "for try in $(seq 20); do journalctl --verify 2>/dev/null && exit; sleep 0.2; done; exit 1");

    sh(&d, "echo 'deb [trusted=yes] file:/opt/repository ./' > /etc/apt/sources.list");
    sh(&d, "apt-get -qq update && apt-get -qq -y install lightervisor-example >/dev/null 2>&1");
    assert_eq!(sh(&d, "cat /usr/share/lightervisor-example/state"), "installed\n");
    sh(
        &d,
        "apt-get -qq -y purge lightervisor-example >/dev/null 2>&1; test ! -e /usr/share/lightervisor-example",
    );

    the_ssh_server(&d);
    file_systems(&d);
    ordinary_users(&d);

    let cron =
        || d.lxc(&["exec", "m1", "--", "test", "-s", "/root/cron-was-here"]).status.success().then_some(());
    eventually_within(PATIENCE, "cron has run its job", cron);
}

/// From the host over the bridge, and a login with a key.
fn the_ssh_server(d: &TestDaemon) {
    let address = eventually_within(PATIENCE, "an address", || {
        let list = d.lxc_ok(&["list", "m1", "-c", "4", "--format", "csv"]);
        list.contains("(eth0)").then(|| list.split(' ').next().unwrap_or_default().to_owned())
    });
    let dial = "exec 3<>/dev/tcp/$1/22; head -n 1 <&3";
    let banner = run(d.inside("bash").args(["-c", dial, "dial", &address])).expect_success().text();
    assert!(banner.starts_with("SSH-2.0-OpenSSH"), "{banner}");
    as_user(
        d,
        "mkdir -p -m 700 .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; cp .ssh/id_ed25519.pub .ssh/authorized_keys",
    );
    let login = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no localhost 'id -un; tty; test -t 0 || echo no terminal'";
    assert!(as_user(d, &format!("{login} 2>/dev/null || true")).starts_with("user\n"));
    let terminal =
        as_user(d, "ssh -tt -o BatchMode=yes -o StrictHostKeyChecking=no localhost tty 2>/dev/null");
    assert!(terminal.contains("/dev/pts/"), "{terminal}");
}

fn file_systems(d: &TestDaemon) {
    let full = "mkdir -p /mnt/t; mount -t tmpfs -o size=1m tmpfs /mnt/t; \
                dd if=/dev/zero of=/mnt/t/x bs=1k count=2000 2>&1 || true; stat -c %s /mnt/t/x; umount /mnt/t";
    let said = sh(d, full);
    assert!(said.contains("No space left") && said.trim_end().ends_with("1048576"), "{said}");
    let overlay = "mkdir -p /mnt/o/l /mnt/o/u /mnt/o/w /mnt/o/m; echo below > /mnt/o/l/f; \
                   mount -t overlay overlay -o lowerdir=/mnt/o/l,upperdir=/mnt/o/u,workdir=/mnt/o/w /mnt/o/m; \
                   echo above >> /mnt/o/m/f; cat /mnt/o/u/f; umount /mnt/o/m";
    assert_eq!(sh(d, overlay), "below\nabove\n");
    if d.lxc(&["exec", "m1", "--", "test", "-c", "/dev/fuse"]).status.success() {
        sh(
            d,
            "mkdir -p /tmp/q /mnt/f; echo inside > /tmp/q/file; mksquashfs /tmp/q /tmp/q.img -quiet -no-progress",
        );
        assert_eq!(sh(d, "squashfuse /tmp/q.img /mnt/f; cat /mnt/f/file; umount /mnt/f"), "inside\n");
        assert_eq!(
            as_user(d, "mkdir -p m; squashfuse /tmp/q.img m; cat m/file; fusermount3 -u m"),
            "inside\n"
        );
    }
}

fn ordinary_users(d: &TestDaemon) {
    assert!(as_user(d, "unshare --user --map-root-user id").starts_with("uid=0(root)"));
    // Another /proc is for containers that may nest.
    let alone = as_user(d, "unshare --user --map-root-user --pid --fork sh -c 'echo $$'");
    assert_eq!(alone, "1\n");
    assert!(as_user(d, "ping -c 1 -W 5 127.0.0.1").contains("1 received"));
    // A capability on a file, set in here, counts; without it there is none.
    sh(
        d,
        "sysctl -qw net.ipv4.ping_group_range='1 0'; cp /bin/ping /usr/local/bin/p; setcap cap_net_raw+ep /usr/local/bin/p",
    );
    assert_eq!(sh(d, "getcap /usr/local/bin/p"), "/usr/local/bin/p cap_net_raw=ep\n");
    assert!(as_user(d, "p -c 1 -W 5 127.0.0.1").contains("1 received"));
    sh(d, "setcap -r /usr/local/bin/p");
    assert!(as_user(d, "p -c 1 -W 5 127.0.0.1 2>&1 || true").contains("not permitted"));
}

/// A root file system of one program, and what makes an image of it.
const CONTEXT: &str = "mkdir -p /root/c/fs/bin; cp /bin/busybox /root/c/fs/bin/ 2>/dev/null || cp /root/busybox /root/c/fs/bin/; \
    for a in sh echo cat id; do ln -sf busybox /root/c/fs/bin/$a; done; tar -C /root/c/fs -cf /root/c/root.tar .; \
    printf 'FROM scratch\\nADD root.tar /\\nRUN echo built > /built\\nCMD [\"/bin/cat\", \"/built\"]\\n' > /root/c/Dockerfile";

fn with_busybox() -> Result<TestDaemon, testkit::Unavailable> {
    let busybox = testkit::find_program("busybox");
    let busybox =
        busybox.ok_or_else(|| testkit::Unavailable("busybox-static is not installed".to_owned()))?;
    let d = machine(&["-c", "security.nesting=true"])?;
    d.lxc_ok(&["file", "push", "--mode", "0755", &busybox.to_string_lossy(), "m1/root/busybox"]);
    sh(&d, CONTEXT);
    Ok(d)
}

#[test]
fn podman_builds_and_runs_an_image() {
    let d = or_skip!(with_busybox());
    // Debian's crun refuses hosts where version 2 of control groups has controllers beside version 1.
    sh(
        &d,
        "if [ -d /sys/fs/cgroup/unified ]; then mkdir -p /etc/containers; \
            printf '[engine]\\nruntime = \"runc\"\\n' > /etc/containers/containers.conf; fi",
    );
    sh(
        &d,
        "[ ! -d /sys/fs/cgroup/unified ] || export BUILDAH_RUNTIME=runc; podman build -q --network none -t own /root/c",
    );
    assert_eq!(sh(&d, "podman run --rm --network none own 2>/dev/null"), "built\n");
    assert!(sh(&d, "podman run --rm --network none own id 2>/dev/null").starts_with("uid=0"));
    let network = sh(&d, "podman run --rm own /bin/busybox ip addr 2>/dev/null");
    assert!(network.contains("10.88."), "{network}");
    sh(&d, "podman run -d --name web --network none own /bin/busybox sleep 1000 2>/dev/null");
    assert_eq!(sh(&d, "podman exec web /bin/echo there 2>/dev/null"), "there\n");
    d.lxc_ok(&["stop", "m1", "--timeout", "120"]);
}

#[test]
fn docker_builds_and_runs_an_image() {
    let d = or_skip!(with_busybox());
    sh(&d, "systemctl start docker");
    sh(&d, "docker build -q --network none -t own /root/c");
    assert_eq!(sh(&d, "docker run --rm --network none own"), "built\n");
    let network = sh(&d, "docker run --rm own /bin/busybox ip addr");
    assert!(network.contains("172.17."), "{network}");
    sh(&d, "docker run -d --name web -m 64m own /bin/busybox sleep 1000");
    assert_eq!(sh(&d, "docker exec web /bin/echo there"), "there\n");
    let list = d.lxc_ok(&["list", "m1", "-c", "4", "--format", "csv"]);
    assert!(list.contains("172.17.0.1 (docker0)"), "{list}");
    d.lxc_ok(&["restart", "m1", "--timeout", "120"]);
    eventually_within(PATIENCE, "docker is back", || {
        let again = "systemctl start docker && docker start web";
        d.lxc(&["exec", "m1", "--", "sh", "-c", again]).status.success().then_some(())
    });
}
