//! `…/metadata` and `…/metadata/templates`: what a container has of its image.

use crate::wire::{Answer, Json, Params, Path, collect, done, sync};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, header};
use instance::instances::Instances;

/// Parameters of `…/metadata/templates`.
#[derive(serde::Deserialize)]
pub(crate) struct TemplateParams {
    #[serde(default)]
    path: String,
}

/// `GET …/metadata`.
pub(crate) async fn get(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    sync(&instances.metadata(&name).await?)
}

/// `PUT …/metadata`.
pub(crate) async fn put(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Json(metadata): Json<serde_json::Value>,
) -> Answer {
    instances.set_metadata(&name, metadata).await?;
    done()
}

/// `GET …/metadata/templates`: the names, or with `path` the text of one.
pub(crate) async fn template(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<TemplateParams>,
) -> Answer {
    if params.path.is_empty() {
        return sync(&instances.templates(&name).await?);
    }
    let text = instances.template(&name, &params.path).await?;
    let mut response = Response::new(Body::from(text));
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, octets);
    Ok(response)
}

/// `POST …/metadata/templates?path=`: a new one.
pub(crate) async fn create(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<TemplateParams>,
    request: Request,
) -> Answer {
    store(&instances, &name, &params.path, request, false).await
}

/// `PUT …/metadata/templates?path=`: another text.
pub(crate) async fn replace(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<TemplateParams>,
    request: Request,
) -> Answer {
    store(&instances, &name, &params.path, request, true).await
}

async fn store(instances: &Instances, name: &str, path: &str, request: Request, exists: bool) -> Answer {
    let text = collect(request.into_body()).await?;
    instances.put_template(name, path, text.into(), exists).await?;
    done()
}

/// `DELETE …/metadata/templates?path=`.
pub(crate) async fn delete(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<TemplateParams>,
) -> Answer {
    instances.delete_template(&name, &params.path).await?;
    done()
}
