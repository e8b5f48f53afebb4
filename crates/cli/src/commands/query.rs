//! `lxc query`.

use crate::args::QueryArgs;
use crate::output;
use crate::session::{RemoteError, Session, Target};
use anyhow::{Context as _, bail, ensure};
use client::Answer;
use http::Method;
use serde_json::Value;
use std::io::Read as _;

pub(crate) async fn run(session: &Session, args: &QueryArgs) -> anyhow::Result<()> {
    let Target { remote, name: path } = split(session, &args.path)?;
    ensure!(path.starts_with('/'), "Query path must start with /");
    let client = session.client(&remote)?;
    let method: Method =
        args.request.parse().with_context(|| format!("\"{}\" is no HTTP method", args.request))?;
    let data = match args.data.as_deref() {
        None => None,
        Some("-") => {
            let mut data = Vec::new();
            std::io::stdin().read_to_end(&mut data).context("cannot read standard input")?;
            Some(data)
        }
        Some(text) => Some(text.as_bytes().to_vec()),
    };
    let answer = client.query(method, &path, data).await?;
    if args.wait
        && let Some(pending) = client.started(&answer)
    {
        let operation = client.wait_operation(&pending.operation.id).await?;
        if !operation.err.is_empty() {
            bail!("{}", operation.err);
        }
        return show(&serde_json::to_value(&operation)?);
    }
    if args.raw {
        return Ok(output::line(String::from_utf8_lossy(&answer.body))?);
    }
    show(&metadata(&answer)?)
}

/// A path may have colons in it, so only a word before the first slash names a server.
fn split(session: &Session, text: &str) -> Result<Target, RemoteError> {
    if text.starts_with('/') {
        return Ok(Target { remote: session.settings.default_remote.clone(), name: text.to_owned() });
    }
    session.target(text)
}

fn metadata(answer: &Answer) -> anyhow::Result<Value> {
    let value: Value = match serde_json::from_slice(&answer.body) {
        Ok(value) => value,
        Err(_) if answer.status < 400 => Value::String(String::from_utf8_lossy(&answer.body).into_owned()),
        Err(_) => bail!("The server answered with HTTP status {}", answer.status),
    };
    match value.get("error").and_then(Value::as_str) {
        Some(error) if answer.status >= 400 => bail!("{error}"),
        _ => Ok(value.get("metadata").cloned().unwrap_or(value)),
    }
}

/// JSON indented by tabs; nothing for an empty object, text as it is.
fn show(value: &Value) -> anyhow::Result<()> {
    use serde::Serialize as _;
    match value {
        Value::Null => Ok(()),
        Value::Object(map) if map.is_empty() => Ok(()),
        Value::String(text) => Ok(output::line(text)?),
        value => {
            let mut text = Vec::new();
            let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))?;
            Ok(output::line(String::from_utf8_lossy(&text))?)
        }
    }
}
