//! Network interfaces.
//!
//! | file | what |
//! |---|---|
//! | [`plan`] | what an interface will be: names, addresses, what it hangs on |
//! | [`attach`] | it comes to be in the container, and goes |
//! | [`parent`] | the host's interface that it hangs on, and what that was before |
//! | [`sriov`] | a virtual function that nobody uses |
//! | [`live`] | interfaces of a running container |

mod attach;
mod live;
mod parent;
mod plan;
mod sriov;

pub(crate) use attach::{attach, release_all};
pub(crate) use live::{plug, unplug, update};
pub(crate) use parent::reserve;
pub(crate) use plan::{Plan, missing_keys, plan, volatile};

use model::devices::Nic;

/// What an interface wants that this version cannot do.
pub(crate) fn unsupported(nic: &Nic) -> Option<&'static str> {
    nic.mac_filtering.then_some("the filter of Ethernet addresses (security.mac_filtering)")
}
