//! Images and aliases.
//!
//! | file | what |
//! |---|---|
//! | [`upload`] | bytes that come in, hashed while they are written |
//! | `import` | an upload becomes an image |
//! | `download` | images of other servers |
//! | `export` | the files of an image |
//! | `aliases` | names for images |
//! | `renew` | newer versions take the place of older ones |
//! | `upkeep` | old images of the cache are removed |
//! | `uses` | which images containers are being made from |
//! | `catalog` | every image in memory |

mod aliases;
mod catalog;
mod download;
mod export;
mod import;
mod renew;
mod upkeep;
mod upload;
mod uses;

pub(crate) use download::Purpose;
pub use download::{FetchError, Origin, Renewed};
pub use export::{Export, ExportFile};
pub use import::Description;
pub use upload::{Part, Upload};
pub(crate) use uses::Hold;

use crate::catalog::{Stamp, Table};
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::settings::Settings;
use crate::steps::crash_at;
use crate::var::Var;
use crate::{Error, Work};
use api::Time;
use api::images::{Image, ImageAlias, ImagePatch, ImagePut};
use api::instances::Source;
use catalog::lookup;
use download::{Flights, Turns};
use image::ImageFiles;
use model::arch::Architecture;
use model::names::{Fingerprint, FingerprintPrefix};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Store;
use store::aliases::Alias;
use store::images::Image as Record;
use uses::Uses;

/// Which images somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// Those that everybody may see.
    Public,
}

impl Scope {
    fn shows(self, image: &Record) -> bool {
        self == Self::All || image.public
    }
}

/// All images. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    var: Var,
    store: Store,
    pools: Pools,
    images: Table<Record>,
    aliases: Table<Alias>,
    uses: Uses,
    settings: Settings,
    architecture: Architecture,
    flights: Flights,
    turns: Turns,
}

impl Images {
    /// Reads all; removes uploads that an interrupted daemon left.
    pub(crate) async fn open(
        var: Var,
        store: Store,
        pools: Pools,
        settings: Settings,
        architecture: Architecture,
    ) -> Result<Self, Error> {
        upload::remove_leftovers(&var)?;
        let (images, aliases) = (Table::default(), Table::default());
        for record in store.read(store::images::list).await? {
            let fingerprint = record.fingerprint.to_string();
            images.insert(Stamp::take(), &fingerprint, record);
        }
        for alias in store.read(store::aliases::list).await? {
            let name = alias.name.to_string();
            aliases.insert(Stamp::take(), &name, alias);
        }
        let (flights, turns) = (Flights::default(), Turns::default());
        Ok(Self {
            var,
            store,
            pools,
            images,
            aliases,
            uses: Uses::default(),
            settings,
            architecture,
            flights,
            turns,
        })
    }

    /// Every image by fingerprint.
    #[must_use]
    pub fn list(&self) -> Vec<Image> {
        self.list_in(Scope::All)
    }

    /// Every image that somebody may see, by fingerprint.
    #[must_use]
    pub fn list_in(&self, scope: Scope) -> Vec<Image> {
        let mut aliases: BTreeMap<Fingerprint, Vec<Arc<Alias>>> = BTreeMap::new();
        for alias in self.aliases.all() {
            aliases.entry(alias.target.clone()).or_default().push(alias);
        }
        let of = |record: &Record| aliases.get(&record.fingerprint).map_or(&[][..], Vec::as_slice);
        let records = self.images.all();
        records.iter().filter(|record| scope.shows(record)).map(|record| show(record, of(record))).collect()
    }

    /// One image that somebody may see, by a prefix of its fingerprint that is unique among those.
    ///
    /// # Errors
    /// Not found, also for what may not be seen; more than one.
    pub fn get_in(&self, prefix: &str, scope: Scope) -> Result<Image, Error> {
        let prefix = beginning(prefix)?;
        let mut images = self.images.all();
        images.retain(|image| scope.shows(image));
        Ok(show(&*lookup(&images, &prefix)?, &self.aliases.all()))
    }

    /// One image by a unique prefix of its fingerprint.
    ///
    /// # Errors
    /// Not found; more than one.
    pub fn get(&self, prefix: &str) -> Result<Image, Error> {
        Ok(show(&*self.record(prefix)?, &self.aliases.all()))
    }

    fn record(&self, prefix: &str) -> Result<Arc<Record>, Error> {
        let prefix = beginning(prefix)?;
        lookup(&self.images.all(), &prefix)
    }

    /// The image that a request for a new container means.
    pub(crate) fn resolve(&self, source: &Source) -> Result<Image, Error> {
        if !source.alias.is_empty() {
            return match self.aliases.get(&source.alias) {
                Some(alias) => self.get(alias.target.as_str()),
                // Clients send whatever was typed as an alias.
                None => self.get(&source.alias).map_err(|_| Error::not_found("Image", &source.alias)),
            };
        }
        if !source.properties.is_empty() {
            let matching = self.list().into_iter().filter(|image| {
                source.properties.iter().all(|(key, value)| image.properties.get(key) == Some(value))
            });
            return matching.max_by_key(|image| image.created_at).ok_or_else(|| {
                Error::not_found("Image with properties", &format!("{:?}", source.properties))
            });
        }
        if source.fingerprint.is_empty() {
            return Err(Error::Missing {
                field: "image",
                hint: "give an alias, a fingerprint or properties in \"source\"",
            });
        }
        self.get(&source.fingerprint)
    }

    /// Where the files of an image are.
    pub(crate) fn files(&self, fingerprint: &Fingerprint) -> ImageFiles {
        let rootfs = self.var.image_rootfs(fingerprint.as_str());
        ImageFiles {
            metadata: self.var.image(fingerprint.as_str()),
            rootfs: rootfs.exists().then_some(rootfs),
        }
    }

    /// Remembers that a container was made from an image just now.
    pub(crate) async fn used(&self, fingerprint: &Fingerprint) {
        let (now, image) = (Time::now(), fingerprint.clone());
        let write = self.store.write_lazy(move |tx| {
            store::images::set_last_used(tx, &image, now)?;
            Ok(Stamp::take())
        });
        match write.await {
            Ok(stamp) => {
                if let Some(record) = self.images.get(fingerprint.as_str()) {
                    let record = Record { last_used_at: now, ..Record::clone(&record) };
                    self.images.insert(stamp, fingerprint.as_str(), record);
                }
            }
            Err(error) => {
                tracing::warn!(image = %fingerprint, error = &error as &dyn std::error::Error, "cannot record the use of an image");
            }
        }
    }

    /// Replaces what can be changed.
    ///
    /// # Errors
    /// Not found.
    pub async fn update(&self, prefix: &str, put: ImagePut) -> Result<(), Error> {
        let old = self.record(prefix)?;
        let new = Record {
            public: put.public,
            auto_update: put.auto_update,
            properties: put.properties,
            ..Record::clone(&old)
        };
        let (public, auto_update) = (new.public, new.auto_update);
        let (fingerprint, properties) = (new.fingerprint.clone(), new.properties.clone());
        let write = self.store.write(move |tx| {
            store::images::update(tx, &fingerprint, public, auto_update, &properties)?;
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        let name = new.fingerprint.to_string();
        self.images.insert(stamp, &name, new);
        Ok(())
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// Not found.
    pub async fn patch(&self, prefix: &str, patch: ImagePatch) -> Result<(), Error> {
        let old = self.record(prefix)?;
        let mut properties = old.properties.clone();
        properties.extend(patch.properties.unwrap_or_default());
        let put = ImagePut {
            auto_update: patch.auto_update.unwrap_or(old.auto_update),
            public: patch.public.unwrap_or(old.public),
            properties,
        };
        self.update(old.fingerprint.as_str(), put).await
    }

    /// Removes an image from all pools and the store. Containers made of it stay.
    ///
    /// # Errors
    /// Not found; ambiguous.
    #[allow(clippy::unused_async)] // others of its kind wait
    pub async fn delete(&self, prefix: &str) -> Result<Work, Error> {
        let fingerprint = self.record(prefix)?.fingerprint.clone();
        let images = self.clone();
        Ok(Box::pin(async move {
            // What is just being copied from it has to be whole.
            let leaving = images.uses.left(&fingerprint).await;
            images.remove_whole(&fingerprint).await?;
            drop(leaving);
            Ok(None)
        }))
    }

    /// Removes an image; what an interruption leaves is removed at the next start.
    async fn remove_whole(&self, fingerprint: &Fingerprint) -> Result<(), Error> {
        let entry = Journal::Remove { fingerprint: fingerprint.clone() };
        let id = journal::begin(&self.store, entry).await?;
        crash_at("image-delete:files");
        self.remove(fingerprint).await?;
        journal::give_up(self.store.clone(), id).await;
        Ok(())
    }

    /// Keeps an image from being removed because it is old, as long as the value lives.
    ///
    /// # Errors
    /// It is being removed.
    pub(crate) fn hold(&self, fingerprint: &Fingerprint) -> Result<Hold, Error> {
        self.uses.hold(fingerprint).ok_or_else(|| Error::not_found("Image", fingerprint.as_str()))
    }

    /// Record, volumes and files, in this order: an image without files is of no use.
    pub(crate) async fn remove(&self, fingerprint: &Fingerprint) -> Result<(), Error> {
        let gone = fingerprint.clone();
        let removed = self.store.write(move |tx| {
            let aliases = store::aliases::of(tx, &gone)?;
            store::images::delete(tx, &gone)?;
            Ok((aliases, Stamp::take()))
        });
        match removed.await {
            Ok((aliases, stamp)) => {
                self.images.remove(stamp, fingerprint.as_str());
                for alias in aliases {
                    self.aliases.remove(stamp, alias.name.as_str());
                }
            }
            // Continued after an interruption.
            Err(store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        for pool in self.pools.all_usable() {
            pool.delete_volume(&storage::Volume::Image(fingerprint.clone())).await?;
        }
        import::remove_files(&self.var, fingerprint).await
    }
}

/// The beginning of a fingerprint. No image has another name here, whatever a client takes for one.
fn beginning(text: &str) -> Result<FingerprintPrefix, Error> {
    FingerprintPrefix::parse(text).map_err(|_| Error::not_found("Image", text))
}

fn show(record: &Record, aliases: &[Arc<Alias>]) -> Image {
    Image {
        auto_update: record.auto_update,
        properties: record.properties.clone(),
        public: record.public,
        aliases: aliases
            .iter()
            .filter(|alias| alias.target == record.fingerprint)
            .map(|alias| ImageAlias { name: alias.name.to_string(), description: alias.description.clone() })
            .collect(),
        architecture: record.architecture.name().to_owned(),
        cached: record.cached,
        filename: record.filename.clone(),
        fingerprint: record.fingerprint.to_string(),
        size: i64::try_from(record.size).unwrap_or(i64::MAX),
        update_source: record.source.clone(),
        created_at: record.created_at,
        expires_at: record.expires_at,
        last_used_at: record.last_used_at,
        uploaded_at: record.uploaded_at,
        kind: "container".to_owned(),
    }
}
