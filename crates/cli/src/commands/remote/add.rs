//! `lxc remote add`: finding out whether a server is the right one, and making it trust us.

use super::address::{self, Place};
use super::check_name;
use crate::args::{Protocol, RemoteAddArgs};
use crate::output;
use crate::prompt;
use crate::settings::{Remote, Settings};
use anyhow::{Context as _, bail, ensure};
use api::server::Server;
use client::{Certificate, Client, DialError, Error, JoinToken, Keys, shown_certificate};

/// A server that is to have a name.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) remote: Remote,
    /// Its own, when nobody vouches for it.
    pub(crate) certificate: Option<Certificate>,
}

pub(crate) async fn run(settings: &Settings, args: RemoteAddArgs) -> anyhow::Result<Found> {
    let (name, address) = match args.args.as_slice() {
        [address] => (None, address.as_str()),
        [name, address] => (Some(name.clone()), address.as_str()),
        _ => bail!("Give a name and an address"),
    };
    if let Some(name) = &name {
        check_name(settings, name)?;
    }
    if args.protocol == Some(Protocol::Simplestreams) {
        let Place { url, name: default } = address::read_streams(address)?;
        let name = chosen(settings, name, default, &url)?;
        let protocol = "simplestreams".to_owned();
        let remote = Remote { addr: url, protocol, public: true, ..Remote::default() };
        return Ok(Found { name, remote, certificate: None });
    }
    if let Some(token) = JoinToken::parse(address) {
        return by_token(settings, name, &token, address).await;
    }
    let Place { url, name: default } = address::read(address)?;
    let name = chosen(settings, name, default, &url)?;
    if url.starts_with("unix:") {
        let remote = Remote { addr: url, ..Remote::default() };
        return Ok(Found { name, remote, certificate: None });
    }
    let keys = settings.keys()?;
    let stranger = meet(&keys, &url, &args).await?;
    let public = args.public || stranger.server.public;
    if !public && stranger.server.auth != "trusted" {
        let word = match args.password {
            Some(password) => password,
            None => prompt::secret(&format!("Admin password for {name}: ")).await?,
        };
        join(&stranger.client, &name, &word).await?;
    }
    found(name, stranger, Remote { addr: url, public, ..Remote::default() })
}

/// The name that was given, or the one that the address suggests.
fn chosen(
    settings: &Settings,
    name: Option<String>,
    default: Option<String>,
    url: &str,
) -> anyhow::Result<String> {
    let name = match (name, default) {
        (Some(name), _) => return Ok(name),
        (None, Some(name)) => name,
        (None, None) => bail!("Give the server a name: lxc remote add NAME {url}"),
    };
    check_name(settings, &name)?;
    Ok(name)
}

/// A server that answered.
struct Met {
    client: Client,
    /// Its certificate, when nobody vouches for it.
    known: Option<Certificate>,
    server: Server,
}

/// Talks to a server for the first time. Whether a certificate that nobody vouches for is the right one
/// is for the user to say.
async fn meet(keys: &Keys, url: &str, args: &RemoteAddArgs) -> anyhow::Result<Met> {
    let client = keys.stranger(url.to_owned(), args.public)?;
    let (client, known) = match client {
        Some(client) => match client.server().await {
            Ok(server) => return Ok(Met { client, known: None, server: server.value }),
            Err(Error::Dial(DialError::Tls { .. })) => accept(keys, url, args).await?,
            Err(error) => return Err(unlike(error, url)),
        },
        None => accept(keys, url, args).await?,
    };
    let server = client.server().await.map_err(|error| unlike(error, url))?.value;
    Ok(Met { client, known: Some(known), server })
}

async fn accept(keys: &Keys, url: &str, args: &RemoteAddArgs) -> anyhow::Result<(Client, Certificate)> {
    let shown = shown_certificate(url).await.map_err(|error| unlike(error, url))?;
    if !args.accept_certificate {
        output::line(format!("Certificate fingerprint: {}", shown.fingerprint()))?;
        let answer = prompt::line("ok (y/n)? ").await?;
        ensure!(answer.starts_with(['y', 'Y']), "Server certificate NACKed by user");
    }
    Ok((keys.client_of(&shown, url.to_owned(), args.public)?, shown))
}

/// Says of an answer that cannot be used whose it may be.
fn unlike(error: Error, url: &str) -> anyhow::Error {
    let other = matches!(
        error,
        Error::Decode { .. }
            | Error::Unexpected { .. }
            | Error::Exchange { .. }
            | Error::Api { .. }
            | Error::Dial(DialError::Tls { .. })
    );
    if other {
        return anyhow::Error::new(error).context(format!(
            "{url} does not answer like an LXD server (an image server of the simplestreams kind is added with --protocol simplestreams)"
        ));
    }
    error.into()
}

/// Makes the server trust us.
async fn join(client: &Client, name: &str, word: &str) -> anyhow::Result<()> {
    match client.join(word).await {
        Ok(()) => {}
        Err(error) if error.code() == Some(403) => {
            let why = if JoinToken::parse(word).is_some() {
                "the token was used already, has expired or is of another server; get a new one there with: lxc config trust add"
            } else {
                "the password is wrong, or the server has none; set one there with: lxc config set core.trust_password SECRET"
            };
            return Err(anyhow::Error::new(error).context(format!("{name} does not let us in ({why})")));
        }
        Err(error) => return Err(error.into()),
    }
    ensure!(client.server().await?.value.auth == "trusted", "Server doesn't trust us after authentication");
    Ok(output::line(format!("Client certificate stored at server: {name}"))?)
}

/// Joins the server that gave out a token, at the first of its addresses where it answers.
async fn by_token(
    settings: &Settings,
    name: Option<String>,
    token: &JoinToken,
    text: &str,
) -> anyhow::Result<Found> {
    let keys = settings.keys()?;
    let mut reasons = Vec::new();
    for address in &token.addresses {
        let Place { url, name: default } = address::read(address).context("the token cannot be used")?;
        let shown = match shown_certificate(&url).await {
            Ok(shown) => shown,
            Err(error) => {
                reasons.push(format!("{:#}", anyhow::Error::new(error)));
                continue;
            }
        };
        if !shown.fingerprint().eq_ignore_ascii_case(&token.fingerprint) {
            reasons.push(format!("{address} is another server than the one that gave out the token"));
            continue;
        }
        let name = chosen(settings, name, default, "TOKEN")?;
        let client = keys.client_of(&shown, url.clone(), false)?;
        let server = client.server().await.map_err(|error| unlike(error, &url))?.value;
        if server.auth != "trusted" {
            join(&client, &name, text).await?;
        }
        let met = Met { client, known: Some(shown), server };
        return found(name, met, Remote { addr: url, ..Remote::default() });
    }
    let why = if reasons.is_empty() { "it names no address".to_owned() } else { reasons.join("; ") };
    bail!(
        "None of the token's addresses can be used: {why} (if you know another one: lxc remote add NAME ADDRESS --password TOKEN)"
    )
}

fn found(name: String, met: Met, remote: Remote) -> anyhow::Result<Found> {
    let auth_type = if remote.public { "" } else { "tls" };
    let remote = Remote { protocol: "lxd".to_owned(), auth_type: auth_type.to_owned(), ..remote };
    let methods = &met.server.auth_methods;
    ensure!(
        remote.public || methods.is_empty() || methods.contains(&remote.auth_type),
        "{name} does not know clients by their certificates, only by: {}",
        methods.join(", ")
    );
    Ok(Found { name, remote, certificate: met.known })
}
