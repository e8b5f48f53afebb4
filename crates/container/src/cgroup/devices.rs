//! Which devices the processes of a group may use.
//!
//! Version 1 has files for it. Version 2 has none: a program in the kernel decides, and is replaced
//! as a whole when something changes.

use super::files::{failed, write};
use super::layout::{Hierarchy, Layout, Version};
use super::{Cgroup, Error};
use model::runtime::devices::{DeviceRule, NodeKind};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::bpf::{Instruction, attach_device_filter, device_filters, load_device_filter};

/// What the kernel shows the program as.
const NAME: &str = "container_dev";

impl Cgroup {
    /// Allow these devices and no others. Where the host can do neither, nothing is restricted, which
    /// [`Layout::missing`] tells.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Filter`].
    pub fn restrict_devices(&self, rules: &[DeviceRule]) -> Result<(), Error> {
        match self.layout.with("devices") {
            Some(hierarchy) => {
                write(&self.dir(hierarchy).join("devices.deny"), "a")?;
                self.allow_v1(hierarchy, rules)
            }
            None => self.filter(rules),
        }
    }

    /// Allow these devices and no others, where `before` was allowed until now. Devices that are
    /// allowed before and after stay so all the time.
    ///
    /// # Errors
    /// As for [`Cgroup::restrict_devices`].
    pub fn change_devices(&self, before: &[DeviceRule], rules: &[DeviceRule]) -> Result<(), Error> {
        let Some(hierarchy) = self.layout.with("devices") else { return self.filter(rules) };
        let deny = self.dir(hierarchy).join("devices.deny");
        for rule in before.iter().filter(|rule| !rules.contains(rule)) {
            write(&deny, &rule.to_string())?;
        }
        self.allow_v1(hierarchy, rules)
    }

    fn allow_v1(&self, hierarchy: &Hierarchy, rules: &[DeviceRule]) -> Result<(), Error> {
        let allow = self.dir(hierarchy).join("devices.allow");
        rules.iter().try_for_each(|rule| write(&allow, &rule.to_string()))
    }

    fn filter(&self, rules: &[DeviceRule]) -> Result<(), Error> {
        let Some(dir) = self.unified_dir().filter(|_| filters_work(&self.layout)) else { return Ok(()) };
        let filtered = |source: Errno| Error::Filter { path: dir.clone(), source };
        let group = open(&dir).map_err(|errno| failed("open", &dir, errno.into()))?;
        let new = load_device_filter(&program(rules), NAME).map_err(filtered)?;
        let old = device_filters(group.as_fd()).map_err(filtered)?;
        let replaced = old.first().map(AsFd::as_fd);
        attach_device_filter(group.as_fd(), new.as_fd(), replaced).map_err(filtered)
    }
}

/// Whether the kernel filters devices for groups of version 2.
pub(super) fn filters_work(layout: &Layout) -> bool {
    let Some(hierarchy) = layout.hierarchies.iter().find(|h| h.version == Version::V2) else { return false };
    open(&hierarchy.dir).and_then(|dir| device_filters(dir.as_fd())).is_ok()
}

fn open(dir: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

// From here on everything is pure. Codes of instructions, see the kernel's `bpf_common.h` and `bpf.h`.

/// Load four bytes.
const LOAD: u8 = 0x61;
/// Copy a register, 32 bits.
const COPY: u8 = 0xbc;
/// Set a register to a number, 32 bits.
const SET: u8 = 0xb4;
/// Bitwise and with a number, 32 bits.
const AND: u8 = 0x54;
/// Shift right by a number, 32 bits.
const SHIFT: u8 = 0x74;
/// Jump if a register's lower half is not a number.
const UNLESS: u8 = 0x56;
/// End.
const EXIT: u8 = 0x95;

/// Registers: what the program answers, what it is given, and what it takes apart.
const ANSWER: u8 = 0;
const GIVEN: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;
/// Everything but `BPF_DEVCG_ACC_MKNOD`: reading and writing.
const OPENING: i32 = 2 | 4;

const fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, immediate }
}

/// A program that allows these devices and nothing else.
///
/// It is given access and kind in one number, the kind in the lower half, then major and minor.
fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        op(LOAD, KIND, GIVEN, 0, 0),
        op(COPY, ACCESS, KIND, 0, 0),
        op(AND, KIND, 0, 0, 0xffff),
        op(SHIFT, ACCESS, 0, 0, 16),
        op(LOAD, MAJOR, GIVEN, 4, 0),
        op(LOAD, MINOR, GIVEN, 8, 0),
    ];
    for rule in rules {
        program.extend(allow(rule));
    }
    program.push(op(SET, ANSWER, 0, 0, 0));
    program.push(op(EXIT, 0, 0, 0, 0));
    program
}

/// Answer yes if everything fits, else go on behind it.
fn allow(rule: &DeviceRule) -> Vec<Instruction> {
    let kind = match rule.kind {
        NodeKind::Block => BLOCK,
        NodeKind::Char => CHAR,
    };
    let mut lines = vec![op(UNLESS, KIND, 0, 0, kind)];
    if !rule.open {
        lines.push(op(COPY, GIVEN, ACCESS, 0, 0));
        lines.push(op(AND, GIVEN, 0, 0, OPENING));
        lines.push(op(UNLESS, GIVEN, 0, 0, 0));
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number {
            lines.push(op(UNLESS, register, 0, 0, number.cast_signed()));
        }
    }
    lines.push(op(SET, ANSWER, 0, 0, 1));
    lines.push(op(EXIT, 0, 0, 0, 0));
    let length = lines.len();
    for (at, line) in lines.iter_mut().enumerate() {
        if line.code == UNLESS {
            // A rule is a handful of lines.
            line.offset = i16::try_from(length - at - 1).unwrap_or(i16::MAX);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program answers, by running it here.
    fn answer(program: &[Instruction], kind: i32, access: i32, major: u32, minor: u32) -> u32 {
        let given = [(access << 16 | kind).cast_unsigned(), major, minor];
        let mut registers = [0_u32; 16];
        let mut at = 0;
        loop {
            let line = program[at];
            let to = usize::from(line.registers & 0xf);
            let from = usize::from(line.registers >> 4);
            at += 1;
            match line.code {
                LOAD => registers[to] = given[usize::try_from(line.offset).unwrap() / 4],
                COPY => registers[to] = registers[from],
                SET => registers[to] = line.immediate.cast_unsigned(),
                AND => registers[to] &= line.immediate.cast_unsigned(),
                SHIFT => registers[to] >>= line.immediate,
                UNLESS if registers[to] != line.immediate.cast_unsigned() => {
                    at += usize::try_from(line.offset).unwrap();
                }
                UNLESS => {}
                EXIT => return registers[0],
                other => panic!("unknown code {other:#x}"),
            }
        }
    }

    const MKNOD: i32 = 1;
    const READ: i32 = 2;
    const WRITE: i32 = 4;

    #[test]
    fn what_is_not_allowed_is_denied() {
        let made = |kind| DeviceRule { kind, major: None, minor: None, open: false };
        let rules = [
            made(NodeKind::Char),
            DeviceRule::node(NodeKind::Char, 1, 3),
            DeviceRule { kind: NodeKind::Char, major: Some(136), minor: None, open: true },
            DeviceRule::node(NodeKind::Block, 7, 0),
        ];
        let program = program(&rules);
        for (kind, access, major, minor, expected) in [
            (CHAR, READ | WRITE, 1, 3, 1),
            (CHAR, READ, 1, 3, 1),
            (CHAR, READ, 1, 5, 0),
            (CHAR, READ, 2, 3, 0),
            (CHAR, WRITE, 136, 77, 1),
            (CHAR, MKNOD, 99, 99, 1),
            (CHAR, MKNOD | READ, 99, 99, 0),
            (BLOCK, READ, 1, 3, 0),
            (BLOCK, MKNOD, 8, 0, 0),
            (BLOCK, READ | WRITE | MKNOD, 7, 0, 1),
            (BLOCK, READ, 7, 1, 0),
        ] {
            let said = answer(&program, kind, access, major, minor);
            assert_eq!(said, expected, "kind {kind} access {access} {major}:{minor}");
        }
        assert_eq!(answer(&super::program(&[]), CHAR, READ, 1, 3), 0);
    }

    /// The kernel accepts the program, and does what it says, to a process in a group of version 2.
    #[test]
    fn the_kernel_agrees() {
        const TEST: &str = "the_kernel_agrees";
        let layout = Layout::detect().unwrap();
        let Some(hierarchy) = layout.hierarchies.iter().find(|h| h.version == Version::V2) else {
            eprintln!("SKIP {TEST}: there is no hierarchy of version 2");
            return;
        };
        if !filters_work(&layout) {
            eprintln!("SKIP {TEST}: the kernel has no device filters for control groups, or needs root");
            return;
        }
        let path = format!("lxd-test-devices-{}", std::process::id());
        let dir = hierarchy.dir.join(&path);
        std::fs::create_dir(&dir).unwrap();
        let only_v2 = Layout { hierarchies: std::iter::once(hierarchy.clone()).collect() };
        let group = Cgroup::open(&only_v2, &path).unwrap();
        let opens = |device: &str| {
            let directory = open(&dir).unwrap();
            let path = std::ffi::CString::new(device).unwrap();
            let child = sys::clone3::clone3(sys::clone3::Namespaces::NONE, Some(directory.as_fd()), || {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                i32::from(openat(CWD, path.as_c_str(), flags, Mode::empty()).is_err())
            })
            .unwrap();
            sys::waitid::wait(child.pidfd.as_fd()) == Ok(sys::waitid::Ended::Code(0))
        };
        let null = DeviceRule::node(NodeKind::Char, 1, 3);
        let zero = DeviceRule::node(NodeKind::Char, 1, 5);
        assert!(opens("/dev/null") && opens("/dev/zero"));
        group.restrict_devices(&[null]).unwrap();
        assert!(opens("/dev/null") && !opens("/dev/zero"));
        group.change_devices(&[null], &[null, zero]).unwrap();
        assert!(opens("/dev/null") && opens("/dev/zero"));
        group.change_devices(&[null, zero], &[zero]).unwrap();
        assert!(!opens("/dev/null") && opens("/dev/zero"));
        let directory = open(&dir).unwrap();
        assert_eq!(device_filters(directory.as_fd()).unwrap().len(), 1, "the old ones are gone");
        drop(directory);
        group.remove(std::time::Duration::from_secs(10)).unwrap();
    }
}
