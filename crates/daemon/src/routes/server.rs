//! `/` and `/1.0`: the server itself.

use crate::listen::{Caller, ListenError, Network, Permission};
use crate::wire::{Answer, Etag, IfMatch, Json, Refusal, done, sync, sync_bytes, sync_tagged};
use api::server::ServerPut;
use axum::Extension;
use axum::extract::State;
use bytes::Bytes;
use instance::server::Server;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The answer to `GET /1.0`, which is asked before almost everything and seldom changes. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct ServerPage {
    server: Server,
    network: Network,
    page: Arc<Mutex<Option<Page>>>,
}

#[derive(Clone)]
struct Page {
    body: Bytes,
    tag: Etag,
    /// What it says changes by itself, so it is not good for long.
    until: Option<Instant>,
}

/// How long a page is good that lists the addresses of this host.
const LASTS: Duration = Duration::from_secs(5);

impl ServerPage {
    /// Made when first asked for.
    pub(crate) fn new(server: Server, network: Network) -> Self {
        Self { server, network, page: Arc::default() }
    }

    /// To be called after every change of the configuration or of what the environment lists.
    pub(crate) fn changed(&self) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn get(&self) -> Result<Page, Refusal> {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = page.as_ref().filter(|page| page.until.is_none_or(|until| Instant::now() < until))
        {
            return Ok(page.clone());
        }
        let made = self.make()?;
        *page = Some(made.clone());
        Ok(made)
    }

    fn make(&self) -> Result<Page, Refusal> {
        let config = self.server.config();
        let tag = Etag::of(&config)?;
        let mut environment = self.server.environment();
        environment.server = "lxd".to_owned();
        environment.server_pid = std::process::id();
        environment.server_version = crate::VERSION.to_owned();
        environment.project = "default".to_owned();
        if let Some(certificate) = self.network.certificate() {
            environment.certificate = certificate.pem();
            environment.certificate_fingerprint = certificate.fingerprint();
        }
        let (addresses, changes) = self.network.addresses();
        environment.addresses = addresses;
        let changes = changes || !self.server.is_settled();
        let until = changes.then(|| Instant::now() + LASTS);
        let server = api::server::Server {
            auth: "trusted".to_owned(),
            config: Some(config),
            environment: Some(environment),
            ..for_everybody()
        };
        Ok(Page { body: sync_bytes(&server)?, tag, until })
    }
}

/// What callers may see who are not trusted.
fn for_everybody() -> api::server::Server {
    api::server::Server {
        api_extensions: api::extensions::EXTENSIONS.iter().map(|name| (*name).to_owned()).collect(),
        api_status: "stable".to_owned(),
        api_version: "1.0".to_owned(),
        auth: "untrusted".to_owned(),
        public: false,
        auth_methods: vec!["tls".to_owned()],
        config: None,
        environment: None,
    }
}

impl From<ListenError> for Refusal {
    fn from(error: ListenError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// `GET /`.
pub(crate) async fn versions() -> Answer {
    sync(&["/1.0"])
}

/// `GET /1.0`.
pub(crate) async fn get(State(page): State<ServerPage>, Extension(caller): Extension<Caller>) -> Answer {
    if !caller.may(Permission::Manage) {
        return sync(&for_everybody());
    }
    let page = page.get()?;
    sync_tagged(page.body, &page.tag)
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
    let listener = match change.of("core.https_address") {
        Some(address) => Some(page.network.prepare(address).await?),
        None => None,
    };
    let kept = change.keep().await;
    if let (Ok(()), Some(listener)) = (&kept, listener) {
        listener.take_over();
    }
    page.changed();
    // Whom the authority vouches for may be trusted no more.
    page.network.cut_off();
    kept?;
    done()
}
