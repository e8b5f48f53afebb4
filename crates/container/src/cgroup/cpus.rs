//! Which processors a group may use.

use super::files::{children, read, write};
use super::layout::Version;
use super::{Cgroup, Error, Layout};
use model::units::CpuSet;
use std::path::Path;

const FILE: &str = "cpuset.cpus";

impl Layout {
    /// Processors that the whole host (or what this daemon has of it) may use. `None`: nothing here
    /// can tell them apart.
    #[must_use]
    pub fn cpus(&self) -> Option<CpuSet> {
        let dir = &self.with("cpuset")?.dir;
        ["cpuset.effective_cpus", "cpuset.cpus.effective", FILE]
            .iter()
            .find_map(|file| set(&dir.join(file)).filter(|set| !set.0.is_empty()))
    }
}

impl Cgroup {
    /// The processors that were chosen for it; empty: those of the group above.
    #[must_use]
    pub fn cpus(&self) -> Option<CpuSet> {
        set(&self.dir_with("cpuset")?.1.join(FILE))
    }

    /// Add processors to those of the group, and to none below it.
    ///
    /// # Errors
    /// [`Error::File`], for processors that are not there.
    pub fn add_cpus(&self, cpus: &CpuSet) -> Result<(), Error> {
        let Some((_, dir)) = self.dir_with("cpuset") else { return Ok(()) };
        let has = self.cpus().unwrap_or_default();
        write(&dir.join(FILE), &CpuSet(has.0.union(&cpus.0).copied().collect()).to_string())
    }

    /// Choose its processors. False: this host cannot.
    ///
    /// # Errors
    /// [`Error::File`], for processors that are not there.
    pub fn set_cpus(&self, cpus: &CpuSet) -> Result<bool, Error> {
        let Some((version, dir)) = self.dir_with("cpuset") else { return Ok(false) };
        match version {
            Version::V1 => narrow_or_widen(&dir, cpus)?,
            Version::V2 => write(&dir.join(FILE), &cpus.to_string())?,
        }
        Ok(true)
    }
}

fn set(file: &Path) -> Option<CpuSet> {
    CpuSet::parse(&read(file)?).ok()
}

/// In version 1 no group may have a processor that the one above lacks: so this one gets the new
/// ones first and loses the old ones last. What the container made below moves along.
fn narrow_or_widen(dir: &Path, cpus: &CpuSet) -> Result<(), Error> {
    let file = dir.join(FILE);
    let before = set(&file).unwrap_or_default();
    if before == *cpus {
        return Ok(());
    }
    let both = CpuSet(before.0.union(&cpus.0).copied().collect());
    if both != before {
        write(&file, &both.to_string())?;
    }
    for child in children(dir) {
        let own = set(&child.join(FILE)).unwrap_or_default();
        let left = CpuSet(own.0.intersection(&cpus.0).copied().collect());
        let whole = own == before || left.0.is_empty();
        // A group that was never given any has no processes, and one may go away meanwhile.
        if !own.0.is_empty()
            && let Err(error) = narrow_or_widen(&child, if whole { cpus } else { &left })
            && child.exists()
        {
            return Err(error);
        }
    }
    if both != *cpus { write(&file, &cpus.to_string()) } else { Ok(()) }
}
