//! `lvm(8)`: volume groups and logical volumes.
//!
//! Its commands wait for each other by themselves, and finish what an interrupted one has begun. What they
//! report is asked for as JSON, in bytes. Their status says no more than that something failed, so that
//! whoever wants to know why looks at the volume group afterwards.

mod report;

pub use report::{Group, Logical, Status};

use crate::run::{Output, Run, RunError};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// It waits for other commands of its kind, and for udev.
const DEADLINE: Duration = Duration::from_secs(10 * 60);
/// Where udev listens; without it, LVM has to make its device nodes itself.
const UDEV: &str = "/run/udev/control";

/// How to run it: which devices it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lvm {
    config: String,
}

/// What a new snapshot is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// A thin one that nobody writes to, which does not become active by itself.
    ThinReadOnly,
    /// A thin one that is active, and becomes active by itself.
    Thin,
    /// One with room of its own for so many bytes of changes, without a thin pool.
    Thick(u64),
}

impl Lvm {
    /// The host's configuration, for volume groups that its administrator made.
    #[must_use]
    pub fn of_host() -> Self {
        Self::with(None, Path::new(UDEV).exists())
    }

    /// One device alone is looked at, which is ours: whatever the host's configuration says of devices, and
    /// whatever other disks hold.
    #[must_use]
    pub fn of_device(device: &Path) -> Self {
        Self::with(Some(device), Path::new(UDEV).exists())
    }

    fn with(device: Option<&Path>, udev: bool) -> Self {
        // Every change would leave another file in /etc/lvm/archive.
        let mut backup = vec!["archive=0"];
        // Who writes to a new thin pool that is full gets an error at once, and not after a minute.
        let mut activation = vec!["error_when_full=1"];
        let mut devices = Vec::new();
        let filter = device.map(|device| format!("filter=[\"a|^{}$|\",\"r|.*|\"]", device.display()));
        let global = filter.as_ref().map(|filter| format!("global_{filter}"));
        if let (Some(filter), Some(global)) = (&filter, &global) {
            backup.push("backup=0");
            // Nothing can be done about a pool that fills one file but to make the file larger.
            activation.push("monitoring=0");
            devices.extend(["use_devicesfile=0", filter, global]);
        }
        if !udev {
            activation.extend(["udev_sync=0", "udev_rules=0"]);
            devices.push("obtain_device_list_from_udev=0");
        }
        let sections = [("activation", activation), ("backup", backup), ("devices", devices)];
        let sections = sections.iter().filter(|(_, keys)| !keys.is_empty());
        let config: Vec<String> =
            sections.map(|(name, keys)| format!("{name}{{{}}}", keys.join(" "))).collect();
        Self { config: config.join(" ") }
    }

    fn run(&self, command: &str) -> Run {
        Run::new("lvm").args([command, "--config", &self.config]).deadline(DEADLINE)
    }

    /// Runs what changes something. It comes to its end also when nobody waits for it any more: a command that
    /// is killed while it holds a device back leaves it so, and whoever writes to that waits for ever.
    async fn done(run: Run) -> Result<(), RunError> {
        let mut waiting = Waiting(Some(tokio::spawn(async move { run.output().await.map(drop) })));
        let Some(task) = waiting.0.as_mut() else { return Ok(()) };
        let result = task.await;
        waiting.0 = None;
        result.unwrap_or_else(|_| {
            Err(RunError::Io { program: "lvm".to_owned(), source: std::io::ErrorKind::Interrupted.into() })
        })
    }

    fn report(&self, command: &str, fields: &str) -> Run {
        let run = self.run(command).args(["--reportformat", "json", "--units", "b", "--nosuffix"]);
        run.args(["--options", fields]).max_output(64 << 20)
    }

    /// What is known of a volume group; `None`: there is none of this name.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn group(&self, name: &str) -> Result<Option<Group>, RunError> {
        // Without a name it reports all, and does not fail when there is none.
        let output = self.report("vgs", report::GROUP).output().await?;
        Ok(report::groups(&output.stdout)?.into_iter().find(|group| group.name == name))
    }

    /// The logical volumes of a group; `None`: there is no group of this name.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn volumes(&self, group: &str) -> Result<Option<Vec<Logical>>, RunError> {
        match self.report("lvs", report::VOLUME).arg(group).output().await {
            Ok(output) => report::volumes(&output.stdout).map(Some),
            Err(error @ RunError::Failed { .. }) => match self.group(group).await? {
                None => Ok(None),
                Some(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// How full a thin pool is, or the part that a thin volume has written.
    ///
    /// # Errors
    /// See [`RunError`]; there is none of this name, for one.
    pub async fn status(&self, group: &str, name: &str) -> Result<Status, RunError> {
        let output = self.report("lvs", report::STATUS).arg(path(group, name)).output().await?;
        report::status(&output.stdout)
    }

    /// Makes a volume group of a device.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn create_group(&self, name: &str, device: &Path, tag: &str) -> Result<(), RunError> {
        Self::done(self.run("vgcreate").args(["--yes", "--addtag", tag, name]).arg(device)).await
    }

    /// Adds a tag to a volume group, or takes it away.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn tag_group(&self, name: &str, tag: &str, add: bool) -> Result<(), RunError> {
        let how = if add { "--addtag" } else { "--deltag" };
        Self::done(self.run("vgchange").args([how, tag, name])).await
    }

    /// Gives a volume group another name.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn rename_group(&self, old: &str, new: &str) -> Result<(), RunError> {
        Self::done(self.run("vgrename").args([old, new])).await
    }

    /// Takes the devices of all volumes of a group away.
    ///
    /// # Errors
    /// See [`RunError`]; one is in use, for example.
    pub async fn deactivate_group(&self, name: &str) -> Result<(), RunError> {
        Self::done(self.run("vgchange").args(["--activate", "n", name])).await
    }

    /// Removes a volume group with everything in it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn remove_group(&self, name: &str) -> Result<(), RunError> {
        Self::done(self.run("vgremove").args(["--force", "--yes", name])).await
    }

    /// Takes the mark off a device that belonged to a volume group.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn forget_device(&self, device: &Path) -> Result<(), RunError> {
        Self::done(self.run("pvremove").arg("--yes").arg(device)).await
    }

    /// Takes notice of the new size of a device.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn resize_device(&self, device: &Path) -> Result<(), RunError> {
        Self::done(self.run("pvresize").arg("--yes").arg(device)).await
    }

    /// Makes a thin pool of everything that is free in a group.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn create_pool(
        &self,
        group: &str,
        name: &str,
        metadata: u64,
        tag: &str,
    ) -> Result<(), RunError> {
        let metadata = bytes(metadata);
        let run = self.run("lvcreate").args(["--yes", "--type", "thin-pool", "--extents", "100%FREE"]);
        let run = run.args(["--addtag", tag]);
        Self::done(run.args(["--poolmetadatasize", &metadata, "--name", name, group])).await
    }

    /// Gives a thin pool everything that is free in its group.
    ///
    /// # Errors
    /// See [`RunError`]; nothing is free, for one.
    pub async fn extend_pool(&self, group: &str, name: &str) -> Result<(), RunError> {
        Self::done(self.run("lvextend").args(["--yes", "--extents", "+100%FREE"]).arg(path(group, name)))
            .await
    }

    /// Makes a volume: in a thin pool, or of what is free in the group. Its size is rounded up to extents. It is
    /// active.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn create(
        &self,
        group: &str,
        pool: Option<&str>,
        name: &str,
        size: u64,
        tag: Option<&str>,
    ) -> Result<(), RunError> {
        let size = bytes(size);
        let run = self.run("lvcreate").args(["--yes", "--name", name]).args(tag_arguments(tag));
        let run = match pool {
            Some(pool) => run.args(["--type", "thin", "--virtualsize", &size, "--thinpool", pool, group]),
            // What is left of others would be taken for a file system.
            None => run.args(["--type", "linear", "--wipesignatures", "y", "--size", &size, group]),
        };
        Self::done(run).await
    }

    /// Makes a snapshot of a volume, with what its file system has in memory.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn snapshot(
        &self,
        group: &str,
        origin: &str,
        name: &str,
        kind: Snapshot,
        tag: Option<&str>,
    ) -> Result<(), RunError> {
        let run = self.run("lvcreate").args(["--yes", "--snapshot", "--name", name]).args(tag_arguments(tag));
        let run = match kind {
            Snapshot::ThinReadOnly => run.args(["--setactivationskip", "y", "--permission", "r"]),
            Snapshot::Thin => run.args(["--setactivationskip", "n"]),
            Snapshot::Thick(size) => run.args(["--size", &bytes(size)]),
        };
        Self::done(run.arg(path(group, origin))).await
    }

    /// Makes a volume's device appear, whatever was said when it was made.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn activate(&self, group: &str, name: &str) -> Result<(), RunError> {
        let run = self.run("lvchange").args(["--activate", "y", "--ignoreactivationskip"]);
        Self::done(run.arg(path(group, name))).await
    }

    /// Makes a volume's device disappear.
    ///
    /// # Errors
    /// See [`RunError`]; it is in use, for example.
    pub async fn deactivate(&self, group: &str, name: &str) -> Result<(), RunError> {
        Self::done(self.run("lvchange").args(["--activate", "n"]).arg(path(group, name))).await
    }

    /// Makes a volume one that nobody writes to and that does not become active by itself, and tags it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn seal(&self, group: &str, name: &str, tag: &str) -> Result<(), RunError> {
        let run =
            self.run("lvchange").args(["--setactivationskip", "y", "--permission", "r", "--addtag", tag]);
        Self::done(run.arg(path(group, name))).await
    }

    /// Adds a tag to a volume.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn tag(&self, group: &str, name: &str, tag: &str) -> Result<(), RunError> {
        Self::done(self.run("lvchange").args(["--addtag", tag]).arg(path(group, name))).await
    }

    /// Gives a volume another name.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn rename(&self, group: &str, old: &str, new: &str) -> Result<(), RunError> {
        Self::done(self.run("lvrename").args([group, old, new])).await
    }

    /// Makes a volume larger. Its size is rounded up to extents.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn extend(&self, group: &str, name: &str, size: u64) -> Result<(), RunError> {
        Self::done(self.run("lvextend").args(["--yes", "--size", &bytes(size)]).arg(path(group, name))).await
    }

    /// Makes a volume smaller, whatever is on it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn reduce(&self, group: &str, name: &str, size: u64) -> Result<(), RunError> {
        let run = self.run("lvreduce").args(["--yes", "--force", "--size", &bytes(size)]);
        Self::done(run.arg(path(group, name))).await
    }

    /// Removes volumes, one after the other.
    ///
    /// # Errors
    /// See [`RunError`]; one is in use, for example. Those before it are gone.
    pub async fn remove(&self, group: &str, names: &[String]) -> Result<(), RunError> {
        if names.is_empty() {
            return Ok(());
        }
        let paths = names.iter().map(|name| path(group, name));
        Self::done(self.run("lvremove").args(["--force", "--yes"]).args(paths)).await
    }
}

type Task = JoinHandle<Result<(), RunError>>;

/// Commands that nobody waits for any more.
static ABANDONED: Mutex<Vec<Task>> = Mutex::new(Vec::new());

struct Waiting(Option<Task>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            let mut abandoned = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
            abandoned.retain(|task| !task.is_finished());
            abandoned.push(task);
        }
    }
}

/// Waits for commands that nobody else waits for any more.
pub async fn settle() {
    let abandoned = std::mem::take(&mut *ABANDONED.lock().unwrap_or_else(PoisonError::into_inner));
    for task in abandoned {
        if let Ok(Err(error)) = task.await {
            tracing::debug!(%error, "a command that nobody waited for has failed");
        }
    }
}

/// The versions of the programs, the library and the kernel's part, as `2.03.16(2) (2022-05-18)` and so on.
///
/// # Errors
/// See [`RunError`].
pub async fn version() -> Result<String, RunError> {
    let Output { stdout, .. } =
        Run::new("lvm").arg("version").deadline(Duration::from_secs(30)).output().await?;
    Ok(versions(&String::from_utf8_lossy(&stdout)))
}

/// It has no other form than the one for people, without translations.
fn versions(text: &str) -> String {
    let version = |line: &str| line.split_once(':').map(|(_, version)| version.trim().to_owned());
    let mentioned = text.lines().filter(|line| line.to_ascii_lowercase().contains("version:"));
    mentioned.filter_map(version).collect::<Vec<_>>().join(" / ")
}

fn path(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

/// LVM takes whole sectors only.
fn bytes(size: u64) -> String {
    format!("{}b", size.div_ceil(512).saturating_mul(512))
}

fn tag_arguments(tag: Option<&str>) -> Vec<&str> {
    tag.map_or_else(Vec::new, |tag| vec!["--addtag", tag])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_device_is_looked_at() {
        let ours = Lvm::with(Some(Path::new("/dev/loop3")), true).config;
        assert_eq!(
            ours,
            "activation{error_when_full=1 monitoring=0} backup{archive=0 backup=0} devices{use_devicesfile=0 \
             filter=[\"a|^/dev/loop3$|\",\"r|.*|\"] global_filter=[\"a|^/dev/loop3$|\",\"r|.*|\"]}"
        );
        let plain = Lvm::with(None, true).config;
        assert_eq!(plain, "activation{error_when_full=1} backup{archive=0}");
        assert_eq!(
            Lvm::with(None, false).config,
            "activation{error_when_full=1 udev_sync=0 udev_rules=0} backup{archive=0} \
             devices{obtain_device_list_from_udev=0}"
        );
    }

    #[test]
    fn sizes_are_whole_sectors() {
        assert_eq!(
            (bytes(0), bytes(1), bytes(100_000_000)),
            ("0b".into(), "512b".into(), "100000256b".into())
        );
    }

    #[test]
    fn versions_are_picked_from_the_text() {
        let text = "  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185 (2022-05-18)\n  \
                    Driver version:  4.47.0\n  Configuration:   ./configure --build=x\n";
        assert_eq!(versions(text), "2.03.16(2) (2022-05-18) / 1.02.185 (2022-05-18) / 4.47.0");
    }
}
