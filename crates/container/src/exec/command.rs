//! Where a program may be, and what to say when it is nowhere.

use crate::Error;
use model::runtime::spec::ExecSpec;
use std::ffi::CString;
use sys::execve::Strings;

/// Searched when the environment has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command, ready for a child that does not allocate.
#[derive(Debug)]
pub(super) struct Command {
    /// Paths to try, in order.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: Strings,
    pub(super) environment: Strings,
    /// What the program's standard error says when there is none.
    pub(super) not_found: String,
    /// The same when it is there and cannot be executed.
    pub(super) not_executable: String,
}

impl Command {
    pub(super) fn new(spec: &ExecSpec) -> Result<Self, Error> {
        const STEP: &str = "read the command";
        let refused = |error: std::ffi::NulError| Error::refused(STEP, error.to_string());
        let program = match spec.command.first() {
            Some(program) => program.as_str(),
            None => return Err(Error::refused(STEP, "it is empty")),
        };
        let candidates = candidates(program, &spec.environment);
        Ok(Self {
            candidates: candidates
                .into_iter()
                .map(CString::new)
                .collect::<Result<_, _>>()
                .map_err(refused)?,
            arguments: Strings::new(&spec.command).map_err(refused)?,
            environment: Strings::new(&spec.environment).map_err(refused)?,
            not_found: format!("{program}: command not found\n"),
            not_executable: format!("{program}: cannot be executed\n"),
        })
    }
}

fn candidates(program: &str, environment: &[String]) -> Vec<String> {
    if program.is_empty() || program.contains('/') {
        return vec![program.to_owned()];
    }
    // The last one of a name counts, as for programs that read their environment.
    let path = environment.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
    path.filter(|path| !path.is_empty())
        .unwrap_or(PATH)
        .split(':')
        .map(|dir| if dir.is_empty() { program.to_owned() } else { format!("{dir}/{program}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_programs_are_searched() {
        let env = |path: &str| vec![format!("PATH={path}")];
        assert_eq!(candidates("/bin/ls", &env("/x")), ["/bin/ls"]);
        assert_eq!(candidates("./ls", &env("/x")), ["./ls"]);
        assert_eq!(candidates("ls", &env("/a::/b")), ["/a/ls", "ls", "/b/ls"]);
        assert_eq!(candidates("ls", &env("")).len(), 6);
        assert_eq!(candidates("ls", &[])[0], "/usr/local/sbin/ls");
    }
}
