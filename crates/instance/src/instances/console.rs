//! The console: a terminal that outlives those who look at it.

use super::context::Context;
use super::registry::Entry;
use crate::Error;
use std::sync::Arc;

/// A client of a container's console.
pub struct ConsoleSession {
    /// Bytes both ways; closing it detaches. Ends when the container does.
    pub stream: tokio::net::UnixStream,
    /// Tells the terminal its size: columns, rows.
    pub resize: Arc<dyn Fn(u16, u16) + Send + Sync>,
}

pub(super) async fn attach(
    context: &Arc<Context>,
    name: &str,
    width: u16,
    height: u16,
) -> Result<ConsoleSession, Error> {
    let stream = context.keeper.console(name).await?;
    let (keeper, name) = (context.keeper.clone(), name.to_owned());
    let resize = Arc::new(move |width: u16, height: u16| {
        let (keeper, name) = (keeper.clone(), name.clone());
        tokio::spawn(async move {
            // A console that is gone does not care about its size.
            let _ = keeper.console_resize(&name, width, height).await;
        });
    });
    if width > 0 && height > 0 {
        resize(width, height);
    }
    Ok(ConsoleSession { stream, resize })
}

/// From the keeper while it runs, else from the file. Nothing printed yet is an empty log.
pub(super) async fn log(context: &Context, entry: &Entry, name: &str) -> Result<Vec<u8>, Error> {
    if entry.live().is_some() {
        return Ok(context.keeper.console_log(name, false).await?);
    }
    let path = context.var.log_dir(name).join("console.log");
    match tokio::fs::read(&path).await {
        Ok(log) => Ok(log),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Path { doing: "read", path, source }),
    }
}

pub(super) async fn clear(context: &Context, entry: &Entry, name: &str) -> Result<(), Error> {
    if entry.live().is_some() {
        context.keeper.console_log(name, true).await?;
    }
    let path = context.var.log_dir(name).join("console.log");
    match tokio::fs::OpenOptions::new().write(true).truncate(true).open(&path).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Path { doing: "empty", path, source }),
    }
}
