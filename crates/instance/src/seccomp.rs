//! The system calls that a container may not make.
//!
//! `libseccomp` compiles the policy (`seccomp_export_bpf(3)`); the keeper loads the program.
//! Compiled programs are kept: thousands of containers share a handful of policies.

use crate::Error;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use model::config::Effective;
use model::config::seccomp::{Action, Argument, Call, Compare, Convention, Policy, Rule, parse};
use std::collections::HashMap;
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// `MNT_FORCE` of `umount2(2)`, which would disturb other users of a file system.
const MNT_FORCE: u64 = 1;
/// How many compiled policies are kept.
const KEPT: usize = 64;
/// Longest policy that is read from a file of the host, in bytes.
const LONGEST: u64 = 1 << 20;

/// Compiled policies, by their text. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Filters(Arc<Mutex<HashMap<String, OwnedFd>>>);

impl Filters {
    /// The program for the kernel, an array of `struct sock_filter` in a memory file; `None` when
    /// nothing is denied.
    pub(crate) fn program(&self, config: &Effective) -> Result<Option<OwnedFd>, Error> {
        let policy = match config.raw_lxc.seccomp.as_deref() {
            Some("none") => return Ok(None),
            Some(path) => Some(read(path)?),
            None => config.syscalls.policy(),
        };
        let Some(policy) = policy else { return Ok(None) };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(&policy) {
            if kept.len() >= KEPT {
                kept.clear();
            }
            let program = compile(&parse(&policy).map_err(Error::Policy)?)?;
            let file = sys::memfd::sealed("seccomp", &program)
                .map_err(|e| Error::Io { doing: "make a memory file", source: e.into() })?;
            kept.insert(policy.clone(), file);
        }
        let copy = kept.get(&policy).map(OwnedFd::try_clone).transpose();
        copy.map_err(|source| Error::Io { doing: "duplicate a descriptor", source })
    }
}

/// The policy that `lxc.seccomp.profile` names.
fn read(path: &str) -> Result<String, Error> {
    let failed = |source| Error::Path { doing: "read the policy", path: path.into(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(failed)?.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The conventions by which programs can call this kernel. Without all of them in the filter a
/// program could use another one to get past it.
fn conventions() -> Vec<(Convention, ScmpArch)> {
    if cfg!(target_arch = "x86_64") {
        vec![
            (Convention::X86_64, ScmpArch::X8664),
            (Convention::X86, ScmpArch::X86),
            (Convention::X32, ScmpArch::X32),
        ]
    } else if cfg!(target_arch = "aarch64") {
        vec![(Convention::Aarch64, ScmpArch::Aarch64), (Convention::Arm, ScmpArch::Arm)]
    } else {
        vec![(Convention::Other, ScmpArch::Native)]
    }
}

/// A filter for each convention, merged into one.
fn compile(policy: &Policy) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Seccomp { source };
    let mut whole: Option<ScmpFilterContext> = None;
    for (convention, arch) in conventions() {
        let mut filter = ScmpFilterContext::new(action(policy.default)).map_err(failed)?;
        if arch != ScmpArch::Native && ScmpArch::native() != arch {
            filter.remove_arch(ScmpArch::native()).map_err(failed)?;
            filter.add_arch(arch).map_err(failed)?;
        }
        // A filter that is loaded without the right to do so would need no_new_privs, which breaks
        // set-uid programs inside.
        filter.set_ctl_nnp(false).map_err(failed)?;
        if policy.reject_force_umount {
            reject_force_umount(&mut filter)?;
        }
        for rule in &policy.rules {
            // Numbers are those of the machine's own convention.
            let numbered = matches!(rule.call, Call::Number(_)) && arch != ScmpArch::native();
            let meant = rule.convention == Convention::All || rule.convention == convention;
            if meant && !numbered {
                add(&mut filter, rule, policy.default)?;
            }
        }
        match &mut whole {
            None => whole = Some(filter),
            Some(whole) => drop(whole.merge(filter).map_err(failed)?),
        }
    }
    whole.map_or_else(|| Ok(Vec::new()), |filter| export(&filter))
}

fn reject_force_umount(filter: &mut ScmpFilterContext) -> Result<(), Error> {
    let failed = |source| Error::Seccomp { source };
    let umount2 = ScmpSyscall::from_name("umount2").map_err(failed)?;
    let forced = ScmpArgCompare::new(1, ScmpCompareOp::MaskedEqual(MNT_FORCE), MNT_FORCE);
    let refuse = ScmpAction::Errno(rustix::io::Errno::ACCESS.raw_os_error());
    filter.add_rule_conditional(refuse, umount2, &[forced]).map(drop).map_err(failed)
}

fn add(filter: &mut ScmpFilterContext, rule: &Rule, default: Action) -> Result<(), Error> {
    // That is what happens anyway, and the library refuses to say it.
    if rule.action == default {
        return Ok(());
    }
    let call = match &rule.call {
        // Numbers that nothing has cannot be called either.
        Call::Number(number) if ScmpSyscall::from(*number).get_name().is_err() => return Ok(()),
        Call::Number(number) => ScmpSyscall::from(*number),
        Call::Name(name) => match ScmpSyscall::from_name(name) {
            Ok(call) => call,
            Err(_) => {
                // As in LXC: policies are written for more than one machine.
                tracing::warn!(name, "there is no such system call on this machine; the rule is skipped");
                return Ok(());
            }
        },
    };
    let arguments: Vec<_> = rule.arguments.iter().map(argument).collect();
    filter
        .add_rule_conditional(action(rule.action), call, &arguments)
        .map(drop)
        .map_err(|source| Error::Seccomp { source })
}

fn action(action: Action) -> ScmpAction {
    match action {
        Action::Allow => ScmpAction::Allow,
        Action::Errno(number) => ScmpAction::Errno(number),
        Action::Kill => ScmpAction::KillThread,
        Action::KillProcess => ScmpAction::KillProcess,
        Action::Trap => ScmpAction::Trap,
        Action::Log => ScmpAction::Log,
    }
}

fn argument(argument: &Argument) -> ScmpArgCompare {
    let compare = match argument.compare {
        Compare::NotEqual => ScmpCompareOp::NotEqual,
        Compare::Less => ScmpCompareOp::Less,
        Compare::LessOrEqual => ScmpCompareOp::LessOrEqual,
        Compare::Equal => ScmpCompareOp::Equal,
        Compare::GreaterOrEqual => ScmpCompareOp::GreaterEqual,
        Compare::Greater => ScmpCompareOp::Greater,
        Compare::MaskedEqual(mask) => ScmpCompareOp::MaskedEqual(mask),
    };
    ScmpArgCompare::new(argument.index, compare, argument.value)
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
    use model::config::Syscalls;

    fn compiled(syscalls: &Syscalls) -> Vec<u8> {
        compile(&parse(&syscalls.policy().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn policies_are_a_whole_number_of_instructions() {
        let list =
            |compat| Syscalls::Blacklist { default: true, compat, lines: "mkdir\nrmdir errno 1".into() };
        for policy in [
            list(false),
            list(true),
            Syscalls::Whitelist("read\nwrite\nopenat [2,0,SCMP_CMP_EQ]\nno_such_call".into()),
            Syscalls::Raw("1\nwhitelist\n0\n1\n".into()),
            Syscalls::Raw("2\ndenylist\n[x86]\nmkdir kill_process\n[mips]\nmkdir\n".into()),
        ] {
            let program = compiled(&policy);
            assert!(!program.is_empty() && program.len().is_multiple_of(8), "{policy:?}: {}", program.len());
            assert!(program.len() <= 4096 * 8);
        }
        assert_ne!(compiled(&list(true)), compiled(&list(false)));
    }

    #[test]
    fn nothing_is_filtered_when_nothing_is_denied() {
        let config = model::config::Config::from([(
            "security.syscalls.blacklist_default".to_owned(),
            "false".to_owned(),
        )]);
        assert!(Filters::default().program(&Effective::parse(&config).unwrap()).unwrap().is_none());
        assert!(
            Filters::default().program(&Effective::parse(&api::Config::new()).unwrap()).unwrap().is_some()
        );
    }
}
