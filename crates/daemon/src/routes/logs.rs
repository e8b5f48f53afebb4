//! `…/logs`: the files in a container's log directory. The container need not exist any more.

use super::instances::prefix;
use crate::wire::{Answer, Content, Path, Refusal, Segment, done, sync};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, Uri, header};
use instance::instances::Instances;
use rustix::fs::OFlags;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path as FilePath, PathBuf};

/// `GET …/logs`.
pub(crate) async fn list(State(instances): State<Instances>, Path(name): Path<String>, uri: Uri) -> Answer {
    let directory = instances.log_dir(&name)?;
    let files =
        tokio::task::spawn_blocking(move || names(&directory)).await.map_err(Refusal::unexpected)??;
    let prefix = prefix(&uri);
    sync(&files.iter().map(|file| format!("/1.0/{prefix}/{name}/logs/{file}")).collect::<Vec<_>>())
}

/// `GET …/logs/<file>`.
pub(crate) async fn get(
    State(instances): State<Instances>,
    Path((name, file)): Path<(String, String)>,
) -> Answer {
    let path = path(&instances, &name, &file)?;
    let (file, length) =
        tokio::task::spawn_blocking(move || open(&path)).await.map_err(Refusal::unexpected)??;
    let (body, length) = Content::of(vec![Segment::File { file, start: 0, length }]).await?;
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

/// `DELETE …/logs/<file>`.
pub(crate) async fn delete(
    State(instances): State<Instances>,
    Path((name, file)): Path<(String, String)>,
) -> Answer {
    let path = path(&instances, &name, &file)?;
    if is_permanent(&file) {
        return Err(Refusal::bad_request(format!("The log file '{file}' can be read but not deleted")));
    }
    tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await.map_err(Refusal::unexpected)??;
    done()
}

fn path(instances: &Instances, name: &str, file: &str) -> Result<PathBuf, Refusal> {
    if !is_log(file) {
        return Err(Refusal::bad_request(format!("'{file}' is not the name of a log file")));
    }
    Ok(instances.log_dir(name)?.join(file))
}

fn is_permanent(file: &str) -> bool {
    matches!(file, "lxc.log" | "lxc.conf")
}

fn is_log(file: &str) -> bool {
    let kept = ["migration_", "snapshot_", "exec_"];
    is_permanent(file) || (!file.contains('/') && kept.iter().any(|prefix| file.starts_with(prefix)))
}

/// Names of the files in a directory, sorted; none if it is not there.
fn names(directory: &FilePath) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Opens a log without following a link in its place.
fn open(path: &FilePath) -> std::io::Result<(File, u64)> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = File::options().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    Ok((file, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_are_logs() {
        for good in ["lxc.log", "lxc.conf", "exec_1.stdout", "migration_dump.log", "snapshot_x"] {
            assert!(is_log(good), "{good}");
        }
        for bad in ["", "..", "console.log", "exec_/../../../etc/shadow", "lxc.log/x", "database"] {
            assert!(!is_log(bad), "{bad}");
        }
    }

    #[test]
    fn links_and_directories_are_no_logs() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("lxc.log"), "text").unwrap();
        std::os::unix::fs::symlink("lxc.log", directory.path().join("exec_link")).unwrap();
        std::fs::create_dir(directory.path().join("exec_dir")).unwrap();
        assert_eq!(names(directory.path()).unwrap(), ["lxc.log"]);
        assert_eq!(open(&directory.path().join("lxc.log")).unwrap().1, 4);
        assert!(open(&directory.path().join("exec_link")).is_err());
        assert!(open(&directory.path().join("exec_dir")).is_err());
        assert!(names(&directory.path().join("none")).unwrap().is_empty());
    }
}
