//! What went wrong with a source of images.

use image::download::DownloadError;
use simplestreams::StreamsError;
use simplestreams::mirrors::MirrorError;
use transport::dial::DialError;
use transport::get::GetError;

/// What went wrong with a source of images.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the texts say it
pub enum FetchError {
    #[error(transparent)]
    Address(#[from] MirrorError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Streams(#[from] StreamsError),
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error("the server has no public image {0:?}")]
    Unknown(String),
    #[error("{url}: {reason}")]
    Answer { url: String, reason: String },
    #[error("Missing {0} header; the server has no image for LXD at this address")]
    Header(&'static str),
    #[error("its files have the fingerprint {found}, not {expected} as the server said")]
    Fingerprint { expected: String, found: String },
    #[error("the certificate that came with the request is none")]
    Certificate(#[source] transport::certificate::CertificateError),
}

impl FetchError {
    /// The server is not there or not well, as opposed to having no such image.
    pub(crate) fn is_about_server(&self) -> bool {
        match self {
            Self::Dial(_) | Self::Get(_) | Self::Answer { .. } | Self::Fingerprint { .. } => true,
            Self::Download(error) => !matches!(error, DownloadError::Write { .. }),
            Self::Streams(error) => {
                matches!(
                    error,
                    StreamsError::Get(_) | StreamsError::Odd { .. } | StreamsError::TooLong { .. }
                )
            }
            _ => false,
        }
    }
}
