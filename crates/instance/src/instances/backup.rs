//! `backup.yaml`: what the daemon knows about a container, kept beside its files, so that the pool alone is
//! enough to have the container again. The database is what counts; this is a copy of it, renewed after
//! every change and never waited for.

use super::owner::Owner;
use super::snapshots;
use crate::Error;
use api::instances::{Instance, Snapshot};
use api::storage::{Pool, Volume};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Its name.
const FILE: &str = "backup.yaml";
/// It takes this name when it is whole.
const NEW: &str = ".backup.yaml.new";
/// The largest one that is read, in bytes.
const MOST: u64 = 16 << 20;

/// What is in the file, in the words of the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    pub(super) container: Instance,
    #[serde(default)]
    pub(super) snapshots: Vec<Snapshot>,
    #[serde(default)]
    pub(super) pool: Pool,
    #[serde(default)]
    pub(super) volume: Volume,
}

impl Backup {
    /// Reads what lies beside a container's files; `None`: nothing does.
    ///
    /// # Errors
    /// It cannot be read, or says nothing that makes sense.
    pub(super) fn read(volume: &Path) -> Result<Option<Self>, String> {
        let path = volume.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let mut text = String::new();
        let read = file.take(MOST).read_to_string(&mut text);
        read.map_err(|error| format!("{}: {error}", path.display()))?;
        serde_saphyr::from_str(&text).map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn write(&self, volume: &Path) -> Result<(), Error> {
        let new = volume.join(NEW);
        let failed = |doing: &'static str| {
            let path = volume.join(FILE);
            move |source: std::io::Error| Error::Path { doing, path, source }
        };
        let text = serde_saphyr::to_string(self)
            .map_err(|error| failed("describe a container in")(std::io::Error::other(error)))?;
        let _ = std::fs::remove_file(&new);
        let written = File::options().write(true).create_new(true).mode(0o400).open(&new);
        let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
        written.and_then(|()| std::fs::rename(&new, volume.join(FILE))).map_err(|error| {
            let _ = std::fs::remove_file(&new);
            failed("write")(error)
        })
    }
}

impl Owner {
    /// Writes down beside the container's files what it is. A container whose quota is used up goes on
    /// without: what is known about it is in the database.
    pub(super) async fn describe(&mut self) {
        self.unsaved = false;
        if let Err(error) = self.try_to_describe().await {
            tracing::warn!(instance = self.name(), error = %error.story(), "cannot keep a copy of the configuration in the storage pool");
        }
    }

    async fn try_to_describe(&self) -> Result<(), Error> {
        let pool = self.context.pools.get(self.record.pool.as_str())?;
        let container = Instance::clone(&self.entry().view());
        let volume = Volume {
            name: container.name.clone(),
            kind: "container".to_owned(),
            location: "none".to_owned(),
            ..Volume::default()
        };
        let snapshots = snapshots::view::all(&self.context, self.entry());
        let backup = Backup { container, snapshots, pool: Pool { used_by: Vec::new(), ..pool }, volume };
        let mounted = self.context.pools.container(&self.record.pool, &self.record.name).await?;
        tokio::task::spawn_blocking(move || backup.write(mounted.path()))
            .await
            .map_err(|_| Error::Shutdown)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Backup::read(dir.path()).unwrap().is_none());
        let container: Instance = serde_json::from_value(serde_json::json!({
            "name": "c1", "status": "Stopped", "status_code": 102, "location": "none", "type": "container",
            "project": "default"
        }))
        .unwrap();
        let (pool, volume) = (Pool::default(), Volume::default());
        let mut backup = Backup { container, snapshots: Vec::new(), pool, volume };
        backup.container.config.insert("user.text".to_owned(), "a: b\n- \"c\" #\u{e4}".to_owned());
        backup.pool.driver = "dir".to_owned();
        backup.write(dir.path()).unwrap();
        backup.write(dir.path()).unwrap();
        let read = Backup::read(dir.path()).unwrap().unwrap();
        assert_eq!(read.container.config, backup.container.config);
        assert_eq!((read.container.name.as_str(), read.pool.driver.as_str()), ("c1", "dir"));
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        std::fs::write(dir.path().join(FILE), "container: [").unwrap();
        assert!(Backup::read(dir.path()).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
