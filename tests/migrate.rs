//! Containers and snapshots go from one daemon to another: what arrives, and what an interruption leaves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use testkit::{Finished, TestDaemon, daemon, eventually, eventually_within, run};

/// Two daemons whose streams meet in the client: `b:` is known to the first one's client.
macro_rules! two_daemons {
    () => {{
        let (a, b) = (daemon!(), daemon!());
        if testkit::find_program("rsync").is_none() {
            testkit::skip!("rsync is not installed");
        }
        let _ = a.lxc_ok(&["remote", "add", "b", &format!("unix://{}", b.socket().display())]);
        (a, b)
    }};
}

fn volume(d: &TestDaemon, what: &str) -> std::path::PathBuf {
    d.lxd_dir().join("storage-pools/default").join(what)
}

/// Joins the networks of two daemons, which listen on it. The host's own network is not touched.
fn join(a: &TestDaemon, b: &TestDaemon) {
    let pid = |d: &TestDaemon| d.pid().as_raw_nonzero().to_string();
    let mut link = std::process::Command::new("ip");
    link.args([
        "link",
        "add",
        "wire",
        "netns",
        &pid(a),
        "type",
        "veth",
        "peer",
        "name",
        "wire",
        "netns",
        &pid(b),
    ]);
    let _ = run(&mut link).expect_success();
    for (d, address) in [(a, "10.98.0.1"), (b, "10.98.0.2")] {
        let _ = run(d.inside("ip").args(["address", "add", &format!("{address}/24"), "dev", "wire"]))
            .expect_success();
        let _ = run(d.inside("ip").args(["link", "set", "wire", "up"])).expect_success();
        d.lxc_ok(&["config", "set", "core.https_address", &format!("{address}:8443")]);
    }
}

/// Cuts the wire at one end.
fn cut(d: &TestDaemon) {
    let _ = run(d.inside("ip").args(["link", "delete", "wire"])).expect_success();
}

/// One line for each file of a tree: name, kind, mode, owner, size, blocks that are not there, links,
/// attributes and content.
fn describe(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if name == "backup.yaml" || name == ".backup.yaml.new" {
                // The daemon's own, which changes with the container's keys.
                continue;
            }
            let mut line = format!("{name} {:o} {}:{} {}", meta.mode(), meta.uid(), meta.gid(), meta.mtime());
            let kind = meta.file_type();
            if kind.is_dir() {
                directories.push(path.clone());
            } else if kind.is_symlink() {
                let _ = write!(line, " -> {}", path.read_link().unwrap().display());
            } else if kind.is_char_device() || kind.is_block_device() {
                let _ = write!(line, " {:x}", meta.rdev());
            } else if kind.is_file() {
                let content = hash(&path);
                let _ = write!(line, " {} {} {content}", meta.len(), meta.nlink());
            }
            if !kind.is_symlink() {
                let got = run(std::process::Command::new("getfattr")
                    .args(["-h", "-d", "-m", "-", "-e", "hex"])
                    .arg(&path));
                let text = String::from_utf8_lossy(&got.stdout).into_owned();
                for attribute in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                    let _ = write!(line, " {attribute}");
                }
            }
            lines.push(line);
        }
    }
    lines.sort();
    lines.join("\n")
}

/// Two trees are the same; panics with what differs.
#[track_caller]
fn same(one: &str, other: &str) {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one.lines().collect(), other.lines().collect());
    let (lost, made): (Vec<_>, Vec<_>) = (one.difference(&other).collect(), other.difference(&one).collect());
    assert!(lost.is_empty() && made.is_empty(), "lost: {lost:#?}\nmade: {made:#?}");
}

fn hash(path: &Path) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(std::fs::read(path).unwrap());
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn lxc(d: &TestDaemon, arguments: &[&str]) -> Finished {
    d.lxc(arguments)
}

#[track_caller]
fn names(d: &TestDaemon) -> Vec<String> {
    let list = d.lxc_ok(&["list", "-c", "n", "--format", "csv"]);
    list.lines().map(str::to_owned).collect()
}

/// Nothing of a container that did not arrive is left.
#[track_caller]
fn nothing_half(d: &TestDaemon) {
    eventually("what was received is gone", || {
        let left = |part: &str| {
            let all = std::fs::read_dir(volume(d, part)).unwrap();
            all.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp"))
                .count()
        };
        (left("snapshots") + left("containers") == 0).then_some(())
    });
}

#[test]
fn a_copy_is_the_same_to_the_last_attribute() {
    let (a, b) = two_daemons!();
    a.lxc_ok(&["init", "busybox", "c1", "-c", "user.k=v"]);
    let root = volume(&a, "containers/c1/rootfs/root");
    let script = r#"
        cd "$1"; echo one > one; ln one two; ln -s /nowhere link; mknod pipe p; mknod null c 1 3
        chown 1000:1001 one; chown -h 12:13 link; chmod 4755 one; mkdir -p deep/er; chmod 1777 deep
        truncate -s 8M hole; printf x | dd of=hole bs=1 seek=4000000 conv=notrunc 2>/dev/null
        setfattr -n user.note -v hello one; setfacl -m u:1234:rw deep/er 2>/dev/null || :
        setcap cap_net_raw+ep hole 2>/dev/null || :
    "#;
    let _ = run(std::process::Command::new("sh").args(["-c", script, "sh"]).arg(&root)).expect_success();
    a.lxc_ok(&["snapshot", "c1", "first"]);
    std::fs::write(root.join("later"), "later").unwrap();
    std::fs::remove_file(root.join("pipe")).unwrap();
    a.lxc_ok(&["snapshot", "c1", "second"]);
    let tree = |d: &TestDaemon, what: &str| describe(&volume(d, what).join("rootfs"));

    a.lxc_ok(&["copy", "c1", "b:c2", "--mode=relay"]);
    same(&tree(&a, "containers/c1"), &tree(&b, "containers/c2"));
    for snapshot in ["first", "second"] {
        let (there, here) = (format!("snapshots/c1/{snapshot}"), format!("snapshots/c2/{snapshot}"));
        same(&tree(&a, &there), &tree(&b, &here));
    }
    assert!(!volume(&b, "snapshots/c2/second/rootfs/root/pipe").exists());
    let hole = volume(&b, "containers/c2/rootfs/root/hole").metadata().unwrap();
    assert!(hole.blocks() * 512 < hole.len() / 2, "holes stay holes");
    assert_eq!(volume(&b, "containers/c2").metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!(b.lxc_ok(&["config", "get", "c2", "user.k"]).trim(), "v");
    let object = |d: &TestDaemon, path: &str| d.api().get(&format!("/1.0/containers/{path}")).metadata();
    for snapshot in ["first", "second"] {
        let (there, here) = (
            object(&a, &format!("c1/snapshots/{snapshot}")),
            object(&b, &format!("c2/snapshots/{snapshot}")),
        );
        let seconds = |value: &serde_json::Value| value["created_at"].as_str().unwrap()[..19].to_owned();
        assert_eq!(seconds(&there), seconds(&here));
        assert_eq!(there["profiles"], here["profiles"]);
        assert_eq!(here["config"]["user.k"], "v");
    }
    let (there, here) = (object(&a, "c1"), object(&b, "c2"));
    assert_ne!(there["config"]["volatile.eth0.hwaddr"], here["config"]["volatile.eth0.hwaddr"]);
    assert_ne!(there["config"]["volatile.uuid"], here["config"]["volatile.uuid"]);
    assert_eq!(there["config"]["volatile.base_image"], here["config"]["volatile.base_image"]);
    assert_eq!(here["config"]["volatile.apply_template"], "copy");
    b.lxc_ok(&["start", "c2"]);
    assert_eq!(b.exec("c2", &["stat", "-c", "%u:%g:%h", "/root/one"]), "1000:1001:2\n");
    b.lxc_ok(&["restore", "c2", "first"]);
    assert!(b.exec("c2", &["ls", "/root"]).contains("pipe"));

    a.lxc_ok(&["copy", "c1/first", "b:", "--mode=relay"]);
    same(&tree(&a, "snapshots/c1/first"), &tree(&b, "containers/c1"));
    a.lxc_ok(&["copy", "c1", "b:c3", "--instance-only", "--mode=relay", "-c", "user.k=w"]);
    assert_eq!(b.lxc_ok(&["list", "-c", "nS", "--format", "csv", "c3"]), "c3,0\n");
    assert_eq!(b.lxc_ok(&["config", "get", "c3", "user.k"]).trim(), "w");
    let taken = a.lxc_fails(&["copy", "c1", "b:c3", "--mode=relay"]);
    assert!(taken.contains("already exists"), "{taken}");
    nothing_half(&b);
}

#[test]
fn a_move_leaves_nothing_behind() {
    let (a, b) = two_daemons!();
    a.lxc_ok(&["init", "busybox", "c1"]);
    a.lxc_ok(&["snapshot", "c1", "s"]);
    let before = a.api().get("/1.0/containers/c1").metadata();
    a.lxc_ok(&["move", "c1", "b:"]);
    assert_eq!((names(&a), names(&b)), (vec![], vec!["c1".to_owned()]));
    let after = b.api().get("/1.0/containers/c1").metadata();
    assert_eq!(
        before["config"]["volatile.eth0.hwaddr"], after["config"]["volatile.eth0.hwaddr"],
        "it is the same one"
    );
    a.lxc_ok(&["move", "b:c1", "c9"]);
    assert_eq!((names(&a), names(&b)), (vec!["c9".to_owned()], vec![]));
    assert_eq!(a.lxc_ok(&["list", "-c", "nS", "--format", "csv"]), "c9,1\n");
    a.lxc_ok(&["launch", "busybox", "c2"]);
    let refused = a.lxc_fails(&["move", "c2", "b:c2"]);
    assert!(refused.contains("--stateless"), "{refused}");
    assert_eq!(a.status("c2"), "Running");
    a.lxc_ok(&["move", "c2", "b:c2", "--stateless"]);
    assert_eq!((a.status("c2"), b.status("c2")), (String::new(), "Running".to_owned()));
    let error = lxc(&a, &["move", "c9/s", "b:c9/s"]).errors();
    assert!(error.contains("lxc copy"), "{error}");
}

#[test]
fn servers_fetch_and_send_across_the_network() {
    let (a, b) = two_daemons!();
    join(&a, &b);
    a.lxc_ok(&["init", "busybox", "c1"]);
    a.lxc_ok(&["snapshot", "c1", "s"]);
    for mode in ["pull", "push"] {
        a.lxc_ok(&["copy", "c1", &format!("b:{mode}"), "--mode", mode]);
        same(
            &describe(&volume(&a, "containers/c1/rootfs")),
            &describe(&volume(&b, &format!("containers/{mode}/rootfs"))),
        );
        assert_eq!(b.lxc_ok(&["list", "-c", "nS", "--format", "csv", mode]), format!("{mode},1\n"));
        let taken = a.lxc_fails(&["copy", "c1", &format!("b:{mode}"), "--mode", mode]);
        assert!(taken.contains("already exists"), "{taken}");
    }
    a.lxc_ok(&["copy", "c1/s", "b:of-snapshot"]);
    a.lxc_ok(&["move", "c1", "b:"]);
    assert_eq!((names(&a).len(), names(&b).len()), (0, 4));
    nothing_half(&b);

    // Secrets are good for their streams alone, and once.
    let begun =
        b.api().send("POST", "/1.0/containers/c1", &serde_json::json!({"migration": true, "live": false}));
    let metadata = begun.json()["metadata"]["metadata"].clone();
    let operation = begun.json()["operation"].as_str().unwrap().to_owned();
    assert_eq!(metadata.as_object().unwrap().len(), 2, "{metadata}");
    assert_eq!(
        b.api().get(&operation).metadata()["metadata"],
        serde_json::Value::Null,
        "told to its creator only"
    );
    let wrong = serde_json::json!({"name": "x", "source": {"type": "migration", "mode": "pull",
        "operation": format!("https://10.98.0.2:8443{operation}"), "certificate": "",
        "secrets": {"control": metadata["fs"], "fs": metadata["control"]}}});
    let refused = a.api().send("POST", "/1.0/containers", &wrong);
    let ended = a.api().wait(refused.json()["operation"].as_str().unwrap());
    assert_eq!(ended["status_code"], 400, "the system's authorities do not vouch for it: {ended}");
    assert_eq!(names(&a).len(), 0);
    for (field, value) in
        [("operation", ""), ("operation", "http://h/1.0/operations/x"), ("certificate", "x")]
    {
        let mut bad = wrong.clone();
        bad["source"][field] = value.into();
        let answer = a.api().send("POST", "/1.0/containers", &bad);
        let failed = answer.status == 400
            || a.api().wait(answer.json()["operation"].as_str().unwrap())["status_code"] == 400;
        assert!(failed, "{field}={value}");
    }
}

/// Makes a container that takes a while to be sent.
fn big(d: &TestDaemon, name: &str) {
    d.lxc_ok(&["init", "busybox", name]);
    let path = volume(d, &format!("containers/{name}/rootfs/root/big"));
    let script = "dd if=/dev/urandom of=$1 bs=1M count=24 2>/dev/null";
    let _ = run(std::process::Command::new("sh").args(["-c", script, "sh"]).arg(path)).expect_success();
}

#[test]
fn an_interruption_leaves_no_half_container() {
    let (mut a, mut b) = two_daemons!();
    big(&a, "c1");
    a.lxc_ok(&["snapshot", "c1", "s"]);
    let before = describe(&volume(&a, "containers/c1"));
    for step in ["receive:answer", "receive:tree", "receive:snapshot", "receive:volume", "create:record"] {
        b.terminate();
        b.set_env("LIGHTERVISOR_CRASH_AT", Some(step));
        b.start_again();
        let failed = a.lxc(&["move", "c1", "b:", "--mode=relay"]);
        assert!(!failed.status.success(), "{step}: {failed:?}");
        b.wait_gone();
        b.set_env("LIGHTERVISOR_CRASH_AT", None);
        b.start_again();
        assert_eq!((names(&b), names(&a)), (vec![], vec!["c1".to_owned()]), "{step}");
        nothing_half(&b);
        eventually("the source is free again", || {
            a.lxc(&["config", "set", "c1", "user.x", "1"]).status.success().then_some(())
        });
    }
    a.terminate();
    a.set_env("LIGHTERVISOR_CRASH_AT", Some("send:tree"));
    a.start_again();
    assert!(!a.lxc(&["move", "c1", "b:", "--mode=relay"]).status.success());
    a.wait_gone();
    a.set_env("LIGHTERVISOR_CRASH_AT", None);
    a.start_again();
    eventually("the target has given up", || names(&b).is_empty().then_some(()));
    nothing_half(&b);
    same(&before, &describe(&volume(&a, "containers/c1")));
    a.lxc_ok(&["move", "c1", "b:", "--mode=relay"]);
    assert_eq!((names(&b), names(&a)), (vec!["c1".to_owned()], vec![]));
}

#[test]
fn a_client_or_a_network_that_goes_away_leaves_nothing() {
    let (a, b) = two_daemons!();
    join(&a, &b);
    big(&a, "c1");
    for what in ["client", "cancel", "wire"] {
        let mode = if what == "client" { "relay" } else { "pull" };
        let mut command = a.lxc_command();
        let client = testkit::spawn(command.args(["copy", "c1", "b:c2", "--mode", mode]));
        let id = eventually("it has begun", || {
            let running = b.api().get("/1.0/operations?recursion=1").metadata()["running"].clone();
            let all = running.as_array().cloned().unwrap_or_default();
            let one = all.iter().find(|operation| operation["description"] == "Creating container")?;
            one["id"].as_str().map(str::to_owned)
        });
        match what {
            "client" => client.signal(testkit::Signal::KILL),
            "cancel" => drop(b.api().request("DELETE", &format!("/1.0/operations/{id}"), &[], &[])),
            _ => cut(&a),
        }
        let ended = client.wait(std::time::Duration::from_secs(180));
        // It may have been faster than we; then the copy is whole.
        if ended.code() == 0 {
            b.lxc_ok(&["delete", "c2"]);
        }
        eventually_within(std::time::Duration::from_secs(180), "nothing is left", || {
            let _ = b.lxc(&["delete", "c2"]);
            names(&b).is_empty().then_some(())
        });
        nothing_half(&b);
        eventually_within(std::time::Duration::from_secs(180), "the source is free again", || {
            a.lxc(&["config", "set", "c1", "user.x", "1"]).status.success().then_some(())
        });
    }
}

#[test]
fn an_earlier_copy_is_brought_up_to_date() {
    let (a, b) = two_daemons!();
    a.lxc_ok(&["init", "busybox", "c1"]);
    a.lxc_ok(&["snapshot", "c1", "old"]);
    a.lxc_ok(&["snapshot", "c1", "both"]);
    a.lxc_ok(&["copy", "c1", "here"]);
    a.lxc_ok(&["copy", "c1", "b:there", "--mode=relay"]);
    let root = volume(&a, "containers/c1/rootfs/root");
    std::fs::write(root.join("new"), "new").unwrap();
    a.lxc_ok(&["delete", "c1/old"]);
    a.lxc_ok(&["snapshot", "c1", "added"]);
    a.lxc_ok(&["config", "set", "here", "user.own", "kept"]);
    a.lxc_ok(&["copy", "c1", "here", "--refresh"]);
    a.lxc_ok(&["copy", "c1", "b:there", "--refresh", "--mode=relay"]);
    for (d, name) in [(&a, "here"), (&b, "there")] {
        same(&describe(&root), &describe(&volume(d, &format!("containers/{name}/rootfs/root"))));
        let list = d.api().get(&format!("/1.0/containers/{name}/snapshots")).metadata();
        let all: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|url| url.as_str().unwrap().rsplit('/').next().unwrap())
            .collect();
        assert_eq!(all, ["both", "added"], "{name}");
        assert!(volume(d, &format!("snapshots/{name}/added/rootfs/root/new")).is_file(), "{name}");
        assert!(!volume(d, &format!("snapshots/{name}/both/rootfs/root/new")).exists(), "{name}");
        d.lxc_ok(&["start", name]);
        assert_eq!(d.exec(name, &["cat", "/root/new"]), "new");
    }
    assert_eq!(a.lxc_ok(&["config", "get", "here", "user.own"]).trim(), "kept");
    let refused = a.lxc_fails(&["copy", "c1", "here", "--refresh"]);
    assert!(refused.contains("running"), "{refused}");
    nothing_half(&a);
    nothing_half(&b);
}

#[test]
fn a_hostile_tree_stays_in_its_volume() {
    let (a, b) = two_daemons!();
    a.lxc_ok(&["init", "busybox", "c1"]);
    // What a source can lay into a volume: links in the places that a target looks at.
    let home = volume(&a, "containers/c1");
    let outside = b.scratch().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    let _ = std::fs::remove_dir_all(home.join("templates"));
    std::os::unix::fs::symlink(&outside, home.join("templates")).unwrap();
    std::fs::write(home.join("backup.yaml"), "container: {}").unwrap();
    std::os::unix::fs::symlink(&outside, home.join("rootfs/root/away")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
    a.lxc_ok(&["copy", "c1", "b:c1", "--mode=relay"]);
    let there = volume(&b, "containers/c1");
    assert!(there.join("templates").symlink_metadata().is_err());
    let backup = std::fs::read_to_string(there.join("backup.yaml")).unwrap_or_default();
    assert!(
        !backup.starts_with("container: {}"),
        "what is known of it is not what the source says: {backup}"
    );
    assert_eq!(there.metadata().unwrap().mode() & 0o7777, 0o700);
    assert!(there.join("rootfs/root/away").symlink_metadata().unwrap().is_symlink());
    std::fs::rename(home.join("rootfs"), home.join("other")).unwrap();
    std::os::unix::fs::symlink(&outside, home.join("rootfs")).unwrap();
    let refused = a.lxc_fails(&["copy", "c1", "b:c2", "--mode=relay"]);
    assert!(refused.contains("root directory"), "{refused}");
    assert_eq!(names(&b), ["c1"]);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(outside.join("secret").metadata().unwrap().mode() & 0o777, 0o644);
    nothing_half(&b);
}

/// Debian's own daemon beside ours, in the same namespaces.
struct Theirs<'d> {
    d: &'d TestDaemon,
    dir: std::path::PathBuf,
    _lxd: testkit::Running,
}

impl<'d> Theirs<'d> {
    fn start(d: &'d TestDaemon) -> Result<Self, testkit::Unavailable> {
        let missing = || testkit::Unavailable("Debian's package lxd 5.0.2 is not installed".to_owned());
        let programs = ["/usr/bin/lxd", "/usr/bin/lxc"].map(Path::new);
        let version = run(std::process::Command::new("/usr/bin/lxc")
            .arg("--version")
            .env("LXD_CONF", d.scratch().join("v")));
        if !programs.iter().all(|program| program.is_file()) || !version.text().starts_with("5.0.2") {
            return Err(missing());
        }
        let dir = d.scratch().join("deb");
        std::fs::create_dir(&dir).unwrap();
        let mut lxd = d.inside("/usr/bin/lxd");
        // It looks for updates of images on the internet when it starts.
        lxd.args(["--group", "root"]).env("LXD_DIR", &dir).env("HTTPS_PROXY", "http://127.0.0.1:9");
        let lxd = testkit::spawn(lxd.stdin(std::process::Stdio::null()));
        let theirs = Self { d, dir, _lxd: lxd };
        let wait = run(theirs.command("/usr/bin/lxd").args(["waitready", "--timeout", "100"]));
        assert!(wait.status.success(), "{wait:?}");
        let preseed = "config:\n  core.https_address: 127.0.0.1:9443\nstorage_pools:\n- {name: dir, driver: dir}\nprofiles:\n- name: default\n  devices:\n    root: {path: /, pool: dir, type: disk}\n";
        let init = testkit::run_with_input(
            theirs.command("/usr/bin/lxd").args(["init", "--preseed"]),
            preseed.as_bytes(),
        );
        assert!(init.status.success(), "{init:?}");
        Ok(theirs)
    }

    fn command(&self, program: &str) -> std::process::Command {
        let mut command = self.d.inside(program);
        command.env("LXD_DIR", &self.dir).env("LXD_CONF", self.d.scratch().join("deb-conf"));
        command
    }

    #[track_caller]
    fn lxc(&self, arguments: &[&str]) -> String {
        run(self.command("/usr/bin/lxc").args(arguments)).expect_success().text()
    }

    fn tree(&self, what: &str) -> String {
        describe(&self.dir.join("storage-pools/dir").join(what).join("rootfs"))
    }
}

#[test]
fn debians_own_daemon_is_a_peer_like_ours() {
    let d = daemon!();
    let theirs = testkit::or_skip!(Theirs::start(&d));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1:8443"]);
    let _ =
        d.lxc_ok(&["remote", "add", "deb", &format!("unix://{}", theirs.dir.join("unix.socket").display())]);
    d.lxc_ok(&["init", "busybox", "c1", "-c", "user.k=v"]);
    let root = volume(&d, "containers/c1/rootfs/root");
    let script = r#"cd "$1"; echo one > one; chown 1000:1001 one; chmod 4755 one; mknod null c 1 3; mknod pipe p
        ln -s /x link; setfattr -n user.a -v b one"#;
    let _ = run(std::process::Command::new("sh").args(["-c", script, "sh"]).arg(&root)).expect_success();
    d.lxc_ok(&["snapshot", "c1", "s1"]);
    std::fs::write(root.join("later"), "later").unwrap();
    let ours = describe(&volume(&d, "containers/c1/rootfs"));
    let before = describe(&volume(&d, "snapshots/c1/s1/rootfs"));
    for mode in ["pull", "push", "relay"] {
        let there = format!("to-{mode}");
        d.lxc_ok(&["copy", "c1", &format!("deb:{there}"), "--no-profiles", "-s", "dir", "--mode", mode]);
        same(&ours, &theirs.tree(&format!("containers/{there}")));
        same(&before, &theirs.tree(&format!("containers-snapshots/{there}/s1")));
        assert_eq!(theirs.lxc(&["config", "get", &there, "user.k"]).trim(), "v");
        let back = format!("from-{mode}");
        d.lxc_ok(&["copy", &format!("deb:{there}"), &back, "-s", "default", "--mode", mode]);
        same(&ours, &describe(&volume(&d, &format!("containers/{back}/rootfs"))));
        same(&before, &describe(&volume(&d, &format!("snapshots/{back}/s1/rootfs"))));
    }
    // Their client, which brings both together by itself.
    let _ = theirs.lxc(&["remote", "add", "our", &format!("unix://{}", d.socket().display())]);
    for mode in ["pull", "push", "relay"] {
        let name = format!("by-{mode}");
        theirs.lxc(&["copy", "our:c1", &name, "--no-profiles", "-s", "dir", &format!("--mode={mode}")]);
        same(&ours, &theirs.tree(&format!("containers/{name}")));
        theirs.lxc(&["move", &name, "our:", "-s", "default", &format!("--mode={mode}")]);
        same(&ours, &describe(&volume(&d, &format!("containers/{name}/rootfs"))));
    }
    d.lxc_ok(&["start", "by-pull"]);
    assert_eq!(d.exec("by-pull", &["stat", "-c", "%u:%g", "/root/one"]), "1000:1001\n");
}
