//! Some daemons on one wire: each in namespaces of its own, as if on a host of its own.
//!
//! A bridge in a namespace between them is the wire. Host `n` has the addresses `10.199.0.<n+1>` and
//! `fd00:199::<n+1>` on its interface `wire0`. The clients that a test runs are on host 0, whose daemon
//! is their `local:`.
//!
//! ```no_run
//! use testkit::{Lab, or_skip};
//!
//! fn three_hosts() {
//!     let lab = or_skip!(Lab::start(3));
//!     lab.make_friends();
//!     lab.lxc_ok(&["list", "host1:"]);
//!     lab.lxc_ok(&["launch", "busybox", "host2:c1"]);
//! }
//! ```

use crate::daemon::{Builder, TestDaemon};
use crate::programs::program;
use crate::run::{Finished, run};
use crate::sandbox::{Sandbox, Unavailable};
use std::ops::Index;
use std::path::Path;
use std::process::Command;

/// The password of a lab's daemons.
const PASSWORD: &str = "something-secure";

/// Daemons that reach each other. They end with this value.
pub struct Lab {
    // Before the wire, so that they end first.
    hosts: Vec<TestDaemon>,
    wire: Sandbox,
    _dir: tempfile::TempDir,
}

impl Lab {
    /// This many daemons, none of which listens on the network yet. The first one has the busybox image.
    ///
    /// # Errors
    /// When this machine cannot run containers.
    #[track_caller]
    pub fn start(count: usize) -> Result<Self, Unavailable> {
        let builder = |n| if n == 0 { TestDaemon::builder() } else { TestDaemon::builder().without_image() };
        Self::of((0..count).map(builder).collect())
    }

    /// Daemons that start with this.
    ///
    /// # Errors
    /// When this machine cannot run containers.
    ///
    /// # Panics
    /// When a daemon does not come up.
    #[track_caller]
    pub fn of(builders: Vec<Builder>) -> Result<Self, Unavailable> {
        let dir = tempfile::tempdir().map_err(|e| Unavailable(format!("no temporary directory: {e}")))?;
        let wire = Sandbox::new(dir.path())?;
        let mut lab = Self { hosts: Vec::new(), wire, _dir: dir };
        lab.ip("link add wire0 type bridge forward_delay 0");
        lab.ip("link set wire0 up");
        for builder in builders {
            lab.add(builder)?;
        }
        Ok(lab)
    }

    /// One more host.
    ///
    /// # Errors
    /// When this machine cannot run containers.
    #[track_caller]
    pub fn add(&mut self, builder: Builder) -> Result<(), Unavailable> {
        let host = builder.start()?;
        let number = self.hosts.len();
        let (port, end) = (format!("port{number}"), number + 1);
        // Namespaces are named by process ids of the host's, so this runs in its process namespace.
        let there = host.sandbox().holder();
        self.ip(&format!("link add {port} type veth peer name wire0 netns {there}"));
        self.ip(&format!("link set {port} master wire0 up"));
        let inside = |words: &str| {
            let _ = run(host.inside("ip").args(words.split(' '))).expect_success();
        };
        inside(&format!("address add 10.199.0.{end}/24 dev wire0"));
        // Nobody else has the address, so nobody has to be asked about it.
        inside(&format!("address add fd00:199::{end}/64 dev wire0 nodad"));
        inside("link set wire0 up");
        self.hosts.push(host);
        Ok(())
    }

    #[track_caller]
    fn ip(&self, words: &str) {
        let _ = run(self.wire.on_its_network(Path::new("ip")).args(words.split(' '))).expect_success();
    }

    /// The IPv4 address of a host.
    #[must_use]
    pub fn address(&self, host: usize) -> String {
        format!("10.199.0.{}", host + 1)
    }

    /// The IPv6 address of a host.
    #[must_use]
    pub fn address6(&self, host: usize) -> String {
        format!("fd00:199::{}", host + 1)
    }

    /// Lets a daemon listen on all its addresses, with a password for clients.
    #[track_caller]
    pub fn listen(&self, host: usize) {
        self[host].lxc_ok(&["config", "set", "core.https_address", "[::]:8443"]);
        self[host].lxc_ok(&["config", "set", "core.trust_password", PASSWORD]);
    }

    /// The password of the daemons that listen.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Lets all daemons listen and makes the client know host `n` as `host<n>`, for all but its own.
    #[track_caller]
    pub fn make_friends(&self) {
        for host in 0..self.hosts.len() {
            self.listen(host);
        }
        for host in 1..self.hosts.len() {
            let (name, address) = (format!("host{host}"), self.address(host));
            let add = ["remote", "add", &name, &address, "--accept-certificate", "--password", PASSWORD];
            self.lxc_ok(&add);
        }
    }

    /// A host that is to be stopped or started.
    pub fn host_mut(&mut self, host: usize) -> &mut TestDaemon {
        &mut self.hosts[host]
    }

    /// Our `lxc` on host 0, to be given arguments and run.
    #[must_use]
    pub fn lxc_command(&self) -> Command {
        self.command(&program("lxc"))
    }

    /// Any program on the network of host 0, set up to talk to its daemon.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self[0].sandbox().on_its_network(program);
        self[0].configure(&mut command);
        command
    }

    /// Run `lxc` on host 0.
    #[track_caller]
    pub fn lxc(&self, arguments: &[&str]) -> Finished {
        run(self.lxc_command().args(arguments))
    }

    /// The same; what it printed to standard output.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn lxc_ok(&self, arguments: &[&str]) -> String {
        self.lxc(arguments).expect_success().text()
    }

    /// The same for what must fail; what it printed to standard error.
    ///
    /// # Panics
    /// When it succeeds.
    #[track_caller]
    pub fn lxc_fails(&self, arguments: &[&str]) -> String {
        let finished = self.lxc(arguments);
        assert!(!finished.status.success(), "it should have failed: {finished:?}");
        finished.errors()
    }

    /// Pull a host's plug, or put it in again.
    #[track_caller]
    pub fn plug(&self, host: usize, plugged: bool) {
        self.ip(&format!("link set port{host} {}", if plugged { "up" } else { "down" }));
    }

    /// Make it impossible, or possible again, that two hosts exchange packets.
    #[track_caller]
    pub fn part(&self, one: usize, other: usize, parted: bool) {
        let verb = if parted { "add" } else { "del" };
        for (here, there) in [(one, other), (other, one)] {
            for address in [self.address(there), self.address6(there)] {
                let words = ["route", verb, "blackhole", &address];
                let _ = run(self[here].inside("ip").args(words)).expect_success();
            }
        }
    }
}

impl Index<usize> for Lab {
    type Output = TestDaemon;

    fn index(&self, host: usize) -> &TestDaemon {
        &self.hosts[host]
    }
}
