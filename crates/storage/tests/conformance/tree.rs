//! Trees of files with all that a file can have, and what to compare them by.

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// All that is known of each file in a directory, by its path.
#[derive(PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    /// Reads a directory. Its own mode, owner and times belong to whoever keeps it, and so does the
    /// directory that a file system makes for its check.
    pub(crate) fn of(directory: &Path) -> Self {
        let mut entries = BTreeMap::new();
        let mut first = BTreeMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            for entry in fs::read_dir(directory.join(&below)).unwrap() {
                let path = below.join(entry.unwrap().file_name());
                if path == Path::new("lost+found") {
                    continue;
                }
                let full = directory.join(&path);
                let stat = full.symlink_metadata().unwrap();
                if stat.is_dir() {
                    waiting.push(path.clone());
                }
                let mut about = about(&full, &stat);
                if stat.nlink() > 1 && !stat.is_dir() {
                    let other = first.entry(stat.ino()).or_insert_with(|| path.clone());
                    // Whichever was seen first: the names are told below.
                    about.push_str(&format!(" links={} group={}", stat.nlink(), group(other)));
                }
                entries.insert(path, about);
            }
        }
        let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (path, about) in &entries {
            if let Some((_, group)) = about.split_once(" group=") {
                groups.entry(group.to_owned()).or_default().push(path.clone());
            }
        }
        for (group, paths) in groups {
            for path in &paths {
                if let Some(about) = entries.get_mut(path) {
                    *about = about.replace(&format!(" group={group}"), &format!(" same={paths:?}"));
                }
            }
        }
        Self(entries)
    }

    /// Fails with the first differences.
    #[track_caller]
    pub(crate) fn expect(&self, found: &Self, what: &str) {
        let mut differences = Vec::new();
        for (path, about) in &self.0 {
            match found.0.get(path) {
                None => differences.push(format!("missing: {}", path.display())),
                Some(other) if other != about => {
                    differences.push(format!("{}: {about}\n     became {other}", path.display()));
                }
                Some(_) => {}
            }
        }
        let new = found.0.keys().filter(|path| !self.0.contains_key(*path));
        differences.extend(new.map(|path| format!("new: {}", path.display())));
        differences.truncate(8);
        assert!(differences.is_empty(), "{what} differs:\n  {}", differences.join("\n  "));
    }

    /// The same, whenever its files were written.
    pub(crate) fn without_times(mut self) -> Self {
        for about in self.0.values_mut() {
            if let Some((before, rest)) = about.split_once(" mtime=") {
                let after = rest.split_once(' ').map_or(String::new(), |(_, after)| format!(" {after}"));
                *about = format!("{before}{after}");
            }
        }
        self
    }

    /// How many files and directories there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tree of {} entries", self.0.len())
    }
}

fn group(path: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn about(path: &Path, stat: &fs::Metadata) -> String {
    let kind = stat.file_type();
    let mut about = format!("mode={:o} owner={}:{}", stat.mode(), stat.uid(), stat.gid());
    about.push_str(&format!(" mtime={}.{:09}", stat.mtime(), stat.mtime_nsec()));
    if kind.is_file() {
        about.push_str(&format!(" size={} content={:x}", stat.len(), content(path)));
        if stat.len() > 1 << 20 && stat.blocks() * 512 < stat.len() / 2 {
            about.push_str(" sparse");
        }
    } else if kind.is_symlink() {
        about.push_str(&format!(" to={:?}", fs::read_link(path).unwrap()));
    } else if kind.is_char_device() || kind.is_block_device() {
        about.push_str(&format!(" device={}", stat.rdev()));
    }
    for (name, value) in xattrs(path) {
        about.push_str(&format!(" {name}={value:02x?}"));
    }
    about
}

fn content(path: &Path) -> u64 {
    const CHUNK: usize = 64 << 10;
    let (zeros, mut buffer) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (file, mut hasher) = (fs::File::open(path).unwrap(), DefaultHasher::new());
    for at in (0..).step_by(CHUNK) {
        let n = file.read_at(&mut buffer, at).unwrap();
        if n == 0 {
            break;
        }
        if buffer[..n] != zeros[..n] {
            at.hash(&mut hasher);
            hasher.write(&buffer[..n]);
        }
    }
    hasher.finish()
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    // XFS shows what it keeps access control lists in; elsewhere that name would be somebody's own.
    let parent = path.parent().unwrap_or(path);
    let on_xfs = rustix::fs::statfs(parent).is_ok_and(|found| found.f_type == 0x5846_5342);
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap_or(0);
    let mut found = BTreeMap::new();
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        if on_xfs && name.starts_with("trusted.SGI_ACL_") {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        if let Ok(length) = rustix::fs::lgetxattr(path, name.as_str(), &mut value) {
            value.truncate(length);
            found.insert(name, value);
        }
    }
    found
}

/// A few files.
pub(crate) fn small(root: &Path) {
    for directory in ["etc", "bin", "var/log"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/hostname"), "image\n").unwrap();
    fs::write(root.join("bin/tool"), vec![7; 200_000]).unwrap();
    fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
}

/// All that a container's files can have.
pub(crate) fn odd(root: &Path) {
    small(root);
    names(root);
    kinds(root);
    owners(root);
    attributes(root);
    sparse(root);
    fs::write(root.join("no rights"), "x").unwrap();
    fs::set_permissions(root.join("no rights"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::create_dir(root.join("group")).unwrap();
    fs::set_permissions(root.join("group"), fs::Permissions::from_mode(0o2775)).unwrap();
    times(root);
}

fn names(root: &Path) {
    let odd = root.join("names");
    fs::create_dir(&odd).unwrap();
    let long = "n".repeat(255);
    for name in [
        " ",
        "-rf",
        "--",
        "*",
        "a\nb",
        "a\tb",
        "'\"`$(x)",
        "\\",
        "%s",
        "{}",
        ";",
        "#",
        "~",
        "é",
        "日本",
        "...",
        "a:b",
        "?",
        "[x]",
        ".rsync-filter",
        "CVS",
        "core",
        long.as_str(),
    ] {
        fs::write(odd.join(name), name).unwrap();
    }
    fs::write(odd.join(OsStr::from_bytes(b"\xff\xfe not text")), "x").unwrap();
    let mut deep = odd.join("deep");
    for _ in 0..10 {
        deep = deep.join("d".repeat(200));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "x").unwrap();
    let many = odd.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..300 {
        fs::write(many.join(number.to_string()), "").unwrap();
    }
}

fn kinds(root: &Path) {
    let kinds = root.join("kinds");
    fs::create_dir_all(kinds.join("empty")).unwrap();
    let node = |name: &str, kind: FileType, mode: u32, device: u64| {
        mknodat(CWD, kinds.join(name), kind, Mode::from_raw_mode(mode), device).unwrap();
    };
    node("pipe", FileType::Fifo, 0o640, 0);
    node("null", FileType::CharacterDevice, 0o666, rustix::fs::makedev(1, 3));
    node("loop", FileType::BlockDevice, 0o600, rustix::fs::makedev(7, 300));
    for (name, to) in [
        ("relative", "../etc/hostname"),
        ("absolute", "/etc/passwd"),
        ("nowhere", "not there"),
        ("up", "../../../.."),
    ] {
        std::os::unix::fs::symlink(to, kinds.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("l".repeat(1000), kinds.join("long")).unwrap();
    fs::write(kinds.join("linked"), "many names").unwrap();
    for name in ["again", "empty/elsewhere"] {
        fs::hard_link(kinds.join("linked"), kinds.join(name)).unwrap();
    }
    fs::hard_link(kinds.join("nowhere"), kinds.join("nowhere again")).unwrap();
    fs::hard_link(kinds.join("null"), kinds.join("null again")).unwrap();
    fs::write(kinds.join("nothing"), "").unwrap();
}

fn owners(root: &Path) {
    let owners = root.join("owners");
    fs::create_dir(&owners).unwrap();
    for id in [0, 1000, 65_534, 1_000_000, 4_000_000_000_u32] {
        let path = owners.join(id.to_string());
        fs::write(&path, "x").unwrap();
        std::os::unix::fs::chown(&path, Some(id), Some(id / 2)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    }
    std::os::unix::fs::symlink("x", owners.join("link")).unwrap();
    std::os::unix::fs::lchown(owners.join("link"), Some(1000), Some(1001)).unwrap();
}

fn attributes(root: &Path) {
    let place = root.join("attributes");
    fs::create_dir(&place).unwrap();
    let set = |file: &str, name: &str, value: &[u8]| {
        let path = place.join(file);
        if !path.exists() {
            fs::write(&path, "x").unwrap();
        }
        if let Err(errno) = rustix::fs::lsetxattr(&path, name, value, XattrFlags::empty()) {
            panic!("{}: {name}: {errno}", path.display());
        }
    };
    set("user", "user.comment", b"text");
    set("user", "user.empty", b"");
    set("user", "user.long", &[b'v'; 700]);
    set("trusted", "trusted.overlay.opaque", b"y");
    // vfs_cap_data of version 2 and, with the id of a root user, 3: cap_net_raw, effective.
    set("capable", "security.capability", &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut third = vec![1, 0, 0, 3, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    third.extend_from_slice(&1_000_000_u32.to_le_bytes());
    set("capable in a namespace", "security.capability", &third);
    set("listed", "system.posix_acl_access", &acl());
    fs::create_dir(place.join("directory")).unwrap();
    set("directory", "system.posix_acl_access", &acl());
    set("directory", "system.posix_acl_default", &acl());
    set("directory", "user.of.a.directory", b"x");
}

/// `u::rwx,u:1000:rwx,g::r-x,m::rwx,o::r--` as the kernel takes it.
fn acl() -> Vec<u8> {
    let mut acl = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, rights, id) in
        [(1_u16, 7_u16, nobody), (2, 7, 1000), (4, 5, nobody), (0x10, 7, nobody), (0x20, 4, nobody)]
    {
        acl.extend_from_slice(&tag.to_le_bytes());
        acl.extend_from_slice(&rights.to_le_bytes());
        acl.extend_from_slice(&id.to_le_bytes());
    }
    acl
}

fn sparse(root: &Path) {
    let file = fs::File::create(root.join("sparse")).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(&[1; 5000], 7 << 20).unwrap();
    file.set_len(16 << 20).unwrap();
    fs::File::create(root.join("hole")).unwrap().set_len(4 << 20).unwrap();
}

fn times(root: &Path) {
    for (file, seconds, nanoseconds) in [
        ("etc/hostname", 1, 1),
        ("bin/tool", 1_000_000_000, 123_456_789),
        ("kinds/nothing", 4_000_000_000, 0),
    ] {
        set_time(&root.join(file), seconds, nanoseconds);
    }
    // At last, so that nothing changes them.
    set_time(&root.join("kinds/nowhere"), 1_234_567_890, 5);
    set_time(&root.join("kinds/empty"), 86_400, 0);
    set_time(&root.join("etc"), 1_500_000_000, 1000);
}

fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
