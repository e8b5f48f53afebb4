//! Network namespaces for tests: each test runs in one of its own, and "containers" are others.

use network::{Bridge, BridgeConfig, InterfaceName, MacAddress, Networks, Plug};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A network namespace. It is kept by a process that ends with the test, however that ends.
pub(crate) struct Namespace {
    holder: Child,
    netns: File,
}

impl Namespace {
    /// A new one, with nothing but `lo`.
    pub(crate) fn new() -> Result<Self, String> {
        let mut holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("unshare: {e}"))?;
        let mut ready = || {
            holder.stdin.as_mut()?.write_all(b"ready\n").ok()?;
            let mut line = String::new();
            BufReader::new(holder.stdout.as_mut()?).read_line(&mut line).ok()?;
            (line == "ready\n").then_some(())
        };
        if ready().is_none() {
            // It has ended already; this only reaps it.
            let _ = holder.wait();
            return Err("network namespaces cannot be made (needs root)".to_owned());
        }
        let netns = File::open(format!("/proc/{}/ns/net", holder.id())).map_err(|e| e.to_string())?;
        Ok(Self { holder, netns })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }

    /// Runs a program inside and returns its stdout.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .args(args)
            .output()
            .expect("nsenter");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Switches an interface on and asks for an address until one comes.
    pub(crate) fn dhcp(&self, dir: &Path, interface: &str) {
        let script = dir.join("udhcpc.script");
        let text = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\n\
            busybox ip address flush dev $interface scope global\n\
            busybox ip address add $ip/$mask dev $interface\n\
            busybox ip route add default via $router dev $interface\n";
        fs::write(&script, text).expect("write");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("chmod");
        self.run(&["ip", "link", "set", interface, "up"]);
        let script = script.to_str().expect("path");
        self.run(&[
            "busybox", "udhcpc", "-i", interface, "-n", "-q", "-f", "-t", "20", "-T", "1", "-s", script,
        ]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// What a test works with.
pub(crate) struct Sandbox {
    pub(crate) networks: Networks,
    pub(crate) dir: PathBuf,
}

impl Sandbox {
    /// A bridge `br0` whose files are in the sandbox.
    pub(crate) fn bridge(&self, keys: &[(&str, &str)]) -> Bridge {
        let config = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Bridge {
            name: "br0".parse().expect("name"),
            config: BridgeConfig::parse(&config).expect("configuration"),
            dir: self.dir.join("br0"),
        }
    }

    /// The number in the bridge's pid file.
    pub(crate) fn server(&self) -> Option<i32> {
        fs::read_to_string(self.dir.join("br0/dnsmasq.pid")).ok()?.trim().parse().ok()
    }
}

/// Names and address of a pair that ends in `inside`.
pub(crate) fn plug_into(inside: &Namespace, number: u32) -> Plug<'_> {
    Plug {
        host_name: InterfaceName::veth(number),
        bridge: Some(InterfaceName::parse("br0").expect("name")),
        inside_name: InterfaceName::parse("eth0").expect("name"),
        hwaddr: mac(number),
        mtu: None,
        netns: inside.fd(),
    }
}

pub(crate) fn mac(number: u32) -> MacAddress {
    let [_, a, b, c] = number.to_be_bytes();
    MacAddress::generate([a, b, c])
}

/// Runs in the test's own namespace: the host, as far as the test is concerned.
pub(crate) fn host(args: &[&str]) -> String {
    let output = Command::new(args[0]).args(&args[1..]).output().expect(args[0]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `check` gives something.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = check().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain for {what}");
}

/// Ends the server when a test has failed.
struct Sweep(PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        let file = self.0.join("br0/dnsmasq.pid");
        let Ok(text) = fs::read_to_string(&file) else { return };
        let Some(pid) = text.trim().parse().ok().filter(|p| *p > 0) else { return };
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if let (true, Some(pid)) =
            (command.contains(&file.display().to_string()), rustix::process::Pid::from_raw(pid))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Runs `test` on a thread in a network namespace of its own, or prints why it cannot.
pub(crate) fn sandboxed(name: &str, programs: &[&str], test: impl AsyncFnOnce(Sandbox) + Send + 'static) {
    if let Some(missing) = programs.iter().find(|p| tools::find(p).is_none()) {
        eprintln!("SKIP {name}: the program {missing} is not installed");
        return;
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => {
            eprintln!("SKIP {name}: {reason}");
            return;
        }
    };
    let thread = std::thread::spawn(move || {
        // Only this thread moves, and with it the threads and programs it starts.
        move_into_link_name_space(namespace.fd(), Some(LinkNameSpaceType::Network)).expect("setns");
        host(&["ip", "link", "set", "lo", "up"]);
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).expect("chmod");
        let _sweep = Sweep(dir.path().to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let networks = Networks::open().expect("netlink");
        runtime.block_on(test(Sandbox { networks, dir: dir.path().to_owned() }));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
