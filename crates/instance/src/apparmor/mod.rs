//! An AppArmor profile for each container: written, loaded and stacked before it starts, removed
//! when it has ended.
//!
//! Where the kernel can, a container gets a policy namespace of its own as well: it is confined by
//! its profile and by what it loads itself, at the same time (`profile//&:namespace:`).

mod complement;
mod host;
mod names;
mod profile;

use crate::Error;
use crate::var::Var;
use host::Kernel;
use profile::Facts;
use std::path::PathBuf;
use std::sync::Arc;
use tools::apparmor_parser;

/// What a container's configuration says about its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) privileged: bool,
    pub(crate) nesting: bool,
    /// Lines added to the generated profile.
    pub(crate) raw: String,
    /// Whose profile it is.
    pub(crate) choice: Choice,
}

/// Whose profile confines a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One made for it.
    #[default]
    Generated,
    /// One that the host has loaded, or `unconfined`.
    Named(String),
    /// The one that the daemon has.
    Unchanged,
}

/// AppArmor on this host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Apparmor(Arc<Inner>);

struct Inner {
    var: Var,
    /// Or why containers get no profiles.
    kernel: Result<Kernel, String>,
    /// What profiles may mediate, where sockets are better left out.
    features: Option<PathBuf>,
}

impl Apparmor {
    /// Looks at what the host has.
    pub(crate) async fn open(var: Var) -> Result<Self, Error> {
        let kernel = host::detect().await;
        if kernel.is_ok() {
            for dir in ["security/apparmor", "security/apparmor/profiles", "security/apparmor/cache"] {
                crate::var::directory(&var.root().join(dir), 0o700)?;
            }
        }
        let mut features = None;
        if kernel.is_ok()
            && let Some(text) = host::features_without_network()
        {
            let path = var.root().join("security/apparmor/features");
            write(path.clone(), text).await?;
            features = Some(path);
        }
        Ok(Self(Arc::new(Inner { var, kernel, features })))
    }

    /// What is missing, for people.
    pub(crate) fn warning(&self) -> Option<String> {
        let why = self.0.kernel.as_ref().err()?;
        Some(format!("Containers are not confined by AppArmor profiles: {why}"))
    }

    /// Loads what a container needs, in place of what was loaded for it. The label that its
    /// programs get; `None`: they get none of their own.
    pub(crate) async fn load(&self, container: &str, wish: &Wish) -> Result<Option<String>, Error> {
        let Ok(kernel) = &self.0.kernel else { return Ok(None) };
        match &wish.choice {
            Choice::Unchanged => return Ok(None),
            Choice::Named(name) => return Ok(Some(name.clone())),
            Choice::Generated => {}
        }
        let var = self.0.var.root();
        let name = names::profile(container, var);
        let namespace = kernel.stacks.then(|| names::namespace(container, var));
        // Without lines about it, all of the network is allowed anyway.
        let features = self
            .0
            .features
            .as_deref()
            .filter(|_| !["network", "unix"].iter().any(|word| wish.raw.contains(word)));
        let text = profile::text(&Facts {
            name: &name,
            namespace: namespace.as_deref(),
            privileged: wish.privileged,
            nesting: wish.nesting,
            language: kernel.language,
            network: features.is_none(),
            raw: &wish.raw,
        });
        let file = self.file(container);
        write(file.clone(), text).await?;
        if let Some(namespace) = &namespace {
            host::make_namespace(namespace)?;
        }
        apparmor_parser::load(&self.cache(), &file, features).await.map_err(Error::Apparmor)?;
        Ok(Some(match namespace {
            Some(namespace) => format!("{name}//&:{namespace}:"),
            None => name,
        }))
    }

    /// Removes a container's profile and namespace from the kernel; what is not there is fine.
    pub(crate) async fn unload(&self, container: &str) {
        let Ok(kernel) = &self.0.kernel else { return };
        let var = self.0.var.root();
        if kernel.stacks {
            host::remove_namespace(&names::namespace(container, var));
        }
        let file = self.file(container);
        if !host::is_loaded(&names::profile(container, var)) {
            return;
        }
        if let Err(error) = apparmor_parser::unload(&self.cache(), &file).await {
            tracing::warn!(instance = container, %error, "cannot unload the AppArmor profile");
        }
    }

    /// Removes the files of a container that is gone.
    pub(crate) async fn remove(&self, container: &str) {
        if self.0.kernel.is_err() {
            return;
        }
        self.unload(container).await;
        let (file, cache) = (self.file(container), self.cache());
        let name = file_name(container);
        let removed = tokio::task::spawn_blocking(move || {
            // Below the cache there is a directory for each set of features of the kernel.
            for dir in std::fs::read_dir(&cache).into_iter().flatten().flatten() {
                let _ = std::fs::remove_file(dir.path().join(&name));
            }
            match std::fs::remove_file(&file) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %file.display(), %source, "cannot remove the AppArmor profile");
                }
                _ => {}
            }
        });
        // It does not panic.
        let _ = removed.await;
    }

    /// Removes what a daemon that was killed has left of containers that do not run.
    pub(crate) async fn sweep(&self, runs: impl Fn(&str) -> bool) {
        if self.0.kernel.is_err() {
            return;
        }
        let dir = self.0.var.root().join("security/apparmor/profiles");
        let names: Vec<String> = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix("lxd-")?.to_owned()))
            .collect();
        for name in names.iter().filter(|name| !runs(name)) {
            self.unload(name).await;
        }
    }

    fn file(&self, container: &str) -> PathBuf {
        self.0.var.root().join("security/apparmor/profiles").join(file_name(container))
    }

    fn cache(&self) -> PathBuf {
        self.0.var.root().join("security/apparmor/cache")
    }
}

fn file_name(container: &str) -> String {
    format!("lxd-{container}")
}

/// Writes a file unless it has this text already: what was compiled from it is good as long as the
/// file is older.
async fn write(file: PathBuf, text: String) -> Result<(), Error> {
    tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        if std::fs::read_to_string(&file).is_ok_and(|present| present == text) {
            return Ok(());
        }
        std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut open| open.write_all(text.as_bytes()))
            .map_err(|source| Error::Path { doing: "write", path: file, source })
    })
    .await
    .map_err(|_| Error::Shutdown)?
}
