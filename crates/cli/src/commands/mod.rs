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
use api::operations::Operation;
use client::Pending;
use std::process::ExitCode;

/// Runs a command; only `exec` ends with another code than success.
pub(crate) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Exec(args) => return exec::run(session, args).await,
        Command::Alias(command) => alias::run(session, command)?,
        Command::Complete { words } => complete::run(session, &words).await?,
        Command::Completion(args) => completion::run(&args)?,
        Command::Config(command) => config::run(session, command).await?,
        Command::Console(args) => console::run(session, &args).await?,
        Command::Copy(args) => copy::run(session, &args).await?,
        Command::Delete(args) => delete::run(session, &args).await?,
        Command::File(command) => file::run(session, command).await?,
        Command::Image(command) => image::run(session, command).await?,
        Command::Info(args) => info::run(session, &args).await?,
        Command::Init(args) => launch::init(session, &args).await?,
        Command::Launch(args) => launch::launch(session, &args).await?,
        Command::List(args) => list::run(session, &args).await?,
        Command::Monitor(args) => monitor::run(session, &args).await?,
        Command::Move(args) => relocate::run(session, &args).await?,
        Command::Network(command) => network::run(session, command).await?,
        Command::Operation(command) => operation::run(session, command).await?,
        Command::Pause(args) => pause::run(session, &args).await?,
        Command::Profile(command) => profile::run(session, command).await?,
        Command::Publish(args) => publish::run(session, &args).await?,
        Command::Query(args) => query::run(session, &args).await?,
        Command::Remote(command) => remote::run(session, command).await?,
        Command::Rename(args) => rename::run(session, &args.source, &args.target).await?,
        Command::Restart(args) => restart::run(session, &args).await?,
        Command::Restore(args) => restore::run(session, &args).await?,
        Command::Snapshot(args) => snapshot::run(session, &args).await?,
        Command::Start(args) => start::run(session, &args).await?,
        Command::Stop(args) => stop::run(session, &args).await?,
        Command::Storage(command) => storage::run(session, command).await?,
        Command::Version(args) => version::run(session, &args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for an operation and shows its progress to whoever sits at a terminal. Ctrl-C cancels what
/// can be cancelled; a second one gives up waiting.
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
    let interrupted = async {
        // Where signals cannot be caught, Ctrl-C keeps its usual meaning.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = &mut waiting => return result,
        () = interrupted => {}
    }
    pending.cancel().await?;
    tokio::select! {
        result = &mut waiting => result,
        _ = tokio::signal::ctrl_c() => {
            Err(client::Error::Operation { message: "Interrupted; the server may still be at it".to_owned(), cancelled: true })
        }
    }
}
