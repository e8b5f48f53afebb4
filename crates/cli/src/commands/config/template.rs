//! `lxc config template`.

use crate::args::TemplateCommand;
use crate::editor;
use crate::output::{self, listing};
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: TemplateCommand) -> anyhow::Result<()> {
    match command {
        TemplateCommand::Create { name, template } => {
            let (client, target) = session.named(&name, "container")?;
            // What is piped in is its text; without it, it is empty.
            let text = editor::piped()?.unwrap_or_default();
            Ok(client.create_template(&target.name, &template, text).await?)
        }
        TemplateCommand::Delete { name, template } => {
            let (client, target) = session.named(&name, "container")?;
            Ok(client.delete_template(&target.name, &template).await?)
        }
        TemplateCommand::Edit { name, template } => {
            let (client, target) = session.named(&name, "container")?;
            let old = client.template(&target.name, &template).await?;
            let new = match editor::piped()? {
                Some(text) => text,
                None => editor::edit_once(&old, ".tpl")?,
            };
            if new == old {
                return Ok(());
            }
            Ok(client.put_template(&target.name, &template, new).await?)
        }
        TemplateCommand::List { name, format } => {
            let (client, target) = session.named(&name, "container")?;
            let names = client.templates(&target.name).await?;
            let rows = names.iter().map(|name| vec![name.clone()]).collect();
            listing::show(format.format, &["FILENAME"], rows, &names)
        }
        TemplateCommand::Show { name, template } => {
            let (client, target) = session.named(&name, "container")?;
            let text = client.template(&target.name, &template).await?;
            Ok(output::print(&String::from_utf8_lossy(&text))?)
        }
    }
}
