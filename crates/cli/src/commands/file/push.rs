//! `lxc file push`.

use super::{Remote, join, local_tree, push_tree};
use crate::args::PushArgs;
use crate::output::progress::Progress;
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use client::{Body, Entry, FileMeta, Place};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

pub(crate) async fn run(session: &Session, args: &PushArgs) -> anyhow::Result<()> {
    let Some((target, sources)) = args.paths.split_last() else { bail!("Missing the files to push") };
    let remote = Remote::parse(session, target)?;
    let given = FileMeta { uid: args.uid, gid: args.gid, mode: args.mode };
    if args.recursive {
        ensure!(given == FileMeta::default(), "Can't supply uid/gid/mode in recursive mode");
        if args.create_dirs {
            make_directories(&remote, &remote.path, given).await?;
        }
        for source in sources {
            push_tree::run(&remote, Path::new(source)).await?;
        }
        return Ok(());
    }
    let into_directory = remote.path.ends_with('/');
    ensure!(
        into_directory || sources.len() == 1,
        "Missing target directory: several files need one, which ends with /"
    );
    if args.create_dirs {
        let directory = remote.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
        make_directories(&remote, directory, given).await?;
    }
    let mut progress = Progress::new(session.global.quiet);
    for source in sources {
        let path = if into_directory {
            ensure!(
                source != "-",
                "Missing target file: what comes from standard input has no name of its own"
            );
            let name = Path::new(source).file_name().and_then(|name| name.to_str());
            join(&remote.path, name.with_context(|| format!("{source} has no usable name"))?)
        } else {
            remote.path.clone()
        };
        progress.set(&format!("Pushing {source} to {path}"));
        one(&remote, source, &path, given)
            .await
            .with_context(|| format!("Cannot push {source} to {path}"))?;
    }
    Ok(())
}

async fn one(remote: &Remote, source: &str, path: &str, given: FileMeta) -> anyhow::Result<()> {
    let place = remote.at(path);
    if source == "-" {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content)?;
        return Ok(remote
            .client
            .push_file(place, with_defaults(given, root(0o644)), Body::full(content))
            .await?);
    }
    let file = File::open(source)?;
    let info = file.metadata()?;
    ensure!(!info.is_dir(), "it is a directory; push it with --recursive");
    // A pipe has no length that could be announced.
    let length = info.is_file().then_some(info.len());
    let meta = with_defaults(given, local_tree::meta(&info));
    Ok(remote.client.push_file(place, meta, Body::reader(file, length)).await?)
}

fn with_defaults(given: FileMeta, defaults: FileMeta) -> FileMeta {
    FileMeta {
        uid: given.uid.or(defaults.uid),
        gid: given.gid.or(defaults.gid),
        mode: given.mode.or(defaults.mode),
    }
}

fn root(mode: u32) -> FileMeta {
    FileMeta { uid: Some(0), gid: Some(0), mode: Some(mode) }
}

/// Makes a directory and the missing ones above it. Those that exist are left as they are: making
/// them again would change their owner.
async fn make_directories(remote: &Remote, directory: &str, given: FileMeta) -> anyhow::Result<()> {
    let directory = directory.trim_end_matches('/');
    let mut missing = Vec::new();
    let mut current = directory;
    while !current.is_empty() {
        match remote.client.file(remote.at(current)).await {
            Ok(Entry::Directory(..)) => break,
            // Whether it leads to a directory shows when something is put in it.
            Ok(Entry::Symlink(..)) => break,
            Ok(Entry::File(..)) => bail!("{current} in {} is a file, not a directory", remote.container),
            Err(error) if error.is_not_found() => missing.push(current),
            Err(error) => return Err(error.into()),
        }
        current = current.rsplit_once('/').map_or("", |(above, _)| above);
    }
    let meta = with_defaults(FileMeta { mode: None, ..given }, root(0o755));
    for path in missing.into_iter().rev() {
        let place = Place { container: &remote.container, path };
        remote.client.push_directory(place, meta).await.with_context(|| format!("Cannot create {path}"))?;
    }
    Ok(())
}
