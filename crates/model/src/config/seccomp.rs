//! Policies about system calls, in the language of LXC (`lxc.container.conf(5)`, SECCOMP
//! CONFIGURATION), versions 1 and 2.

use super::Syscalls;

/// Refused everywhere with ENOSYS: they act on the host's kernel, or get around path resolution.
const DEFAULT: &str = "reject_force_umount\n[all]\nkexec_load errno 38\nkexec_file_load errno 38\n\
    open_by_handle_at errno 38\ninit_module errno 38\nfinit_module errno 38\ndelete_module errno 38\n";

/// What programs of 32 bits cannot call on a host of 64, beside what they share with others.
const COMPAT: [&str; 31] = [
    "rt_sigaction",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
];
const COMPAT_X32: [&str; 3] = ["rt_sigreturn", "execve", "execveat"];

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Allow,
    /// It fails with this error number.
    Errno(i32),
    /// The thread that makes it ends.
    Kill,
    /// The process that makes it ends.
    KillProcess,
    /// The thread gets SIGSYS.
    Trap,
    /// It is made, and the kernel logs it.
    Log,
}

/// A calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// All that this host has.
    All,
    /// `x86_64`.
    X86_64,
    /// `x86`.
    X86,
    /// `x32`.
    X32,
    /// `aarch64`.
    Aarch64,
    /// `arm`.
    Arm,
    /// One that no rule here is about.
    Other,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `SCMP_CMP_NE`.
    NotEqual,
    /// `SCMP_CMP_LT`.
    Less,
    /// `SCMP_CMP_LE`.
    LessOrEqual,
    /// `SCMP_CMP_EQ`.
    Equal,
    /// `SCMP_CMP_GE`.
    GreaterOrEqual,
    /// `SCMP_CMP_GT`.
    Greater,
    /// `SCMP_CMP_MASKED_EQ`, with the mask.
    MaskedEqual(u64),
}

/// A condition on an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Counted from 0.
    pub index: u32,
    /// How it is compared.
    pub compare: Compare,
    /// With what.
    pub value: u64,
}

/// Which call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// By name.
    Name(String),
    /// By number, in version 1.
    Number(i32),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For whom.
    pub convention: Convention,
    /// For what.
    pub call: Call,
    /// What happens.
    pub action: Action,
    /// All of them have to be true.
    pub arguments: Vec<Argument>,
}

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens to calls that no rule is about.
    pub default: Action,
    /// In order.
    pub rules: Vec<Rule>,
    /// `umount2` with `MNT_FORCE` is refused.
    pub reject_force_umount: bool,
}

/// A policy that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy, {text:?}: {reason}")]
pub struct PolicyError {
    /// Counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong or what is allowed.
    pub reason: &'static str,
}

impl Syscalls {
    /// The text of the policy; `None` when nothing is filtered.
    #[must_use]
    pub fn policy(&self) -> Option<String> {
        if self.is_unfiltered() {
            return None;
        }
        Some(match self {
            Self::Raw(text) => text.clone(),
            Self::Whitelist(lines) => format!("2\nwhitelist\n[all]\n{lines}\n"),
            Self::Blacklist { default, compat, lines } => {
                let mut text = "2\nblacklist\n".to_owned();
                if *default {
                    text.push_str(DEFAULT);
                }
                if *compat {
                    let block =
                        |names: &[&str]| names.iter().map(|name| format!("{name} errno 38\n")).collect();
                    let (x86, x32): (String, String) = (block(&COMPAT), block(&COMPAT_X32));
                    text.push_str(&format!("[x86]\n{x86}[arm]\n{x86}[x32]\n{x86}{x32}"));
                }
                // A name alone means that whoever calls it is killed.
                text.push_str(&format!("[all]\n{lines}\n"));
                text
            }
        })
    }
}

/// Reads a policy.
///
/// # Errors
/// For the first line that is wrong.
pub fn parse(text: &str) -> Result<Policy, PolicyError> {
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let at = |(line, text): (usize, &str), reason| PolicyError { line, text: text.to_owned(), reason };
    let first = lines.next().unwrap_or((1, ""));
    let second = lines.next().unwrap_or((2, ""));
    match first.1 {
        "1" => version_1(second, lines),
        "2" => {
            let (default, rule) = header(second.1).map_err(|reason| at(second, reason))?;
            let mut policy = Policy { default, rules: Vec::new(), reject_force_umount: false };
            let mut convention = Convention::All;
            for line in lines {
                let text = line.1.split('#').next().unwrap_or_default().trim();
                if text.is_empty() {
                    continue;
                }
                if text == "reject_force_umount" {
                    policy.reject_force_umount = true;
                } else if let Some(name) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
                    convention = section(name);
                } else {
                    policy.rules.push(parse_rule(text, convention, rule).map_err(|reason| at(line, reason))?);
                }
            }
            Ok(policy)
        }
        _ => Err(at(first, "a policy begins with its version, 1 or 2, on a line of its own")),
    }
}

/// Checks lines of `security.syscalls.*`.
pub(super) fn check_lines(lines: &str) -> Result<(), String> {
    for (number, line) in lines.lines().enumerate() {
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() || text == "reject_force_umount" || text.starts_with('[') {
            continue;
        }
        parse_rule(text, Convention::All, Action::Kill)
            .map_err(|reason| format!("line {}, {line:?}: {reason}", number + 1))?;
    }
    Ok(())
}

fn version_1<'a>(
    second: (usize, &str),
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Policy, PolicyError> {
    let at = |(line, text): (usize, &str), reason| PolicyError { line, text: text.to_owned(), reason };
    if !matches!(second.1, "whitelist" | "allowlist") {
        return Err(at(second, "the second line of version 1 is whitelist"));
    }
    let mut policy = Policy { default: Action::Kill, rules: Vec::new(), reject_force_umount: false };
    for line in lines.filter(|(_, text)| !text.is_empty()) {
        let number = line.1.parse().map_err(|_| at(line, "version 1 has one number of a call in a line"))?;
        policy.rules.push(Rule {
            convention: Convention::All,
            call: Call::Number(number),
            action: Action::Allow,
            arguments: Vec::new(),
        });
    }
    Ok(policy)
}

/// What happens to what is not named, and to what is named without saying.
fn header(line: &str) -> Result<(Action, Action), &'static str> {
    let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (default, rule) = match kind {
        "whitelist" | "allowlist" => (Action::Kill, Action::Allow),
        "blacklist" | "denylist" => (Action::Allow, Action::Kill),
        _ => {
            return Err(
                "the second line is whitelist or blacklist, perhaps with what happens to other calls",
            );
        }
    };
    if rest.trim().is_empty() {
        return Ok((default, rule));
    }
    Ok((action(rest)?.0, rule))
}

fn section(name: &str) -> Convention {
    match name.to_ascii_lowercase().as_str() {
        "all" => Convention::All,
        "x86_64" | "amd64" => Convention::X86_64,
        "x86" | "i386" | "i686" => Convention::X86,
        "x32" => Convention::X32,
        "aarch64" | "arm64" => Convention::Aarch64,
        "arm" => Convention::Arm,
        _ => Convention::Other,
    }
}

const ACTIONS: &str = "say allow, errno and a number, kill, kill_process, trap or log";

/// An action at the beginning of a text, and what follows.
fn action(text: &str) -> Result<(Action, &str), &'static str> {
    let text = text.trim_start();
    let end = text.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let simple = match word {
        "allow" => Action::Allow,
        "kill" | "kill_thread" => Action::Kill,
        "kill_process" => Action::KillProcess,
        "trap" => Action::Trap,
        "log" => Action::Log,
        "notify" => return Err("calls are not passed on to anybody (notify)"),
        "errno" => {
            let rest = rest.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, rest) = rest.split_at(end);
            let number: i32 = number.parse().map_err(|_| "errno needs a number")?;
            // What the kernel can give back.
            return if number <= 4095 {
                Ok((Action::Errno(number), rest))
            } else {
                Err("errno is at most 4095")
            };
        }
        _ => return Err(ACTIONS),
    };
    Ok((simple, rest))
}

fn parse_rule(line: &str, convention: Convention, usual: Action) -> Result<Rule, &'static str> {
    let end = line.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err("begin with the name of a system call");
    }
    let rest = rest.trim_start();
    let (action, mut rest) =
        if rest.is_empty() || rest.starts_with('[') { (usual, rest) } else { action(rest)? };
    let mut arguments = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some(inner) = rest.strip_prefix('[') else { break };
        let (inside, after) = inner.split_once(']').ok_or(ARGUMENT)?;
        arguments.push(argument(inside)?);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(ARGUMENT);
    }
    let call = Call::Name(name.to_owned());
    Ok(Rule { convention, call, action, arguments })
}

const ARGUMENT: &str = "a condition is [index,value,operator], with a mask after SCMP_CMP_MASKED_EQ";

fn argument(text: &str) -> Result<Argument, &'static str> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let (index, value, operator, mask) = match fields[..] {
        [index, value, operator] => (index, value, operator, None),
        [index, value, operator, mask] => (index, value, operator, Some(mask)),
        _ => return Err(ARGUMENT),
    };
    let value = number(value).ok_or(ARGUMENT)?;
    let compare = match operator {
        "SCMP_CMP_NE" | "!=" => Compare::NotEqual,
        "SCMP_CMP_LT" | "<" => Compare::Less,
        "SCMP_CMP_LE" | "<=" => Compare::LessOrEqual,
        "SCMP_CMP_EQ" | "==" => Compare::Equal,
        "SCMP_CMP_GE" | ">=" => Compare::GreaterOrEqual,
        "SCMP_CMP_GT" | ">" => Compare::Greater,
        // LXC's order: the mask is the last field.
        "SCMP_CMP_MASKED_EQ" | "&=" => Compare::MaskedEqual(mask.and_then(number).ok_or(ARGUMENT)?),
        _ => return Err("operators are SCMP_CMP_NE, _LT, _LE, _EQ, _GE, _GT and _MASKED_EQ"),
    };
    let index: u32 = index.parse().map_err(|_| ARGUMENT)?;
    if index > 5 {
        return Err("a call has at most six arguments, counted from 0");
    }
    Ok(Argument { index, compare, value })
}

fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u64::from_str_radix(text, 8).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2() {
        let policy = parse(
            "2\nblacklist\nreject_force_umount  # comment\n[all]\nmknod errno 1 [1,0x2000,SCMP_CMP_MASKED_EQ,0xf000]\n\n[x86_64]\nsync\nchmod trap[1,8,SCMP_CMP_GT][0,0,SCMP_CMP_NE]\n",
        )
        .unwrap();
        assert!(policy.reject_force_umount && policy.default == Action::Allow);
        let masked = Argument { index: 1, compare: Compare::MaskedEqual(0xf000), value: 0x2000 };
        assert_eq!(
            (policy.rules[0].action, &policy.rules[0].arguments[..]),
            (Action::Errno(1), &[masked][..])
        );
        assert_eq!((policy.rules[1].action, policy.rules[1].convention), (Action::Kill, Convention::X86_64));
        assert_eq!((policy.rules[2].action, policy.rules[2].arguments.len()), (Action::Trap, 2));
        let list = parse("2\nwhitelist errno 5\n[all]\nread\n").unwrap();
        assert_eq!((list.default, list.rules[0].action), (Action::Errno(5), Action::Allow));
    }

    #[test]
    fn version_1_is_a_list_of_numbers() {
        let policy = parse("1\nwhitelist\n0\n1\n").unwrap();
        assert_eq!((policy.default, policy.rules.len()), (Action::Kill, 2));
        assert_eq!(policy.rules[1].call, Call::Number(1));
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, line) in [
            ("", 1),
            ("3\nwhitelist\n", 1),
            ("2\nsome\n", 2),
            ("2\nblacklist\n[all]\nmk-nod\n", 4),
            ("2\nblacklist\nmknod errno\n", 3),
            ("2\nblacklist\nmknod errno 5000\n", 3),
            ("2\nblacklist\nmknod perhaps\n", 3),
            ("2\nblacklist\nmknod notify\n", 3),
            ("2\nblacklist\nmknod errno 1 [9,1,SCMP_CMP_EQ]\n", 3),
            ("2\nblacklist\nmknod errno 1 [1,1,SCMP_CMP_MASKED_EQ]\n", 3),
            ("2\nblacklist\nmknod errno 1 [1,1\n", 3),
            ("1\nblacklist\n", 2),
            ("1\nwhitelist\nread\n", 3),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn what_configurations_say_is_a_policy() {
        let list = |default, compat, lines: &str| {
            Syscalls::Blacklist { default, compat, lines: lines.to_owned() }.policy()
        };
        assert_eq!(list(false, false, ""), None);
        let policy = parse(&list(true, true, "mkdir errno 7\nrmdir").unwrap()).unwrap();
        assert!(policy.reject_force_umount);
        let last = policy.rules.last().unwrap();
        assert_eq!((last.convention, last.action), (Convention::All, Action::Kill));
        assert!(policy.rules.iter().any(|r| r.convention == Convention::X86));
        let only = Syscalls::Whitelist("read\nwrite errno 1".to_owned()).policy().unwrap();
        assert_eq!(parse(&only).unwrap().rules[0].action, Action::Allow);
        assert!(check_lines("mkdir\n# x\n[x86]\nrmdir errno 1").is_ok());
        assert!(check_lines("mkdir perhaps").unwrap_err().starts_with("line 1"));
    }
}
