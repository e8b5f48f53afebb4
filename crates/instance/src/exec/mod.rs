//! Running programs in containers.

mod environment;
mod plan;
mod sessions;
mod streams;

pub(crate) use plan::Program;
pub use plan::{Control, ExecPlan, Prepared, Running};
pub(crate) use sessions::Sessions;
pub use streams::Streams;
