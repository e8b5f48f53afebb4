//! The files of an image, into a directory of their own that is gone if they are not kept.

use super::error::FetchError;
use super::locate::{Located, Way, answer};
use super::meter::Meter;
use crate::Error;
use crate::images::upload::{LARGEST, Part, Received, Upload};
use crate::var::Var;
use http::{Uri, header};
use image::download::{self, DownloadError, Target, Wanted};
use image::fingerprint::Hasher;
use simplestreams::FileKind;
use transport::Dialer;
use transport::get::{Answer, Get};
use transport::multipart::{Multipart, PartEvent, boundary};

/// How often another daemon is asked for an image in two parts, which cannot be continued.
const TRIES: u32 = 3;

/// Whose fault it is.
pub(super) enum Failure {
    /// Ours.
    Here(Error),
    /// The server's, or the way's.
    There(FetchError),
}

impl<E: Into<FetchError>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into() {
            FetchError::Download(DownloadError::Write { path, source }) => {
                Self::Here(Error::Path { doing: "write", path, source })
            }
            error => Self::There(error),
        }
    }
}

/// Downloads all files of an image.
pub(super) async fn files(
    var: &Var,
    located: &Located,
    meter: &Meter,
) -> Result<(Upload, Received), Failure> {
    let upload = Upload::new(var).map_err(Failure::Here)?;
    let received = match &located.way {
        Way::Files(files) => each(&upload, files, located, meter).await?,
        Way::Whole { url } => whole(&upload, url, located, None, meter).await?,
        Way::Export { url, size, once } => {
            return export(var, upload, url, *size, *once, located, meter).await;
        }
    };
    Ok((upload, received))
}

async fn each(
    upload: &Upload,
    files: &[(simplestreams::File, Vec<Uri>)],
    located: &Located,
    meter: &Meter,
) -> Result<Received, Failure> {
    let (mut hasher, mut split) = (Hasher::new(), false);
    for (file, urls) in files {
        let (part, shown) = match file.kind {
            FileKind::Metadata => (Part::Metadata, "metadata"),
            FileKind::Rootfs => (Part::Rootfs, "rootfs"),
            FileKind::Unified => (Part::Unified, ""),
        };
        split |= part == Part::Rootfs;
        // Everything that was hashed so far: the first file alone, then both, which is the fingerprint.
        let sha256 = if part == Part::Rootfs { located.fingerprint.as_str() } else { &file.sha256 };
        let wanted = Wanted {
            dialer: &located.dialer,
            urls,
            size: Some(file.size),
            limit: LARGEST,
            sha256: Some(sha256),
        };
        let mut target = Target::create(&upload.path(part), hasher)?;
        download::fetch(&wanted, &mut target, &mut meter.part(shown)).await?;
        hasher = target.finish().await?;
    }
    Ok(received(upload, hasher, split))
}

/// A unified image, whose answer may have begun already.
async fn whole(
    upload: &Upload,
    url: &Uri,
    located: &Located,
    begun: Option<(Answer, Option<u64>)>,
    meter: &Meter,
) -> Result<Received, Failure> {
    let urls = [url.clone()];
    let size = begun.as_ref().and_then(|(_, size)| *size);
    let sha256 = Some(located.fingerprint.as_str());
    let wanted = Wanted { dialer: &located.dialer, urls: &urls, size, limit: LARGEST, sha256 };
    let mut target = Target::create(&upload.path(Part::Unified), Hasher::new())?;
    let mut progress = meter.part("");
    let mut whole = false;
    if let Some((answer, _)) = begun {
        match download::take(&wanted, answer, &mut target, &mut progress).await {
            Ok(()) => whole = true,
            Err(DownloadError::Get(error)) => tracing::info!(%error, "a download is continued"),
            Err(error) => return Err(error.into()),
        }
    }
    if !whole {
        download::fetch(&wanted, &mut target, &mut progress).await?;
    }
    Ok(received(upload, target.finish().await?, false))
}

fn received(upload: &Upload, hasher: Hasher, split: bool) -> Received {
    Received {
        metadata: upload.path(Part::Unified),
        rootfs: split.then(|| upload.path(Part::Rootfs)),
        size: hasher.bytes(),
        fingerprint: hasher.finish(),
    }
}

/// What another daemon sends: the whole image, or a form with its two parts.
async fn export(
    var: &Var,
    mut upload: Upload,
    url: &Uri,
    size: Option<u64>,
    once: bool,
    located: &Located,
    meter: &Meter,
) -> Result<(Upload, Received), Failure> {
    let mut tries = if once { 1 } else { TRIES };
    loop {
        let answer = ask(&located.dialer, url).await?;
        let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
            let received = whole(&upload, url, located, Some((answer, size)), meter).await?;
            return Ok((upload, received));
        }
        let error = match parts(&upload, answer, &kind, size, meter).await {
            Ok(received) => return Ok((upload, received)),
            Err(error) => error,
        };
        tries -= 1;
        let broken = matches!(error, Failure::There(FetchError::Get(_)));
        if tries == 0 || !broken {
            return Err(error);
        }
        upload = Upload::new(var).map_err(Failure::Here)?;
    }
}

async fn ask(dialer: &Dialer, url: &Uri) -> Result<Answer, FetchError> {
    Ok(Get::new(dialer, url.clone()).send().await?)
}

async fn parts(
    upload: &Upload,
    mut from: Answer,
    kind: &str,
    size: Option<u64>,
    meter: &Meter,
) -> Result<Received, Failure> {
    let url = from.url.path().to_owned();
    let odd = |reason: &str| Failure::There(answer(&url, reason));
    let mut form = Multipart::new(&boundary(kind).map_err(|error| odd(&error.to_string()))?);
    let mut order = [("metadata", Part::Metadata), ("rootfs", Part::Rootfs)].into_iter();
    let (mut hasher, mut target) = (Hasher::new(), None::<Target>);
    let mut progress = meter.part("rootfs");
    while let Some(piece) = from.piece().await? {
        form.push(&piece);
        let mut batch = Vec::new();
        while let Some(event) = form.event().map_err(|error| odd(&error.to_string()))? {
            match event {
                PartEvent::Begin { name, .. } => {
                    let part = order.next().filter(|(wanted, _)| name.starts_with(wanted));
                    let (_, part) = part.ok_or_else(|| odd("it sends other parts than those of an image"))?;
                    target = Some(Target::create(&upload.path(part), std::mem::take(&mut hasher))?);
                }
                PartEvent::Data(data) => batch.push(data),
                PartEvent::End => {
                    if let Some(mut target) = target.take() {
                        target.write(std::mem::take(&mut batch)).await?;
                        hasher = target.finish().await?;
                    }
                }
            }
        }
        if let Some(target) = &mut target {
            target.write(batch).await?;
            let most = size.unwrap_or(LARGEST);
            if target.received() > most {
                return Err(DownloadError::TooMuch { url: url.clone(), expected: most }.into());
            }
            progress(target.received(), size);
        }
    }
    form.finish().map_err(|error| odd(&error.to_string()))?;
    if order.next().is_some() {
        return Err(odd("it sends only one part of the image"));
    }
    Ok(received(upload, hasher, true))
}
