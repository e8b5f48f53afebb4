//! Namespaces for one daemon: network, mounts and process ids of its own.
//!
//! A holder process is the first of the process namespace; ending it ends everything that was
//! started inside, containers included, and takes interfaces, rules and mounts with it. The holder
//! dies with the test.

use crate::programs::find_program;
use rustix::process::{Pid, Signal};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Why a test that needs a daemon cannot run on this machine.
#[derive(Debug)]
pub struct Unavailable(pub String);

/// The holder.
pub(crate) struct Sandbox {
    unshare: Child,
    holder: u32,
}

/// Host files that the daemon reads are replaced, so that every machine gives the same id map;
/// control groups are carried over to the fresh `/sys` that shows the own interfaces.
const HOLDER: &str = r#"
set -e
dir=$1
echo 'root:1000000:1000000000' > "$dir/subid"
for f in /etc/subuid /etc/subgid; do
    [ -e $f ] || : > $f
    mount --bind "$dir/subid" $f
done
mkdir "$dir/cgroup"
mount --rbind /sys/fs/cgroup "$dir/cgroup"
umount --lazy --recursive /sys
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || :
umount --lazy --recursive "$dir/cgroup"
rmdir "$dir/cgroup"
ip link set lo up
echo ready
exec >/dev/null 2>&1
while :; do sleep 1 || :; done
"#;

impl Sandbox {
    pub(crate) fn new(dir: &Path) -> Result<Self, Unavailable> {
        if !rustix::process::geteuid().is_root() {
            return Err(Unavailable("containers need root".to_owned()));
        }
        for name in ["setpriv", "unshare", "nsenter", "ip", "mount"] {
            if find_program(name).is_none() {
                return Err(Unavailable(format!("the program {name} is not installed")));
            }
        }
        let mut unshare = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "--propagation", "private", "--", "sh", "-c", HOLDER, "holder"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Unavailable(format!("cannot run unshare: {e}")))?;
        let mut said = String::new();
        let stdout = unshare.stdout.take().map(BufReader::new);
        let ready = stdout.is_some_and(|mut s| s.read_line(&mut said).is_ok() && said == "ready\n");
        let holder = child_of(unshare.id());
        match (ready, holder) {
            (true, Some(holder)) => Ok(Self { unshare, holder }),
            _ => {
                let _ = unshare.kill();
                let errors = unshare.wait_with_output().map(|o| o.stderr).unwrap_or_default();
                Err(Unavailable(format!("no namespaces here: {}", String::from_utf8_lossy(&errors).trim())))
            }
        }
    }

    /// A command that runs this program inside.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.to_string(), "--mount", "--net", "--pid", "--"]).arg(program);
        command
    }

    /// A command that runs this program on its network, but among the host's processes and files.
    pub(crate) fn on_its_network(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.to_string(), "--net", "--"]).arg(program);
        command
    }

    /// The process that holds the namespaces, by its number on the host.
    pub(crate) fn holder(&self) -> u32 {
        self.holder
    }

    /// Its network namespace.
    pub(crate) fn network(&self) -> std::path::PathBuf {
        format!("/proc/{}/ns/net", self.holder).into()
    }

    /// End everything inside. The kernel kills a process namespace with its first process, and
    /// that one is not gone before all others are.
    pub(crate) fn end(&mut self) {
        if let Some(holder) = i32::try_from(self.holder).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(holder, Signal::KILL);
        }
        let _ = self.unshare.wait();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if matches!(self.unshare.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// The first child of a process.
pub(crate) fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{run, spawn};
    use std::time::Duration;

    #[test]
    fn what_runs_inside_has_its_own_interfaces_and_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut sandbox = match Sandbox::new(dir.path()) {
            Ok(sandbox) => sandbox,
            Err(Unavailable(reason)) => crate::skip!("{reason}"),
        };
        let links = run(sandbox.command(Path::new("ls")).arg("/sys/class/net")).expect_success();
        assert_eq!(links.text().trim(), "lo");
        let group = run(sandbox.command(Path::new("cat")).arg("/proc/1/comm")).expect_success();
        assert_eq!(group.text().trim(), "sh");
        let hierarchies = |text: &str| text.lines().filter(|l| l.contains(" /sys/fs/cgroup/")).count();
        let outside = hierarchies(&std::fs::read_to_string("/proc/self/mounts").unwrap());
        let inside = run(sandbox.command(Path::new("cat")).arg("/proc/self/mounts")).expect_success();
        assert_eq!(hierarchies(&inside.text()), outside);
        let sleeper = spawn(sandbox.command(Path::new("sleep")).arg("600").stdin(Stdio::null()));
        crate::eventually("it runs", || {
            child_of(u32::try_from(sleeper.pid().as_raw_nonzero().get()).unwrap())
        });
        sandbox.end();
        assert_eq!(sleeper.wait(Duration::from_secs(10)).code(), 137);
    }
}
