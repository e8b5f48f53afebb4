//! `lxc image export`.

use crate::args::ImageExportArgs;
use crate::output::{self, progress::Progress};
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use client::Received;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) async fn run(session: &Session, args: &ImageExportArgs) -> anyhow::Result<()> {
    if let Some(directory) = &args.simplestreams {
        return super::tree::run(session, directory, &args.args, args.prune).await;
    }
    match args.args.as_slice() {
        [image] => export(session, image, ".").await,
        [image, target] => export(session, image, target).await,
        [] => bail!("Missing the image to export"),
        [_, _, more, ..] => bail!("One image at a time is exported; \"{more}\" is too much"),
    }
}

async fn export(session: &Session, image: &str, target: &str) -> anyhow::Result<()> {
    let asked = session.target(image)?;
    if let Some(server) = session.image_server(&asked.remote)? {
        return super::export_streams::run(session, &server, &asked.name, target).await;
    }
    let (client, fingerprint) = super::fingerprint(session, image).await?;
    let received = client.export_image(&fingerprint).await?;
    if target == "-" {
        return to_stdout(received).await;
    }
    let target = Path::new(target);
    let mut progress = Progress::new(session.global.quiet);
    match received {
        Received::Unified(name, download) => {
            let name = safe_name(&name.unwrap_or_else(|| fingerprint.clone()))?;
            let path = destination(target, &name, "");
            let file = create(&path)?;
            let total = download.length();
            let copied =
                download.copy_to(file, |done| progress.transfer("Exporting the image", done, total)).await;
            copied.inspect_err(|_| remove(&path))?;
        }
        Received::Split(mut parts) => {
            let mut suffix = "";
            let total = parts.length();
            while let Some(name) = parts.next_part().await? {
                let path = destination(target, &safe_name(&name)?, suffix);
                suffix = ".root";
                let mut file = create(&path)?;
                while let Some(piece) = parts.piece().await.inspect_err(|_| remove(&path))? {
                    file.write_all(&piece).with_context(|| format!("cannot write {}", path.display()))?;
                    progress.transfer("Exporting the image", parts.received(), total);
                }
            }
        }
    }
    progress.clear();
    Ok(output::line("Image exported successfully!")?)
}

/// Writes an image that is one file to standard output, and nothing else.
async fn to_stdout(received: Received) -> anyhow::Result<()> {
    match received {
        Received::Unified(_, download) => {
            download.copy_to(std::io::stdout(), |_| {}).await?;
            Ok(())
        }
        Received::Split(_) => {
            bail!("This image is in two files, which do not fit into one stream; name a directory or a file")
        }
    }
}

/// Into a directory under the server's names, else under the name given with the server's extension.
pub(super) fn destination(target: &Path, name: &str, suffix: &str) -> PathBuf {
    if target.is_dir() {
        return target.join(name);
    }
    let mut path = target.as_os_str().to_owned();
    path.push(suffix);
    // `fingerprint.tar.xz`: the extension begins at the first dot.
    if suffix.is_empty()
        && let Some((_, extension)) = name.split_once('.')
    {
        path.push(".");
        path.push(extension);
    }
    PathBuf::from(path)
}

/// A name from the server that stays in the directory it is put in.
pub(super) fn safe_name(name: &str) -> anyhow::Result<String> {
    let plain = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0']);
    ensure!(plain, "The server sent \"{name}\" as the name of a file");
    Ok(name.to_owned())
}

pub(super) fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

pub(super) fn remove(path: &Path) {
    // The download's own error is what matters.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(destination(dir.path(), "abc.tar.xz", ""), dir.path().join("abc.tar.xz"));
        assert_eq!(destination(Path::new("/x/img"), "abc.tar.xz", ""), Path::new("/x/img.tar.xz"));
        assert_eq!(destination(Path::new("/x/img"), "abc.squashfs", ".root"), Path::new("/x/img.root"));
        for name in ["", "..", "a/b", "/etc/passwd"] {
            assert!(safe_name(name).is_err(), "{name}");
        }
    }
}
