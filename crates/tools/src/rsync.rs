//! `rsync(1)`: one side of a copy of a tree, whose other side is an rsync on another host.
//!
//! The side that sends is what rsync calls the client, which starts the program that carries its bytes;
//! the side that receives is its server, which speaks on its standard streams. What the protocol looks
//! like depends on the options of both, so they have to be the same ones.

use crate::run::{Run, RunError};
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// A copy takes as long as it takes; whoever waits for it can give it up.
const DEADLINE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Status of a sender whose files vanished while it looked at them (`rsync(1)`, exit values).
const VANISHED: i32 = 24;

/// What both sides have agreed to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Keep extended attributes.
    pub xattrs: bool,
    /// Remove at the target what the source lacks.
    pub delete: bool,
    /// Compress what is sent.
    pub compress: bool,
    /// Keep hard links.
    pub hard_links: bool,
    /// Keep access control lists.
    pub acls: bool,
}

impl Features {
    /// All that rsync can.
    pub const ALL: Self = Self { xattrs: true, delete: true, compress: true, hard_links: true, acls: true };

    /// What both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            xattrs: self.xattrs && other.xattrs,
            delete: self.delete && other.delete,
            compress: self.compress && other.compress,
            hard_links: self.hard_links && other.hard_links,
            acls: self.acls && other.acls,
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        let groups: [(bool, &[&str]); 5] = [
            (self.xattrs, &["--xattrs", "--filter=-x security.selinux"]),
            (self.delete, &["--delete"]),
            (self.compress, &["--compress", "--compress-level=2"]),
            (self.hard_links, &["--hard-links"]),
            (self.acls, &["--acls"]),
        ];
        groups.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, arguments)| *arguments).copied().collect()
    }
}

/// Arguments of the side that sends, but for what carries its bytes and the tree itself.
fn sender(features: Features, limit: Option<u64>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-ar", "--devices", "--numeric-ids", "--partial", "--sparse"].map(str::to_owned).into();
    arguments.extend(features.arguments().into_iter().map(str::to_owned));
    if let Some(bytes) = limit {
        // In units of 1024 bytes per second; 0 would be no limit at all.
        arguments.push(format!("--bwlimit={}", (bytes / 1024).max(1)));
    }
    arguments
}

/// Arguments of the side that receives, but for the tree. The letters are what servers of all versions
/// are asked for: links, owners, groups, devices, times, modes, recursion, and after the `e` the
/// abilities of the protocol that need no answer.
fn receiver(features: Features) -> Vec<&'static str> {
    let mut arguments =
        vec!["--server", "-vlogDtpre.iLsfx", "--numeric-ids", "--devices", "--partial", "--sparse"];
    arguments.extend(features.arguments());
    arguments
}

/// Sends a tree. `wrapper` are arguments of our own program, which adds to the arguments what carries the
/// bytes and the tree; `stream` becomes its standard input. At most `limit` bytes per second are sent.
///
/// # Errors
/// See [`RunError`].
pub async fn send<S: AsRef<OsStr>>(
    wrapper: impl IntoIterator<Item = S>,
    features: Features,
    limit: Option<u64>,
    stream: File,
) -> Result<(), RunError> {
    let run = Run::new("rsync").wrapped(wrapper).args(sender(features, limit));
    match run.stdin_file(stream).deadline(DEADLINE).output().await {
        Err(RunError::Failed { status, .. }) if status.code() == Some(VANISHED) => Ok(()),
        result => result.map(drop),
    }
}

/// Receives a tree, likewise; `input` and `output` are the two directions of the stream.
///
/// # Errors
/// See [`RunError`].
pub async fn receive<S: AsRef<OsStr>>(
    wrapper: impl IntoIterator<Item = S>,
    features: Features,
    input: File,
    output: File,
) -> Result<(), RunError> {
    let run = Run::new("rsync").wrapped(wrapper).args(receiver(features));
    run.stdin_file(input).deadline(DEADLINE).output_to(output).await
}

/// Makes one directory of this host what another one is, by writing the difference. At most `limit`
/// bytes per second are copied. Files whose size and times are the same are compared as well: what a
/// program changed without a trace is not left behind. With `live`, files may vanish meanwhile.
///
/// # Errors
/// See [`RunError`].
pub async fn mirror(from: &Path, to: &Path, limit: Option<u64>, live: bool) -> Result<(), RunError> {
    let mut source = from.as_os_str().to_owned();
    source.push("/");
    let run = Run::new("rsync")
        .args([
            "-aHAX",
            "--sparse",
            "--devices",
            "--specials",
            "--numeric-ids",
            "--delete",
            "--checksum",
            // What the kernel shows of access control lists, which are copied as such (-A).
            "--filter=-x system.*",
            "--filter=-x trusted.SGI_ACL_*",
            "--filter=-x security.selinux",
            "-q",
        ])
        .arg(format!("--bwlimit={}", limit.map_or(0, |bytes| (bytes / 1024).max(1))))
        .arg("--")
        .arg(source)
        .arg(to);
    match run.deadline(DEADLINE).output().await {
        Err(RunError::Failed { status, .. }) if live && status.code() == Some(VANISHED) => Ok(()),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_name_what_was_agreed_upon() {
        let old = Features { xattrs: true, delete: true, compress: true, ..Features::default() };
        assert_eq!(Features::ALL.and(old), old);
        let agreed = "--xattrs --filter=-x security.selinux --delete --compress --compress-level=2";
        assert_eq!(
            sender(old, Some(10_240)).join(" "),
            format!("-ar --devices --numeric-ids --partial --sparse {agreed} --bwlimit=10")
        );
        assert_eq!(
            receiver(old).join(" "),
            format!("--server -vlogDtpre.iLsfx --numeric-ids --devices --partial --sparse {agreed}")
        );
        assert!(!sender(Features::default(), None).iter().any(|a| a.contains("xattrs")));
    }
}
