//! A program without a client, its output perhaps kept in the log directory.

use super::ExecError;
use instance::exec::ExecPlan;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Runs a program to its end and returns its exit status. With `record`, its output goes to these
/// two new files.
///
/// # Errors
/// It could not be started; the files could not be made.
pub(crate) async fn run_detached(
    plan: ExecPlan,
    record: Option<(PathBuf, PathBuf)>,
) -> Result<i32, ExecError> {
    let files = match record {
        Some((stdout, stderr)) => Some(
            tokio::task::spawn_blocking(move || Ok((create(&stdout)?, create(&stderr)?)))
                .await
                .map_err(|error| ExecError::Record(error.into()))?
                .map_err(ExecError::Record)?,
        ),
        None => None,
    };
    let running = plan.start_detached(files).await?;
    Ok(running.status.await.unwrap_or(-1))
}

fn create(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}
