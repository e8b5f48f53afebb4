//! Certificates, and connections to other machines.
//!
//! | module | what |
//! |---|---|
//! | [`authority`] | clients that an authority of one's own vouches for |
//! | [`base64`] | the text that certificates and tokens are written in |
//! | [`blocking`] | a stream for two threads that wait |
//! | [`agent`] | what we call ourselves |
//! | [`certificate`] | reading certificates; fingerprints |
//! | [`identity`] | a certificate with its key: made, kept, loaded |
//! | [`trust`] | which server is the right one: one certificate, or what the system trusts |
//! | [`accept`] | connections of others, with TLS |
//! | [`server`] | TLS for those who connect to us |
//! | [`proxy`] | whether a proxy stands between |
//! | [`dial`] | a byte stream to a URL |
//! | [`multipart`] | forms, in pieces |
//! | [`get`] | one `GET`, its redirects followed, its body read piece by piece |
//! | [`post`] | one `POST`, its body sent piece by piece |
//!
//! Servers and clients of ours know each other by the bytes of a certificate, not by an authority; so
//! nothing but the key's signature in the handshake is checked, and the rest is comparison. One
//! cryptographic provider (ring) is named everywhere: two in one process would be a panic at run time.

pub mod accept;
pub mod agent;
pub mod alive;
pub mod authority;
pub mod base64;
pub mod blocking;
pub mod certificate;
pub mod dial;
pub mod get;
pub mod identity;
pub mod multipart;
pub mod post;
pub mod proxy;
pub mod server;
pub mod trust;

mod signature;

pub use blocking::Blocking;
pub use certificate::Certificate;
pub use dial::{Dialer, Stream};
pub use identity::Identity;
pub use trust::Trust;

#[cfg(test)]
mod tests;
