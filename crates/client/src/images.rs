//! Images and their aliases.

use crate::{Body, Client, Error, Pending, Tagged, encode_segment, query::header_value, upload};
use api::images::{self, AliasEntry, Image, ImageExportPost, ImagePut, ImagesPost};
use api::{Config, instances};
use http::{HeaderMap, HeaderValue, Method};
use std::path::PathBuf;

/// An image to be sent to the daemon.
#[derive(Clone, Debug, Default)]
pub struct ImageUpload {
    /// The unified tarball, or the metadata tarball of a split image.
    pub metadata: PathBuf,
    /// The root file system of a split image.
    pub rootfs: Option<PathBuf>,
    /// Whether everybody may read it.
    pub public: bool,
    /// Properties that win over those in the image.
    pub properties: Config,
    /// The fingerprint it must turn out to have.
    pub fingerprint: Option<String>,
}

impl Client {
    /// All images.
    ///
    /// # Errors
    /// As for every request.
    pub async fn images(&self) -> Result<Vec<Image>, Error> {
        self.get("/1.0/images?recursion=1").await
    }

    /// One image, by its fingerprint or the beginning of it.
    ///
    /// # Errors
    /// 404 unknown, 400 ambiguous.
    pub async fn image(&self, fingerprint: &str) -> Result<Tagged<Image>, Error> {
        self.get_tagged(&at(fingerprint)).await
    }

    /// Replaces the properties and flags of an image.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current.
    pub async fn put_image(
        &self,
        fingerprint: &str,
        put: &ImagePut,
        etag: Option<&str>,
    ) -> Result<(), Error> {
        self.change(Method::PUT, &at(fingerprint), put, etag).await
    }

    /// Deletes an image.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn delete_image(&self, fingerprint: &str) -> Result<Pending, Error> {
        self.begin_raw(Method::DELETE, &at(fingerprint), HeaderMap::new(), Body::empty()).await
    }

    /// Looks for a newer version of an image where it came from; the operation's metadata tell whether
    /// it was `refreshed`.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn refresh_image(&self, fingerprint: &str) -> Result<Pending, Error> {
        let path = format!("{}/refresh", at(fingerprint));
        self.begin_raw(Method::POST, &path, HeaderMap::new(), Body::empty()).await
    }

    /// Sends an image; the operation's metadata tell its `fingerprint`. `progress` hears the bytes
    /// sent so far and their total.
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be read.
    pub async fn upload_image(
        &self,
        image: &ImageUpload,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Pending, Error> {
        const PATH: &str = "/1.0/images";
        let (content_type, body) = upload::body(image, progress)?;
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, header_value(PATH, &content_type)?);
        let named = image.rootfs.as_ref().unwrap_or(&image.metadata);
        if let Some(name) = named.file_name() {
            headers
                .insert(images::HEADER_FILENAME, header_value(PATH, &encode_name(&name.to_string_lossy()))?);
        }
        if image.public {
            headers.insert(images::HEADER_PUBLIC, HeaderValue::from_static("1"));
        }
        if let Some(fingerprint) = &image.fingerprint {
            headers.insert(images::HEADER_FINGERPRINT, header_value(PATH, fingerprint)?);
        }
        if !image.properties.is_empty() {
            headers.insert(images::HEADER_PROPERTIES, properties_header(&image.properties)?);
        }
        self.begin_raw(Method::POST, PATH, headers, body).await
    }

    /// Lets the daemon make an image of something, for instance of another server's.
    ///
    /// # Errors
    /// As for every request.
    pub async fn create_image(&self, request: &ImagesPost) -> Result<Pending, Error> {
        self.begin(Method::POST, "/1.0/images", request, None).await
    }

    /// Opens the daemon to one image that another server will send: a token whose secret it is.
    ///
    /// # Errors
    /// 409 the image is there already.
    pub async fn expect_image(&self, request: &ImagesPost) -> Result<(Pending, String), Error> {
        let pending = self.create_image(request).await?;
        let secret = pending.operation.metadata.as_ref().and_then(|all| all.get("secret")?.as_str());
        let secret = secret.map(str::to_owned);
        secret
            .map(|secret| (pending, secret))
            .ok_or(Error::Unexpected { path: "/1.0/images".to_owned(), expected: "a secret" })
    }

    /// Lets the daemon send an image to another server, which expects it.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn push_image(&self, fingerprint: &str, to: &ImageExportPost) -> Result<Pending, Error> {
        self.begin(Method::POST, &format!("{}/export", at(fingerprint)), to, None).await
    }

    /// Lets the daemon fetch an image from an https server that names it in its headers.
    ///
    /// # Errors
    /// As for every request.
    pub async fn image_from_url(
        &self,
        url: &str,
        public: bool,
        properties: Config,
    ) -> Result<Pending, Error> {
        let mut request = serde_json::to_value(ImagesPost {
            public,
            properties,
            source: instances::Source {
                kind: "url".to_owned(),
                mode: "pull".to_owned(),
                ..Default::default()
            },
            ..Default::default()
        })
        .map_err(|source| Error::Encode { path: "/1.0/images".to_owned(), source })?;
        request["source"]["url"] = url.into();
        self.begin(Method::POST, "/1.0/images", &request, None).await
    }

    /// Makes an image of a container or snapshot; the operation's metadata tell its `fingerprint`.
    ///
    /// # Errors
    /// 404 no such container; 400 it runs; 409 an alias is taken.
    pub async fn publish(&self, post: &ImagesPost) -> Result<Pending, Error> {
        self.begin(Method::POST, "/1.0/images", post, None).await
    }

    /// All aliases.
    ///
    /// # Errors
    /// As for every request.
    pub async fn aliases(&self) -> Result<Vec<AliasEntry>, Error> {
        self.get("/1.0/images/aliases?recursion=1").await
    }

    /// One alias.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn alias(&self, name: &str) -> Result<AliasEntry, Error> {
        self.get(&alias_at(name)).await
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// 409 when the alias exists, 404 when the image does not.
    pub async fn create_alias(&self, alias: &AliasEntry) -> Result<(), Error> {
        self.change(Method::POST, "/1.0/images/aliases", alias, None).await
    }

    /// Gives an image a name, which another image loses if it has it.
    ///
    /// # Errors
    /// 404 when the image is unknown.
    pub async fn ensure_alias(&self, alias: &AliasEntry) -> Result<(), Error> {
        match self.create_alias(alias).await {
            Err(Error::Api { code: 409, .. }) => {
                self.change(Method::PUT, &alias_at(&alias.name), alias, None).await
            }
            result => result,
        }
    }

    /// Renames an alias.
    ///
    /// # Errors
    /// 409 when the new name is taken.
    pub async fn rename_alias(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let post = api::profiles::RenamePost { name: new_name.to_owned() };
        self.change(Method::POST, &alias_at(name), &post, None).await
    }

    /// Deletes an alias.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn delete_alias(&self, name: &str) -> Result<(), Error> {
        self.remove(&alias_at(name)).await
    }
}

pub(crate) fn at(fingerprint: &str) -> String {
    format!("/1.0/images/{}", encode_segment(fingerprint))
}

fn alias_at(name: &str) -> String {
    format!("/1.0/images/aliases/{}", encode_segment(name))
}

/// A file name as a header may carry it.
pub(crate) fn encode_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '_' }).collect()
}

/// Properties as the header of an upload carries them.
pub(crate) fn properties_header(properties: &Config) -> Result<HeaderValue, Error> {
    header_value("/1.0/images", &as_query(properties))
}

fn as_query(properties: &Config) -> String {
    let pairs =
        properties.iter().map(|(key, value)| format!("{}={}", encode_segment(key), encode_segment(value)));
    pairs.collect::<Vec<_>>().join("&")
}
