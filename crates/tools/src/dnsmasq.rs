//! `dnsmasq(8)`: a DHCP and DNS server that outlives us.

use crate::run::{Run, RunError};
use std::time::Duration;

/// Starts a server. Returns once it is in the background and its sockets are bound, so that a
/// wrong configuration is an error here.
///
/// # Errors
/// What it complained about; see [`RunError`].
pub async fn start(args: &[String]) -> Result<(), RunError> {
    Run::new("dnsmasq").args(args).deadline(Duration::from_secs(15)).output().await.map(drop)
}
