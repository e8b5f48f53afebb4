//! Import: an upload becomes an image.

use super::Images;
use super::upload::{Received, Upload};
use crate::catalog::Stamp;
use crate::full_disk::explained;
use crate::journal::{self, Entry as Journal};
use crate::steps::Steps;
use crate::var::Var;
use crate::{Error, Work};
use api::Time;
use api::images::ImageAlias;
use image::pack::Packed;
use image::{Format, Metadata};
use model::arch::Architecture;
use model::names::{AliasName, Fingerprint};
use store::aliases::Alias;
use store::images::Image as Record;

/// What the client says about an upload.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Description {
    pub filename: String,
    pub public: bool,
    /// Put over those that the image itself has.
    pub properties: api::Config,
    pub expected_fingerprint: Option<String>,
    pub aliases: Vec<ImageAlias>,
}

impl Images {
    /// Begins an upload.
    ///
    /// # Errors
    /// No space.
    #[allow(clippy::unused_async)] // others of its kind wait
    pub async fn upload(&self) -> Result<Upload, Error> {
        Upload::new(&self.var)
    }

    /// Checks and keeps an upload; the outcome is `{fingerprint, size}`.
    pub fn import(&self, upload: Upload, description: Description) -> Work {
        let images = self.clone();
        let places = self.var.places();
        let keep = Box::pin(async move { images.keep(upload, description).await.map(Some) });
        explained(keep, || places)
    }

    async fn keep(
        &self,
        mut upload: Upload,
        description: Description,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let received = upload.finish().await?;
        self.keep_received(received, description).await
    }

    /// Keeps what was made of a container in the directory of an upload.
    pub(crate) async fn keep_packed(
        &self,
        upload: Upload,
        packed: Packed,
        description: Description,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let Packed { files, fingerprint, size } = packed;
        let received = Received { metadata: files.metadata, rootfs: files.rootfs, fingerprint, size };
        let kept = self.keep_received(received, description).await;
        // What was not kept goes with it.
        drop(upload);
        kept
    }

    /// Refuses aliases that are none, or taken.
    pub(crate) fn check_aliases(&self, wanted: &[ImageAlias]) -> Result<(), Error> {
        self.free_aliases(wanted).map(drop)
    }

    /// Refuses an image that another server is to send when that cannot work out: its fingerprint is none
    /// or here already, or an alias is none or taken.
    ///
    /// # Errors
    /// As said.
    pub fn check_coming(&self, fingerprint: &str, aliases: &[ImageAlias]) -> Result<(), Error> {
        let fingerprint = Fingerprint::parse(fingerprint)?;
        if self.images.get(fingerprint.as_str()).is_some() {
            return Err(Error::ImageExists(fingerprint.to_string()));
        }
        self.check_aliases(aliases)
    }

    async fn keep_received(
        &self,
        received: Received,
        description: Description,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let fingerprint = Fingerprint::parse(&received.fingerprint)?;
        if let Some(expected) = description.expected_fingerprint.as_ref().filter(|text| !text.is_empty())
            && *expected != received.fingerprint
        {
            return Err(Error::WrongFingerprint { expected: expected.clone(), found: received.fingerprint });
        }
        if self.images.get(fingerprint.as_str()).is_some() {
            return Err(Error::ImageExists(received.fingerprint));
        }
        let aliases = self.free_aliases(&description.aliases)?;
        let record = examine(&received, &fingerprint, description).await?;
        self.store_image(received, record, aliases).await
    }

    pub(super) fn free_aliases(&self, wanted: &[ImageAlias]) -> Result<Vec<(AliasName, String)>, Error> {
        let check = |alias: &ImageAlias| {
            let name = AliasName::parse(&alias.name)?;
            if self.aliases.get(name.as_str()).is_some() {
                return Err(Error::Exists { what: "Image alias", name: name.to_string() });
            }
            Ok((name, alias.description.clone()))
        };
        wanted.iter().map(check).collect()
    }

    pub(super) async fn store_image(
        &self,
        received: Received,
        record: Record,
        aliases: Vec<(AliasName, String)>,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let fingerprint = record.fingerprint.clone();
        let mut steps = Steps::new(fingerprint.as_str());
        let entry = Journal::Import { fingerprint: fingerprint.clone() };
        let id = steps.run("import:journal", journal::begin(&self.store, entry)).await?;
        steps.undo("import:journal", journal::give_up(self.store.clone(), id));
        let (var, files) = (self.var.clone(), (received.metadata, received.rootfs));
        steps.run("import:files", place(var.clone(), fingerprint.clone(), files)).await?;
        let undo = fingerprint.clone();
        steps.undo("import:files", async move {
            if let Err(error) = remove_files(&var, &undo).await {
                tracing::error!(error = %error.story(), "cannot remove the files of a failed import");
            }
        });
        let stored = record.clone();
        let names = aliases.clone();
        let stamp = steps
            .run("import:record", async {
                let write = self.store.write(move |tx| {
                    store::images::insert(tx, &stored)?;
                    for (name, description) in &names {
                        store::aliases::insert(tx, name, description, &stored.fingerprint)?;
                    }
                    store::journal::end(tx, id)?;
                    Ok(Stamp::take())
                });
                Ok(write.await?)
            })
            .await?;
        steps.keep();
        let size = record.size;
        for (name, description) in aliases {
            let alias =
                Alias { name: name.clone(), description, target: fingerprint.clone(), public: record.public };
            self.aliases.insert(stamp, name.as_str(), alias);
        }
        self.images.insert(stamp, fingerprint.as_str(), record);
        let mut outcome = serde_json::Map::new();
        outcome.insert("fingerprint".to_owned(), fingerprint.as_str().into());
        outcome.insert("size".to_owned(), size.to_string().into());
        Ok(outcome)
    }
}

/// Reads what the image says about itself.
pub(super) async fn examine(
    received: &Received,
    fingerprint: &Fingerprint,
    description: Description,
) -> Result<Record, Error> {
    let (metadata, rootfs) = (received.metadata.clone(), received.rootfs.clone());
    let metadata = tokio::task::spawn_blocking(move || {
        if let Some(rootfs) = rootfs {
            Format::of_file(&rootfs).map_err(image::Error::from)?;
        }
        Metadata::of_image(&metadata).map_err(image::Error::from)
    })
    .await
    .map_err(|_| Error::Shutdown)??;
    let architecture = Architecture::parse(&metadata.architecture).map_err(|error| Error::Unknown {
        field: "architecture of the image",
        value: error.name,
        allowed: "x86_64, i686, aarch64, armv7l, ppc64le, s390x, …",
    })?;
    let mut properties = metadata.properties;
    properties.extend(description.properties);
    Ok(Record {
        fingerprint: fingerprint.clone(),
        filename: description.filename,
        size: received.size,
        public: description.public,
        cached: false,
        auto_update: false,
        architecture,
        created_at: Time::from_unix(metadata.creation_date),
        expires_at: Time::from_unix(metadata.expiry_date),
        last_used_at: Time::UNSET,
        uploaded_at: Time::now(),
        properties,
        source: None,
    })
}

async fn place(
    var: Var,
    fingerprint: Fingerprint,
    (metadata, rootfs): (std::path::PathBuf, Option<std::path::PathBuf>),
) -> Result<(), Error> {
    let move_to = |from: &std::path::Path, to: std::path::PathBuf| {
        std::fs::rename(from, &to).map_err(|source| Error::Path { doing: "put into place", path: to, source })
    };
    tokio::task::spawn_blocking(move || {
        if let Some(rootfs) = rootfs {
            move_to(&rootfs, var.image_rootfs(fingerprint.as_str()))?;
        }
        move_to(&metadata, var.image(fingerprint.as_str()))?;
        let images = var.images();
        let sync = || std::fs::File::open(&images)?.sync_all();
        sync().map_err(|source| Error::Path { doing: "flush", path: images.clone(), source })
    })
    .await
    .map_err(|_| Error::Shutdown)?
}

/// Removes the files of an image; missing ones are fine.
pub(super) async fn remove_files(var: &Var, fingerprint: &Fingerprint) -> Result<(), Error> {
    for path in [var.image(fingerprint.as_str()), var.image_rootfs(fingerprint.as_str())] {
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Path { doing: "remove", path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}
