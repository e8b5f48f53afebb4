//! Why a verb was refused or failed.

/// What an error means to a client; `daemon` gives each kind its HTTP code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: the request cannot be carried out as it is.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the name is taken.
    Conflict,
    /// 412: the object changed since it was read.
    Precondition,
    /// 501.
    NotImplemented,
    /// 503: starting or stopping.
    Unavailable,
    /// 500.
    Internal,
}

/// Why a verb was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Placeholder until the verbs are here.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// What it means to a client.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::BadRequest
    }

    /// The whole story in one line: this error and its causes.
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
