//! One daemon for one test.

use crate::cgroups;
use crate::events::Events;
use crate::http::Api;
use crate::images::busybox_image;
use crate::programs::program;
use crate::run::{Finished, run, run_with_input};
use crate::sandbox::{Sandbox, Unavailable, child_of};
use crate::wait::{eventually, eventually_within};
use crate::web::{Authority, Web};
use rustix::process::{Pid, Signal};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a daemon starts with.
#[must_use]
pub struct Builder {
    init: bool,
    image: bool,
    nat: bool,
    environment: Vec<(String, String)>,
}

impl Builder {
    /// Without pool, network and default devices: what a fresh installation is.
    pub fn uninitialised(mut self) -> Self {
        self.init = false;
        self.image = false;
        self
    }

    /// Without the busybox image.
    pub fn without_image(mut self) -> Self {
        self.image = false;
        self
    }

    /// With address translation on the bridge, which needs nftables.
    pub fn with_nat(mut self) -> Self {
        self.nat = true;
        self
    }

    /// With this variable in the daemon's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Start it.
    ///
    /// # Errors
    /// When this machine cannot run containers.
    ///
    /// # Panics
    /// When the daemon does not come up or cannot be initialised.
    #[track_caller]
    pub fn start(self) -> Result<TestDaemon, Unavailable> {
        let image = if self.image { Some(busybox_image()?) } else { None };
        // Short, because the path of a unix socket has room for 107 bytes.
        let temporary = tempfile::Builder::new()
            .prefix("lvt-")
            .tempdir_in("/tmp")
            .map_err(|e| Unavailable(format!("no directory in /tmp: {e}")))?;
        let dir = temporary.path().to_owned();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(&dir, everybody)
            .map_err(|e| Unavailable(format!("{}: {e}", dir.display())))?;
        let sandbox = Sandbox::new(&dir)?;
        let mut daemon =
            TestDaemon { sandbox, temporary: Some(temporary), dir, lxd: None, environment: self.environment };
        daemon.spawn();
        if self.init {
            let preseed = preseed(self.nat);
            let _ = run_with_input(daemon.lxd_command().args(["init", "--preseed"]), preseed.as_bytes())
                .expect_success();
        }
        if let Some(image) = image {
            let path = image.to_string_lossy().into_owned();
            daemon.lxc_ok(&["image", "import", &path, "--alias", "busybox"]);
        }
        Ok(daemon)
    }
}

fn preseed(nat: bool) -> String {
    format!(
        "networks:\n- name: lxdbr0\n  type: bridge\n  config:\n    ipv4.address: 10.177.0.1/24\n    \
         ipv4.nat: \"{nat}\"\n    ipv6.address: none\n\
         storage_pools:\n- name: default\n  driver: dir\n\
         profiles:\n- name: default\n  devices:\n    root:\n      type: disk\n      path: /\n      \
         pool: default\n    eth0:\n      type: nic\n      nictype: bridged\n      parent: lxdbr0\n      \
         name: eth0\n"
    )
}

/// A running daemon. Everything that it made ends with this value; its directory is kept when the
/// test fails.
pub struct TestDaemon {
    sandbox: Sandbox,
    temporary: Option<tempfile::TempDir>,
    dir: PathBuf,
    lxd: Option<Child>,
    environment: Vec<(String, String)>,
}

impl TestDaemon {
    /// What the daemon is to start with: by default a pool, a bridge and the image `busybox`.
    pub fn builder() -> Builder {
        Builder { init: true, image: true, nat: false, environment: Vec::new() }
    }

    /// The namespaces that it lives in.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Its `LXD_DIR`.
    #[must_use]
    pub fn lxd_dir(&self) -> PathBuf {
        self.dir.join("lxd")
    }

    /// A directory for the test's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        &self.dir
    }

    /// Its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.lxd_dir().join("unix.socket")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let mut log = std::fs::read_to_string(self.dir.join("lxd.out")).unwrap_or_default();
        log.push_str(&std::fs::read_to_string(self.dir.join("lxd.log")).unwrap_or_default());
        log
    }

    /// The API over plain HTTP.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.socket())
    }

    /// Listen to events of these types (`operation`, `lifecycle`, `logging`, comma separated).
    #[must_use]
    #[track_caller]
    pub fn events(&self, types: &str) -> Events {
        Events::open(&self.socket(), &format!("/1.0/events?type={types}"))
    }

    /// Variables that programs need to talk to this daemon, set on a command.
    pub fn configure<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for name in ["LXD_SOCKET", "LXC_ALIASES", "VISUAL", "EDITOR", "RUST_LOG", "TERM"] {
            command.env_remove(name);
        }
        command.env("LXD_DIR", self.lxd_dir()).env("LXD_CONF", self.dir.join("conf"))
    }

    /// Our `lxc`, to be given arguments and run.
    #[must_use]
    pub fn lxc_command(&self) -> Command {
        let mut command = Command::new(program("lxc"));
        self.configure(&mut command);
        command
    }

    /// Our `lxd`, to be given a sub-command and run, inside the daemon's namespaces.
    #[must_use]
    pub fn lxd_command(&self) -> Command {
        let mut command = self.sandbox.command(&program("lxd"));
        self.configure(&mut command);
        command
    }

    /// Any program inside the daemon's namespaces, for looking around.
    #[must_use]
    pub fn inside(&self, name: &str) -> Command {
        self.sandbox.command(Path::new(name))
    }

    /// Our `lxc` inside the daemon's namespaces, where the web servers of the test are.
    #[must_use]
    pub fn lxc_inside(&self) -> Command {
        let mut command = self.sandbox.command(&program("lxc"));
        self.configure(&mut command);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    /// A web server on a port of the daemon's loopback interface (0: any), see [`Web`].
    #[must_use]
    #[track_caller]
    pub fn web(&self, directory: &Path, port: u16) -> Web {
        Web::serve(directory, Some(&self.sandbox.network()), port, None)
    }

    /// The same with TLS, under these names, which lead to it: `https://NAME:PORT`. The daemon has to be
    /// started with the variable `SSL_CERT_FILE` of [`Authority::path`].
    ///
    /// # Panics
    /// When the names cannot be made known.
    #[must_use]
    #[track_caller]
    pub fn web_tls(&self, directory: &Path, port: u16, authority: &Authority, names: &[&str]) -> Web {
        let web = Web::serve(directory, Some(&self.sandbox.network()), port, Some((authority, names)));
        const KNOW: &str = r#"
            [ -e "$1/hosts" ] || { cp /etc/hosts "$1/hosts" 2>/dev/null || : > "$1/hosts"
                mount --bind "$1/hosts" /etc/hosts; }
            shift; for name; do echo "127.0.0.1 $name" >> /etc/hosts; done
        "#;
        let mut know = self.inside("sh");
        let _ = run(know.args(["-c", KNOW, "know"]).arg(&self.dir).args(names)).expect_success();
        web
    }

    /// Run `lxc` with these arguments and no input.
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

    /// Run `lxc` with this input.
    #[track_caller]
    pub fn lxc_with_input(&self, arguments: &[&str], input: &[u8]) -> Finished {
        run_with_input(self.lxc_command().args(arguments), input)
    }

    /// Run a program in a container; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn exec(&self, container: &str, command: &[&str]) -> String {
        let mut arguments = vec!["exec", container, "--"];
        arguments.extend(command);
        self.lxc_ok(&arguments)
    }

    /// State of a container as the API gives it.
    #[must_use]
    #[track_caller]
    pub fn state(&self, container: &str) -> serde_json::Value {
        self.api().get(&format!("/1.0/containers/{container}/state")).metadata()
    }

    /// `Running`, `Stopped`, ...; empty when there is no such container.
    #[must_use]
    #[track_caller]
    pub fn status(&self, container: &str) -> String {
        let response = self.api().get(&format!("/1.0/containers/{container}"));
        if response.status == 404 {
            return String::new();
        }
        response.metadata()["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Wait until a container is in this state; empty: until it is gone.
    ///
    /// # Panics
    /// When that does not happen.
    #[track_caller]
    pub fn wait_status(&self, container: &str, status: &str) {
        eventually(&format!("{container} is {status}"), || (self.status(container) == status).then_some(()));
    }

    /// Process id of a container's init, as the daemon names it (in its own process namespace).
    #[must_use]
    #[track_caller]
    pub fn init_pid(&self, container: &str) -> i64 {
        self.state(container)["pid"].as_i64().unwrap_or_default()
    }

    /// Process id of the daemon on the host.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    #[track_caller]
    pub fn pid(&self) -> Pid {
        let nsenter = self.lxd.as_ref().expect("a running daemon").id();
        let pid = eventually("the daemon is started", || child_of(nsenter));
        Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id")
    }

    /// Kill the daemon at once, with nothing being told.
    #[track_caller]
    pub fn kill9(&mut self) {
        rustix::process::kill_process(self.pid(), Signal::KILL).expect("a running daemon");
        self.wait_gone();
    }

    /// Ask the daemon to end (SIGTERM); containers go on.
    #[track_caller]
    pub fn terminate(&mut self) {
        rustix::process::kill_process(self.pid(), Signal::TERM).expect("a running daemon");
        self.wait_gone();
    }

    /// Send the daemon a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("a running daemon");
    }

    /// Cut the power of the daemon's host and let it boot: every process is gone at once, and so are
    /// the interfaces, and what daemon and keeper have written down is of another boot than this. The
    /// daemon has to be started again.
    ///
    /// # Panics
    /// When that cannot be done.
    #[track_caller]
    pub fn cut_power(&mut self) {
        const BOOT: &str = r#"
            kill -9 -1
            echo another > "$1/host-boot"
            sed -i 's/"boot":"[^"]*"/"boot":"another"/' "$1"/keeper/*.json 2>/dev/null
            for bridge in /sys/class/net/*/bridge; do
                [ -d "$bridge" ] || continue
                bridge=${bridge%/bridge}
                ip link delete "${bridge##*/}"
            done
        "#;
        let _ = run(self.inside("sh").args(["-c", BOOT, "boot"]).arg(self.lxd_dir())).expect_success();
        self.wait_gone();
    }

    /// Wait until the daemon has ended by itself, or by a crash that was asked for.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn wait_gone(&mut self) {
        if let Some(mut lxd) = self.lxd.take() {
            let mut ended = || lxd.try_wait().ok().flatten();
            eventually("the daemon has ended", &mut ended);
        }
    }

    /// Start the daemon, which must have ended, on the same directory.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.lxd.is_none(), "the daemon is still running");
        self.spawn();
    }

    /// The same, without waiting until everything that should run has been started.
    #[track_caller]
    pub fn start_again_unready(&mut self) {
        assert!(self.lxd.is_none(), "the daemon is still running");
        self.spawn_until("/1.0");
    }

    /// Set or remove a variable for the next start.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(n, _)| n != name);
        if let Some(value) = value {
            self.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Start the process and wait until what should run has been started.
    #[track_caller]
    fn spawn(&mut self) {
        self.spawn_until("/internal/ready");
    }

    /// Start the process and wait until it answers to a request.
    #[track_caller]
    fn spawn_until(&mut self, answers: &str) {
        let output = File::options().create(true).append(true).open(self.dir.join("lxd.out"));
        let output = output.expect("a file for the daemon's output");
        let errors = output.try_clone().expect("a second descriptor");
        let mut command = self.lxd_command();
        command.args(["--debug", "--group", "root", "--logfile"]).arg(self.dir.join("lxd.log"));
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        self.lxd = Some(command.spawn().expect("nsenter, which was looked for"));
        let api = self.api();
        eventually_within(Duration::from_secs(60), "the daemon answers", || {
            if let Some(status) = self.lxd.as_mut().and_then(|lxd| lxd.try_wait().ok().flatten()) {
                panic!("the daemon ended at once ({status}); its log:\n{}", self.log());
            }
            let ready = api.try_request("GET", answers, &[], &[]);
            ready.is_ok_and(|r| r.status == 200).then_some(())
        });
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        let groups = cgroups::of_daemon(&self.lxd_dir());
        let log = self.log();
        let failed = std::thread::panicking();
        if failed && let Some(temporary) = self.temporary.take() {
            let kept = temporary.keep();
            let from = log.len().saturating_sub(6000);
            let tail = log.get(from..).unwrap_or(&log);
            eprintln!("the daemon's directory is kept in {}; the end of its log:\n{tail}", kept.display());
        }
        self.sandbox.end();
        if let Some(mut lxd) = self.lxd.take() {
            let _ = lxd.wait();
        }
        for group in groups {
            cgroups::remove(&group);
        }
        assert!(failed || !log.contains("panicked at"), "the daemon panicked:\n{log}");
    }
}
