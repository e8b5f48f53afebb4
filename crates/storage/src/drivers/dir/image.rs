//! Volumes of images: unpacked once, then copied.

use super::{State, Temporary, volumes};
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use model::Fingerprint;
use rustix::fs::{CWD, Mode, OFlags, fchmod, fsync, openat, syncfs};
use rustix::io::Errno;
use std::path::Path;

impl State {
    pub(super) fn has_image(&self, fingerprint: &Fingerprint) -> Result<bool, Error> {
        let path = self.paths.image(fingerprint);
        path.try_exists().map_err(io_error("look at", path))
    }

    pub(super) fn images(&self) -> Result<Vec<Fingerprint>, Error> {
        volumes(&self.paths.part("images"), |name| Fingerprint::parse(name).ok())
    }

    /// The volume is on disk before it has its name: later nobody would notice that files are
    /// missing or empty.
    pub(super) fn commit_image(&self, staged: &Path, fingerprint: &Fingerprint) -> Result<(), Error> {
        let temporary = Temporary::adopt(staged.to_owned());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let volume = openat(CWD, staged, flags, Mode::empty()).map_err(io_error("open", staged))?;
        fchmod(&volume, PRIVATE).map_err(io_error("set the mode of", staged))?;
        syncfs(&volume).map_err(io_error("write to disk", staged))?;
        let path = self.paths.image(fingerprint);
        match temporary.name(&path) {
            // Somebody whose work was not waited for has finished it; one is as good as the other.
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(io_error("make", path)(errno)),
        }
        let images = self.paths.part("images");
        let directory = openat(CWD, &images, flags, Mode::empty()).map_err(io_error("open", &images))?;
        fsync(directory).map_err(io_error("write to disk", images))
    }

    pub(super) fn delete_image(&self, fingerprint: &Fingerprint) -> Result<bool, Error> {
        self.trash.take(&self.paths.part("images"), &self.paths.image(fingerprint), fingerprint.short())
    }
}
