//! `<var>/containers/<c>` and `<var>/snapshots/<c>`: links to what a container has, whichever pool it is in.

use super::Inner;
use crate::drivers::Repaired;
use crate::error::{Error, io_error};
use crate::volume::{Kind, Volume};
use model::InstanceName;
use std::io::ErrorKind;

impl Inner {
    /// Makes the links to a container's volume or snapshot; other volumes have none.
    pub(super) fn link(&self, volume: &Volume, with_snapshots: bool) -> Result<(), Error> {
        match volume {
            Volume::Container(name) => {
                self.make_link(Kind::Container.part(), name)?;
                if with_snapshots { self.make_link(Kind::ContainerSnapshot.part(), name) } else { Ok(()) }
            }
            Volume::ContainerSnapshot(of, _) => self.make_link(Kind::ContainerSnapshot.part(), of),
            Volume::Image(_) | Volume::Custom(_) | Volume::CustomSnapshot(..) => Ok(()),
        }
    }

    /// Removes the links to a container's volume and snapshots that lead into this pool.
    pub(super) fn unlink(&self, volume: &Volume) -> Result<(), Error> {
        let Volume::Container(name) = volume else { return Ok(()) };
        for part in [Kind::Container.part(), Kind::ContainerSnapshot.part()] {
            // A container that moves from pool to pool has its link to the new one already.
            let target = self.paths.part(part).join(name);
            if std::fs::read_link(self.paths.link(part, name)).is_ok_and(|found| found == target) {
                self.remove_link(part, name)?;
            }
        }
        Ok(())
    }

    /// Makes `<var>/<part>/<c>`; a link of ours to elsewhere is replaced.
    fn make_link(&self, part: &str, name: &InstanceName) -> Result<(), Error> {
        let (link, target) = (self.paths.link(part, name), self.paths.part(part).join(name));
        if std::fs::read_link(&link).is_ok_and(|found| found == target) {
            return Ok(());
        }
        self.remove_link(part, name)?;
        tools::crash::step();
        std::os::unix::fs::symlink(&target, &link).map_err(io_error("make the link", link))
    }

    pub(super) fn remove_link(&self, part: &str, name: &InstanceName) -> Result<(), Error> {
        let link = self.paths.link(part, name);
        match std::fs::read_link(&link) {
            Ok(_) => match std::fs::remove_file(&link) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(io_error("remove the link", link)(error))
                }
                _ => Ok(()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            // EINVAL: it is something else than a link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Err(Error::InTheWay { path: link }),
            Err(error) => Err(io_error("read the link", link)(error)),
        }
    }

    /// Every container has its link, and no link leads to nothing in this pool.
    pub(super) fn mend_links(
        &self,
        part: &str,
        known: &[InstanceName],
        repaired: &mut Repaired,
    ) -> Result<(), Error> {
        let links = self.paths.links(part);
        let ours = self.paths.part(part);
        for entry in std::fs::read_dir(&links).map_err(io_error("read", &links))? {
            let path = entry.map_err(io_error("read", &links))?.path();
            let leads_to_nothing =
                std::fs::read_link(&path).is_ok_and(|to| to.parent() == Some(&ours) && !to.exists());
            if leads_to_nothing {
                match std::fs::remove_file(&path) {
                    Ok(()) => repaired.links.push(path),
                    Err(error) => {
                        repaired.failed.push((path.clone(), io_error("remove the link", path)(error)));
                    }
                }
            }
        }
        for name in known {
            let link = self.paths.link(part, name);
            if std::fs::read_link(&link).is_ok_and(|to| to == ours.join(name)) {
                continue;
            }
            match self.make_link(part, name) {
                Ok(()) => repaired.links.push(link),
                Err(error) => repaired.failed.push((link, error)),
            }
        }
        Ok(())
    }
}
