//! What a container has of its image: metadata and templates.

use crate::{Body, Client, Error, containers::at, encode_segment, query::decode};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

impl Client {
    /// The metadata of a container's image.
    ///
    /// # Errors
    /// 404 when it has none.
    pub async fn image_metadata(&self, container: &str) -> Result<Value, Error> {
        self.get(&format!("{}/metadata", at(container))).await
    }

    /// Replaces it.
    ///
    /// # Errors
    /// 400 for metadata that no image could have.
    pub async fn put_image_metadata(&self, container: &str, metadata: &Value) -> Result<(), Error> {
        self.change(Method::PUT, &format!("{}/metadata", at(container)), metadata, None).await
    }

    /// Names of a container's templates.
    ///
    /// # Errors
    /// As for every request.
    pub async fn templates(&self, container: &str) -> Result<Vec<String>, Error> {
        self.get(&format!("{}/metadata/templates", at(container))).await
    }

    /// The text of a template.
    ///
    /// # Errors
    /// 404 when there is none of this name.
    pub async fn template(&self, container: &str, name: &str) -> Result<Bytes, Error> {
        let path = template(container, name);
        self.open(Method::GET, &path, HeaderMap::new(), Body::empty()).await?.bytes().await
    }

    /// Makes a template.
    ///
    /// # Errors
    /// 400 when there is one of this name.
    pub async fn create_template(&self, container: &str, name: &str, text: Vec<u8>) -> Result<(), Error> {
        self.send_template(Method::POST, container, name, text).await
    }

    /// Gives a template another text.
    ///
    /// # Errors
    /// As for every request.
    pub async fn put_template(&self, container: &str, name: &str, text: Vec<u8>) -> Result<(), Error> {
        self.send_template(Method::PUT, container, name, text).await
    }

    /// Removes a template.
    ///
    /// # Errors
    /// 404 when there is none of this name.
    pub async fn delete_template(&self, container: &str, name: &str) -> Result<(), Error> {
        self.remove(&template(container, name)).await
    }

    async fn send_template(
        &self,
        method: Method,
        container: &str,
        name: &str,
        text: Vec<u8>,
    ) -> Result<(), Error> {
        let path = template(container, name);
        let answer = self.raw(method, &path, HeaderMap::new(), Body::full(text)).await?;
        decode::<serde::de::IgnoredAny>(&path, &answer).map(drop)
    }
}

fn template(container: &str, name: &str) -> String {
    format!("{}/metadata/templates?path={}", at(container), encode_segment(name))
}
