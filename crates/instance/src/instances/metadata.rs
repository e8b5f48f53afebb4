//! What a container has of its image: `metadata.yaml` and the templates beside its root file system.
//!
//! Both came with an image, so nothing in them is trusted: links are not followed, and names are
//! single names.

use super::Instances;
use crate::Error;
use image::metadata::{FILE_NAME, Metadata};
use model::names::InstanceName;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, renameat, statat, unlinkat};
use rustix::io::Errno;
use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use storage::Mounted;

const TEMPLATES: &str = "templates";
/// The largest of these files, in bytes.
const MOST: u64 = 1024 * 1024;
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl Instances {
    /// What the container's image says about itself.
    ///
    /// # Errors
    /// No such container, or it has no metadata.
    pub async fn metadata(&self, name: &str) -> Result<Value, Error> {
        let home = self.home(name).await?;
        let missing = Error::not_found("Metadata of the container", name);
        let text = blocking(move || read(&directory(home.path())?, FILE_NAME)).await?.ok_or(missing)?;
        let metadata = Metadata::parse(&String::from_utf8_lossy(&text)).map_err(image::Error::from)?;
        serde_json::to_value(metadata).map_err(|_| Error::Shutdown)
    }

    /// Replaces it.
    ///
    /// # Errors
    /// No such container; metadata that no image could have.
    pub async fn set_metadata(&self, name: &str, metadata: Value) -> Result<(), Error> {
        let home = self.home(name).await?;
        let wrong = |reason: String| Error::BadMetadata { reason };
        let metadata: Metadata = serde_json::from_value(metadata).map_err(|e| wrong(e.to_string()))?;
        metadata.validate().map_err(|e| wrong(e.to_string()))?;
        let text = metadata.to_yaml().map_err(|e| wrong(e.to_string()))?;
        blocking(move || write(&directory(home.path())?, FILE_NAME, text.as_bytes())).await
    }

    /// Names of the templates.
    ///
    /// # Errors
    /// No such container.
    pub async fn templates(&self, name: &str) -> Result<Vec<String>, Error> {
        let home = self.home(name).await?;
        blocking(move || {
            let Some(dir) = templates(&directory(home.path())?)? else { return Ok(Vec::new()) };
            let mut names: Vec<String> = rustix::fs::Dir::read_from(&dir)?
                .filter_map(Result::ok)
                .filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned))
                .filter(|name| name != "." && name != "..")
                .collect();
            names.sort();
            Ok(names)
        })
        .await
    }

    /// The text of a template.
    ///
    /// # Errors
    /// No such container or template.
    pub async fn template(&self, name: &str, file: &str) -> Result<Vec<u8>, Error> {
        let (home, file) = (self.home(name).await?, plain(file)?);
        let missing = Error::not_found("Template", &file);
        blocking(move || templates(&directory(home.path())?)?.map_or(Ok(None), |dir| read(&dir, &file)))
            .await?
            .ok_or(missing)
    }

    /// Makes a template, or replaces one.
    ///
    /// # Errors
    /// No such container; a name that is none; one is there and is not to be replaced.
    pub async fn put_template(
        &self,
        name: &str,
        file: &str,
        text: Vec<u8>,
        replace: bool,
    ) -> Result<(), Error> {
        let (home, file) = (self.home(name).await?, plain(file)?);
        if text.len() as u64 > MOST {
            return Err(Error::BadMetadata { reason: "a template is larger than 1 MiB".to_owned() });
        }
        let taken = Error::TemplateExists { name: file.clone() };
        let written = blocking(move || {
            let home = directory(home.path())?;
            if templates(&home)?.is_none() {
                mkdirat(&home, TEMPLATES, Mode::from_raw_mode(0o711))?;
            }
            let dir = templates(&home)?.ok_or(Errno::NOENT)?;
            if !replace && statat(&dir, file.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                return Ok(false);
            }
            write(&dir, &file, &text).map(|()| true)
        });
        if written.await? { Ok(()) } else { Err(taken) }
    }

    /// Removes a template.
    ///
    /// # Errors
    /// No such container or template.
    pub async fn delete_template(&self, name: &str, file: &str) -> Result<(), Error> {
        let (home, file) = (self.home(name).await?, plain(file)?);
        let missing = Error::not_found("Template", &file);
        let removed = blocking(move || {
            let Some(dir) = templates(&directory(home.path())?)? else { return Ok(false) };
            match unlinkat(&dir, file.as_str(), AtFlags::empty()) {
                Err(Errno::NOENT) => Ok(false),
                result => result.map(|()| true),
            }
        });
        if removed.await? { Ok(()) } else { Err(missing) }
    }

    async fn home(&self, name: &str) -> Result<Mounted, Error> {
        let view = self.context.registry.get(name)?.view();
        let pool = self.context.pools.of_instance(&view)?;
        self.context.pools.container(&pool, &InstanceName::parse(&view.name)?).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Errno> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)?;
    done.map_err(|e| Error::Io { doing: "work on the metadata of the container", source: e.into() })
}

/// A single name, such as `hostname.tpl`.
fn plain(file: &str) -> Result<String, Error> {
    let bad = file.is_empty() || file.starts_with('.') || file.contains('/') || file.contains('\0');
    if bad || file.len() > 255 {
        return Err(Error::BadMetadata {
            reason: format!("{file:?} is no name of a template: use a single name such as hostname.tpl"),
        });
    }
    Ok(file.to_owned())
}

fn directory(home: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(home, flags, Mode::empty())
}

fn templates(home: &OwnedFd) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(home, TEMPLATES, flags, Mode::empty(), INSIDE) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn read(dir: &OwnedFd, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat2(dir, name, flags, Mode::empty(), INSIDE) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Errno::INVAL);
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|_| Errno::IO)?;
    if bytes.len() as u64 > MOST { Err(Errno::FBIG) } else { Ok(Some(bytes)) }
}

/// The new content or the old one, never half of either.
fn write(dir: &OwnedFd, name: &str, content: &[u8]) -> Result<(), Errno> {
    const NEW: &str = ".new";
    match unlinkat(dir, NEW, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat2(dir, NEW, flags, Mode::from_raw_mode(0o600), INSIDE)?);
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|_| Errno::IO)?;
    renameat(dir.as_fd(), NEW, dir.as_fd(), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_nowhere_and_writing_replaces_them() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("secret"), "of the host").unwrap();
        let home = temp.path().join("home");
        std::fs::create_dir_all(home.join(TEMPLATES)).unwrap();
        symlink("../../secret", home.join(TEMPLATES).join("link.tpl")).unwrap();
        let dir = templates(&directory(&home).unwrap()).unwrap().unwrap();
        assert!(read(&dir, "link.tpl").is_err());
        write(&dir, "link.tpl", b"mine").unwrap();
        assert_eq!(read(&dir, "link.tpl").unwrap().unwrap(), b"mine");
        assert_eq!(std::fs::read_to_string(temp.path().join("secret")).unwrap(), "of the host");
        assert_eq!(read(&dir, "nothing").unwrap(), None);
        for bad in ["", ".", "..", "a/b", "/etc/passwd", ".new", "a\0"] {
            assert!(plain(bad).is_err(), "{bad:?}");
        }
        assert!(plain("hostname.tpl").is_ok());
    }
}
