//! `lxc file`.

mod delete;
mod edit;
mod local_tree;
mod pull;
mod pull_tree;
mod push;
mod push_tree;

use crate::args::FileCommand;
use crate::session::Session;
use anyhow::{Context as _, ensure};
use client::{Client, Place};

/// Requests in flight at once.
const IN_FLIGHT: usize = 16;
/// Files up to this many bytes are moved in one piece.
const SMALL: u64 = 256 * 1024;

pub(crate) async fn run(session: &Session, command: FileCommand) -> anyhow::Result<()> {
    match command {
        FileCommand::Delete { paths } => delete::run(session, &paths).await,
        FileCommand::Edit { path } => edit::run(session, &path).await,
        FileCommand::Pull(args) => pull::run(session, &args).await,
        FileCommand::Push(args) => push::run(session, &args).await,
    }
}

/// A path in a container, as typed: `[remote:]container/path`.
#[derive(Debug)]
struct Remote {
    client: Client,
    container: String,
    /// Absolute; ends in `/` only if that was typed.
    path: String,
}

impl Remote {
    fn parse(session: &Session, text: &str) -> anyhow::Result<Self> {
        let target = session.target(text)?;
        let (container, path) = split(&target.name).with_context(|| format!("Invalid path {text}"))?;
        Ok(Self { client: session.client(&target.remote)?, container, path })
    }

    fn place(&self) -> Place<'_> {
        Place { container: &self.container, path: &self.path }
    }

    fn at<'a>(&'a self, path: &'a str) -> Place<'a> {
        Place { container: &self.container, path }
    }

    /// The last segment of the path.
    fn base(&self) -> &str {
        self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

fn split(name: &str) -> anyhow::Result<(String, String)> {
    let (container, path) =
        name.split_once('/').context("a path in a container looks like container/path")?;
    ensure!(!container.is_empty(), "the container's name is missing before the first /");
    Ok((container.to_owned(), format!("/{}", path.trim_start_matches('/'))))
}

/// Puts a name behind a directory's path.
fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_first_slash() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(split("c1/etc/hosts").unwrap(), pair("c1", "/etc/hosts"));
        assert_eq!(split("c1/").unwrap(), pair("c1", "/"));
        assert_eq!(split("c1//srv/").unwrap(), pair("c1", "/srv/"));
        assert!(split("c1").is_err() && split("/etc/hosts").is_err());
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/srv/", "a"), "/srv/a");
    }
}
