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

/// A limit as system calls take it.
pub(crate) type Known = (Resource, Limit);

/// Find each limit by its name. Without one on files, there is the usual one: whoever holds
/// descriptors for all containers has raised its own.
pub(crate) fn resolve(limits: &[Rlimit]) -> Result<Vec<Known>, Error> {
    let mut known = Vec::with_capacity(limits.len() + 1);
    for limit in limits {
        let Some((_, resource)) = NAMES.iter().find(|(name, _)| *name == limit.name) else {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            let reason = format!("there is no such limit; there are {}", names.join(", "));
            return Err(Error::refused(format!("set the limit {}", limit.name), reason));
        };
        known.push((*resource, Limit { current: limit.soft, maximum: limit.hard }));
    }
    if limits.iter().all(|limit| limit.name != "nofile") {
        known.push((Resource::Nofile, crate::entry::usual_files()));
    }
    Ok(known)
}

/// Set the limits of a process, `setrlimit(2)`.
pub(super) fn apply(pid: i32, limits: &[Rlimit]) -> Result<(), Error> {
    for (resource, limit) in resolve(limits)? {
        let name = NAMES.iter().find(|(_, known)| *known == resource).map_or("", |(name, _)| name);
        prlimit(Pid::from_raw(pid), resource, limit)
            .map_err(|errno| Error::system(format!("set the limit {name}"), errno))?;
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
