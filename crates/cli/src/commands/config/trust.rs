//! `lxc config trust`: which clients a server trusts.

use crate::args::{Format, TrustCommand};
use crate::output::{self, dates, listing};
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use client::{Certificate, Client, certificate_details};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Digits of a fingerprint that tables show.
const SHORT: usize = 12;

pub(super) async fn run(session: &Session, command: TrustCommand) -> anyhow::Result<()> {
    match command {
        TrustCommand::Add { args, name } => add(session, &args, name).await,
        TrustCommand::List { remote, format } => {
            list(&session.server(remote.as_deref())?, format.format).await
        }
        TrustCommand::ListTokens { remote, format } => {
            list_tokens(&session.server(remote.as_deref())?, format.format).await
        }
        TrustCommand::Remove { args } => {
            let (client, fingerprint) = match args.as_slice() {
                [remote, fingerprint] => (session.server(Some(remote))?, fingerprint.clone()),
                [one] => {
                    let (client, target) = session.named(one, "certificate")?;
                    (client, target.name)
                }
                _ => bail!("Give the fingerprint of one certificate"),
            };
            Ok(client.distrust(&fingerprint).await?)
        }
        TrustCommand::RevokeToken { name } => {
            let (client, target) = session.named(&name, "token")?;
            let tokens = client.waiting_tokens().await?;
            let mut found = tokens.iter().filter(|token| token.name == target.name).peekable();
            ensure!(found.peek().is_some(), "No token for the client \"{}\" is waiting", target.name);
            for token in found {
                client.cancel_operation(&token.operation).await?;
            }
            Ok(())
        }
    }
}

async fn add(session: &Session, args: &[PathBuf], name: Option<String>) -> anyhow::Result<()> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (client, file) = match args {
        [] => (session.server(None)?, None),
        [one] if text(one).ends_with(':') && !one.exists() => (session.server(Some(&text(one)))?, None),
        [file] => (session.server(None)?, Some(file)),
        [remote, file, ..] => (session.server(Some(&text(remote)))?, Some(file)),
    };
    let Some(file) = file else { return token(session, &client, name).await };
    let pem = std::fs::read_to_string(file).with_context(|| format!("Cannot read {}", file.display()))?;
    let certificate =
        Certificate::from_pem(&pem).with_context(|| format!("Cannot use {}", file.display()))?;
    let stem = || file.file_stem().map(|stem| text(Path::new(stem))).unwrap_or_default();
    Ok(client.trust(&name.unwrap_or_else(stem), &certificate).await?)
}

/// Makes a token and prints it.
async fn token(session: &Session, client: &Client, name: Option<String>) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name,
        None => {
            eprint!("Please provide client name: ");
            std::io::stderr().flush()?;
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line.trim().to_owned()
        }
    };
    ensure!(!name.is_empty(), "The client needs a name; give it with --name");
    let token = client.join_token(&name).await?;
    if !session.global.quiet {
        output::line(format!("Client {name} certificate add token:"))?;
    }
    Ok(output::line(token)?)
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let certificates = client.certificates().await?;
    let rows = certificates.iter().map(|entry| {
        let details = certificate_details(entry);
        let show =
            |read: fn(&client::CertificateDetails) -> String| details.as_ref().map(read).unwrap_or_default();
        vec![
            entry.fingerprint.chars().take(SHORT).collect(),
            show(|details| details.common_name.clone()),
            show(|details| dates::long(details.issued)),
            show(|details| dates::long(details.expires)),
            entry.name.clone(),
        ]
    });
    let headers = ["FINGERPRINT", "COMMON NAME", "ISSUE DATE", "EXPIRY DATE", "NAME"];
    listing::show(format, &headers, rows.collect(), &certificates)
}

async fn list_tokens(client: &Client, format: Format) -> anyhow::Result<()> {
    let tokens = client.waiting_tokens().await?;
    let rows = tokens.iter().map(|token| vec![token.name.clone(), dates::long(token.expires_at)]);
    let objects: Vec<_> = tokens
        .iter()
        .map(|token| serde_json::json!({"client_name": token.name, "expires_at": token.expires_at}))
        .collect();
    listing::show(format, &["NAME", "EXPIRES AT"], rows.collect(), &objects)
}
