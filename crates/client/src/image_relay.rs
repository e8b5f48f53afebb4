//! An image that passes from one daemon to another through us, never whole in memory or on disk.

use crate::images::{encode_name, properties_header};
use crate::{Body, Client, Error, Pending, images, multipart, query::header_value};
use api::Config;
use api::images::{HEADER_FILENAME, HEADER_FINGERPRINT, HEADER_PROPERTIES, HEADER_PUBLIC, Image};
use http::{HeaderMap, HeaderValue, Method, header};

/// What the receiving daemon is told about an image.
#[derive(Clone, Debug)]
pub struct RelayedImage {
    /// Its fingerprint there and here.
    pub fingerprint: String,
    /// Its properties.
    pub properties: Config,
    /// Whether everybody may read it.
    pub public: bool,
}

impl RelayedImage {
    /// An image as it is.
    #[must_use]
    pub fn of(image: &Image, public: bool) -> Self {
        Self { fingerprint: image.fingerprint.clone(), properties: image.properties.clone(), public }
    }
}

impl Client {
    /// Sends an image of another daemon to this one. `progress` hears the bytes so far and their total,
    /// where that is known.
    ///
    /// # Errors
    /// 404 unknown there; either connection broke.
    pub async fn relay_image(
        &self,
        from: &Client,
        image: &RelayedImage,
        mut progress: impl FnMut(u64, Option<u64>) + Send + 'static,
    ) -> Result<Pending, Error> {
        const PATH: &str = "/1.0/images";
        let path = format!("{}/export", images::at(&image.fingerprint));
        let download = from.open(Method::GET, &path, HeaderMap::new(), Body::empty()).await?;
        let text = |name| download.headers().get(name).and_then(|value| value.to_str().ok());
        // A form goes on as it comes: what daemons export is what they take in.
        let kind = text(header::CONTENT_TYPE).filter(|kind| kind.starts_with("multipart/"));
        let kind = kind.unwrap_or("application/octet-stream").to_owned();
        let name =
            text(header::CONTENT_DISPOSITION).and_then(|value| multipart::parameter(value, "filename"));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header_value(PATH, &kind)?);
        headers.insert(HEADER_FINGERPRINT, header_value(PATH, &image.fingerprint)?);
        if let Some(name) = name {
            headers.insert(HEADER_FILENAME, header_value(PATH, &encode_name(&name))?);
        }
        if image.public {
            headers.insert(HEADER_PUBLIC, HeaderValue::from_static("1"));
        }
        if !image.properties.is_empty() {
            headers.insert(HEADER_PROPERTIES, properties_header(&image.properties)?);
        }
        let (total, mut done) = (download.length(), 0);
        let body = Body::download(download, move |piece| {
            done += piece;
            progress(done, total);
        });
        self.begin_raw(Method::POST, PATH, headers, body).await
    }
}
