//! The command `lxc`.

mod aliases;
mod args;
mod commands;
mod editor;
mod hints;
mod output;
mod pairs;
mod prompt;
mod session;
mod settings;
mod signals;
mod terminal;
mod transfer;
mod yaml;

use args::Cli;
use clap::error::ErrorKind;
use session::Session;
use settings::Settings;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let settings = match Settings::load() {
        Ok(settings) => settings,
        Err(error) => return report(&anyhow::Error::new(error), false),
    };
    let words = aliases::expand(words, &settings);
    let cli = match Cli::read(&words) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if !cli.global.force_local {
        settings.greet();
    }
    let debug = cli.global.debug;
    let session = Session::new(settings, cli.global);
    // One thread is enough: what has to run beside it (reading files, session streams) gets its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into(), debug),
    };
    let result = runtime.block_on(commands::run(&session, cli.command));
    // A thread may still be blocked on standard input; nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            let code = report(&error, debug);
            if let Some(hint) = hints::hint(&session, &error) {
                eprintln!("{hint}");
            }
            code
        }
    }
}

/// Prints an error and returns the exit code for it.
fn report(error: &anyhow::Error, debug: bool) -> ExitCode {
    let is_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    let is_servers = |cause: &(dyn std::error::Error + 'static)| cause.is::<client::Error>();
    // Whoever read our output has seen enough; a connection to a server that broke is another thing.
    if error.chain().any(is_pipe) && !error.chain().any(is_servers) {
        return ExitCode::from(141);
    }
    if debug {
        eprintln!("Error: {error:?}");
    } else {
        eprintln!("Error: {error:#}");
    }
    ExitCode::FAILURE
}

/// Prints help or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = output::print(&text.to_string());
            ExitCode::SUCCESS
        }
        _ => {
            let text = text.to_string();
            eprint!("Error: {}", text.strip_prefix("error: ").unwrap_or(&text));
            ExitCode::FAILURE
        }
    }
}
