//! Programs that compress one stream, and `mksquashfs(1)`, which makes a squashfs of a tar stream.

use crate::run::{Run, RunError};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Far more than any image takes: whoever does not want to wait cancels.
const DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// Programs that write a stream when they get one, and know no `-c`.
const ALWAYS_STREAM: [&str; 1] = ["pixz"];
/// Programs that would write name and time into what they make.
const NAMELESS: [&str; 2] = ["gzip", "pigz"];

/// Compresses everything from `input` into `output`. Dropped, it ends the program.
///
/// # Errors
/// See [`RunError`].
pub async fn stream(program: &str, options: &[String], input: File, output: File) -> Result<(), RunError> {
    Run::new(program)
        .args((!ALWAYS_STREAM.contains(&program)).then_some("-c"))
        .args(NAMELESS.contains(&program).then_some("-n"))
        .args(options)
        .stdin_file(input)
        .deadline(DEADLINE)
        .output_to(output)
        .await
}

/// The top directory of a squashfs, which `mksquashfs` does not take from the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// Permission bits.
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970; what a squashfs has no room for becomes 0.
    pub mtime: i64,
}

/// Makes the new file `target` (absolute) of the tar archive that comes from `input`.
///
/// # Errors
/// See [`RunError`]; a half-made `target` may remain.
pub async fn squashfs(options: &[String], input: File, target: &Path, top: Top) -> Result<(), RunError> {
    let time = u32::try_from(top.mtime).unwrap_or(0);
    Run::new("mksquashfs")
        .arg("-")
        .arg(target)
        .args(["-tar", "-noappend", "-no-progress", "-quiet", "-xattrs"])
        .args(["-root-mode", &format!("{:o}", top.mode), "-root-time", &time.to_string()])
        .args(["-root-uid", &top.uid.to_string(), "-root-gid", &top.gid.to_string()])
        .args(options)
        .stdin_file(input)
        .deadline(DEADLINE)
        .output()
        .await
        .map(drop)
}
