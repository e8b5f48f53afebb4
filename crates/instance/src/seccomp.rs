//! The system calls that a container may not make.
//!
//! `libseccomp` compiles the policy (`seccomp_export_bpf(3)`); the keeper loads the program.
//! Compiled programs are kept: thousands of containers share a handful of policies.

use crate::Error;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use model::config::Syscalls;
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

/// Refused everywhere with ENOSYS: they act on the host's kernel, or get around path resolution.
const DEFAULT_DENIED: &[&str] =
    &["kexec_load", "open_by_handle_at", "init_module", "finit_module", "delete_module"];

/// `MNT_FORCE` of `umount2(2)`, which would disturb other users of a file system.
const MNT_FORCE: u64 = 1;

/// Compiled policies. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Filters(Arc<OnceLock<OwnedFd>>);

impl Filters {
    /// The program for the kernel, an array of `struct sock_filter` in a memory file; `None` when
    /// nothing is denied.
    pub(crate) fn program(&self, syscalls: &Syscalls) -> Result<Option<OwnedFd>, Error> {
        match syscalls {
            Syscalls::Blacklist { default: true, compat: false, lines } if lines.is_empty() => {
                self.default_program().map(Some)
            }
            unfiltered if unfiltered.is_unfiltered() => Ok(None),
            _ => Err(Error::Unsupported {
                subject: "The container".to_owned(),
                feature: "its own rules for system calls",
                hint: "unset raw.seccomp and security.syscalls.* except blacklist_default",
            }),
        }
    }

    fn default_program(&self) -> Result<OwnedFd, Error> {
        let file = match self.0.get() {
            Some(file) => file,
            None => {
                let program = compile()?;
                let file = sys::memfd::sealed("seccomp", &program)
                    .map_err(|e| Error::Io { doing: "make a memory file", source: e.into() })?;
                self.0.get_or_init(|| file)
            }
        };
        file.try_clone().map_err(|source| Error::Io { doing: "duplicate a descriptor", source })
    }
}

/// The default policy.
fn compile() -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Seccomp { source };
    let mut filter = ScmpFilterContext::new(ScmpAction::Allow).map_err(failed)?;
    // Without these a program could use the other calling conventions to get past the list.
    for arch in [ScmpArch::X86, ScmpArch::X32, ScmpArch::Arm] {
        if same_family(arch) {
            filter.add_arch(arch).map_err(failed)?;
        }
    }
    // A filter that is loaded without the right to do so would need no_new_privs, which breaks
    // set-uid programs inside.
    filter.set_ctl_nnp(false).map_err(failed)?;
    let enosys = ScmpAction::Errno(rustix::io::Errno::NOSYS.raw_os_error());
    for name in DEFAULT_DENIED {
        let call = ScmpSyscall::from_name(name).map_err(failed)?;
        filter.add_rule(enosys, call).map_err(failed)?;
    }
    let umount2 = ScmpSyscall::from_name("umount2").map_err(failed)?;
    filter
        .add_rule_conditional(
            ScmpAction::Errno(rustix::io::Errno::ACCESS.raw_os_error()),
            umount2,
            &[ScmpArgCompare::new(1, ScmpCompareOp::MaskedEqual(MNT_FORCE), MNT_FORCE)],
        )
        .map_err(failed)?;
    export(&filter)
}

fn same_family(arch: ScmpArch) -> bool {
    match arch {
        ScmpArch::X86 | ScmpArch::X32 => cfg!(target_arch = "x86_64"),
        ScmpArch::Arm => cfg!(target_arch = "aarch64"),
        _ => false,
    }
}

fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { doing: "make a memory file", source };
    let file =
        rustix::fs::memfd_create("seccomp", rustix::fs::MemfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let mut file = std::fs::File::from(file);
    filter.export_bpf(&file).map_err(|source| Error::Seccomp { source })?;
    let mut program = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut program)).map_err(failed)?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_a_whole_number_of_instructions() {
        let program = compile().unwrap();
        assert!(!program.is_empty() && program.len().is_multiple_of(8), "{} bytes", program.len());
        let none = Syscalls::Blacklist { default: false, compat: false, lines: String::new() };
        assert!(Filters::default().program(&none).unwrap().is_none());
    }
}
