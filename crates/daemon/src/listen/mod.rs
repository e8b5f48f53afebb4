//! Where clients come in: sockets, who is at the other end, and HTTP on each connection.

mod activation;
mod caller;
mod notify;
mod serve;
mod tidy;
mod unix;

pub(crate) use activation::inherited;
pub(crate) use caller::{Caller, Permission};
pub(crate) use notify::notify;
pub(crate) use serve::{Listener, serve};
pub(crate) use tidy::Tidy;
pub(crate) use unix::{OwnedSocket, bind, lock};
