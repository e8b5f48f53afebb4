//! Programs that tests run by themselves, to look at the host or to make what a pool can be put on.

use std::process::{Command, Output};

/// Runs a program and gives what it wrote to standard output; an error says all that it wrote.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let told = |output: &Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    match Command::new(program).args(arguments).env("LC_ALL", "C").output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            Err(format!("{program} {}: {}: {}", arguments.join(" "), output.status, told(&output).trim()))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// The same for what must work.
#[track_caller]
pub(crate) fn must(program: &str, arguments: &[&str]) -> String {
    match run(program, arguments) {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}

/// True if a program is installed.
pub(crate) fn installed(program: &str) -> bool {
    let directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    directories.iter().any(|directory| std::path::Path::new(directory).join(program).exists())
}
