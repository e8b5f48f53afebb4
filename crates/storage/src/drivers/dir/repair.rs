//! After a crash: what was half-made and what was half-deleted goes.

use super::{HALF_NAMED, State};
use crate::drivers::Repaired;
use crate::error::{Error, io_error};
use crate::paths::{PARTS, TEMPORARY, TRASH};
use crate::tree;
use crate::volume::{Kind, Volume};

impl State {
    pub(super) fn repair(&self) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        for kind in [Kind::Container, Kind::Custom] {
            self.repair_half_named(kind, &mut repaired)?;
        }
        for (part, _) in PARTS {
            let directory = self.paths.part(part);
            for entry in std::fs::read_dir(&directory).map_err(io_error("read", &directory))? {
                let entry = entry.map_err(io_error("read", &directory))?;
                let name = entry.file_name();
                let bytes = name.as_encoded_bytes();
                if !bytes.starts_with(TEMPORARY.as_bytes()) && !bytes.starts_with(TRASH.as_bytes()) {
                    continue;
                }
                match tree::remove_tree(&entry.path()) {
                    Ok(()) => repaired.removed.push(entry.path()),
                    Err(error) => repaired.failed.push((entry.path(), error.into())),
                }
            }
        }
        Ok(repaired)
    }

    /// Takes back volumes that were killed while they and their snapshots were named: the snapshots
    /// first, for it is the volume that tells whose they are.
    fn repair_half_named(&self, kind: Kind, repaired: &mut Repaired) -> Result<(), Error> {
        let directory = self.paths.kind(kind);
        for entry in std::fs::read_dir(&directory).map_err(io_error("read", &directory))? {
            let path = entry.map_err(io_error("read", &directory))?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix(HALF_NAMED));
            let Some(volume) = name.and_then(|name| Volume::parse(kind, "", name)) else { continue };
            let removed =
                tree::remove_tree(&self.paths.snapshots(&volume)).and_then(|()| tree::remove_tree(&path));
            match removed {
                Ok(()) => repaired.removed.push(path),
                Err(error) => repaired.failed.push((path, error.into())),
            }
        }
        Ok(())
    }
}
