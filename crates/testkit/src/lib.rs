//! A real daemon in a temporary directory, tiny root file systems, printed skip reasons.
//!
//! A test asks for a daemon with [`daemon!`], which gives it one of its own in namespaces of its
//! own: interfaces, mounts and process ids are private to it, and everything is gone when the test
//! ends, however it ends. Where the machine lacks something, the test prints
//! `SKIP <name>: <reason>` and returns.

mod cgroups;
mod daemon;
mod events;
mod http;
mod images;
mod lab;
mod programs;
mod run;
mod sandbox;
mod streams_tree;
mod wait;
mod web;

pub use daemon::{Builder, TestDaemon};
pub use events::Events;
pub use http::{Api, Response};
pub use images::{DebianImage, busybox_image, debian_image, debian_services_image};
pub use lab::Lab;
pub use programs::{find_program, program};
pub use run::{Finished, Running, run, run_with_input, spawn};
pub use rustix::process::Signal;
pub use sandbox::Unavailable;
pub use streams_tree::{Product, StreamsTree};
pub use wait::{eventually, eventually_within, patience};
pub use web::{Authority, Manner, Web, WebRequest};

/// Print why the calling test cannot run here and return from it.
///
/// ```no_run
/// fn needs_xfs() {
///     testkit::skip!("mkfs.xfs is not installed");
/// }
/// ```
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::report_skip($crate::test_name!(), &format!($($reason)*));
        return;
    }};
}

/// The path of the function around it, without the crate's name.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        $crate::name_of(here)
    }};
}

/// A daemon with a pool, a bridge and the busybox image, or a skip: `let d = daemon!();`. With an
/// argument, it is a [`Builder`] to start from.
#[macro_export]
macro_rules! daemon {
    () => {
        $crate::daemon!($crate::TestDaemon::builder())
    };
    ($builder:expr) => {
        $crate::or_skip!($builder.start())
    };
}

/// What is needed, or a skip with the reason why it is not to be had here.
#[macro_export]
macro_rules! or_skip {
    ($needed:expr) => {
        match $needed {
            Ok(there) => there,
            Err($crate::Unavailable(reason)) => $crate::skip!("{reason}"),
        }
    };
}

/// For [`test_name!`]: what a function in a test is called.
#[must_use]
pub fn name_of<F>(_: F) -> &'static str {
    let path = std::any::type_name::<F>();
    let path = path.strip_suffix("::here").unwrap_or(path);
    path.split_once("::").map_or(path, |(_, rest)| rest)
}

/// For [`skip!`]: the line that the totals are made from.
pub fn report_skip(test: &str, reason: &str) {
    eprintln!("SKIP {test}: {}", reason.replace('\n', " "));
}
