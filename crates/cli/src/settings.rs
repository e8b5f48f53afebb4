//! `config.yml`: servers and aliases.

use crate::yaml::{self, YamlError};
use client::Keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("cannot understand {path}; correct or remove it", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: YamlError,
    },
    /// It cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other commands cannot be kept from changing it.
    #[error("cannot lock {path}", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No directory to put it in.
    #[error("cannot tell where settings belong: set HOME or LXD_CONF")]
    NoHome,
}

/// A server that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remote {
    /// Its URL.
    pub(crate) addr: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) auth_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) protocol: String,
    pub(crate) public: bool,
    /// What other clients keep here.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, serde_json::Value>,
    /// Built in, never changed and never written down.
    #[serde(skip)]
    pub(crate) fixed: bool,
}

/// The file as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct File {
    #[serde(rename = "default-remote", deserialize_with = "api::null_default")]
    default_remote: String,
    #[serde(deserialize_with = "api::null_default")]
    remotes: BTreeMap<String, Remote>,
    #[serde(deserialize_with = "api::null_default")]
    aliases: BTreeMap<String, String>,
    /// What other clients keep here.
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// The file as it is first written. Most people leave it so, and then every command saves the time
/// of parsing it.
const UNTOUCHED: &str = "\
default-remote: local
remotes:
  images:
    addr: https://images.linuxcontainers.org
    protocol: simplestreams
    public: true
aliases: {}
";

/// Servers and aliases.
#[derive(Debug)]
pub(crate) struct Settings {
    path: Option<PathBuf>,
    /// Held from reading until the end by who changes them.
    _lock: Option<std::fs::File>,
    existed: bool,
    pub(crate) default_remote: String,
    pub(crate) remotes: BTreeMap<String, Remote>,
    pub(crate) aliases: BTreeMap<String, String>,
    rest: BTreeMap<String, serde_json::Value>,
}

impl Settings {
    /// Reads `config.yml` in `LXD_CONF`, else in `~/.config/lxc`; none is as good as an empty one.
    pub(crate) fn load() -> Result<Self, SettingsError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = set("LXD_CONF").or_else(|| Some(set("HOME")?.join(".config/lxc")));
        Self::read(directory.map(|directory| directory.join("config.yml")))
    }

    /// Reads them to change them: nobody else does until these are dropped. Waits for who does now.
    ///
    /// # Errors
    /// As [`Settings::load`]; the lock file cannot be had.
    pub(crate) fn load_to_change() -> Result<Self, SettingsError> {
        Self::load()?.locked()
    }

    /// The same ones as they are when nobody else changes them.
    fn locked(self) -> Result<Self, SettingsError> {
        let directory = self.directory()?;
        let path = directory.join("config.lock");
        // Not the file itself, which is another one after each change.
        let locked = std::fs::create_dir_all(directory).and_then(|()| {
            let file = std::fs::File::options().create(true).append(true).open(&path)?;
            file.lock().map(|()| file)
        });
        let lock = locked.map_err(|source| SettingsError::Lock { path, source })?;
        Ok(Self { _lock: Some(lock), ..Self::read(self.path)? })
    }

    fn read(path: Option<PathBuf>) -> Result<Self, SettingsError> {
        let text = match path.as_deref().map(std::fs::read_to_string) {
            Some(Ok(text)) => Some(text),
            Some(Err(source)) if source.kind() != io::ErrorKind::NotFound => {
                return Err(SettingsError::Read { path: path.unwrap_or_default(), source });
            }
            _ => None,
        };
        let existed = text.is_some();
        let file = match text {
            Some(text) if text != UNTOUCHED => yaml::from_str(&text)
                .map_err(|source| SettingsError::Parse { path: path.clone().unwrap_or_default(), source })?,
            _ => File {
                remotes: [("images".to_owned(), streams("https://images.linuxcontainers.org", false))].into(),
                ..File::default()
            },
        };
        let mut remotes = file.remotes;
        remotes.extend(built_in());
        let named = Some(file.default_remote).filter(|name| remotes.contains_key(name));
        Ok(Self {
            path,
            _lock: None,
            existed,
            default_remote: named.unwrap_or_else(|| "local".to_owned()),
            remotes,
            aliases: file.aliases,
            rest: file.rest,
        })
    }

    /// The certificates beside the file.
    pub(crate) fn keys(&self) -> Result<Keys, SettingsError> {
        Ok(Keys::new(self.directory()?.to_owned()))
    }

    /// Where the file and everything beside it are.
    pub(crate) fn directory(&self) -> Result<&Path, SettingsError> {
        self.path.as_deref().and_then(Path::parent).ok_or(SettingsError::NoHome)
    }

    /// Writes the file through a temporary one.
    pub(crate) fn save(&self) -> Result<(), SettingsError> {
        let path = self.path.clone().ok_or(SettingsError::NoHome)?;
        let file = File {
            default_remote: self.default_remote.clone(),
            remotes: self.remotes.iter().filter(|(_, remote)| !remote.fixed).map(clone_pair).collect(),
            aliases: self.aliases.clone(),
            rest: self.rest.clone(),
        };
        let text =
            yaml::to_string(&file).map_err(|source| SettingsError::Parse { path: path.clone(), source })?;
        write(&path, &text).map_err(|source| SettingsError::Write { path, source })
    }

    /// On a machine with a daemon, tells a newcomer once how to begin.
    pub(crate) fn greet(&self) {
        let data = std::env::var_os("LXD_DIR").map_or_else(|| PathBuf::from("/var/lib/lxd"), PathBuf::from);
        if self.existed || !data.exists() {
            return;
        }
        // A home that cannot be written is no reason to say it every time. Another command may have been
        // faster.
        match Self::load_to_change() {
            Ok(fresh) if !fresh.existed && fresh.save().is_ok() => {}
            _ => return,
        }
        eprintln!("If this is your first time running LXD on this machine, you should also run: lxd init");
        eprintln!("To start your first container, try: lxc launch debian/12");
        eprintln!();
    }
}

#[cfg(test)]
impl Settings {
    /// Settings of a machine where nothing was configured.
    pub(crate) fn for_tests() -> Self {
        Self::read(None).unwrap()
    }
}

fn clone_pair((name, remote): (&String, &Remote)) -> (String, Remote) {
    (name.clone(), remote.clone())
}

fn streams(addr: &str, fixed: bool) -> Remote {
    let protocol = "simplestreams".to_owned();
    Remote { addr: addr.to_owned(), protocol, public: true, fixed, ..Remote::default() }
}

fn built_in() -> [(String, Remote); 3] {
    let local = Remote { addr: "unix://".to_owned(), fixed: true, ..Remote::default() };
    [
        ("local".to_owned(), local),
        ("ubuntu".to_owned(), streams("https://cloud-images.ubuntu.com/releases", true)),
        ("ubuntu-daily".to_owned(), streams("https://cloud-images.ubuntu.com/daily", true)),
    ]
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_down_gives_the_usual_servers() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::read(Some(dir.path().join("config.yml"))).unwrap();
        assert_eq!(settings.default_remote, "local");
        assert_eq!(
            settings.remotes.keys().collect::<Vec<_>>(),
            ["images", "local", "ubuntu", "ubuntu-daily"]
        );
    }

    #[test]
    fn the_file_that_is_known_by_heart_is_the_one_that_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yml");
        let fresh = Settings::read(Some(path.clone())).unwrap();
        fresh.save().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), UNTOUCHED);
        // Parsed (the comment makes it another text) it says the same.
        std::fs::write(&path, format!("# mine\n{UNTOUCHED}")).unwrap();
        let parsed = Settings::read(Some(path)).unwrap();
        assert_eq!((parsed.remotes, parsed.default_remote), (fresh.remotes, fresh.default_remote));
    }

    #[test]
    fn changes_at_the_same_moment_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yml");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = path.clone();
                scope.spawn(move || {
                    let mut settings = Settings::read(Some(path)).unwrap().locked().unwrap();
                    std::thread::yield_now();
                    settings.aliases.insert(format!("a{n}"), "list".into());
                    settings.save().unwrap();
                });
            }
        });
        assert_eq!(Settings::read(Some(path)).unwrap().aliases.len(), 8);
    }

    #[test]
    fn what_is_saved_comes_back_and_built_in_servers_are_not_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/config.yml");
        let mut settings = Settings::read(Some(path.clone())).unwrap();
        settings.remotes.insert("lab".into(), Remote { addr: "unix:///x".into(), ..Remote::default() });
        settings.default_remote = "lab".into();
        settings.aliases.insert("sh".into(), "exec @ARGS@ -- sh".into());
        settings.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("ubuntu-daily") && text.contains("default-remote: lab"), "{text}");
        let again = Settings::read(Some(path)).unwrap();
        assert_eq!(again.remotes["lab"].addr, "unix:///x");
        assert_eq!(again.default_remote, "lab");
        assert_eq!(again.aliases["sh"], "exec @ARGS@ -- sh");
        assert!(again.remotes["local"].fixed);
    }

    #[test]
    fn a_file_of_the_original_client_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yml");
        let text = "default-remote: gone\nremotes:\n  lab:\n    addr: https://h:8443\n    protocol: lxd\n    \
                    public: false\n    auth_type: tls\n    project: default\naliases: {}\nnotes:\n  a: 1\n";
        std::fs::write(&path, text).unwrap();
        let settings = Settings::read(Some(path.clone())).unwrap();
        assert_eq!(settings.default_remote, "local");
        assert_eq!(settings.remotes["lab"].protocol, "lxd");
        // What we know nothing about is still there afterwards.
        settings.save().unwrap();
        let saved = std::fs::read_to_string(&path).unwrap();
        for line in ["    project: default\n", "\nnotes:\n  a: 1\n", "    public: false\n"] {
            assert!(saved.contains(line), "{line:?} is not in {saved}");
        }
        std::fs::write(&path, "remotes: [").unwrap();
        assert!(matches!(Settings::read(Some(path)), Err(SettingsError::Parse { .. })));
    }
}
