//! Who makes a socket or connects: what the other side sees, and what paths it may use.

use rustix::io::Result;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

/// What a container's root may do with its own files.
pub(crate) const AS_ROOT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER);

/// Makes the calling thread, which is to end soon, that user and group of the host, with no more
/// than these capabilities. Root of the host stays what it is.
pub(crate) fn become_user((uid, gid): (u32, u32), keep: CapabilitySet) -> Result<()> {
    if (uid, gid) == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    // The saved id stays root's: with the last id of root's the kernel takes all capabilities.
    set_thread_res_uid(None, uid, None)?;
    let now = capabilities(None)?;
    let kept = now.permitted & keep;
    set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
    )
}
