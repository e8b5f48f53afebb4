//! `lxc image import`.

use crate::args::ImageImportArgs;
use crate::output::{self, progress::Progress};
use crate::pairs;
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use api::Config;
use api::images::AliasEntry;
use client::{Client, ImageUpload, Pending};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the arguments mean.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    source: String,
    rootfs: Option<String>,
    remote: String,
    properties: Config,
}

pub(crate) async fn run(session: &Session, args: &ImageImportArgs) -> anyhow::Result<()> {
    let request = read_arguments(session, &args.args)?;
    let client = session.client(&request.remote)?;
    // Taken aliases are found out before the upload rather than after it.
    for alias in &args.alias {
        ensure!(
            client.alias(alias).await.is_err(),
            "Alias {alias} already exists; delete it first with: lxc image alias delete {alias}"
        );
    }
    let pending = if request.source.starts_with("https://") {
        client.image_from_url(&request.source, args.public, request.properties).await?
    } else if request.source.starts_with("http://") {
        bail!("Only https:// is supported for remote image import.");
    } else {
        upload(session, &client, request, args.public).await?
    };
    let operation = crate::commands::wait(session, &pending, "Importing").await?;
    let fingerprint = operation.metadata.as_ref().and_then(|metadata| metadata.get("fingerprint"));
    let fingerprint = fingerprint
        .and_then(serde_json::Value::as_str)
        .context("The server did not tell the image's fingerprint")?;
    for alias in &args.alias {
        let entry =
            AliasEntry { name: alias.clone(), target: fingerprint.to_owned(), ..AliasEntry::default() };
        client
            .create_alias(&entry)
            .await
            .with_context(|| format!("The image is there, its alias {alias} is not"))?;
    }
    Ok(output::line(format!("Image imported with fingerprint: {fingerprint}"))?)
}

async fn upload(
    session: &Session,
    client: &Client,
    request: Request,
    public: bool,
) -> anyhow::Result<Pending> {
    let source = PathBuf::from(&request.source);
    // Lives until the upload is done.
    let packed;
    let metadata = if source.is_dir() {
        ensure!(
            request.rootfs.is_none(),
            "A directory is a whole image; \"{}\" is too much",
            request.rootfs.unwrap_or_default()
        );
        packed = pack(&source)?;
        packed.to_path_buf()
    } else {
        source
    };
    let image = ImageUpload {
        metadata,
        rootfs: request.rootfs.map(PathBuf::from),
        public,
        properties: request.properties,
        fingerprint: None,
    };
    let mut progress = Progress::new(session.global.quiet);
    let report = move |sent, total| progress.transfer("Transferring image", sent, Some(total));
    Ok(client.upload_image(&image, report).await?)
}

/// Packs a directory with `metadata.yaml` and `rootfs/` into a tarball.
fn pack(directory: &Path) -> anyhow::Result<tempfile::TempPath> {
    ensure!(rustix::process::geteuid().is_root(), "Must run as root to import from directory");
    let file = tempfile::Builder::new().prefix("lxc_image_").suffix(".tar.xz").tempfile()?.into_temp_path();
    let status = Command::new("tar")
        .args(["-C"])
        .arg(directory)
        .args(["--numeric-owner", "--restrict", "--force-local", "--xattrs", "--acls", "--sparse", "-cJf"])
        .arg(&file)
        // First what every reader wants to know first.
        .arg("metadata.yaml")
        .args(directory.join("templates").is_dir().then_some("templates"))
        .arg("rootfs")
        .status()
        .context("cannot run tar")?;
    ensure!(status.success(), "tar cannot pack {} ({status})", directory.display());
    Ok(file)
}

fn read_arguments(session: &Session, args: &[String]) -> anyhow::Result<Request> {
    let [source, rest @ ..] = args else { bail!("Missing the image to import") };
    let mut request = Request {
        source: source.clone(),
        rootfs: None,
        remote: session.settings.default_remote.clone(),
        properties: Config::new(),
    };
    let mut properties = Vec::new();
    for arg in rest {
        if let Some(remote) = arg.strip_suffix(':') {
            request.remote = session.target(&format!("{remote}:"))?.remote;
        } else if request.rootfs.is_none() && (!arg.contains('=') || Path::new(arg).exists()) {
            request.rootfs = Some(arg.clone());
        } else {
            properties.push(arg.clone());
        }
    }
    request.properties = pairs::parse(&properties)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;
    use crate::settings::Settings;

    #[test]
    fn arguments_in_any_order() {
        let global = Global { force_local: false, quiet: false, verbose: false, debug: false };
        let session = Session::new(Settings::for_tests(), global);
        let read =
            |line: &str| read_arguments(&session, &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let request = read("meta.tar root.tar local: os=debian release=12").unwrap();
        assert_eq!((request.rootfs.as_deref(), request.remote.as_str()), (Some("root.tar"), "local"));
        assert_eq!(request.properties["release"], "12");
        assert_eq!(read("image.tar os=debian").unwrap().rootfs, None);
        assert!(read("image.tar nowhere:").is_err());
        assert!(read("a b c").is_err());
    }
}
