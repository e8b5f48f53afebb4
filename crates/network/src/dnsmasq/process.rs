//! Starting, recognising, reloading and stopping a bridge's dnsmasq.

use super::arguments::{HostFacts, arguments};
use crate::bridge::Bridge;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tools::RunError;

/// How long it may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a bridge has no DHCP and DNS.
#[derive(Debug, thiserror::Error)]
pub enum DnsmasqError {
    /// The program is missing.
    #[error("dnsmasq is required for LXD managed bridges.")]
    Missing {
        /// What to install.
        source: RunError,
    },
    /// It does not start.
    #[error("Cannot start dnsmasq for the network {network}")]
    Start {
        /// The network.
        network: String,
        /// What it said.
        source: RunError,
    },
    /// It does not end.
    #[error("dnsmasq (process {pid}) of {} does not end", .dir.display())]
    Stuck {
        /// The network's directory.
        dir: PathBuf,
        /// Its process.
        pid: i32,
    },
    /// A file of it cannot be read or written.
    #[error("Cannot {what} {}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be signalled.
    #[error("Cannot signal dnsmasq (process {pid})")]
    Signal {
        /// Its process.
        pid: i32,
        /// Why not.
        source: io::Error,
    },
}

pub(super) fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DnsmasqError {
    let path = path.to_owned();
    move |source| DnsmasqError::File { what, path, source }
}

/// Makes a server with the bridge's present configuration run. One that already does stays;
/// one with another configuration is replaced.
pub(crate) async fn ensure(bridge: &Bridge) -> Result<(), DnsmasqError> {
    let prepared = bridge.clone();
    let args = blocking(move || prepare(&prepared)).await?;
    let Some(args) = args else { return Ok(()) };
    tools::dnsmasq::start(&args).await.map_err(|source| match source {
        RunError::NotFound { .. } => DnsmasqError::Missing { source },
        source => DnsmasqError::Start { network: bridge.name.to_string(), source },
    })
}

/// Ends the server, if one runs.
pub(crate) async fn stop(dir: &Path) -> Result<(), DnsmasqError> {
    let dir = dir.to_owned();
    blocking(move || end(&dir)).await
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DnsmasqError> + Send + 'static,
) -> Result<T, DnsmasqError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => match join.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only when the runtime shuts down; the caller is being dropped too.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

/// Writes its files; `None` when the right server is running or none is needed.
fn prepare(bridge: &Bridge) -> Result<Option<Vec<String>>, DnsmasqError> {
    let account = account();
    let host = HostFacts {
        account: account.as_ref().map(|a| (a.user.clone(), a.group.clone())),
        has_resolv_conf: Path::new("/etc/resolv.conf").exists(),
    };
    let Some(args) = arguments(bridge, &host) else {
        end(&bridge.dir)?;
        return Ok(None);
    };
    make_hosts_dir(&bridge.dir, account.as_ref())?;
    make_lease_file(&bridge.dir.join("dnsmasq.leases"))?;
    let raw_changed = write_if_changed(&bridge.dir.join("dnsmasq.raw"), &bridge.config.raw_dnsmasq, None)?;
    if !raw_changed && running(&bridge.dir)?.is_some_and(|r| r.args == args) {
        return Ok(None);
    }
    end(&bridge.dir)?;
    Ok(Some(args))
}

/// The account it runs as.
pub(super) struct Account {
    user: String,
    group: String,
    gid: u32,
}

/// `lxd`, else `nobody`, when such an account exists.
pub(super) fn account() -> Option<Account> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let groups = fs::read_to_string("/etc/group").ok()?;
    ["lxd", "nobody"].into_iter().find_map(|name| find_account(&users, &groups, name))
}

fn find_account(users: &str, groups: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
    let gid = line.split(':').nth(3)?;
    let group = groups.lines().find(|l| l.split(':').nth(2) == Some(gid))?.split(':').next()?;
    Some(Account { user: name.to_owned(), group: group.to_owned(), gid: gid.parse().ok()? })
}

/// The directory of reservations. The server reads it again after it has given up root, so its
/// group may read it; nobody but root may write.
pub(super) fn make_hosts_dir(dir: &Path, account: Option<&Account>) -> Result<PathBuf, DnsmasqError> {
    let hosts = dir.join("dnsmasq.hosts");
    match fs::DirBuilder::new().mode(0o750).create(&hosts) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(file_error("create", &hosts)(e)),
        _ => {}
    }
    fs::set_permissions(&hosts, fs::Permissions::from_mode(0o750))
        .and_then(|()| chown(&hosts, None, account.map(|a| a.gid)))
        .map_err(file_error("change the mode of", &hosts))?;
    Ok(hosts)
}

/// The server would make the file readable for everybody; it opens it before it gives up root.
fn make_lease_file(path: &Path) -> Result<(), DnsmasqError> {
    let mut options = fs::OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(path);
    file.and_then(|f| f.set_permissions(fs::Permissions::from_mode(0o600)))
        .map_err(file_error("create", path))
}

/// Replaces a file in one step, readable for the account's group. True when its content was different.
pub(super) fn write_if_changed(
    path: &Path,
    content: &str,
    account: Option<&Account>,
) -> Result<bool, DnsmasqError> {
    if fs::read(path).is_ok_and(|now| now == content.as_bytes()) {
        return Ok(false);
    }
    // Hidden names are not read as reservations.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new).map_err(file_error("write", &new))?;
    file.write_all(content.as_bytes()).map_err(file_error("write", &new))?;
    if let Some(account) = account {
        fchown(&file, None, Some(account.gid))
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o640)))
            .map_err(file_error("change the mode of", &new))?;
    }
    fs::rename(&new, path).map_err(file_error("replace", path))?;
    Ok(true)
}

/// A server that runs.
pub(super) struct Running {
    pid: Pid,
    handle: OwnedFd,
    /// Its arguments without its own name.
    pub(super) args: Vec<String>,
}

/// The server of the bridge whose directory is `dir`.
///
/// A pid file alone proves nothing: the number may be somebody else's by now. The process must
/// have been told to write that very file.
pub(super) fn running(dir: &Path) -> Result<Option<Running>, DnsmasqError> {
    let file = dir.join("dnsmasq.pid");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(file_error("read", &file)(e)),
    };
    let number = text.trim().parse().ok().filter(|pid| *pid > 0);
    let Some(pid) = number.and_then(Pid::from_raw) else { return Ok(None) };
    // The handle first: what is read afterwards is about the same process or none.
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(None) };
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let mut words = line.split(|&b| b == 0).map(|w| String::from_utf8_lossy(w).into_owned());
    let program = words.next().unwrap_or_default();
    let mut args: Vec<String> = words.collect();
    // The command line ends with a zero byte.
    args.pop();
    let mark = format!("--pid-file={}", file.display());
    let ours = Path::new(&program).file_name().is_some_and(|n| n == "dnsmasq") && args.contains(&mark);
    Ok((ours && !ended(&handle, Duration::ZERO)).then_some(Running { pid, handle, args }))
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) -> Result<(), DnsmasqError> {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(DnsmasqError::Signal { pid: self.pid.as_raw_nonzero().get(), source: e.into() }),
        }
    }
}

/// Tells the server, if one runs, to read its reservations again.
pub(super) fn reload(dir: &Path) -> Result<(), DnsmasqError> {
    running(dir)?.map_or(Ok(()), |r| r.signal(Signal::HUP))
}

fn ended(process: &OwnedFd, within: Duration) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let timeout = Timespec { tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    poll(&mut fds, Some(&timeout)).is_ok_and(|n| n > 0)
}

/// Ends the server, if one runs, and waits until it is gone.
fn end(dir: &Path) -> Result<(), DnsmasqError> {
    if let Some(server) = running(dir)? {
        server.signal(Signal::TERM)?;
        if !ended(&server.handle, PATIENCE) {
            server.signal(Signal::KILL)?;
            if !ended(&server.handle, PATIENCE) {
                return Err(DnsmasqError::Stuck {
                    dir: dir.to_owned(),
                    pid: server.pid.as_raw_nonzero().get(),
                });
            }
        }
    }
    let file = dir.join("dnsmasq.pid");
    match fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(file_error("remove", &file)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_with_their_group() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nlxd:x:7:9:::\n";
        let groups = "root:x:0:\nnogroup:x:65533:a,b\n";
        let account = find_account(users, groups, "nobody").expect("account");
        assert_eq!(
            (account.user.as_str(), account.group.as_str(), account.gid),
            ("nobody", "nogroup", 65533)
        );
        assert!(find_account(users, groups, "lxd").is_none(), "its group does not exist");
        assert!(find_account(users, groups, "nobod").is_none());
    }

    #[test]
    fn a_pid_file_alone_proves_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(running(dir.path()).expect("none").is_none());
        for text in ["", "x", "-1", "0", "1", "2147483647"] {
            fs::write(dir.path().join("dnsmasq.pid"), text).expect("write");
            assert!(running(dir.path()).expect("read").is_none(), "{text}");
        }
        fs::write(dir.path().join("dnsmasq.pid"), std::process::id().to_string()).expect("write");
        assert!(running(dir.path()).expect("read").is_none(), "this very test is no dnsmasq");
        end(dir.path()).expect("nothing to end");
        assert!(!dir.path().join("dnsmasq.pid").exists());
    }
}
