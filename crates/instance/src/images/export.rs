//! Export: the files of an image, as they came.

use super::Images;
use crate::Error;
use image::Format;
use std::fs::File;
use std::path::Path;

/// Files of an image, to send.
pub struct Export {
    /// The metadata, or the whole unified image.
    pub metadata: ExportFile,
    /// The root file system of a split image.
    pub rootfs: Option<ExportFile>,
}

/// One file to send.
pub struct ExportFile {
    /// What it should be called.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub file: File,
}

impl Images {
    /// The files of an image.
    ///
    /// # Errors
    /// Not found; ambiguous.
    pub async fn export(&self, prefix: &str) -> Result<Export, Error> {
        let fingerprint = self.record(prefix)?.fingerprint.clone();
        let files = self.files(&fingerprint);
        tokio::task::spawn_blocking(move || {
            let rootfs = files.rootfs.map(|path| open(&path, fingerprint.as_str())).transpose()?;
            let name = if rootfs.is_some() { format!("meta-{fingerprint}") } else { fingerprint.to_string() };
            Ok(Export { metadata: open(&files.metadata, &name)?, rootfs })
        })
        .await
        .map_err(|_| Error::Shutdown)?
    }
}

fn open(path: &Path, name: &str) -> Result<ExportFile, Error> {
    let extension = Format::of_file(path).map_err(image::Error::from)?.extension();
    let failed = |source| Error::Path { doing: "open", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok(ExportFile { name: format!("{name}{extension}"), size, file })
}
