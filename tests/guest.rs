//! `/dev/lxd/sock`: what containers learn about themselves, and nobody else does.

use std::os::unix::net::UnixStream;
use std::process::Command;
use testkit::{TestDaemon, daemon, eventually, find_program, run, skip};

/// Programs that a caller needs, and this machine may lack.
macro_rules! needs_curl {
    () => {
        if find_program("curl").is_none() {
            skip!("curl is not installed");
        }
    };
}

/// The container that has no user namespace of its own.
const PRIVILEGED: &str = "p1";

/// A program of the host as a process of the container: in its user and process namespaces, with
/// the host's files.
fn as_process_of(d: &TestDaemon, container: &str, program: &[&str]) -> Command {
    let mut command = d.inside("nsenter");
    command.args(["--target", &d.init_pid(container).to_string(), "--pid"]);
    if container != PRIVILEGED {
        command.arg("--user");
    }
    command.arg("--").args(program);
    command
}

fn socket_of(d: &TestDaemon, container: &str) -> String {
    format!("/proc/{}/root/dev/lxd/sock", d.init_pid(container))
}

/// The code and the body that the container's root gets for a path.
#[track_caller]
fn ask(d: &TestDaemon, container: &str, path: &str) -> (String, String) {
    asked(&mut as_process_of(d, container, &curl(&socket_of(d, container), path)))
}

fn curl<'a>(socket: &'a str, path: &'a str) -> Vec<&'a str> {
    vec!["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", "--unix-socket", socket, path]
}

#[track_caller]
fn asked(command: &mut Command) -> (String, String) {
    let text = run(command).expect_success().text();
    let (body, code) = text.rsplit_once('\n').expect("the code is in the last line");
    (code.to_owned(), body.to_owned())
}

fn ok(body: &str) -> (String, String) {
    ("200".to_owned(), body.to_owned())
}

/// With rule R5: a key that is set and one that is not are refused alike.
#[test]
fn a_container_reads_its_own_configuration() {
    needs_curl!();
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.a=1", "-c", "user.meta-data=key: value"]);
    d.lxc_ok(&["profile", "set", "default", "user.from-profile", "yes"]);
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/dev/lxd/sock"]).trim(), "666");
    assert_eq!(ask(&d, "c1", "lxd/"), ok(r#"["/1.0"]"#));
    let (_, about) = ask(&d, "c1", "lxd/1.0");
    assert!(about.contains(r#""api_version":"1.0""#) && about.contains(r#""state":"Started""#), "{about}");
    let keys = r#"["/1.0/config/user.a","/1.0/config/user.from-profile","/1.0/config/user.meta-data"]"#;
    assert_eq!(ask(&d, "c1", "lxd/1.0/config"), ok(keys));
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.from-profile"), ok("yes"));
    assert_eq!(
        ask(&d, "c1", "lxd/1.0/meta-data"),
        ok("#cloud-config\ninstance-id: c1\nlocal-hostname: c1\nkey: value")
    );
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.none").0, "404");
    // One answer for what is set and what is not.
    let forbidden = ask(&d, "c1", "lxd/1.0/config/volatile.base_image");
    assert_eq!(forbidden.0, "403");
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/limits.memory"), forbidden);
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/%2e%2e/containers").0, "403");
    assert_eq!(ask(&d, "c1", "lxd/1.0/containers").0, "404");
    assert!(ask(&d, "c1", "lxd/1.0/devices").1.contains(r#""hwaddr":"00:16:3e:"#));
    d.lxc_ok(&["config", "set", "c1", "user.a", "2"]);
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("2"));
}

/// Rule R6.
#[test]
fn only_the_containers_own_root_is_answered() {
    needs_curl!();
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.secret=1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.lxc_ok(&["launch", "busybox", "p1", "-c", "security.privileged=true"]);
    // As if the socket had leaked: its directory on the host is closed to everybody but root.
    let guests = d.lxd_dir().join("devlxd");
    std::fs::set_permissions(&guests, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let socket = guests.join("c1/sock").to_string_lossy().into_owned();
    let question = curl(&socket, "lxd/1.0/config/user.secret");
    let refused = ("401".to_owned(), "not authorized\n".to_owned());
    // Root of another container, which has the same ids, and of a privileged one.
    assert_eq!(asked(&mut as_process_of(&d, "c2", &question)), refused);
    assert_eq!(asked(&mut as_process_of(&d, "p1", &question)), refused);
    // Root of the host, who is nobody in there.
    assert_eq!(asked(d.inside("curl").args(&question[1..])), refused);
    let init = d.init_pid("c1").to_string();
    let as_root = || {
        let mut command = d.inside("nsenter");
        command.args(["--target", &init, "--user", "--pid"]);
        command
    };
    // A user inside, and one who calls himself root in a namespace of his own.
    assert_eq!(asked(as_root().args(["-S", "1000", "-G", "1000", "--"]).args(&question)), refused);
    assert_eq!(asked(as_root().args(["--", "unshare", "--user", "-r"]).args(&question)), refused);
    // Its own root, below a process namespace of its own, is still root.
    assert_eq!(asked(as_root().args(["--", "unshare", "--pid", "--fork"]).args(&question)), ok("1"));
    // A privileged container is root for the kernel as well; the door tells it from the host.
    assert_eq!(ask(&d, "p1", "lxd/1.0").0, "200");
    let socket = socket_of(&d, "p1");
    assert_eq!(asked(d.inside("curl").args(&curl(&socket, "lxd/1.0")[1..])), refused);
}

#[test]
fn nothing_else_of_the_daemon_is_in_there() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.lxc_ok(&["launch", "busybox", "p1", "-c", "security.privileged=true"]);
    for name in ["c1", "p1"] {
        assert_eq!(d.exec(name, &["ls", "-A", "/dev/lxd"]), "sock\n");
        for attempt in ["touch /dev/lxd/x", "rm /dev/lxd/sock", "mv /dev/lxd/sock /dev/lxd/y"] {
            assert_ne!(d.lxc(&["exec", name, "--", "sh", "-c", attempt]).code(), 0, "{attempt}");
        }
    }
    let mode = |path: &str| {
        let metadata = std::fs::metadata(d.lxd_dir().join(path)).unwrap();
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
    };
    assert_eq!((mode("devlxd"), mode("devlxd/c1")), (0o700, 0o755));
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert!(!d.lxd_dir().join("devlxd/c1").exists());
}

#[test]
fn it_can_be_switched_off_and_on_while_the_container_runs() {
    needs_curl!();
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "security.devlxd=false", "-c", "user.a=1"]);
    let there = || d.lxc(&["exec", "c1", "--", "test", "-e", "/dev/lxd/sock"]).code() == 0;
    assert!(!there());
    d.lxc_ok(&["config", "set", "c1", "security.devlxd", "true"]);
    assert!(there());
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
    d.lxc_ok(&["profile", "set", "default", "security.devlxd", "false"]);
    assert!(there(), "its own key is on top");
    d.lxc_ok(&["config", "unset", "c1", "security.devlxd"]);
    assert!(!there());
    d.lxc_ok(&["profile", "unset", "default", "security.devlxd"]);
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
}

#[test]
fn it_goes_on_working_after_the_daemon_was_killed() {
    needs_curl!();
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.a=1"]);
    d.lxc_ok(&["launch", "busybox", "off", "-c", "security.devlxd=false"]);
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
    d.kill9();
    d.start_again();
    eventually("the container is found again", || (d.status("c1") == "Running").then_some(()));
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
    assert_ne!(d.lxc(&["exec", "off", "--", "test", "-e", "/dev/lxd/sock"]).code(), 0);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
}

/// Listens to changes of keys and writes what comes into a file, until the other side hangs up.
const LISTEN: &str = r#"
my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!";
print $s "GET /1.0/events?type=config HTTP/1.1\r\nHost: lxd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    . "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
$s->flush;
open my $out, ">", $ARGV[1] or die;
while (sysread $s, my $bytes, 4096) { syswrite $out, $bytes }
"#;

#[test]
fn what_changes_is_told_to_those_who_listen() {
    if find_program("perl").is_none() {
        skip!("perl is not installed");
    }
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.n=0"]);
    let file = d.scratch().join("events");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let (socket, output) = (socket_of(&d, "c1"), file.to_string_lossy().into_owned());
    let question = ["perl", "-MIO::Socket::UNIX", "-e", LISTEN, &socket, &output];
    let listener = testkit::spawn(&mut as_process_of(&d, "c1", &question));
    let heard = || String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
    let mut n = 0;
    eventually("a change is heard of", || {
        n += 1;
        d.lxc_ok(&["config", "set", "c1", "user.n", &n.to_string()]);
        heard().contains(r#""key":"user.n","old_value":""#).then_some(())
    });
    // Not its business, and not what was asked for.
    d.lxc_ok(&["config", "set", "c1", "boot.autostart.priority", "7"]);
    d.lxc_ok(&["config", "device", "add", "c1", "gone", "none"]);
    d.lxc_ok(&["profile", "set", "default", "user.last", "1"]);
    eventually("a profile's change is heard of", || heard().contains("user.last").then_some(()));
    assert!(!heard().contains("autostart") && !heard().contains("device"), "{}", heard());
    // Who listens when it is switched off is sent away.
    d.lxc_ok(&["config", "set", "c1", "security.devlxd", "false"]);
    assert_eq!(listener.wait(std::time::Duration::from_secs(60)).code(), 0);
}

#[test]
fn a_container_says_that_it_is_up() {
    needs_curl!();
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let mut events = d.events("lifecycle");
    let socket = socket_of(&d, "c1");
    let patch = |body: &str| {
        let mut question = curl(&socket, "lxd/1.0");
        question.extend(["-X", "PATCH", "-d", body]);
        asked(&mut as_process_of(&d, "c1", &question)).0
    };
    assert_eq!(patch(r#"{"state":"Ready"}"#), "200");
    let _ = events.until("container-ready", |e| e["metadata"]["action"] == "container-ready");
    assert!(ask(&d, "c1", "lxd/1.0").1.contains(r#""state":"Ready""#));
    assert_eq!(patch(r#"{"state":"Wonderful"}"#), "400");
    assert_eq!(patch("not json"), "400");
    assert_eq!(patch(&format!("{{\"state\":\"{}\"}}", "x".repeat(10_000))), "413");
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert!(ask(&d, "c1", "lxd/1.0").1.contains(r#""state":"Started""#));
}

#[test]
fn many_connections_hurt_nobody_else() {
    needs_curl!();
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "user.a=1"]);
    d.lxc_ok(&["launch", "busybox", "c2", "-c", "user.a=2"]);
    // Connections that say nothing, more than a container may have.
    let socket = d.lxd_dir().join("devlxd/c1/sock");
    let silent: Vec<_> = (0..24).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    assert!(silent.len() > 8, "{}", silent.len());
    assert_eq!(ask(&d, "c2", "lxd/1.0/config/user.a"), ok("2"));
    assert_eq!(d.api().get("/1.0").status, 200);
    // The silent ones are sent away in time, without being asked to go.
    assert_eq!(ask(&d, "c1", "lxd/1.0/config/user.a"), ok("1"));
    drop(silent);
}
