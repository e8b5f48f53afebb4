//! `POST /1.0/images` with the name of a container or snapshot: it becomes an image.

use crate::operations::{Operations, Reporter, Task};
use crate::wire::{Answer, Refusal, accepted};
use api::images::ImagesPost;
use instance::images::Description;
use instance::instances::{Instances, Publication};
use instance::settings::Settings;

/// Publishes what the request names.
pub(crate) fn publish(
    instances: &Instances,
    settings: &Settings,
    operations: &Operations,
    post: ImagesPost,
) -> Answer {
    let (kind, name) = (post.source.kind.as_str(), &post.source.name);
    if name.is_empty() {
        return Err(Refusal::bad_request(
            "The source has no name; name a container, or a snapshot as container/snapshot",
        ));
    }
    if (kind == "snapshot") != name.contains('/') {
        return Err(Refusal::bad_request(format!("{name:?} is no name of a {kind}")));
    }
    let compression = match post.compression_algorithm.trim() {
        "" => settings.compression_algorithm(),
        given => given.to_owned(),
    };
    let description = Description {
        filename: post.filename,
        public: post.public,
        aliases: post.aliases,
        ..Description::default()
    };
    let publication = Publication {
        source: name.clone(),
        compression,
        properties: post.properties,
        expires_at: post.expires_at,
        description,
    };
    let reporter = Reporter::default();
    let work = instances.publish(publication, reporter.progress())?;
    let task = Task { description: "Downloading image", resources: None, may_cancel: true };
    accepted(&operations.run_reporting(task, &reporter, |_| work))
}
