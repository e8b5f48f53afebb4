//! Trees that are copied, removed and shifted for real.

mod copy;
mod remove;
mod shift;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tree with one of everything, made by a script in the directory that becomes the tree.
pub(super) const ONE_OF_EVERYTHING: &str = r#"
mkdir -p dir/sub dev empty sticky many/a/b/c many/d/e
echo hello > dir/file; chmod 0640 dir/file; chown 1000:50 dir/file
cp /bin/true dir/suid; chown 5:6 dir/suid; chmod 6755 dir/suid
chmod 1777 sticky; chown 7:8 empty; chmod 2750 empty
ln -s /does/not/exist link; ln -s ../dir dir/up; chown -h 9:10 link
ln dir/file dir/sub/hard; ln dir/file hard2; ln dir/suid many/a/b/c/hard3
mkfifo -m 0600 pipe
mknod -m 0666 dev/null c 1 3; mknod -m 0660 dev/disk b 259 70000; ln dev/null dev/null2
dd if=/dev/urandom of=sparse bs=1k count=8 seek=3000 status=none
dd if=/dev/urandom of=sparse bs=1k count=8 seek=20 conv=notrunc status=none
truncate -s 9M sparse; truncate -s 5M hole; dd if=/dev/urandom of=large bs=1M count=3 status=none; : > none
n=$(printf 'x%.0s' $(seq 1 200)); mkdir -p "$n/$n"; echo deep > "$n/$n/$n"; ln -s "$n/$n" longlink
printf 'a' > "$(printf 'new\nline')"; printf 'b' > "$(printf '\377latin')"; ln "$(printf '\377latin')" "$(printf '\376latin')"
touch -d '1999-12-31 23:59:59.123456789' dir/file; touch -d @0 dev; touch -h -d @86400 link
setfattr -n user.note -v "with space" dir/file; setfattr -n trusted.mine -v 0x000a00 dir/sub
setfattr -n user.big -v "$(head -c 2000 /dev/zero | tr '\0' v)" hole
setfacl -m u:1000:rw,g:77:r dir/file; setfacl -d -m u:33:rwx dir; setfacl -m g:77:rx dir
setcap cap_net_raw+ep dir/suid || true
for d in a d; do for i in $(seq 1 40); do mkdir -p many/$d/$i; echo $i > many/$d/$i/f; done; done
chmod 0751 .; touch -d @123456789 dir/sub dir many .
"#;

/// True if the machine has what that script needs; else says so.
pub(super) fn can_make_everything(test: &str) -> bool {
    for program in ["setfattr", "setfacl", "setcap"] {
        let found =
            ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|d| Path::new(d).join(program).exists());
        if !found {
            eprintln!("SKIP {test}: {program} is not installed");
            return false;
        }
    }
    is_root(test)
}

/// True if running as root; else says so.
pub(super) fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP {test}: needs root to set owners");
    }
    root
}

/// Runs a shell script in a directory.
pub(super) fn shell(directory: &Path, script: &str) {
    let status = Command::new("sh").arg("-euc").arg(script).current_dir(directory).status().unwrap();
    assert!(status.success(), "a script of the test failed");
}

/// Everything about a tree that a copy must have, one line per entry.
pub(super) fn description(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    describe(root, Path::new("."), &mut BTreeMap::new(), &mut lines);
    lines
}

fn describe(root: &Path, below: &Path, links: &mut BTreeMap<u64, PathBuf>, lines: &mut Vec<String>) {
    let path = root.join(below);
    let stat = path.symlink_metadata().unwrap();
    let first = links.entry(stat.ino()).or_insert_with(|| below.to_owned()).clone();
    let content = if stat.is_file() {
        let bytes = std::fs::read(&path).unwrap();
        let sum = bytes.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        format!("{} {sum:x} blocks={}", bytes.len(), stat.blocks())
    } else if stat.is_symlink() {
        format!("{:?}", std::fs::read_link(&path).unwrap())
    } else {
        String::new()
    };
    let is_device = matches!(stat.mode() & 0o170_000, 0o020_000 | 0o060_000);
    lines.push(format!(
        "{} {:o} {}:{} {}.{:09} nlink={} rdev={} first={first:?} {content} {}",
        below.as_os_str().as_bytes().escape_ascii(),
        stat.mode(),
        stat.uid(),
        stat.gid(),
        stat.mtime(),
        stat.mtime_nsec(),
        if stat.is_dir() { 0 } else { stat.nlink() },
        if is_device { stat.rdev() } else { 0 },
        attributes(&path)
    ));
    if stat.is_dir() {
        let mut names: Vec<_> =
            std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            describe(root, &below.join(name), links, lines);
        }
    }
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0; 4096];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else { return String::new() };
    let mut found: Vec<String> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mut value = vec![0; 4096];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            format!("{}={:02x?}", name.escape_ascii(), &value[..length])
        })
        .collect();
    found.sort();
    found.join(" ")
}

/// Compares line by line, so that a failure shows the first difference.
pub(super) fn assert_same(expected: &[String], found: &[String]) {
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.len(), found.len());
}
