//! `lxc info` about the server.

use crate::args::Format;
use crate::output::object;
use api::server::{Environment, Server};
use client::Client;
use serde::Serialize;
use std::collections::BTreeMap;

/// The server as it is printed: configuration first.
#[derive(Serialize)]
struct Shown {
    config: BTreeMap<String, serde_json::Value>,
    api_extensions: Vec<String>,
    api_status: String,
    api_version: String,
    auth: String,
    public: bool,
    auth_methods: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
}

pub(crate) async fn run(client: &Client, format: Option<Format>) -> anyhow::Result<()> {
    let Server { api_extensions, api_status, api_version, auth, public, auth_methods, config, environment } =
        client.server().await?.value;
    let config = config.unwrap_or_default();
    let shown =
        Shown { config, api_extensions, api_status, api_version, auth, public, auth_methods, environment };
    object::show(format.unwrap_or(Format::Yaml), &shown)
}
