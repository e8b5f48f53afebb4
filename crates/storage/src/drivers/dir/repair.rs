//! After a crash: what was half-made and what was half-deleted goes.

use super::State;
use crate::drivers::Repaired;
use crate::error::{Error, io_error};
use crate::paths::{PARTS, TEMPORARY, TRASH};
use crate::tree;

impl State {
    pub(super) fn repair(&self) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
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
}
