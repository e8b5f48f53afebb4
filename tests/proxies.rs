//! Proxy devices: what arrives at one side is passed on to the other.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use testkit::{TestDaemon, daemon, eventually, run};

/// A side of a proxy: the host, as far as the test is concerned, or a container.
struct Side {
    /// `/proc/<pid>` of a process there, as this process sees it.
    process: PathBuf,
}

impl Side {
    fn host(d: &TestDaemon) -> Self {
        Self { process: PathBuf::from(format!("/proc/{}", d.pid().as_raw_nonzero())) }
    }

    fn container(d: &TestDaemon, name: &str) -> Self {
        let host = Self::host(d).process;
        Self { process: host.join("root/proc").join(d.init_pid(name).to_string()) }
    }

    /// Makes something on a thread in its network namespace.
    fn make<T: Send>(&self, make: impl FnOnce() -> std::io::Result<T> + Send) -> std::io::Result<T> {
        let netns = File::open(self.process.join("ns/net")).expect("a network namespace");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
                make()
            });
            thread.join().expect("the thread")
        })
    }

    fn connect(&self, address: &str) -> std::io::Result<TcpStream> {
        let address: SocketAddr = address.parse().expect("an address");
        let stream = self.make(|| TcpStream::connect_timeout(&address, Duration::from_secs(20)))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(stream)
    }

    /// Serves connections as `echo` does, for as long as the test runs.
    fn serve(&self, address: &str) {
        let listener = self.make(|| TcpListener::bind(address)).expect("an address that is free");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || echo(stream.try_clone().expect("a clone"), stream));
            }
        });
    }

    /// The same at a path, which is the same for all.
    fn serve_unix(listener: UnixListener) {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || echo(stream.try_clone().expect("a clone"), stream));
            }
        });
    }

    /// A file as it is there.
    fn path(&self, path: &str) -> PathBuf {
        self.process.join("root").join(path.trim_start_matches('/'))
    }
}

/// Says everything again, and at the end how much it was.
fn echo(mut from: impl std::io::Read, mut to: impl std::io::Write) {
    let mut total = 0;
    let mut buffer = [0; 16384];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        total += read;
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
    let _ = write!(to, "<{total}>");
}

/// What a server says to this, after the end of it.
fn say(mut stream: TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).expect("write");
    stream.shutdown(Shutdown::Write).expect("shutdown");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

fn say_unix(mut stream: UnixStream, text: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    stream.write_all(text.as_bytes()).expect("write");
    stream.shutdown(Shutdown::Write).expect("shutdown");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

fn add(d: &TestDaemon, container: &str, device: &str, properties: &[&str]) {
    d.lxc_ok(&[&["config", "device", "add", container, device, "proxy"], properties].concat());
}

fn forwarders(d: &TestDaemon) -> Vec<String> {
    let found = run(d.inside("pgrep").args(["-x", "lxd-forwarder"])).text();
    found.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_port_of_the_host_leads_into_the_container() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    inside.serve("127.0.0.1:80");
    assert!(forwarders(&d).is_empty());
    d.lxc_ok(&[
        "config",
        "device",
        "add",
        "c1",
        "myport80",
        "proxy",
        "listen=tcp:0.0.0.0:80",
        "connect=tcp:127.0.0.1:80",
    ]);
    assert_eq!(say(host.connect("127.0.0.1:80").unwrap(), "hello"), "hello<5>");
    assert_eq!(forwarders(&d).len(), 1);
    // Much at once, both ways, and half-closed.
    let mut stream = host.connect("10.177.0.1:80").unwrap();
    let mut sender = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        sender.write_all(&vec![b'x'; 8 << 20]).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    writer.join().unwrap();
    assert_eq!(answer.len(), (8 << 20) + "<8388608>".len());
    // It ends with the device, and what goes through it too.
    let mut open = host.connect("127.0.0.1:80").unwrap();
    open.write_all(b"still").unwrap();
    open.read_exact(&mut [0; 5]).unwrap();
    d.lxc_ok(&["config", "device", "remove", "c1", "myport80"]);
    assert!(host.connect("127.0.0.1:80").is_err());
    assert!(matches!(open.read(&mut [0; 1]), Ok(0) | Err(_)));
    eventually("the forwarder is gone", || forwarders(&d).is_empty().then_some(()));
}

#[test]
fn ranges_profiles_and_restarts() {
    let d = daemon!();
    let listen = ["listen=tcp:127.0.0.1:7000-7002,7010", "connect=tcp:127.0.0.1:80-82,90"];
    d.lxc_ok(&[&["profile", "device", "add", "default", "ports", "proxy"], &listen[..]].concat());
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let host = Side::host(&d);
    for round in 0..2 {
        let inside = Side::container(&d, "c1");
        for port in [80, 81, 82, 90] {
            inside.serve(&format!("127.0.0.1:{port}"));
        }
        for port in [7000, 7001, 7002, 7010] {
            let stream = host.connect(&format!("127.0.0.1:{port}")).unwrap();
            assert_eq!(say(stream, "x"), "x<1>", "{port} {round}");
        }
        d.lxc_ok(&["restart", "--force", "c1"]);
    }
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert!(host.connect("127.0.0.1:7000").is_err());
    eventually("the forwarder is gone", || forwarders(&d).is_empty().then_some(()));
}

#[test]
fn unix_sockets_of_both_sides() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    let front = d.scratch().join("front.sock");
    let back = d.scratch().join("back.sock");
    Side::serve_unix(UnixListener::bind(&back).unwrap());
    // From the container to the host …
    let connect = format!("connect=unix:{}", back.display());
    add(
        &d,
        "c1",
        "out",
        &["listen=unix:/tmp/out.sock", &connect, "bind=container", "uid=7", "gid=8", "mode=0660"],
    );
    assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g:%a:%F", "/tmp/out.sock"]).trim(), "7:8:660:socket");
    assert_eq!(say_unix(UnixStream::connect(inside.path("/tmp/out.sock")).unwrap(), "a"), "a<1>");
    // … and from the host to what listens there, which is the former.
    let listen = format!("listen=unix:{}", front.display());
    add(&d, "c1", "in", &[&listen, "connect=unix:/tmp/out.sock", "uid=5", "mode=0600"]);
    let made = std::fs::metadata(&front).unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (5, 0, 0o600));
    assert_eq!(say_unix(UnixStream::connect(&front).unwrap(), "two"), "two<3>");
    // Abstract ones, between namespaces that do not see each other's.
    add(&d, "c1", "abstract", &["listen=unix:@front", "connect=unix:@back"]);
    let name = |name: &str| UnixAddr::from_abstract_name(name).unwrap();
    Side::serve_unix(inside.make(|| UnixListener::bind_addr(&name("back"))).unwrap());
    let stream = host.make(|| UnixStream::connect_addr(&name("front"))).unwrap();
    assert_eq!(say_unix(stream, "three"), "three<5>");
    assert!(inside.make(|| UnixStream::connect_addr(&name("front"))).is_err());
    // TCP to unix, and nothing is left of any.
    add(&d, "c1", "mixed", &["listen=tcp:127.0.0.1:7000", "connect=unix:/tmp/out.sock"]);
    assert_eq!(say(host.connect("127.0.0.1:7000").unwrap(), "four"), "four<4>");
    for device in ["in", "out", "abstract", "mixed"] {
        d.lxc_ok(&["config", "device", "remove", "c1", device]);
    }
    assert!(!front.exists());
    eventually("the socket inside is gone", || (!inside.path("/tmp/out.sock").exists()).then_some(()));
}

#[test]
fn who_connects_and_who_has_called() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    // As whom: root of the container, or somebody else there.
    let name = UnixAddr::from_abstract_name("who").unwrap();
    let listener = inside.make(|| UnixListener::bind_addr(&name)).unwrap();
    add(&d, "c1", "as-root", &["listen=tcp:127.0.0.1:7000", "connect=unix:@who"]);
    add(
        &d,
        "c1",
        "user",
        &["listen=tcp:127.0.0.1:7001", "connect=unix:@who", "security.uid=1000", "security.gid=1001"],
    );
    let map = d.exec("c1", &["cat", "/proc/self/uid_map"]);
    let base: u32 = map.split_whitespace().nth(1).unwrap().parse().unwrap();
    for (port, uid, gid) in [(7000, 0, 0), (7001, 1000, 1001)] {
        let _client = host.connect(&format!("127.0.0.1:{port}")).unwrap();
        let (server, _) = listener.accept().unwrap();
        let peer = rustix::net::sockopt::socket_peercred(&server).unwrap();
        assert_eq!((peer.uid.as_raw(), peer.gid.as_raw()), (base + uid, base + gid));
    }
    // Who has called, in a line before the first byte.
    let server = inside.make(|| TcpListener::bind("127.0.0.1:81")).unwrap();
    add(&d, "c1", "header", &["listen=tcp:0.0.0.0:7002", "connect=tcp:127.0.0.1:81", "proxy_protocol=true"]);
    let mut client = host.connect("127.0.0.1:7002").unwrap();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    server.accept().unwrap().0.read_to_string(&mut heard).unwrap();
    let port = client.local_addr().unwrap().port();
    assert_eq!(heard, format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} 7002\r\nhello"));
}

#[test]
fn packets_find_their_way_and_back() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    let server = inside.make(|| UdpSocket::bind("127.0.0.1:53")).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let answer = format!("{length} bytes");
            let _ = server.send_to(answer.as_bytes(), from);
        }
    });
    add(&d, "c1", "dns", &["listen=udp:127.0.0.1:5300", "connect=udp:127.0.0.1:53"]);
    let clients = [(); 2].map(|()| host.make(|| UdpSocket::bind("127.0.0.1:0")).unwrap());
    for (at, client) in clients.iter().enumerate() {
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.send_to(&vec![0; 100 + at], "127.0.0.1:5300").unwrap();
    }
    for (at, client) in clients.iter().enumerate() {
        let mut buffer = [0; 100];
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], format!("{} bytes", 100 + at).as_bytes());
        assert_eq!(from.port(), 5300);
    }
}

#[test]
fn connections_outlive_the_daemon_and_forwards_the_forwarder() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    inside.serve("127.0.0.1:80");
    add(&d, "c1", "web", &["listen=tcp:127.0.0.1:7000", "connect=tcp:127.0.0.1:80"]);
    let mut open = host.connect("127.0.0.1:7000").unwrap();
    let mut answers = |text: &str| {
        open.write_all(text.as_bytes()).unwrap();
        let mut heard = vec![0; text.len()];
        open.read_exact(&mut heard).unwrap();
        assert_eq!(heard, text.as_bytes());
    };
    answers("before");
    let process = forwarders(&d);
    let netns = File::open(host.process.join("ns/net")).unwrap();
    d.kill9();
    answers("while there is none");
    let again = std::thread::spawn(move || {
        move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        TcpStream::connect("127.0.0.1:7000").unwrap()
    });
    assert_eq!(say(again.join().unwrap(), "new"), "new<3>");
    d.start_again();
    eventually("c1 is found", || (d.status("c1") == "Running").then_some(()));
    answers("afterwards");
    assert_eq!(forwarders(&d), process);
    // The daemon that came back can end what the one before began.
    add(&d, "c1", "more", &["listen=tcp:127.0.0.1:7001", "connect=tcp:127.0.0.1:80"]);
    answers("still");
    // A forwarder that dies is replaced.
    let _ = run(d.inside("kill").args(["-9", &process[0]])).expect_success();
    let host = Side::host(&d);
    for port in [7000, 7001] {
        let stream = eventually("it is forwarded again", || host.connect(&format!("127.0.0.1:{port}")).ok());
        assert_eq!(say(stream, "x"), "x<1>");
    }
    assert_eq!(forwarders(&d).len(), 1);
    d.lxc_ok(&["stop", "--force", "c1"]);
    eventually("the forwarder is gone", || forwarders(&d).is_empty().then_some(()));
}

#[test]
fn what_cannot_be_forwarded_is_refused() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    inside.serve("127.0.0.1:80");
    host.serve("127.0.0.1:7000");
    let add = ["config", "device", "add", "c1", "web", "proxy"];
    let refused =
        d.lxc_fails(&[&add[..], &["listen=tcp:127.0.0.1:6999-7000", "connect=tcp:127.0.0.1:80"]].concat());
    assert!(refused.contains("tcp:127.0.0.1:7000") && refused.contains("\"web\""), "{refused}");
    assert!(host.connect("127.0.0.1:6999").is_err());
    assert!(!d.lxc_ok(&["config", "show", "c1"]).contains("web"));
    for (properties, complaint) in [
        (&["listen=tcp:127.0.0.1:1-2", "connect=tcp:127.0.0.1:1-3"][..], "as many"),
        (&["listen=udp:127.0.0.1:1", "connect=tcp:127.0.0.1:1"], "udp on both sides"),
        (&["listen=tcp:127.0.0.1:1", "connect=tcp:127.0.0.1:1", "nat=true"], "nat=true"),
        (&["listen=tcp:127.0.0.1:1"], "connect"),
        (&["listen=tcp:nowhere.invalid:1", "connect=tcp:127.0.0.1:1"], "nowhere.invalid"),
        (&["listen=unix:/nowhere/x.sock", "connect=tcp:127.0.0.1:1"], "/nowhere/x.sock"),
    ] {
        let refused = d.lxc_fails(&[&add[..], properties].concat());
        assert!(refused.contains(complaint), "{properties:?}: {refused}");
    }
    // A start that finds the address taken says so, and leaves the container stopped.
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&[&add[..], &["listen=tcp:127.0.0.1:7000", "connect=tcp:127.0.0.1:80"]].concat());
    let refused = d.lxc_fails(&["start", "c1"]);
    assert!(refused.contains("tcp:127.0.0.1:7000") && refused.contains("\"web\""), "{refused}");
    assert_eq!(d.status("c1"), "Stopped");
    eventually("the forwarder is gone", || forwarders(&d).is_empty().then_some(()));
}

#[test]
fn paths_inside_stay_inside() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let (host, inside) = (Side::host(&d), Side::container(&d, "c1"));
    // A socket of the host that the container must not reach by links of its own.
    let secret = d.scratch().join("secret.sock");
    let _secret = UnixListener::bind(&secret).unwrap();
    d.exec("c1", &["ln", "-s", &secret.display().to_string(), "/tmp/link.sock"]);
    add(&d, "c1", "link", &["listen=tcp:127.0.0.1:7000", "connect=unix:/tmp/link.sock"]);
    let mut stream = host.connect("127.0.0.1:7000").unwrap();
    assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "it led out of the container");
    // A directory that leads to the host's by a link: the socket is made inside, or not at all.
    let outside = d.scratch().join("outside");
    std::fs::create_dir(&outside).unwrap();
    d.exec("c1", &["ln", "-s", &outside.display().to_string(), "/tmp/dir"]);
    let back = format!("connect=unix:{}", secret.display());
    let add = ["config", "device", "add", "c1", "dir", "proxy", "listen=unix:/tmp/dir/x.sock", &back];
    d.lxc_fails(&[&add[..], &["bind=container"]].concat());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    // What lies there and is no stale socket stays.
    d.exec("c1", &["touch", "/tmp/file"]);
    let add = ["config", "device", "add", "c1", "file", "proxy", "listen=unix:/tmp/file", &back];
    d.lxc_fails(&[&add[..], &["bind=container"]].concat());
    assert!(inside.path("/tmp/file").is_file());
}
