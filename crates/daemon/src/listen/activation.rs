//! Sockets that systemd listens on for us (`sd_listen_fds(3)`).

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

/// The first descriptor that systemd passes.
const FIRST: i32 = 3;
/// More sockets than anybody gives one daemon.
const MOST: i32 = 64;

/// Why a passed socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivationError {
    /// The variables make no sense.
    #[error("LISTEN_FDS is '{0}', which is not a small number")]
    Count(String),
    /// It cannot be had.
    #[error("cannot take the socket that systemd passed as descriptor {descriptor}")]
    Take {
        /// Which.
        descriptor: i32,
        /// Why.
        source: std::io::Error,
    },
}

/// How many descriptors were passed to this process.
fn count(pid: Option<&str>, fds: Option<&str>, own: i32) -> Result<i32, ActivationError> {
    match (pid.and_then(|pid| pid.parse::<i32>().ok()), fds) {
        (Some(pid), Some(fds)) if pid == own => match fds.parse() {
            Ok(count @ 0..=MOST) => Ok(count),
            _ => Err(ActivationError::Count(fds.to_owned())),
        },
        _ => Ok(0),
    }
}

/// The unix socket that systemd listens on for this process, if it does.
///
/// # Errors
/// Descriptors were announced and are not there.
pub(crate) fn inherited() -> Result<Option<UnixListener>, ActivationError> {
    let variable = |name| std::env::var(name).ok();
    let (pid, fds) = (variable("LISTEN_PID"), variable("LISTEN_FDS"));
    let count = count(pid.as_deref(), fds.as_deref(), getpid().as_raw_nonzero().get())?;
    for descriptor in FIRST..FIRST + count {
        let fd = take(descriptor).map_err(|source| ActivationError::Take { descriptor, source })?;
        let listener = UnixListener::from(fd);
        // Only a unix socket has a unix address.
        if listener.local_addr().is_ok() {
            let result = listener.set_nonblocking(true).map(|()| listener);
            return result.map(Some).map_err(|source| ActivationError::Take { descriptor, source });
        }
        tracing::warn!(descriptor, "systemd passed a network socket, which this version does not serve");
    }
    Ok(None)
}

/// A copy of a descriptor that is only known by number, closed on exec, without trusting the number.
fn take(descriptor: i32) -> std::io::Result<OwnedFd> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(own, descriptor, PidfdGetfdFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn only_what_was_passed_to_this_process_counts() {
        assert_eq!(count(Some("7"), Some("2"), 7).unwrap(), 2);
        assert_eq!(count(Some("8"), Some("2"), 7).unwrap(), 0);
        assert_eq!(count(None, Some("2"), 7).unwrap(), 0);
        assert_eq!(count(Some("7"), None, 7).unwrap(), 0);
        assert!(count(Some("7"), Some("-1"), 7).is_err());
        assert!(count(Some("7"), Some("many"), 7).is_err());
    }

    #[test]
    fn a_descriptor_is_taken_by_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let copy = UnixListener::from(take(listener.as_raw_fd()).unwrap());
        assert_eq!(copy.local_addr().unwrap().as_pathname(), Some(path.as_path()));
        assert!(take(1_000_000).is_err());
    }
}
