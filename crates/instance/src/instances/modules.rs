//! `linux.kernel_modules`: modules of the host's kernel that a container counts on.

use super::owner::Owner;
use crate::Error;
use api::instances::Instance;
use model::config::Effective;

/// Loads modules, in their order. Those that are there already cost nothing; none is ever unloaded,
/// because others may use it by then.
pub(super) async fn load(modules: &[String]) -> Result<(), Error> {
    for module in modules {
        tools::modprobe::load(module)
            .await
            .map_err(|source| Error::KernelModule { module: module.clone(), source })?;
    }
    Ok(())
}

impl Owner {
    /// Loads for a running container what its changed configuration has more.
    pub(super) async fn follow_modules(&self, before: &Instance, after: &Instance) -> Result<(), Error> {
        let of = |view: &Instance| {
            Effective::parse(&view.expanded_config).map(|config| config.kernel_modules).unwrap_or_default()
        };
        let mut new = of(after);
        let old = of(before);
        new.retain(|module| !old.contains(module));
        if self.entry().live().is_none() { Ok(()) } else { load(&new).await }
    }
}
