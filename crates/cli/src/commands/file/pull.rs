//! `lxc file pull`.

use super::{Remote, pull_tree};
use crate::args::PullArgs;
use crate::output::progress::Progress;
use crate::session::Session;
use crate::transfer;
use anyhow::{Context as _, bail, ensure};
use client::{Download, Entry, FileMeta};
use std::fs::{self, File, Permissions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Links followed before a chain of them is taken for a circle, as in the kernel.
const LINKS: usize = 40;

pub(crate) async fn run(session: &Session, args: &PullArgs) -> anyhow::Result<()> {
    let Some((target, sources)) = args.paths.split_last() else { bail!("Missing the files to pull") };
    let directory = into_directory(args, target, sources.len())?;
    for text in sources {
        let remote = Remote::parse(session, text)?;
        let failed = || format!("Cannot pull {text}");
        if target == "-" {
            print(remote).await.with_context(failed)?;
            continue;
        }
        let local = match &directory {
            Some(directory) => directory.join(base(&remote)?),
            None => PathBuf::from(target),
        };
        match remote.client.file(remote.place()).await.with_context(failed)? {
            Entry::Directory(meta, names) => {
                ensure!(args.recursive, "Can't pull a directory without --recursive");
                pull_tree::run(&remote, &local, meta, names).await.with_context(failed)?;
            }
            Entry::File(meta, download) => {
                let mut progress = Progress::new(session.global.quiet);
                write_file(&local, meta, download, &mut progress, text).await.with_context(failed)?;
            }
            Entry::Symlink(_, link) => pull_tree::write_link(&local, &link).with_context(failed)?,
        }
    }
    Ok(())
}

/// The directory to put things in, or `None` when the target names the file itself.
fn into_directory(args: &PullArgs, target: &str, sources: usize) -> anyhow::Result<Option<PathBuf>> {
    if target == "-" {
        ensure!(!args.recursive, "Directories cannot be pulled to standard output");
        return Ok(None);
    }
    let path = PathBuf::from(target);
    let wanted = target.ends_with('/') || sources > 1 || args.recursive;
    if path.is_dir() {
        return Ok(Some(path));
    }
    if args.create_dirs {
        let make = if wanted { Some(path.as_path()) } else { path.parent() };
        if let Some(make) = make.filter(|make| !make.as_os_str().is_empty()) {
            fs::create_dir_all(make).with_context(|| format!("Cannot create {}", make.display()))?;
        }
        return Ok(wanted.then_some(path));
    }
    ensure!(
        !target.ends_with('/') && sources == 1,
        "More than one file to download, but \"{target}\" is not a directory (create it, or pass --create-dirs)"
    );
    // `pull -r c/etc backup`: a directory that is not there yet becomes the copy.
    Ok(None)
}

fn base(remote: &Remote) -> anyhow::Result<&str> {
    let base = remote.base();
    ensure!(!matches!(base, "." | ".."), "\"{}\" does not end in a name", remote.path);
    Ok(base)
}

async fn write_file(
    local: &Path,
    meta: FileMeta,
    download: Download,
    progress: &mut Progress,
    what: &str,
) -> anyhow::Result<()> {
    let file = File::create(local).with_context(|| local.display().to_string())?;
    let total = download.length();
    let file =
        download.copy_to(file, |done| progress.transfer(&format!("Pulling {what}"), done, total)).await?;
    if let Some(mode) = meta.mode {
        file.set_permissions(Permissions::from_mode(mode)).with_context(|| local.display().to_string())?;
    }
    Ok(())
}

/// Writes a file to standard output; what a link leads to is what is meant.
async fn print(mut remote: Remote) -> anyhow::Result<()> {
    for _ in 0..LINKS {
        match remote.client.file(remote.place()).await? {
            Entry::File(_, mut download) => {
                while let Some(piece) = download.piece().await? {
                    transfer::write_all(std::io::stdout().as_fd(), &piece)?;
                }
                return Ok(());
            }
            Entry::Directory(..) => bail!("Can't pull a directory without --recursive"),
            Entry::Symlink(_, link) => remote.path = resolve(&remote.path, &link),
        }
    }
    bail!("too many levels of links")
}

/// Where a link at `path` leads, inside the container.
fn resolve(path: &str, link: &str) -> String {
    let from = if link.starts_with('/') { "" } else { path.rsplit_once('/').map_or("", |(above, _)| above) };
    let mut segments: Vec<&str> = Vec::new();
    for segment in from.split('/').chain(link.split('/')) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_container() {
        assert_eq!(resolve("/etc/os-release", "../usr/lib/os-release"), "/usr/lib/os-release");
        assert_eq!(resolve("/a/b", "/x/./y"), "/x/y");
        assert_eq!(resolve("/a/b", "../../../../etc"), "/etc");
    }
}
