//! `/1.0/containers` and `/1.0/instances`: the same objects under two names.

use super::lists::{ListParams, answer, keep};
use super::migration;
use super::server::ServerPage;
use crate::operations::{Operations, Reporter, Task, container, containers};
use crate::wire::{Answer, Etag, IfMatch, Json, Params, Path, Recursion, Refusal, accepted, done, sync};
use crate::wire::{sync_bytes, sync_tagged};
use api::instances::{Instance, InstancePatch, InstancePost, InstancePut, InstancesPost};
use axum::extract::State;
use http::Uri;
use instance::instances::Instances;
use std::sync::Arc;

/// `containers` or `instances`, as the client said.
pub(crate) fn prefix(uri: &Uri) -> &'static str {
    if uri.path().starts_with("/1.0/instances") { "instances" } else { "containers" }
}

fn tag(instance: &Instance) -> Result<Etag, Refusal> {
    let Instance { architecture, config, devices, ephemeral, profiles, description, .. } = instance;
    Etag::of(&(architecture, config, devices, ephemeral, profiles, description))
}

/// Refuses a change of an object that is not as the client thinks.
fn check(instances: &Instances, name: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() {
        expected.check(&tag(&*instances.get(name)?)?)?;
    }
    Ok(())
}

/// `GET` of the list.
pub(crate) async fn list(
    State(instances): State<Instances>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = match params.instance_type.as_str() {
        "" | "container" => instances.list(),
        "virtual-machine" => Vec::new(),
        other => return Err(Refusal::bad_request(format!("Invalid instance type '{other}'"))),
    };
    keep(&params.filter, &mut list)?;
    if params.recursion != Recursion::Everything {
        let prefix = prefix(&uri);
        return answer(params.recursion, &list, |instance| format!("/1.0/{prefix}/{}", instance.name));
    }
    sync(&instances.full_list(&list).await?)
}

/// `POST` to the list: create.
pub(crate) async fn create(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    State(page): State<ServerPage>,
    Json(post): Json<InstancesPost>,
) -> Answer {
    let reporter = Reporter::default();
    let creation = instances.create(post, reporter.progress()).await?;
    page.changed();
    let resources = match &creation.source {
        Some(source) => containers(&[&creation.name, source]),
        None => container(&creation.name),
    };
    let task = Task { description: "Creating container", resources, may_cancel: true };
    let operation = migration::begin(&operations, &reporter, task, creation.streams, creation.work)?;
    accepted(&operation)
}

/// `GET` of one.
pub(crate) async fn get(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<ListParams>,
) -> Answer {
    let instance: Arc<Instance> = instances.get(&name)?;
    let tag = tag(&instance)?;
    let body = match params.recursion {
        Recursion::Urls => sync_bytes(&*instance)?,
        _ => sync_bytes(&instances.full(&name).await?)?,
    };
    sync_tagged(body, &tag)
}

/// `PUT` of one: replace everything that can be changed.
pub(crate) async fn put(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(put): Json<InstancePut>,
) -> Answer {
    check(&instances, &name, &expected)?;
    if !put.restore.is_empty() {
        let work = instances.restore(&name, &put.restore, put.stateful)?;
        let task = Task { description: "Restoring snapshot", resources: container(&name), may_cancel: false };
        return accepted(&operations.run(task, work));
    }
    let work = instances.update(&name, put).await?;
    let task = Task { description: "Updating container", resources: container(&name), may_cancel: false };
    accepted(&operations.run(task, work))
}

/// `PATCH` of one: change what is given.
pub(crate) async fn patch(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(patch): Json<InstancePatch>,
) -> Answer {
    check(&instances, &name, &expected)?;
    if patch.restore.as_ref().is_some_and(|snapshot| !snapshot.is_empty()) {
        return Err(Refusal::bad_request("Snapshots are restored with PUT, not with PATCH"));
    }
    instances.patch(&name, patch).await?;
    done()
}

/// `POST` to one: rename, or send to another server.
pub(crate) async fn rename(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    Json(post): Json<InstancePost>,
) -> Answer {
    if !post.pool.is_empty() && post.target.is_none() {
        let work = instances.change_pool(&name, &post).await?;
        let resources = container(&name);
        let task = Task { description: "Moving container", resources, may_cancel: false };
        return accepted(&operations.run(task, work));
    }
    if post.migration {
        let reporter = Reporter::default();
        let departure = instances.send(&name, &post, reporter.progress())?;
        return migration::depart(&operations, &reporter, departure, container(&name));
    }
    let work = instances.rename(&name, &post.name).await?;
    let resources = container(&name);
    accepted(&operations.run(Task { description: "Renaming container", resources, may_cancel: false }, work))
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
) -> Answer {
    let work = instances.delete(&name).await?;
    let resources = container(&name);
    accepted(&operations.run(Task { description: "Deleting container", resources, may_cancel: false }, work))
}
