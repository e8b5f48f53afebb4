//! An answer whose body is read piece by piece.

use crate::{Error, connection::Lease};
use bytes::Bytes;
use http::{HeaderMap, Method, Response, response::Parts};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::io::Write;
use tokio::sync::mpsc;

/// Pieces that may wait for a slow writer.
const BEHIND: usize = 8;

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Download {
    head: Parts,
    body: Incoming,
    lease: Option<Lease>,
    path: String,
}

impl Download {
    pub(crate) fn new(response: Response<Incoming>, lease: Lease, path: &str) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body, lease: Some(lease), path: path.to_owned() }
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// The answer's headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The body's length in bytes, when the daemon told it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        http_body::Body::size_hint(&self.body).exact()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|source| Error::Exchange {
                method: Method::GET,
                path: self.path.clone(),
                source,
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        Ok(None)
    }

    /// The whole body.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let Some(first) = self.piece().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.piece().await? else { return Ok(first) };
        let mut all = Vec::with_capacity(first.len() + second.len());
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
        }
        Ok(Bytes::from(all))
    }

    /// Writes the body to `writer` on a thread of its own, so that receiving and writing overlap.
    /// `progress` hears the number of bytes so far. Returns the writer.
    ///
    /// # Errors
    /// The connection broke, or the writer failed.
    pub async fn copy_to<W: Write + Send + 'static>(
        mut self,
        mut writer: W,
        mut progress: impl FnMut(u64),
    ) -> Result<W, Error> {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(BEHIND);
        let written = tokio::task::spawn_blocking(move || {
            while let Some(piece) = receiver.blocking_recv() {
                writer.write_all(&piece)?;
            }
            writer.flush()?;
            Ok(writer)
        });
        let mut total = 0;
        let mut broken = None;
        loop {
            match self.piece().await {
                Ok(Some(piece)) => {
                    total += piece.len() as u64;
                    // The writer failed and says below why.
                    if sender.send(piece).await.is_err() {
                        break;
                    }
                    progress(total);
                }
                Ok(None) => break,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        drop(sender);
        let result = written.await.map_err(std::io::Error::other).and_then(|result| result);
        match (broken, result) {
            (Some(error), _) => Err(error),
            (None, Ok(writer)) => Ok(writer),
            (None, Err(source)) => {
                Err(Error::Transfer { what: "cannot write what the daemon sends", source })
            }
        }
    }
}
