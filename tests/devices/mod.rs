//! Devices, at start and while the container runs: what is measured is what is seen inside.

mod disk;
mod gpu;
mod hotplug;
mod unix;

use std::path::{Path, PathBuf};
use testkit::{TestDaemon, run};

/// A directory of the test's own with a file in it.
fn shared(d: &TestDaemon, name: &str, note: &str) -> PathBuf {
    let path = d.scratch().join(name);
    std::fs::create_dir(&path).expect("a new directory");
    std::fs::write(path.join("note"), note).expect("a new file");
    path
}

fn source(path: &Path) -> String {
    format!("source={}", path.display())
}

/// What the daemon's mount namespace has mounted.
fn host_mounts(d: &TestDaemon) -> String {
    run(d.inside("cat").arg("/proc/self/mountinfo")).expect_success().text()
}

/// What a shell script inside says, errors included.
fn sh(d: &TestDaemon, container: &str, script: &str) -> String {
    let finished = d.lxc(&["exec", container, "--", "sh", "-c", script]);
    format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.errors())
}

/// What is left of a container's devices on the host.
fn left(d: &TestDaemon, container: &str) -> Vec<String> {
    let entries = std::fs::read_dir(d.lxd_dir().join("devices").join(container));
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "given.json")
        .collect();
    names.sort();
    names
}
