//! Where a scenario runs: a mount namespace, a directory, and a look around at the end.

use crate::commands;
use crate::drivers::Driver;
use crate::site::Site;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// A scenario.
pub(crate) type Scenario = for<'a> fn(&'a Site) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Says to this program, started once more, that it is in its own mount namespace.
const INSIDE: &str = "LIGHTERVISOR_CONFORMANCE_INSIDE";

/// How long a scenario may take on real hardware.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs a scenario, or prints why it cannot run here. `path` is the test's own.
pub(crate) fn run(driver: &'static Driver, path: &str, scenario: Scenario) {
    let test = path.split_once("::").map_or(path, |(_, rest)| rest);
    if std::env::var_os(crate::child::TASK).is_some() {
        return runtime().block_on(crate::child::work());
    }
    if std::env::var_os(INSIDE).is_none() {
        if let Err(reason) = driver.ready() {
            eprintln!("SKIP {test}: {reason}");
            return;
        }
        return again_inside(test);
    }
    let host = Host::new();
    let site = Site::new(host, driver);
    let limit = LIMIT.saturating_mul(slow());
    let runtime = runtime();
    runtime.block_on(async {
        let done = tokio::time::timeout(limit, scenario(&site)).await;
        assert!(done.is_ok(), "{test} takes longer than {} s", limit.as_secs());
    });
    // Whatever goes on in the background ends before anybody looks.
    runtime.shutdown_timeout(limit);
    site.host.expect_nothing_left();
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// How many times longer than on real hardware things may take here.
pub(crate) fn slow() -> u32 {
    let factor = std::env::var("LIGHTERVISOR_TEST_SLOW").ok().and_then(|factor| factor.parse().ok());
    factor.unwrap_or(1).max(1)
}

/// Runs the same test in a mount namespace of its own.
fn again_inside(test: &str) {
    let Ok(program) = std::env::current_exe() else { panic!("this program has no path") };
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output();
    match output {
        Ok(output) => {
            let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
            for line in said.lines().filter(|line| line.trim_start().starts_with("SKIP ")) {
                eprintln!("{line}");
            }
            assert!(output.status.success(), "{said}");
            assert!(said.contains("1 passed"), "no test of the name {test} ran: {said}");
        }
        Err(error) => panic!("cannot run unshare: {error}"),
    }
}

/// The directory of one scenario, and the names that only its things have.
pub(crate) struct Host {
    dir: TempDir,
    /// What the names of its pools begin with, and so of volume groups, zpools and OSD pools.
    pub(crate) prefix: String,
    /// Drivers whose traces are looked for.
    used: Mutex<Vec<&'static Driver>>,
    /// How to remove what was made for pools to be put on, last made first.
    made: Mutex<Vec<Vec<String>>>,
}

impl Host {
    fn new() -> Self {
        let dir = match tempfile::Builder::new().prefix("conformance-").tempdir() {
            Ok(dir) => dir,
            Err(error) => panic!("no temporary directory: {error}"),
        };
        let prefix = format!("lvt{}x", std::process::id());
        let host = Self { dir, prefix, used: Mutex::default(), made: Mutex::default() };
        for part in ["containers", "snapshots", "disks"] {
            if let Err(error) = std::fs::create_dir_all(host.var().join(part)) {
                panic!("cannot make {part}: {error}");
            }
        }
        host
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The daemon's directory.
    pub(crate) fn var(&self) -> PathBuf {
        self.path("var")
    }

    /// A loop device with nothing on it.
    pub(crate) fn device(&self, name: &str, size: &str) -> String {
        let file = self.path(name);
        commands::must("truncate", &["-s", size, text(&file)]);
        let device = commands::must("losetup", &["--find", "--show", text(&file)]).trim().to_owned();
        self.later(&["losetup", "--detach", &device]);
        device
    }

    /// From now on, what this driver makes on a host is looked for and removed.
    pub(crate) fn uses(&self, driver: &'static Driver) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.iter().any(|known| known.name == driver.name) {
            used.push(driver);
        }
    }

    fn used(&self) -> Vec<&'static Driver> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A command that removes something which was made for a pool to be put on.
    pub(crate) fn later(&self, command: &[&str]) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(command.iter().map(|&word| word.to_owned()).collect());
    }

    /// Removes what was made for pools. Some of it has gone with its pool.
    pub(crate) fn remove_made(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for command in made.iter().rev() {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let _ = commands::run(words[0], &words[1..]);
        }
    }

    /// Everything that is ours on this host, one line each.
    pub(crate) fn left(&self) -> Vec<String> {
        let mine = |line: &&str| line.contains(text(self.dir.path())) || line.contains(&self.prefix);
        let mut left = Vec::new();
        let mut look = |what: &str, listed: &str| {
            left.extend(listed.lines().filter(mine).map(|line| format!("{what}: {line}")));
        };
        look("mount", &std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        look(
            "loop device",
            &commands::run("losetup", &["--list", "--noheadings", "--output", "NAME,BACK-FILE"])
                .unwrap_or_default(),
        );
        for driver in self.used() {
            for (what, program, arguments) in driver.listings {
                look(what, &commands::run(program, arguments).unwrap_or_default());
            }
        }
        for part in ["containers", "snapshots", "storage-pools", "disks"] {
            let entries = std::fs::read_dir(self.var().join(part)).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| format!("file: {}", entry.path().display())));
        }
        left
    }

    fn expect_nothing_left(&self) {
        self.remove_made();
        // Devices with autoclear go when the kernel gets round to it.
        for _ in 0..20 * slow() {
            if self.left().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let left = self.left();
        assert!(left.is_empty(), "left behind:\n  {}", left.join("\n  "));
    }

    /// Removes whatever is left, so that one failure is not followed by others.
    pub(crate) fn sweep(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut targets: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
        targets.reverse();
        for target in targets.iter().filter(|target| target.starts_with(text(self.dir.path()))) {
            let _ = commands::run("umount", &["--lazy", &target.replace("\\040", " ")]);
        }
        for driver in self.used() {
            (driver.sweep)(&self.prefix);
        }
        let devices = commands::run("losetup", &["--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
        for line in devices.unwrap_or_default().lines().filter(|line| line.contains(text(self.dir.path()))) {
            let _ =
                commands::run("losetup", &["--detach", line.split_whitespace().next().unwrap_or_default()]);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// A path as an argument for programs; ours are all UTF-8.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
