//! Websockets of programs and consoles: the protocol, and the bridges to pipes and terminals.
//!
//! The server's side of the protocol is written here, because a stream of output must not be
//! copied more often than the kernel does: payload is read into the frame that is sent, and what
//! clients send is unmasked where it was received.

mod connection;
mod console;
mod control;
mod detached;
mod exec;
mod frame;
mod input;
mod linger;
mod output;
mod reader;
mod terminal;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use connection::{Connection, Handshake};
pub(crate) use console::{ConsoleError, attend_console};
pub(crate) use detached::run_detached;
pub(crate) use exec::{ExecError, STREAM_NAMES, TERMINAL_NAMES, attend_exec};
pub(crate) use frame::{Opcode, server_frame};
pub(crate) use reader::Reader;
pub(crate) use writer::Writer;
