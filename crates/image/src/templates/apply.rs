//! Writes rendered templates into a container's root file system.
//!
//! The container may have put links anywhere: every path is resolved by the kernel as if the
//! root file system were the root (`openat2(2)`, `RESOLVE_IN_ROOT`), and what was opened is what is
//! checked and written.

use super::{Context, TemplateError, render};
use crate::metadata::{Metadata, Template};
use rustix::fs::{
    FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, fstat, ftruncate, mkdirat, openat,
    openat2,
};
use rustix::io::{Errno, read, write};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Largest template, in bytes.
const MAX_TEMPLATE: u64 = 1024 * 1024;
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// Why templates are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// First start after creation.
    Create,
    /// First start after being copied.
    Copy,
    /// First start under another name.
    Rename,
    /// Every start.
    Start,
}

impl Trigger {
    /// As `metadata.yaml` and `volatile.apply_template` have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Copy => "copy",
            Self::Rename => "rename",
            Self::Start => "start",
        }
    }

    /// The trigger of a name; `None` for others, which never fire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Copy, Self::Rename, Self::Start]
            .into_iter()
            .find(|trigger| trigger.name() == name)
    }
}

/// What became of the templates of a trigger, by the path of each.
#[derive(Debug, Default)]
pub struct Applied {
    /// Written.
    pub written: Vec<String>,
    /// Not written, because the file exists and is only to be made once.
    pub kept: Vec<String>,
    /// Not written, because the template is wrong. The file is as it was; the container can start.
    pub failed: Vec<(String, TemplateError)>,
}

/// Why templates could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The template's file is missing or not usable.
    #[error("cannot read the template {template:?} of the image for {path}")]
    Template {
        /// Its file name in `templates/`.
        template: String,
        /// The file it is for, in the container.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file in the container cannot be written.
    #[error("cannot write {path} in the container")]
    Target {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Applies all templates of a trigger. Blocking.
///
/// `templates` is the directory of that name beside the root file system, `None` if there is none;
/// `owner` is what uid and gid 0 of the container are on disk. `base` is completed with trigger,
/// path and properties for each template. The container must not run.
///
/// # Errors
/// [`ApplyError`]; templates that came before are applied then.
pub fn apply(
    metadata: &Metadata,
    trigger: Trigger,
    templates: Option<BorrowedFd<'_>>,
    rootfs: BorrowedFd<'_>,
    base: &Context,
    owner: (u32, u32),
) -> Result<Applied, ApplyError> {
    let mut applied = Applied::default();
    for (path, template) in &metadata.templates {
        if !template.when.iter().any(|when| when == trigger.name()) {
            continue;
        }
        let target_error = |source: Errno| ApplyError::Target { path: path.clone(), source: source.into() };
        let existing = find(rootfs, path).map_err(target_error)?;
        if existing.is_some() && template.create_only {
            applied.kept.push(path.clone());
            continue;
        }
        let text = read_template(templates, template).map_err(|source| ApplyError::Template {
            template: template.template.clone(),
            path: path.clone(),
            source,
        })?;
        let context = Context {
            trigger: trigger.name().to_owned(),
            path: path.clone(),
            properties: template.properties.clone(),
            ..base.clone()
        };
        match render(&text, &context) {
            Ok(content) => {
                put(rootfs, path, existing, content.as_bytes(), owner).map_err(target_error)?;
                applied.written.push(path.clone());
            }
            Err(error) => applied.failed.push((path.clone(), error)),
        }
    }
    Ok(applied)
}

fn read_template(templates: Option<BorrowedFd<'_>>, template: &Template) -> io::Result<String> {
    let templates = templates.ok_or(Errno::NOENT)?;
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat2(templates, template.template.as_str(), flags, Mode::empty(), BENEATH)?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > MAX_TEMPLATE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match read(&file, &mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The file of a path inside, if there is one. Only a handle: opening a device or a pipe for
/// writing has effects.
fn find(rootfs: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Errno> {
    match openat2(rootfs, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), IN_ROOT) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn put(
    rootfs: BorrowedFd<'_>,
    path: &str,
    existing: Option<OwnedFd>,
    content: &[u8],
    owner: (u32, u32),
) -> Result<(), Errno> {
    let file = match existing {
        Some(handle) => {
            let kind = FileType::from_raw_mode(fstat(&handle)?.st_mode);
            match kind {
                FileType::RegularFile => {}
                FileType::Directory => return Err(Errno::ISDIR),
                _ => return Err(Errno::INVAL),
            }
            // Opens exactly what was looked at.
            let same = format!("/proc/self/fd/{}", handle.as_raw_fd());
            let file = openat(rustix::fs::CWD, same, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            ftruncate(&file, 0)?;
            file
        }
        None => create(rootfs, path, owner)?,
    };
    let mut rest = content;
    while !rest.is_empty() {
        match write(&file, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Makes the file and the directories that lead to it.
fn create(rootfs: BorrowedFd<'_>, path: &str, owner: (u32, u32)) -> Result<OwnedFd, Errno> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let Some((_, parents)) = components.split_last() else { return Err(Errno::ISDIR) };
    let mut done = String::from("/");
    let mut parent = openat2(rootfs, "/", directory, Mode::empty(), IN_ROOT)?;
    for part in parents {
        done.push_str(part);
        done.push('/');
        parent = match openat2(rootfs, done.as_str(), directory, Mode::empty(), IN_ROOT) {
            Err(Errno::NOENT) => {
                mkdirat(&parent, *part, Mode::RWXU)?;
                let made = openat2(&parent, *part, directory, Mode::empty(), BENEATH)?;
                own(made.as_fd(), owner, 0o755)?;
                made
            }
            result => result?,
        };
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat2(rootfs, path, flags, Mode::RUSR | Mode::WUSR, IN_ROOT)?;
    own(file.as_fd(), owner, 0o644)?;
    Ok(file)
}

fn own(file: BorrowedFd<'_>, (uid, gid): (u32, u32), mode: u32) -> Result<(), Errno> {
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    fchmod(file, Mode::from_raw_mode(mode))
}
