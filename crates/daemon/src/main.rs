//! The daemon `lxd` and its sub-commands: listeners, routes, operations, events.

mod app;
mod args;
mod commands;
mod events;
mod guest;
mod identity;
mod listen;
mod logging;
mod operations;
mod paths;
mod routes;
mod streams;
mod talk;
mod wire;

use clap::Parser as _;
use std::process::ExitCode;

/// What `lxd --version` and the API say.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    match commands::run(args::Lxd::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
