//! One file per command, or a folder where it has commands of its own.

mod alias;
mod change_state;
mod complete;
mod completion;
mod config;
mod console;
mod copy;
mod delete;
mod device;
mod exec;
mod file;
mod holder;
mod image;
mod image_source;
mod info;
mod launch;
mod list;
mod monitor;
mod network;
mod operation;
mod pause;
mod profile;
mod publish;
mod query;
mod relocate;
mod remote;
mod rename;
mod restart;
mod restore;
mod root_disk;
mod server_info;
mod snapshot;
mod start;
mod stop;
mod storage;
mod transfer;
mod version;

use crate::args::Command;
use crate::output::progress::Progress;
use crate::session::Session;
use crate::signals;
use api::operations::Operation;
use client::Pending;
use std::process::ExitCode;

/// Runs a command; only `exec` ends with another code than success. Each is in a box of its own, so that
/// none needs as much stack as the largest.
pub(crate) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Exec(args) => return Box::pin(exec::run(session, args)).await,
        Command::Alias(command) => alias::run(session, command)?,
        Command::Complete { words } => Box::pin(complete::run(session, &words)).await?,
        Command::Completion(args) => completion::run(&args)?,
        Command::Config(command) => Box::pin(config::run(session, command)).await?,
        Command::Console(args) => Box::pin(console::run(session, &args)).await?,
        Command::Copy(args) => Box::pin(copy::run(session, &args)).await?,
        Command::Delete(args) => Box::pin(delete::run(session, &args)).await?,
        Command::File(command) => Box::pin(file::run(session, command)).await?,
        Command::Image(command) => Box::pin(image::run(session, command)).await?,
        Command::Info(args) => Box::pin(info::run(session, &args)).await?,
        Command::Init(args) => Box::pin(launch::init(session, &args)).await?,
        Command::Launch(args) => Box::pin(launch::launch(session, &args)).await?,
        Command::List(args) => Box::pin(list::run(session, &args)).await?,
        Command::Monitor(args) => Box::pin(monitor::run(session, &args)).await?,
        Command::Move(args) => Box::pin(relocate::run(session, &args)).await?,
        Command::Network(command) => Box::pin(network::run(session, command)).await?,
        Command::Operation(command) => Box::pin(operation::run(session, command)).await?,
        Command::Pause(args) => Box::pin(pause::run(session, &args)).await?,
        Command::Profile(command) => Box::pin(profile::run(session, command)).await?,
        Command::Publish(args) => Box::pin(publish::run(session, &args)).await?,
        Command::Query(args) => Box::pin(query::run(session, &args)).await?,
        Command::Remote(command) => Box::pin(remote::run(session, command)).await?,
        Command::Rename(args) => Box::pin(rename::run(session, &args.source, &args.target)).await?,
        Command::Restart(args) => Box::pin(restart::run(session, &args)).await?,
        Command::Restore(args) => Box::pin(restore::run(session, &args)).await?,
        Command::Snapshot(args) => Box::pin(snapshot::run(session, &args)).await?,
        Command::Start(args) => Box::pin(start::run(session, &args)).await?,
        Command::Stop(args) => Box::pin(stop::run(session, &args)).await?,
        Command::Storage(command) => Box::pin(storage::run(session, command)).await?,
        Command::Version(args) => Box::pin(version::run(session, &args)).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for the operation, if the server made one of it.
async fn finish(session: &Session, pending: Option<Pending>, what: &str) -> Result<(), client::Error> {
    match pending {
        Some(pending) => wait(session, &pending, what).await.map(drop),
        None => Ok(()),
    }
}

/// Waits for an operation and shows its progress to whoever sits at a terminal. Ctrl-C, `kill` and a
/// terminal that is closed cancel what can be cancelled; a second one gives up waiting.
async fn wait(session: &Session, pending: &Pending, what: &str) -> Result<Operation, client::Error> {
    let mut progress = Progress::new(session.global.quiet);
    let visible = progress.enabled();
    let waiting = async {
        if visible {
            pending.wait_with(|text| progress.set(&format!("{what}: {text}"))).await
        } else {
            pending.wait().await
        }
    };
    if !pending.operation.may_cancel {
        return waiting.await;
    }
    tokio::pin!(waiting);
    // Where signals cannot be caught, they keep their usual meaning.
    let Ok(mut ending) = signals::Ending::catch() else { return waiting.await };
    tokio::select! {
        result = &mut waiting => return result,
        () = ending.asked() => {}
    }
    pending.cancel().await?;
    tokio::select! {
        result = &mut waiting => result,
        () = ending.asked() => {
            Err(client::Error::Operation { message: "Interrupted; the server may still be at it".to_owned(), cancelled: true })
        }
    }
}
