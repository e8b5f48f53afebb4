//! Where clients come in: sockets, who is at the other end, and HTTP on each connection.

mod activation;
mod address;
mod caller;
mod crowd;
mod leash;
mod network;
mod notify;
mod pki;
mod serve;
mod tidy;
mod unix;

pub(crate) use activation::inherited;
pub(crate) use caller::{Caller, Permission};
pub(crate) use network::{ListenError, Network};
pub(crate) use notify::notify;
pub(crate) use serve::serve;
pub(crate) use tidy::Tidy;
pub(crate) use unix::{OwnedSocket, bind, lock};
