//! Images to start containers from.

use crate::run::run;
use crate::sandbox::Unavailable;
use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// The busybox image, a unified tarball. Built once for a build directory and kept there.
///
/// # Errors
/// When it cannot be built here, with the builder's reason.
pub fn busybox_image() -> Result<PathBuf, Unavailable> {
    let test = std::env::current_exe().map_err(|e| Unavailable(format!("no path of the test: {e}")))?;
    let target = test.ancestors().nth(3).unwrap_or(Path::new("/tmp"));
    let image = target.join("testkit/busybox.tar.gz");
    let script = scripts().join("image-busybox.sh");
    let made = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    // The builder replaces the file atomically, so tests that find it missing at once do no harm.
    if made(&image).is_none() || made(&image) < made(&script) {
        let built = run(Command::new(script).arg(&image));
        if !built.status.success() {
            return Err(Unavailable(format!("no busybox image: {}", built.errors().trim())));
        }
    }
    Ok(image)
}

/// The two files of the Debian 12 image.
pub struct DebianImage {
    /// `metadata.yaml` and templates, a tarball.
    pub metadata: PathBuf,
    /// The root file system, a squashfs.
    pub rootfs: PathBuf,
}

fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    cache.join("lightervisor")
}

/// The Debian 12 image with services and container engines, likewise made beforehand.
///
/// # Errors
/// When it is not there, with the reason that the builder left.
pub fn debian_services_image() -> Result<DebianImage, Unavailable> {
    let DebianImage { metadata, .. } = debian_image()?;
    let rootfs = cache().join("debian-12-services.squashfs");
    if rootfs.is_file() {
        return Ok(DebianImage { metadata, rootfs });
    }
    let why = std::fs::read_to_string(cache().join("debian-12-services.missing"))
        .unwrap_or_else(|_| "scripts/test-images.sh has not been run".to_owned());
    Err(Unavailable(format!("no Debian image with services: {}", why.trim())))
}

/// The Debian 12 image that `scripts/test-images.sh` made beforehand (it takes half a minute and
/// needs a mirror, so that no test builds it).
///
/// # Errors
/// When it is not there, with the reason that the builder left.
pub fn debian_image() -> Result<DebianImage, Unavailable> {
    let dir = cache();
    let image =
        DebianImage { metadata: dir.join("debian-12.tar.xz"), rootfs: dir.join("debian-12.squashfs") };
    if image.metadata.is_file() && image.rootfs.is_file() {
        return Ok(image);
    }
    let why = std::fs::read_to_string(dir.join("debian-12.missing"))
        .unwrap_or_else(|_| "scripts/test-images.sh has not been run".to_owned());
    Err(Unavailable(format!("no Debian image: {}", why.trim())))
}
