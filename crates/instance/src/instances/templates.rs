//! Files that an image fills in: host name, network configuration, cloud-init's seed.

use super::owner::Owner;
use crate::Error;
use api::Config;
use image::metadata::Metadata;
use image::templates::{self, Context, Trigger};
use model::IdMap;
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const PENDING: &str = "volatile.apply_template";

impl Owner {
    /// Applies the pending trigger (`create`, `copy`), then `start`.
    pub(super) async fn apply_templates(
        &self,
        home: &Path,
        shifted: Option<&IdMap>,
        changes: &mut Config,
    ) -> Result<(), Error> {
        let file = home.join("metadata.yaml");
        let text = match tokio::fs::read_to_string(&file).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::Path { doing: "read", path: file, source }),
        };
        let metadata = Metadata::parse(&text).map_err(image::Error::from)?;
        if metadata.templates.is_empty() {
            return Ok(());
        }
        let pending = self.record.config.get(PENDING).and_then(|trigger| Trigger::parse(trigger));
        let contexts: Vec<(Trigger, Context)> = pending
            .into_iter()
            .chain([Trigger::Start])
            .map(|trigger| (trigger, self.template_context(trigger)))
            .collect();
        changes.insert(PENDING.to_owned(), String::new());
        let owner =
            shifted.map_or((0, 0), |map| (map.host_uid(0).unwrap_or(0), map.host_gid(0).unwrap_or(0)));
        let (home, name) = (home.to_owned(), self.name().to_owned());
        tokio::task::spawn_blocking(move || {
            let templates = open_dir(&home.join("templates")).ok();
            let rootfs = open_dir(&home.join("rootfs"))?;
            for (trigger, context) in contexts {
                let templates = templates.as_ref().map(AsFd::as_fd);
                let applied =
                    templates::apply(&metadata, trigger, templates, rootfs.as_fd(), &context, owner)
                        .map_err(image::Error::from)?;
                for (path, error) in applied.failed {
                    tracing::warn!(
                        instance = name,
                        path,
                        error = &error as &dyn std::error::Error,
                        "a template is wrong"
                    );
                }
            }
            Ok(())
        })
        .await
        .map_err(|_| Error::Shutdown)?
    }

    /// Has the templates of a trigger applied at the next start, unless another one is waited for.
    pub(super) async fn expect_templates(&mut self, trigger: &str) {
        if self.record.config.contains_key(PENDING) {
            return;
        }
        let changes = Config::from([(PENDING.to_owned(), trigger.to_owned())]);
        if let Err(error) = self.save_keys(changes).await {
            tracing::error!(instance = self.name(), error = %error.story(), "cannot remember a trigger of templates");
        }
    }

    fn template_context(&self, trigger: Trigger) -> Context {
        let view = self.entry().view();
        let yes_no = |value: bool| if value { "true" } else { "false" }.to_owned();
        let privileged =
            view.expanded_config.get("security.privileged").is_some_and(|v| model::config::is_true(v));
        Context {
            trigger: trigger.name().to_owned(),
            container: [
                ("name".to_owned(), view.name.clone()),
                ("architecture".to_owned(), view.architecture.clone()),
                ("ephemeral".to_owned(), yes_no(view.ephemeral)),
                ("privileged".to_owned(), yes_no(privileged)),
            ]
            .into(),
            config: view.expanded_config.clone(),
            devices: view.expanded_devices.clone(),
            ..Context::default()
        }
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|source| Error::Path {
        doing: "open",
        path: path.to_owned(),
        source: source.into(),
    })
}
