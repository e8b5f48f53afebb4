//! Several hosts: the client across the network, images on other servers.

use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{
    Authority, Builder, Finished, Lab, Product, StreamsTree, TestDaemon, daemon, find_program, or_skip, run,
    run_with_input, spawn,
};

fn without_image() -> Builder {
    TestDaemon::builder().without_image()
}

fn uninitialised() -> Builder {
    TestDaemon::builder().uninitialised()
}

#[track_caller]
fn answers(lab: &Lab, arguments: &[&str], input: &str) -> Finished {
    run_with_input(lab.lxc_command().args(arguments), input.as_bytes())
}

/// The fingerprint of a daemon's certificate, as its own host shows it.
fn fingerprint(d: &TestDaemon) -> String {
    let server = d.api().get("/1.0").metadata();
    server["environment"]["certificate_fingerprint"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn hosts_of_a_lab_reach_each_other_unless_they_are_parted() {
    if find_program("ping").is_none() {
        testkit::skip!("the program ping is not installed");
    }
    let lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised(), uninitialised()]));
    let ping = |from: usize, to: String| {
        let ping = ["-c", "1", "-W", "5", &to];
        run(lab[from].inside("ping").args(ping)).status.success()
    };
    assert!(ping(1, lab.address(2)) && ping(1, lab.address6(2)));
    lab.part(1, 2, true);
    assert!(!ping(1, lab.address(2)) && ping(0, lab.address(2)));
    lab.part(1, 2, false);
    lab.plug(2, false);
    assert!(!ping(0, lab.address(2)) && ping(0, lab.address(1)));
    lab.plug(2, true);
    assert!(ping(2, lab.address(1)));
}

/// The post on remote hosts, up to the copying of containers.
#[test]
fn the_post_on_remote_hosts() {
    let lab = or_skip!(Lab::of(vec![without_image(), TestDaemon::builder()]));
    lab[1].lxc_ok(&["config", "set", "core.https_address", "[::]:8443"]);
    lab[1].lxc_ok(&["config", "set", "core.trust_password", "something-secure"]);
    lab.lxc_ok(&["config", "set", "core.https_address", "[::]:8443"]);

    let added = answers(&lab, &["remote", "add", "foo", &lab.address6(1)], "y\nsomething-secure\n");
    let added = added.expect_success();
    let expected = format!(
        "Certificate fingerprint: {}\nok (y/n)? Admin password for foo: Client certificate stored at server: foo\n",
        fingerprint(&lab[1])
    );
    assert_eq!(added.text(), expected);
    assert!(added.errors().contains("Generating a client certificate"), "{added:?}");

    let list = lab.lxc_ok(&["remote", "list"]);
    let has = |words: &[&str]| {
        list.lines().any(|line| line.split_whitespace().filter(|w| *w != "|").eq(words.iter().copied()))
    };
    assert!(has(&["foo", "https://[fd00:199::2]:8443", "lxd", "tls", "NO", "NO"]), "{list}");
    assert!(has(&["local", "(default)", "unix://", "lxd", "NO", "YES"]), "{list}");
    assert!(
        has(&["ubuntu", "https://cloud-images.ubuntu.com/releases", "simplestreams", "YES", "YES"]),
        "{list}"
    );
    assert!(
        has(&["ubuntu-daily", "https://cloud-images.ubuntu.com/daily", "simplestreams", "YES", "YES"]),
        "{list}"
    );
    assert_eq!(lab.lxc_ok(&["remote", "get-default"]), "local\n");

    lab.lxc_ok(&["image", "alias", "create", "foo:my-image", &image(&lab[1])]);
    lab.lxc_ok(&["launch", "foo:my-image", "foo:c2"]);
    assert!(lab.lxc_ok(&["list", "foo:"]).contains("| c2 "));
    assert!(!lab.lxc_ok(&["list"]).contains("c2"));
    assert_eq!(lab.lxc_ok(&["exec", "foo:c2", "--", "hostname"]), "c2\n");
    let shell = answers(&lab, &["exec", "foo:c2", "sh"], "echo from the shell\nexit 3\n").expect_code(3);
    assert_eq!(shell.text(), "from the shell\n");
    // From the same server to another one.
    lab.lxc_ok(&["launch", "foo:my-image", "c3"]);
    assert_eq!(lab.lxc_ok(&["exec", "c3", "--", "hostname"]), "c3\n");

    lab.lxc_ok(&["remote", "set-default", "foo"]);
    assert!(lab.lxc_ok(&["list"]).contains("| c2 "));
    assert!(lab.lxc_fails(&["remote", "remove", "foo"]).contains("Can't remove the default remote"));
    lab.lxc_ok(&["remote", "set-default", "local"]);
    lab.lxc_ok(&["remote", "rename", "foo", "bar"]);
    assert!(lab.lxc_ok(&["list", "bar:"]).contains("| c2 "));
    assert!(lab.lxc_fails(&["list", "foo:"]).contains("The remote \"foo\" doesn't exist"));
    lab.lxc_ok(&["remote", "set-url", "bar", &lab.address(1)]);
    assert!(lab.lxc_ok(&["info", "bar:c2"]).contains("Remote: https://10.199.0.2:8443"));
    lab.lxc_ok(&["remote", "remove", "bar"]);
    assert!(!lab[0].scratch().join("conf/servercerts/bar.crt").exists());
}

fn image(d: &TestDaemon) -> String {
    let images = d.api().get("/1.0/images").metadata();
    images[0].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned()
}

#[test]
fn servers_that_do_not_let_us_in_say_why() {
    let lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised()]));
    let address = lab.address(1);
    let add = |more: &[&str]| {
        let mut arguments = vec!["remote", "add", "foo", &address];
        arguments.extend(more);
        lab.lxc_fails(&arguments)
    };
    let unreachable = add(&[]);
    assert!(unreachable.contains("cannot connect to 10.199.0.2:8443"), "{unreachable}");
    assert!(unreachable.contains("core.https_address"), "{unreachable}");
    lab[1].lxc_ok(&["config", "set", "core.https_address", ":8443"]);
    let refused = add(&["--accept-certificate", "--password", "x"]);
    assert!(refused.contains("the password is wrong, or the server has none"), "{refused}");
    lab.listen(1);
    let refused = add(&["--accept-certificate", "--password", "x"]);
    assert!(refused.contains("the password is wrong"), "{refused}");
    let refused = answers(&lab, &["remote", "add", "foo", &address], "n\n").errors();
    assert!(refused.contains("Server certificate NACKed by user"), "{refused}");
    let silent = add(&[]);
    assert!(silent.contains("standard input is at its end"), "{silent}");
    let expired = add(&["--accept-certificate", "--password", TOKEN]);
    assert!(expired.contains("the token was used already"), "{expired}");
    let other = add(&["--accept-certificate", "--protocol", "simplestreams", "--auth-type", "macaroons"]);
    assert!(other.contains("macaroons"), "{other}");
    // Nothing was kept of all that.
    assert!(!lab.lxc_ok(&["remote", "list"]).contains("foo"));
    assert!(!lab[0].scratch().join("conf/servercerts").exists());

    lab.make_friends();
    lab.lxc_ok(&["info", "host1:"]);
    let exists = lab.lxc_fails(&["remote", "add", "host1", &address]);
    assert!(exists.contains("Remote host1 exists as <https://10.199.0.2:8443>"), "{exists}");
    let trusted = lab[1].api().get("/1.0/certificates").metadata();
    let path = trusted[0].as_str().expect("a certificate").to_owned();
    assert_eq!(lab[1].api().request("DELETE", &path, &[], &[]).status, 200);
    let refused = lab.lxc_fails(&["list", "host1:"]);
    assert!(refused.contains("host1 does not trust this client"), "{refused}");
    lab.plug(1, false);
    // Its own word for it is the kernel's, after a while: the address is not even asked for by name.
    let refused = lab.lxc_fails(&["list", "host1:"]);
    assert!(refused.contains("10.199.0.2:8443"), "{refused}");
}

/// `{"client_name":"x","fingerprint":"00…","addresses":["10.199.0.9:8443"],"secret":"x"}`
const TOKEN: &str = "eyJjbGllbnRfbmFtZSI6IngiLCJmaW5nZXJwcmludCI6IjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJhZGRyZXNzZXMiOlsiMTAuMTk5LjAuOTo4NDQzIl0sInNlY3JldCI6IngifQ==";

#[test]
fn a_changed_certificate_is_refused_with_an_explanation() {
    let mut lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised()]));
    lab.make_friends();
    let before = fingerprint(&lab[1]);
    lab[1].lxc_ok(&["config", "set", "core.https_address", ":8443"]);
    for file in ["server.crt", "server.key"] {
        std::fs::remove_file(lab[1].lxd_dir().join(file)).expect("the server's certificate");
    }
    let host = lab.host_mut(1);
    host.terminate();
    host.start_again();
    let after = fingerprint(&lab[1]);
    assert_ne!(before, after);
    let refused = lab.lxc_fails(&["list", "host1:"]);
    for words in [
        &before,
        &after,
        "the server's certificate has changed",
        "lxc remote remove host1\n  lxc remote add host1 https://10.199.0.2:8443",
    ] {
        assert!(refused.contains(words), "no {words} in {refused}");
    }
    lab.lxc_ok(&["remote", "remove", "host1"]);
    // It still trusts us.
    let added = answers(&lab, &["remote", "add", "host1", &lab.address(1)], "y\n").expect_success();
    assert!(added.text().contains(&after) && !added.text().contains("password"), "{added:?}");
    lab.lxc_ok(&["list", "host1:"]);
}

#[test]
fn a_password_is_not_seen_on_the_terminal() {
    if find_program("script").is_none() {
        testkit::skip!("the program script is not installed");
    }
    let lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised()]));
    lab.listen(1);
    let lxc = lab.lxc_command();
    let words: Vec<_> =
        std::iter::once(lxc.get_program()).chain(lxc.get_args()).map(|w| w.to_string_lossy()).collect();
    // What is typed before echoing is off is thrown away, so it is typed once it was asked for.
    let line = format!("{} remote add foo {}", words.join(" "), lab.address(1));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    lab[0].configure(&mut script).env("SHELL", "/bin/sh").env("TERM", "xterm");
    let (read, write) = std::io::pipe().expect("a pipe");
    let (said, says) = (lab[0].scratch().join("said"), std::fs::File::create(lab[0].scratch().join("said")));
    let mut child =
        script.stdin(read).stdout(says.expect("a file")).stderr(Stdio::null()).spawn().expect("script");
    let told = |text: &str| {
        testkit::eventually(text, || {
            std::fs::read_to_string(&said).is_ok_and(|said| said.contains(text)).then_some(())
        });
    };
    use std::io::Write as _;
    told("ok (y/n)?");
    (&write).write_all(b"y\n").expect("a terminal");
    told("Admin password for foo:");
    // Shortly after the question the terminal is prepared.
    std::thread::sleep(Duration::from_secs(2));
    (&write).write_all(format!("{}\n", lab.password()).as_bytes()).expect("a terminal");
    let ended = testkit::eventually("it ends", || child.try_wait().ok().flatten());
    let said = std::fs::read_to_string(&said).unwrap_or_default();
    assert!(ended.success() && said.contains("Client certificate stored at server: foo"), "{said}");
    assert!(!said.contains(lab.password()), "{said}");
}

#[test]
fn a_token_brings_a_client_in_once() {
    let lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised()]));
    lab.listen(1);
    let token = || {
        let post = br#"{"type": "client", "name": "laptop", "token": true}"#;
        let made = lab[1].api().request("POST", "/1.0/certificates", &[], post).json();
        let metadata = &made["metadata"]["metadata"];
        assert!(metadata["secret"].is_string(), "{made}");
        let json = serde_json::json!({
            "client_name": "laptop", "fingerprint": fingerprint(&lab[1]), "secret": metadata["secret"],
            // The first one is of nobody.
            "addresses": ["10.199.0.2:9", format!("{}:8443", lab.address(1))],
        });
        let encoded = run_with_input(Command::new("base64").arg("-w0"), json.to_string().as_bytes());
        encoded.expect_success().text()
    };
    let text = token();
    let added = lab.lxc_ok(&["remote", "add", "foo", &text]);
    assert_eq!(added, "Client certificate stored at server: foo\n");
    assert!(
        lab.lxc_ok(&["remote", "list", "--format", "csv"]).contains("foo,https://10.199.0.2:8443,lxd,tls")
    );
    lab.lxc_ok(&["list", "foo:"]);
    let _ = std::fs::remove_file(lab[0].scratch().join("conf/client.crt"));
    let _ = std::fs::remove_file(lab[0].scratch().join("conf/client.key"));
    let refused = lab.lxc_fails(&["remote", "add", "bar", &text]);
    assert!(refused.contains("the token was used already"), "{refused}");
    let text = token();
    let added =
        lab.lxc_ok(&["remote", "add", "bar", &lab.address(1), "--accept-certificate", "--password", &text]);
    assert!(added.contains("stored at server: bar"), "{added}");
    let refused = lab.lxc_fails(&["remote", "add", "baz", TOKEN]);
    assert!(refused.contains("None of the token's addresses can be used"), "{refused}");
}

#[test]
fn every_command_takes_a_remote() {
    let lab = or_skip!(Lab::of(vec![TestDaemon::builder(), TestDaemon::builder()]));
    lab.make_friends();
    let ok = |line: &str| lab.lxc_ok(&line.split(' ').collect::<Vec<_>>());
    let file = lab[0].scratch().join("note");
    std::fs::write(&file, "from here\n").expect("a file");
    let (file, scratch) =
        (file.to_string_lossy().into_owned(), lab[0].scratch().to_string_lossy().into_owned());
    ok("launch host1:busybox host1:c1");
    ok("init host1:busybox host1:c2 -c user.note=x");
    ok("init busybox here");
    let has = |line: &str, words: &str| {
        let text = ok(line);
        assert!(text.contains(words), "`lxc {line}` has no {words:?}: {text}");
    };
    for (line, words) in [
        ("list host1:", "| c1 "),
        ("list host1:c2 --format csv", "c2,STOPPED"),
        ("info host1:", "server_name"),
        ("info host1:c1", "Remote: https://10.199.0.2:8443"),
        ("version host1:", "Server version: "),
        ("query host1:/1.0/containers", "/1.0/containers/c1"),
        ("config show host1:", "core.https_address"),
        ("config get host1: core.https_address", "8443"),
        ("config show host1:c2", "user.note: x"),
        ("config get host1:c2 user.note", "x"),
        ("config metadata show host1:c1", "architecture"),
        ("config template list host1:c1", "FILENAME"),
        ("config keys host1:limits.cpu", "limits.cpu"),
        ("profile list host1:", "default"),
        ("profile show host1:default", "lxdbr0"),
        ("network list host1:", "lxdbr0"),
        ("network show host1:lxdbr0", "10.177.0.1"),
        ("storage list host1:", "default"),
        ("storage show host1:default", "driver: dir"),
        ("storage info host1:default", "total space"),
        ("operation list host1:", "ID"),
        ("image list host1:", "busybox"),
        ("image info host1:busybox", "Fingerprint: "),
        ("image show host1:busybox", "properties:"),
        ("image alias list host1:", "busybox"),
        ("exec host1:c1 -- hostname", "c1"),
    ] {
        has(line, words);
    }
    ok("config set host1:c2 user.note=y");
    has("config get host1:c2 user.note", "y");
    ok("config unset host1:c2 user.note");
    ok("config set host1: images.remote_cache_expiry 5");
    has("config get host1: images.remote_cache_expiry", "5");
    ok("config unset host1: images.remote_cache_expiry");
    ok("config device add host1:c2 zero unix-char path=/dev/zero");
    has("config device list host1:c2", "zero");
    ok("config device remove host1:c2 zero");
    ok("profile create host1:web");
    ok("profile set host1:web user.note z");
    ok("profile copy host1:web host1:copied");
    ok("profile copy host1:web local:");
    ok("profile copy host1:web here");
    has("profile get web user.note", "z");
    has("profile get here user.note", "z");
    ok("profile assign host1:c2 default,web");
    ok("profile remove host1:c2 web");
    ok("profile delete host1:web");

    ok(&format!("file push {file} host1:c1/root/note"));
    has("file pull host1:c1/root/note -", "from here");
    ok(&format!("file pull -r host1:c1/etc {scratch}"));
    ok("file delete host1:c1/root/note");
    ok("snapshot host1:c2 s0");
    has("info host1:c2", "s0");
    ok("restore host1:c2 s0");
    ok("copy host1:c2/s0 host1:c3");
    ok("rename host1:c3 c4");
    ok("move host1:c4 host1:c5");
    ok(&format!("image alias create host1:box {}", image(&lab[1])));
    ok("image alias rename host1:box crate");
    ok("image alias delete host1:crate");
    ok(&format!("image export host1:busybox {scratch}/exported"));

    std::fs::rename(format!("{scratch}/exported.tar.gz"), format!("{scratch}/image.tar.gz"))
        .expect("an image");
    ok(&format!("image delete host1:{}", image(&lab[1])));
    ok(&format!("image import {scratch}/image.tar.gz host1: --alias busybox"));

    // Names on different servers in one command.
    ok("start host1:c2 here host1:c5");
    ok("pause here host1:c5");
    ok("start here host1:c5");
    ok("restart --force here host1:c2");
    ok("stop --force host1:c2 here host1:c5");
    has("list host1:", "STOPPED");
    ok("start host1:c2");
    ok("stop --force --all host1:");
    has("list host1: --format csv -c ns", "c1,STOPPED\nc2,STOPPED");
    ok("start host1:c1");
    assert!(lab.lxc_fails(&["stop", "--all", "here"]).contains("only servers are named"));
    let refused = lab.lxc_fails(&["stop", "host1:c2", "here"]);
    assert!(refused.contains("host1:c2: error: ") && refused.contains("here: error: "), "{refused}");
    ok("delete host1:c2 here host1:c5");

    let mut monitor = lab.lxc_command();
    let monitor = spawn(monitor.args(["monitor", "host1:", "--type", "lifecycle"]).stdin(Stdio::null()));
    // The stream may not be open yet: something happens until it is.
    testkit::eventually("an event comes", || {
        ok("config set host1:c1 user.turn=1");
        ok("config unset host1:c1 user.turn");
        let opened = lab[1].log().matches("path=\"/1.0/events").count();
        (opened > 0).then_some(())
    });
    ok("config set host1:c1 user.turn=2");
    std::thread::sleep(Duration::from_secs(1));
    monitor.signal(testkit::Signal::INT);
    let heard = monitor.wait(Duration::from_secs(60));
    assert!(heard.text().contains("container-updated"), "{heard:?}");

    for (line, words) in [
        ("list nowhere:", "The remote \"nowhere\" doesn't exist"),
        ("list ubuntu:", "The remote \"ubuntu\" is an image server"),
        ("start ubuntu:c1", "The remote \"ubuntu\" is an image server"),
        ("exec host1:none true", "not found"),
        ("info host1:none", "not found"),
    ] {
        let said = lab.lxc_fails(&line.split(' ').collect::<Vec<_>>());
        assert!(said.to_lowercase().contains(&words.to_lowercase()), "{said}");
    }
}

#[test]
fn a_proxy_stands_between() {
    const PROXY: &str = r#"
import socket, threading
def pipe(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for end in (a, b):
        try: end.shutdown(2)
        except OSError: pass
def serve(client):
    head = b''
    while b'\r\n\r\n' not in head: head += client.recv(1)
    method, target = head.decode().split()[:2]
    print(method, target, flush=True)
    host, port = target.rsplit(':', 1)
    server = socket.create_connection((host.strip('[]'), int(port)))
    client.sendall(b'HTTP/1.1 200 Connected\r\n\r\n')
    threading.Thread(target=pipe, args=(client, server), daemon=True).start()
    pipe(server, client)
listener = socket.create_server(('10.199.0.1', 3128))
print('listens', flush=True)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;
    if find_program("python3").is_none() {
        testkit::skip!("the program python3 is not installed");
    }
    let lab = or_skip!(Lab::of(vec![uninitialised(), uninitialised()]));
    lab.make_friends();
    let said = lab[0].scratch().join("proxy");
    let file = std::fs::File::create(&said).expect("a file");
    let mut proxy = lab.command(std::path::Path::new("python3"));
    let mut proxy = proxy.args(["-c", PROXY]).stdout(file).spawn().expect("python3");
    let told = || std::fs::read_to_string(&said).unwrap_or_default();
    testkit::eventually("the proxy listens", || told().contains("listens").then_some(()));
    let info = |ignored: &str| {
        let mut lxc = lab.lxc_command();
        lxc.env("HTTPS_PROXY", "http://10.199.0.1:3128").env("NO_PROXY", ignored);
        run(lxc.args(["info", "host1:"])).expect_success().text()
    };
    assert!(info("").contains("certificate_fingerprint"));
    assert_eq!(told().matches("CONNECT 10.199.0.2:8443").count(), 1, "{}", told());
    assert!(info("10.199.0.2").contains("certificate_fingerprint"));
    assert_eq!(told().matches("CONNECT").count(), 1, "{}", told());
    proxy.kill().expect("the proxy");
    let _ = proxy.wait();
}

/// As much as the data of a session across the network, in both directions at once.
#[test]
fn sessions_across_the_network_carry_everything() {
    let lab = or_skip!(Lab::of(vec![uninitialised(), TestDaemon::builder()]));
    lab.make_friends();
    lab.lxc_ok(&["launch", "host1:busybox", "host1:c1"]);
    let bytes: Vec<u8> = (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let cat = run_with_input(lab.lxc_command().args(["exec", "host1:c1", "--", "cat"]), &bytes);
    assert!(cat.expect_success().stdout == bytes);
    let both =
        lab.lxc(&["exec", "host1:c1", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]).expect_code(7);
    assert_eq!((both.text().as_str(), both.errors().as_str()), ("out\n", "err\n"));
    let _ = lab.lxc(&["exec", "host1:c1", "--", "sh", "-c", "kill -9 $$"]).expect_code(137);
    let mut sleeping = lab.lxc_command();
    let sleeping = spawn(sleeping.args(["exec", "host1:c1", "--", "sleep", "600"]).stdin(Stdio::null()));
    testkit::eventually("it runs", || {
        lab.lxc_ok(&["exec", "host1:c1", "--", "ps"]).contains("sleep 600").then_some(())
    });
    sleeping.signal(testkit::Signal::TERM);
    assert_eq!(sleeping.wait(Duration::from_secs(60)).code(), 143);
    if find_program("script").is_some() {
        let lxc = lab.lxc_command();
        let words: Vec<_> =
            std::iter::once(lxc.get_program()).chain(lxc.get_args()).map(|w| w.to_string_lossy()).collect();
        let line = format!("stty rows 33 cols 77; {} exec host1:c1 -- stty size", words.join(" "));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::piped());
        lab[0].configure(&mut script).env("SHELL", "/bin/sh").env("TERM", "xterm");
        let ended = spawn(&mut script).wait(Duration::from_secs(60)).expect_success();
        assert_eq!(ended.text().trim(), "33 77");
    }
}

#[test]
fn images_of_one_server_on_another_one() {
    let lab = or_skip!(Lab::of(vec![without_image(), TestDaemon::builder(), without_image()]));
    lab.make_friends();
    let print = image(&lab[1]);
    // Private: with a secret.
    lab.lxc_ok(&["launch", "host1:busybox", "host2:c1"]);
    assert_eq!(lab.lxc_ok(&["exec", "host2:c1", "--", "hostname"]), "c1\n");
    assert!(lab.lxc_ok(&["image", "info", &format!("host2:{print}")]).contains("Cached: yes"));
    lab.lxc_ok(&["init", &format!("host1:{}", &print[..9]), "c2"]);
    let missing = lab.lxc_fails(&["init", "host1:nothing", "host2:c3"]);
    assert!(
        missing.contains("Cannot find the image on host1: Image alias \"nothing\" not found"),
        "{missing}"
    );

    // Public: as a guest, under its alias.
    lab.lxc_ok(&["image", "delete", &format!("host2:{print}")]);
    let patch = br#"{"public": true}"#;
    assert_eq!(lab[1].api().request("PATCH", &format!("/1.0/images/{print}"), &[], patch).status, 200);
    let address = lab.address(1);
    lab.lxc_ok(&["remote", "add", "public", &address, "--public", "--accept-certificate"]);
    assert!(
        lab.lxc_ok(&["remote", "list", "--format", "csv"])
            .contains("public,https://10.199.0.2:8443,lxd,,YES,NO")
    );
    lab.lxc_ok(&["launch", "public:busybox", "host2:c3"]);
    assert!(lab.lxc_ok(&["image", "list", "public:"]).contains("busybox"));
    let refused = lab.lxc_fails(&["list", "public:"]);
    assert!(refused.contains("public was added with --public"), "{refused}");

    // Servers that cannot reach each other.
    lab.lxc_ok(&["image", "delete", &format!("host2:{print}")]);
    lab.part(1, 2, true);
    let refused = lab.lxc_fails(&["init", "host1:busybox", "host2:c4"]);
    assert!(refused.contains("from an image on host1") && refused.contains("10.199.0.2:8443"), "{refused}");
    lab.part(1, 2, false);
    lab.lxc_ok(&["init", "host1:busybox", "host2:c4"]);
    // One that nobody reaches.
    lab.lxc_ok(&["config", "unset", "core.https_address"]);
    let refused = lab.lxc_fails(&["init", &print[..9], "host2:c5"]);
    assert!(refused.contains("does not listen on the network"), "{refused}");
}

/// Looking at image servers, which the client asks itself, and launching from them, which it leaves to the
/// server.
#[test]
fn image_servers_are_looked_at_and_launched_from() {
    let authority = Authority::new();
    let d = daemon!(without_image().env("SSL_CERT_FILE", authority.path()));
    let mut tree = or_skip!(StreamsTree::new(&d.scratch().join("www/releases")));
    let print = tree.add(&Product::XENIAL, "20160421");
    tree.add(&Product::TRUSTY, "20160314");
    let mut other = or_skip!(StreamsTree::new(&d.scratch().join("www/other")));
    let whole = other.add_unified(&Product::DEBIAN, "20240101_05:24");
    let names = ["cloud-images.ubuntu.com", "images.example.org"];
    let web = d.web_tls(&d.scratch().join("www"), 443, &authority, &names);
    let lxc = |line: &str| run(d.lxc_inside().args(line.split(' ')));
    let ok = |line: &str| lxc(line).expect_success().text();

    let list = ok("image list ubuntu:");
    assert!(list.contains(" x (") && list.contains(&print[..12]) && list.contains("| yes "), "{list}");
    assert_eq!(ok("image list ubuntu: release=xenial --format csv -c f").trim(), &print[..12]);
    let info = ok("image info ubuntu:16.04");
    for words in [&format!("Fingerprint: {print}"), "Public: yes", "    - xenial", "serial: 20160421"] {
        assert!(info.contains(words), "no {words} in {info}");
    }
    assert_eq!(ok(&format!("image info ubuntu:{}", &print[..10])), info);
    let aliases = ok("image alias list ubuntu: --format csv");
    assert!(
        aliases.contains(&format!("xenial,{},", &print[..12])) && aliases.contains("14.04/amd64,"),
        "{aliases}"
    );
    assert!(ok("image show ubuntu:trusty").contains("release: trusty"));
    assert!(lxc("image info ubuntu:11.10").errors().contains("has no image \"11.10\""));
    // The lists are asked for once an hour, except for what they do not have.
    assert!(web.count("index.json") <= 2);

    let scratch = d.scratch().join("exported");
    std::fs::create_dir(&scratch).expect("a directory");
    ok(&format!("image export ubuntu:16.04 {}", scratch.display()));
    let sum = "cat lxd.tar.xz root.squashfs | sha256sum";
    let sum = run(Command::new("sh").args(["-c", sum]).current_dir(&scratch)).expect_success().text();
    assert!(sum.starts_with(&print), "{sum}");
    ok("remote add many https://images.example.org/other --protocol simplestreams");
    assert!(ok("image list many: -c lf --format csv").contains(&whole[..12]));
    let piped = lxc("image export many:debian/12 -").expect_success();
    assert!(piped.stdout.len() > 100_000);
    let other = lxc("remote add web images.example.org:443").errors();
    assert!(
        other.contains("does not answer like an LXD server") && other.contains("simplestreams"),
        "{other}"
    );
    web.behave("root.squashfs", testkit::Manner::Lie);
    let refused = lxc(&format!("image export ubuntu:14.04 {}", scratch.display())).errors();
    assert!(refused.contains("another file than the image server's list says"), "{refused}");
    web.behave_well();

    ok("launch ubuntu:16.04 c1");
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n");
    ok("launch many:debian/12 c2");
    // As a slip of the finger.
    let slip = lxc("init ubuntu/14.04 c3").expect_success();
    assert!(slip.errors().contains("trying 'ubuntu:14.04' instead"), "{slip:?}");
    let unknown = lxc("init ubuntu:11.10 c4").errors();
    assert!(unknown.contains("has no image \"11.10\""), "{unknown}");
    drop(web);
    // What it said last.
    assert!(ok("image list ubuntu:").contains(&print[..12]));
}

#[test]
fn servers_that_are_added_at_the_same_moment_are_all_there() {
    let d = daemon!(uninitialised());
    let added = |n| d.lxc_ok(&["remote", "add", &format!("host{n}"), &format!("unix:///nowhere/{n}")]);
    std::thread::scope(|scope| (0..10).for_each(|n| drop(scope.spawn(move || added(n)))));
    let listed = d.lxc_ok(&["remote", "list", "--format", "csv"]);
    assert!((0..10).all(|n| listed.contains(&format!("host{n},"))), "{listed}");
}
