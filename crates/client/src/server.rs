//! The server object, and requests that no typed call covers.

use crate::{Answer, Body, Client, Error, Pending, Tagged};
use api::server::{Server, ServerPut};
use http::{HeaderMap, HeaderValue, Method, header};

impl Client {
    /// Which keys and properties of devices there are.
    ///
    /// # Errors
    /// 404 from servers that do not tell.
    pub async fn configuration(&self) -> Result<api::metadata::Configuration, Error> {
        self.get("/1.0/metadata/configuration").await
    }

    /// The server with its configuration.
    ///
    /// # Errors
    /// As for every request.
    pub async fn server(&self) -> Result<Tagged<Server>, Error> {
        self.get_tagged("/1.0").await
    }

    /// Replaces the server's configuration.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current; 400 for bad keys and values.
    pub async fn put_server(&self, config: &ServerPut, etag: Option<&str>) -> Result<(), Error> {
        self.change(Method::PUT, "/1.0", config, etag).await
    }

    /// Changes some keys of the server's configuration; an empty value resets one.
    ///
    /// # Errors
    /// 400 for bad keys and values.
    pub async fn patch_server(&self, config: &ServerPut) -> Result<(), Error> {
        self.change(Method::PATCH, "/1.0", config, None).await
    }

    /// Sends any request with a JSON body.
    ///
    /// # Errors
    /// Only those of the connection; errors of the daemon are in the answer.
    pub async fn query(&self, method: Method, path: &str, json: Option<Vec<u8>>) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        if json.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.raw(method, path, headers, json.map_or_else(Body::empty, Body::full)).await
    }

    /// The operation that an answer to [`Client::query`] started, if it did.
    #[must_use]
    pub fn started(&self, answer: &Answer) -> Option<Pending> {
        if answer.status != 202 {
            return None;
        }
        let operation = crate::query::decode("", answer).ok()?;
        Some(Pending::new(self.clone(), operation))
    }
}
