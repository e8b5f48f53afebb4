//! `lxc image export` from an image server of the simplestreams kind.

use super::export::{create, destination, remove, safe_name};
use crate::output::{self, progress::Progress};
use crate::session::Session;
use anyhow::bail;
use client::ImageServer;
use std::io::Write;
use std::path::Path;

pub(crate) async fn run(
    session: &Session,
    server: &ImageServer,
    name: &str,
    target: &str,
) -> anyhow::Result<()> {
    let (_, files) = server.image(name).await?;
    if target == "-" {
        let [file] = files.as_slice() else {
            bail!("This image is in two files, which do not fit into one stream; name a directory or a file")
        };
        return Ok(server.download(file, &mut std::io::stdout().lock(), |_| {}).await?);
    }
    let mut progress = Progress::new(session.global.quiet);
    let total: u64 = files.iter().map(|file| file.size).sum();
    let mut before = 0;
    for file in &files {
        let suffix = if file.is_root() { ".root" } else { "" };
        let path = destination(Path::new(target), &safe_name(&file.name)?, suffix);
        let mut out = std::io::BufWriter::new(create(&path)?);
        let report = |done| progress.transfer("Exporting the image", before + done, Some(total));
        server.download(file, &mut out, report).await.inspect_err(|_| remove(&path))?;
        out.flush()?;
        before += file.size;
    }
    progress.clear();
    Ok(output::line("Image exported successfully!")?)
}
