//! Image servers of the simplestreams kind.

use crate::Error;
use api::images::{AliasEntry, Image};
use sha2::{Digest as _, Sha256};
use simplestreams::{FileKind, Listed, Look, Streams};
use std::io::Write;
use std::path::Path;
use transport::get::Get;
use transport::proxy::Proxies;
use transport::{Dialer, Trust};

/// An image server. What it lists is kept on disk for an hour.
#[derive(Debug)]
pub struct ImageServer {
    streams: Streams,
    dialer: Dialer,
}

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Its name on the server, without directories.
    pub name: String,
    /// Bytes.
    pub size: u64,
    file: simplestreams::File,
}

impl ImageServer {
    /// The server at a URL; its lists are kept in `cache`.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, cache: &Path) -> Result<Self, Error> {
        let dialer = Dialer::new(&Trust::System, None, Proxies::from_environment())?;
        Ok(Self { streams: Streams::new(url, dialer.clone(), cache)?, dialer })
    }

    /// All images, and why the server could not be asked if these are what it said earlier.
    ///
    /// # Errors
    /// It cannot be asked and never was.
    pub async fn images(&self) -> Result<(Vec<Image>, Option<String>), Error> {
        let (catalog, stale) = self.streams.catalog(Look::Recent).await?;
        Ok((catalog.images().iter().map(|listed| listed.image.clone()).collect(), stale))
    }

    /// All names of images, and why the server could not be asked.
    ///
    /// # Errors
    /// As [`ImageServer::images`].
    pub async fn aliases(&self) -> Result<(Vec<AliasEntry>, Option<String>), Error> {
        let (catalog, stale) = self.streams.catalog(Look::Recent).await?;
        Ok((catalog.aliases(), stale))
    }

    /// The image that a name or the beginning of a fingerprint means, with all its names and its files:
    /// the whole image, or metadata and root file system.
    ///
    /// # Errors
    /// There is none, or several; as [`ImageServer::images`].
    pub async fn image(&self, name: &str) -> Result<(Image, Vec<ImageFile>), Error> {
        let (catalog, _) = self.streams.catalog(Look::Recent).await?;
        let found = match catalog.resolve(name) {
            Ok(listed) => listed.clone(),
            // What is new is not in lists that are up to an hour old.
            Err(_) => self.streams.find(name, Look::Recent).await?.listed,
        };
        let Listed { image, files } = found;
        let file = |file: simplestreams::File| ImageFile {
            name: file.path.rsplit('/').next().unwrap_or_default().to_owned(),
            size: file.size,
            file,
        };
        Ok((image, files.into_iter().map(file).collect()))
    }

    /// Writes a file of an image and checks it. `progress` hears the bytes so far.
    ///
    /// # Errors
    /// It cannot be fetched from any address of the server, is another one than was listed, or cannot be
    /// written.
    pub async fn download(
        &self,
        file: &ImageFile,
        to: &mut (impl Write + ?Sized),
        mut progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        let mut failure = None;
        for url in self.streams.urls(&file.file) {
            let mut answer = match Get::new(&self.dialer, url.clone()).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    failure = Some(Error::Get(error));
                    continue;
                }
            };
            let (mut hash, mut received) = (Sha256::new(), 0);
            while let Some(piece) = answer.piece().await? {
                received += piece.len() as u64;
                if received > file.size {
                    break;
                }
                hash.update(&piece);
                let failed = |source| Error::Transfer { what: "cannot write the image", source };
                to.write_all(&piece).map_err(failed)?;
                progress(received);
            }
            let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if received != file.size || found != file.file.sha256 {
                return Err(Error::OtherFile { url: url.to_string() });
            }
            return Ok(());
        }
        Err(failure.unwrap_or_else(|| Error::OtherFile { url: file.file.path.clone() }))
    }
}

impl ImageFile {
    /// True for a root file system, which comes behind its metadata.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.file.kind == FileKind::Rootfs
    }
}
