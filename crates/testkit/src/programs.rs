//! Where the programs under test and their helpers are.

use std::path::PathBuf;

/// The path of one of our own programs: `lxd`, `lxc` or `lxd-keeper`.
///
/// `LXD_BIN`, `LXC_BIN` and `LXD_KEEPER_BIN` name them; otherwise they are looked for beside the
/// test program's directory, where cargo puts them.
///
/// # Panics
/// When it has not been built, saying how to.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let variable = format!("{}_BIN", name.replace('-', "_").to_uppercase());
    if let Some(path) = std::env::var_os(&variable) {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("the path of the running test");
    let found = test.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} was not found near {}: run `cargo build -p daemon -p keeper -p cli`, or set {variable}",
            test.display()
        )
    })
}

/// The first program of this name in `PATH` and the directories for administrators.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}
