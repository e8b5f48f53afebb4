//! Status codes of operations and containers (`rest-api` §1).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! status {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A status, sent both as a number and as text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum StatusCode { $($(#[$doc])* $name = $code,)* }

        impl StatusCode {
            /// The number sent as `status_code`.
            #[must_use]
            pub const fn code(self) -> u16 { self as u16 }

            /// The word sent as `status`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The status with this number.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

status! {
    /// The operation exists and has begun.
    OperationCreated = 100, "Operation created";
    /// Used in events only.
    Started = 101, "Started";
    /// The container does not run.
    Stopped = 102, "Stopped";
    /// The operation or container runs.
    Running = 103, "Running";
    /// The operation was asked to stop.
    Cancelling = 104, "Cancelling";
    /// The operation has not begun.
    Pending = 105, "Pending";
    /// The container is on its way up.
    Starting = 106, "Starting";
    /// The container is on its way down.
    Stopping = 107, "Stopping";
    /// The container is being torn down after a failure.
    Aborting = 108, "Aborting";
    /// The container is being frozen.
    Freezing = 109, "Freezing";
    /// Every process of the container is frozen.
    Frozen = 110, "Frozen";
    /// The container is being thawed.
    Thawed = 111, "Thawed";
    /// The container's state cannot be told or explained.
    Error = 112, "Error";
    /// The operation ended well.
    Success = 200, "Success";
    /// The operation failed.
    Failure = 400, "Failure";
    /// The operation was cancelled.
    Cancelled = 401, "Cancelled";
}

impl StatusCode {
    /// Nothing changes after a final status.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.code() >= 200
    }
}

impl Serialize for StatusCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.code())
    }
}

impl<'de> Deserialize<'de> for StatusCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u16::deserialize(deserializer)?;
        // A newer server may send a code that is not known here ("Ready", 113): it is alive.
        Ok(Self::from_code(code).unwrap_or(if code >= 400 {
            Self::Failure
        } else if code >= 200 {
            Self::Success
        } else {
            Self::Running
        }))
    }
}

impl std::fmt::Display for StatusCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}
