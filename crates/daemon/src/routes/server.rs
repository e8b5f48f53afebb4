//! `/` and `/1.0`: the server itself.

use crate::wire::{Answer, Etag, IfMatch, Json, Refusal, done, sync, sync_bytes, sync_tagged};
use api::server::ServerPut;
use axum::extract::State;
use bytes::Bytes;
use instance::server::Server;
use std::sync::{Arc, Mutex, PoisonError};

/// The answer to `GET /1.0`, which is asked before almost everything and seldom changes. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct ServerPage {
    server: Server,
    page: Arc<Mutex<Option<(Bytes, Etag)>>>,
}

impl ServerPage {
    /// Made when first asked for.
    pub(crate) fn new(server: Server) -> Self {
        Self { server, page: Arc::default() }
    }

    /// To be called after every change of the configuration or of what the environment lists.
    pub(crate) fn changed(&self) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn get(&self) -> Result<(Bytes, Etag), Refusal> {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = &*page {
            return Ok(page.clone());
        }
        let made = self.make()?;
        *page = Some(made.clone());
        Ok(made)
    }

    fn make(&self) -> Result<(Bytes, Etag), Refusal> {
        let config = self.server.config();
        let tag = Etag::of(&config)?;
        let mut environment = self.server.environment();
        environment.server = "lxd".to_owned();
        environment.server_pid = std::process::id();
        environment.server_version = crate::VERSION.to_owned();
        environment.project = "default".to_owned();
        let server = api::server::Server {
            api_extensions: api::extensions::EXTENSIONS.iter().map(|name| (*name).to_owned()).collect(),
            api_status: "stable".to_owned(),
            api_version: "1.0".to_owned(),
            auth: "trusted".to_owned(),
            public: false,
            auth_methods: vec!["tls".to_owned()],
            config: Some(config),
            environment: Some(environment),
        };
        Ok((sync_bytes(&server)?, tag))
    }
}

/// `GET /`.
pub(crate) async fn versions() -> Answer {
    sync(&["/1.0"])
}

/// `GET /1.0`.
pub(crate) async fn get(State(page): State<ServerPage>) -> Answer {
    let (body, tag) = page.get()?;
    sync_tagged(body, &tag)
}

/// `PUT /1.0`: these keys and no others.
pub(crate) async fn put(
    State(server): State<Server>,
    State(page): State<ServerPage>,
    expected: IfMatch,
    Json(put): Json<ServerPut>,
) -> Answer {
    update(&server, &page, &expected, put, true).await
}

/// `PATCH /1.0`: these keys too.
pub(crate) async fn patch(
    State(server): State<Server>,
    State(page): State<ServerPage>,
    expected: IfMatch,
    Json(put): Json<ServerPut>,
) -> Answer {
    update(&server, &page, &expected, put, false).await
}

async fn update(
    server: &Server,
    page: &ServerPage,
    expected: &IfMatch,
    put: ServerPut,
    replace: bool,
) -> Answer {
    if expected.is_given() {
        expected.check(&Etag::of(&server.config())?)?;
    }
    let change = server.change(put, replace).await?;
    let result = change.keep().await;
    page.changed();
    result?;
    done()
}
