//! `lxc list`.

mod columns;
mod filters;

use crate::args::{Format, ListArgs};
use crate::output::listing;
use crate::session::Session;
use anyhow::bail;
use api::instances::InstanceFull;
use columns::Column;
pub(crate) use filters::{Pattern, abbreviates};

/// Columns when none are chosen.
const DEFAULT: &str = "ns46tS";
/// Columns of `--fast`.
const FAST: &str = "nsacPt";

pub(crate) async fn run(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let columns = match (&args.columns, args.fast) {
        (Some(_), true) => bail!("Can't specify --fast with --columns"),
        (Some(text), false) => columns::parse(text)?,
        (None, true) => columns::parse(FAST)?,
        (None, false) => columns::parse(DEFAULT)?,
    };
    let (remote, filters) = split_remote(session, &args.filters)?;
    let client = session.client(&remote)?;
    let objects = matches!(args.format.format, Format::Json | Format::Yaml);
    let need_all = columns.iter().any(Column::needs_state) || (objects && !args.fast);
    let mut containers = if need_all {
        client.containers_full().await?
    } else {
        let plain = |instance| InstanceFull { instance, backups: None, state: None, snapshots: None };
        client.containers().await?.into_iter().map(plain).collect()
    };
    let filters: Vec<_> = filters.iter().map(|text| filters::Filter::new(text)).collect();
    containers.retain(|container| filters.iter().all(|filter| filter.matches(&container.instance)));

    let headers: Vec<_> = columns.iter().map(Column::header).collect();
    let row = |container| columns.iter().map(|column| column.value(container)).collect();
    let rows = containers.iter().map(row).collect();
    listing::show(args.format.format, &headers, rows, &containers)
}

/// The first argument may be `remote:` or `remote:filter`.
fn split_remote(session: &Session, args: &[String]) -> anyhow::Result<(String, Vec<String>)> {
    let default = session.settings.default_remote.clone();
    match args {
        [first, rest @ ..] if first.contains(':') && !first.contains('=') => {
            let target = session.target(first)?;
            let filter = Some(target.name).filter(|name| !name.is_empty());
            Ok((target.remote, filter.into_iter().chain(rest.iter().cloned()).collect()))
        }
        all => Ok((default, all.to_vec())),
    }
}
