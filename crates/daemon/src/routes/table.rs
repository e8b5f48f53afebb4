//! The table of URLs.
//!
//! What guests may ask is a table of its own: everything else asks for [`Permission::Manage`].

use super::{
    aliases, backups, certificates, console, events, exec, files, image_export, image_metadata, image_push,
    image_upload, images, instances, internal, logs, metadata, networks, operations, pools, profiles, server,
    snapshots, state, volume_snapshots, volumes,
};
use crate::app::App;
use crate::listen::{Caller, Permission};
use crate::wire::Refusal;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};

/// All URLs.
pub(crate) fn router(app: App) -> Router {
    managed()
        .route_layer(from_fn(managers_only))
        .merge(guest().route_layer(from_fn(insist)))
        .fallback(async || Refusal::not_found())
        .method_not_allowed_fallback(async || Refusal::method())
        .with_state(app)
}

/// Refuses callers that may not manage.
async fn managers_only(request: Request, next: Next) -> Response {
    let allowed = request.extensions().get::<Caller>().is_some_and(|caller| caller.may(Permission::Manage));
    if allowed { next.run(request).await } else { Refusal::forbidden().into_response() }
}

/// Refuses guests that insist on being trusted, so that they do not take what guests see for everything.
async fn insist(request: Request, next: Next) -> Response {
    let insists = request.headers().get("x-lxd-authenticated").is_some_and(|value| value == "true");
    if insists { managers_only(request, next).await } else { next.run(request).await }
}

/// What everybody who can connect may ask; each handler shows guests only what is public.
fn guest() -> Router<App> {
    Router::new()
        .route("/", get(server::versions))
        .route("/1.0", get(server::get))
        .route("/1.0/certificates", post(certificates::create))
        // The secret is the permission.
        .route("/1.0/operations/{id}/websocket", get(operations::websocket))
        // An image of another server comes with a secret.
        .route("/1.0/images", get(images::list).post(image_upload::post))
        .route("/1.0/images/{fingerprint}", get(images::get))
        .route("/1.0/images/{fingerprint}/export", get(image_export::get))
        .route("/1.0/images/aliases", get(aliases::list))
        .route("/1.0/images/aliases/{*name}", get(aliases::get))
}

fn managed() -> Router<App> {
    Router::new()
        .route("/1.0", put(server::put).patch(server::patch))
        .route("/1.0/certificates", get(certificates::list))
        .route(
            "/1.0/certificates/{fingerprint}",
            get(certificates::get)
                .put(certificates::put)
                .patch(certificates::patch)
                .delete(certificates::delete),
        )
        .route("/1.0/events", get(events::listen))
        .route("/1.0/metadata/configuration", get(metadata::configuration))
        .route("/1.0/operations", get(operations::list))
        .route("/1.0/operations/{id}", get(operations::get).delete(operations::cancel))
        .route("/1.0/operations/{id}/wait", get(operations::wait))
        .route("/internal/ready", get(internal::ready))
        .route("/internal/shutdown", put(internal::shutdown))
        .route("/internal/containers", post(internal::import))
        .route("/internal/recover/validate", post(internal::recover_validate))
        .route("/internal/recover/import", post(internal::recover_import))
        .merge(instance_routes("containers"))
        .merge(instance_routes("instances"))
        .merge(image_routes())
        .merge(other_routes())
}

/// Containers, under either name.
fn instance_routes(prefix: &str) -> Router<App> {
    let list = format!("/1.0/{prefix}");
    let one = format!("/1.0/{prefix}/{{name}}");
    let below = |rest: &str| format!("{one}/{rest}");
    Router::new()
        .route(&list, get(instances::list).post(instances::create))
        .route(
            &one,
            get(instances::get)
                .put(instances::put)
                .patch(instances::patch)
                .post(instances::rename)
                .delete(instances::delete),
        )
        .route(&below("state"), get(state::get).put(state::put))
        .route(&below("files"), get(files::get).post(files::post).delete(files::delete))
        .route(&below("exec"), post(exec::post))
        .route(&below("console"), get(console::log).post(console::attach).delete(console::clear))
        .route(&below("metadata"), get(image_metadata::get).put(image_metadata::put))
        .route(
            &below("metadata/templates"),
            get(image_metadata::template)
                .post(image_metadata::create)
                .put(image_metadata::replace)
                .delete(image_metadata::delete),
        )
        .route(&below("logs"), get(logs::list))
        .route(&below("logs/{file}"), get(logs::get).delete(logs::delete))
        .route(&below("snapshots"), get(snapshots::list).post(snapshots::create))
        .route(
            &below("snapshots/{snapshot}"),
            get(snapshots::get)
                .put(snapshots::put)
                .patch(snapshots::patch)
                .post(snapshots::rename)
                .delete(snapshots::delete),
        )
        .route(&below("backups"), get(backups::list).post(backups::create))
        .route(&below("backups/{backup}"), get(backups::get))
}

/// What only managers may do with images; looking at them is for guests too.
fn image_routes() -> Router<App> {
    Router::new()
        .route("/1.0/images/{fingerprint}", put(images::put).patch(images::patch).delete(images::delete))
        .route("/1.0/images/{fingerprint}/export", post(image_push::begin))
        .route("/1.0/images/{fingerprint}/secret", post(images::secret))
        .route("/1.0/images/{fingerprint}/refresh", post(images::refresh))
        .route("/1.0/images/aliases", post(aliases::create))
        .route(
            "/1.0/images/aliases/{*name}",
            put(aliases::put).patch(aliases::patch).post(aliases::rename).delete(aliases::delete),
        )
}

fn other_routes() -> Router<App> {
    Router::new()
        .route("/1.0/profiles", get(profiles::list).post(profiles::create))
        .route(
            "/1.0/profiles/{name}",
            get(profiles::get)
                .put(profiles::put)
                .patch(profiles::patch)
                .post(profiles::rename)
                .delete(profiles::delete),
        )
        .route("/1.0/networks", get(networks::list).post(networks::create))
        .route(
            "/1.0/networks/{name}",
            get(networks::get).put(networks::put).patch(networks::patch).delete(networks::delete),
        )
        .route("/1.0/networks/{name}/state", get(networks::state))
        .route("/1.0/networks/{name}/leases", get(networks::leases))
        .route("/1.0/storage-pools", get(pools::list).post(pools::create))
        .route(
            "/1.0/storage-pools/{name}",
            get(pools::get).put(pools::put).patch(pools::patch).delete(pools::delete),
        )
        .route("/1.0/storage-pools/{name}/resources", get(pools::resources))
        .merge(volume_routes())
}

/// Storage volumes: `{kind}` is `custom`, `container` or `image`, the latter two in the plural or not.
fn volume_routes() -> Router<App> {
    let list = "/1.0/storage-pools/{name}/volumes";
    let kind = format!("{list}/{{kind}}");
    let one = format!("{kind}/{{volume}}");
    Router::new()
        .route(list, get(volumes::list).post(volumes::create))
        .route(&kind, get(volumes::list_kind).post(volumes::create_kind))
        .route(
            &one,
            get(volumes::get)
                .put(volumes::put)
                .patch(volumes::patch)
                .post(volumes::post)
                .delete(volumes::delete),
        )
        .route(&format!("{one}/state"), get(volumes::state))
        .route(&format!("{one}/snapshots"), get(volume_snapshots::list).post(volume_snapshots::create))
        .route(
            &format!("{one}/snapshots/{{snapshot}}"),
            get(volume_snapshots::get)
                .put(volume_snapshots::put)
                .patch(volume_snapshots::patch)
                .post(volume_snapshots::rename)
                .delete(volume_snapshots::delete),
        )
}
