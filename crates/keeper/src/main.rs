//! The parent of every container of a host.
//!
//! `lxd-keeper <daemon directory>` listens on `keeper.socket` there and goes into the background.
//! The daemon asks it to start containers and programs in them; it outlives the daemon, and whoever
//! connects next finds everything as it was. One thread, one poll loop; nothing in it waits for a
//! daemon, a client or a container.
//!
//! `lxd-keeper --forward <daemon directory>` is the forwarder, another process in the same manner,
//! so that there is one program to install; what it does is in the crate `forwarder`.
//!
//! | file | what |
//! |---|---|
//! | [`birth`] | a sealed copy of the program that runs in the background |
//! | [`home`] | the daemon's directory: lock, socket, records |
//! | [`keeper`] | the state, and the loop |
//! | [`poller`] | epoll, with names for what is polled |
//! | [`peer`] | one connection of a daemon |
//! | [`requests`] | one file for each kind of request |
//! | [`events`] | what happens by itself: ends, reports, console traffic |
//! | [`container`] | what is known of one container |
//! | [`record`] | what the next keeper needs to know of it, on disk |
//! | [`adoption`] | taking in containers that another keeper started |
//! | [`upgrade`] | executing another program in place |
//! | [`journal`] | the log |

mod adoption;
mod birth;
mod container;
mod error;
mod events;
mod home;
mod journal;
mod keeper;
mod peer;
mod poller;
mod record;
mod requests;
mod upgrade;

use birth::Role;
use model::runtime::forward::ARGUMENT;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (role, var) = match arguments.as_slice() {
        [argument] if argument == birth::CHECK => return ExitCode::SUCCESS,
        [var] => (Role::Keep, var),
        [mode, var] if mode == ARGUMENT => (Role::Forward, var),
        _ => return complain("usage: lxd-keeper [--forward] <daemon directory>"),
    };
    match birth::begin(role, Path::new(var)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&model::story(&error)),
    }
}

fn complain(text: &str) -> ExitCode {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "lxd-keeper: {text}");
    ExitCode::FAILURE
}
