//! Images unpacked for real: made by the real programs, and made by attackers.

mod apply;
mod hostile;
pub(crate) mod round_trip;

use super::*;
use std::process::Command;

/// Metadata that is good enough.
pub(crate) const METADATA: &str = "architecture: x86_64\ncreation_date: 1\n";

/// Builds tar archives byte by byte, lies included.
#[derive(Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// A unified image with nothing wrong so far.
    pub(super) fn image() -> Self {
        Self::default().file("metadata.yaml", METADATA.as_bytes()).directory("rootfs")
    }

    /// Adds a member with any name at all.
    pub(super) fn member(
        mut self,
        name: &[u8],
        kind: u8,
        link: &[u8],
        data: &[u8],
        device: (u32, u32),
    ) -> Self {
        self.long(b'L', name);
        self.long(b'K', link);
        let mut header = tar::Header::new_gnu();
        let fit = |text: &[u8]| text[..text.len().min(99)].to_vec();
        header.as_old_mut().name[..fit(name).len()].copy_from_slice(&fit(name));
        header.as_old_mut().linkname[..fit(link).len()].copy_from_slice(&fit(link));
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_500_000_000);
        header.set_size(data.len() as u64);
        header.set_device_major(device.0).unwrap();
        header.set_device_minor(device.1).unwrap();
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.data(data)
    }

    fn data(mut self, data: &[u8]) -> Self {
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn long(&mut self, kind: u8, text: &[u8]) {
        if text.len() < 100 && !text.contains(&0) {
            return;
        }
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(text.len() as u64);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(text);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    /// Adds an extended header for the next member.
    pub(super) fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let body = key.len() + value.len() + 3;
            let mut length = body + 1;
            while length != body + length.to_string().len() {
                length = body + length.to_string().len();
            }
            data.extend([length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat());
        }
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..3].copy_from_slice(b"pax");
        header.set_entry_type(tar::EntryType::new(b'x'));
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.data(&data)
    }

    pub(super) fn file(self, name: &str, data: &[u8]) -> Self {
        self.member(name.as_bytes(), b'0', b"", data, (0, 0))
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.member(name.as_bytes(), b'5', b"", b"", (0, 0))
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.member(name.as_bytes(), b'2', target.as_bytes(), b"", (0, 0))
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        self.member(name.as_bytes(), b'1', target.as_bytes(), b"", (0, 0))
    }

    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A directory with files of an image, and room to unpack them.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Unpacks to `dest` in this place.
    pub(super) fn unpack_with(
        &self,
        metadata: PathBuf,
        rootfs: Option<PathBuf>,
        limits: Limits,
    ) -> Result<Unpacked, UnpackError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        runtime.block_on(unpack(ImageFiles { metadata, rootfs }, self.path("dest"), limits))
    }

    pub(crate) fn unpack(&self, metadata: PathBuf, rootfs: Option<PathBuf>) -> Result<Unpacked, UnpackError> {
        self.unpack_with(metadata, rootfs, Limits { keep_free: 0, ..Limits::default() })
    }

    /// Unpacks a unified image from bytes.
    pub(super) fn unpack_bytes(&self, bytes: &[u8]) -> Result<Unpacked, UnpackError> {
        let image = self.write("image.tar", bytes);
        self.unpack(image, None)
    }
}

/// Runs a shell command of a test; false if it failed.
pub(crate) fn shell(directory: &Path, script: &str) -> bool {
    Command::new("sh")
        .arg("-euc")
        .arg(script)
        .current_dir(directory)
        .status()
        .is_ok_and(|status| status.success())
}

/// True if all programs are there; else says so.
pub(crate) fn have(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        let found = std::env::split_paths(&path)
            .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
            .any(|directory| directory.join(program).exists());
        if !found {
            eprintln!("SKIP {test}: {program} is not installed");
            return false;
        }
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP {test}: needs root to set owners");
        return false;
    }
    true
}
