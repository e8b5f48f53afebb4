//! `lxc operation`.

use crate::args::{FormatArg, OperationCommand};
use crate::output::{self, dates, listing, object};
use crate::session::{Session, Target};

pub(crate) async fn run(session: &Session, command: OperationCommand) -> anyhow::Result<()> {
    match command {
        OperationCommand::Delete { id } => {
            let (client, Target { name, .. }) = session.named(&id, "operation")?;
            client.cancel_operation(&name).await?;
            Ok(output::line(format!("Operation {name} deleted"))?)
        }
        OperationCommand::List { remote, format } => list(session, remote.as_deref(), format).await,
        OperationCommand::Show { id, format } => {
            let (client, Target { name, .. }) = session.named(&id, "operation")?;
            object::show(format.format, &client.operation(&name).await?)
        }
    }
}

async fn list(
    session: &Session,
    remote: Option<&str>,
    FormatArg { format }: FormatArg,
) -> anyhow::Result<()> {
    let operations = session.server(remote)?.operations().await?;
    let rows = operations.iter().map(|operation| {
        vec![
            operation.id.clone(),
            operation.class.to_uppercase(),
            operation.description.clone(),
            operation.status.to_uppercase(),
            listing::yes_no(operation.may_cancel),
            dates::short(operation.created_at),
        ]
    });
    let headers = ["ID", "TYPE", "DESCRIPTION", "STATUS", "CANCELABLE", "CREATED"];
    listing::show(format, &headers, rows.collect(), &operations)
}
