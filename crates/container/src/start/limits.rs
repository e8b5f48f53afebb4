//! Resource limits by name, set from outside: the host's root may raise what a container cannot.

use crate::Error;
use model::runtime::spec::Rlimit;
use rustix::process::{Pid, Resource, Rlimit as Limit, prlimit};

const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// Set the limits of a process, `setrlimit(2)`.
pub(super) fn apply(pid: i32, limits: &[Rlimit]) -> Result<(), Error> {
    for limit in limits {
        let step = format!("set the limit {}", limit.name);
        let Some((_, resource)) = NAMES.iter().find(|(name, _)| *name == limit.name) else {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            let reason = format!("there is no such limit; there are {}", known.join(", "));
            return Err(Error::refused(step, reason));
        };
        let new = Limit { current: limit.soft, maximum: limit.hard };
        prlimit(Pid::from_raw(pid), *resource, new).map_err(|errno| Error::system(step, errno))?;
    }
    if limits.iter().all(|limit| limit.name != "nofile") {
        // Whoever holds descriptors for all containers has raised its own.
        let new = crate::entry::usual_files();
        prlimit(Pid::from_raw(pid), Resource::Nofile, new)
            .map_err(|errno| Error::system("set the limit nofile".to_owned(), errno))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_told_with_the_known_ones() {
        let limit = Rlimit { name: "files".to_owned(), soft: Some(1), hard: Some(1) };
        let error = apply(1, &[limit]).unwrap_err();
        assert!(error.reason.contains("nofile"), "{error}");
    }
}
