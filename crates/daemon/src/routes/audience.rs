//! Who may see which images: managers all of them, guests public ones and what a secret opens.

use crate::listen::{Caller, Permission};
use crate::operations::{Operations, image as resources};
use crate::wire::Refusal;
use axum::extract::FromRequestParts;
use http::request::Parts;
use instance::images::{Images, Scope};

/// What operations are called that hold the secret of a private image.
pub(crate) const DOWNLOAD: &str = "Image download token";

/// Who looks at images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audience(pub(crate) Scope);

impl<S: Sync> FromRequestParts<S> for Audience {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Caller>();
        let manages = caller.is_some_and(|caller| caller.may(Permission::Manage));
        Ok(Self(if manages { Scope::All } else { Scope::Public }))
    }
}

/// The parameter by which a private image is shown to guests.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct SecretParam {
    secret: String,
}

impl Audience {
    /// The image that the beginning of a fingerprint means to this audience.
    ///
    /// # Errors
    /// There is none, or several; one that may not be seen is none.
    pub(crate) fn image(
        self,
        images: &Images,
        operations: &Operations,
        fingerprint: &str,
        SecretParam { secret }: &SecretParam,
    ) -> Result<api::images::Image, Refusal> {
        if self.0 == Scope::All || secret.is_empty() {
            return Ok(images.get_in(fingerprint, self.0)?);
        }
        let hidden = images.get_in(fingerprint, Scope::All);
        if let Ok(image) = hidden {
            let about = resources(&image.fingerprint);
            let opens = |operation: &api::operations::Operation| {
                operation.description == DOWNLOAD && operation.resources == about
            };
            if operations.redeem(secret, opens).is_some() {
                return Ok(image);
            }
        }
        Ok(images.get_in(fingerprint, self.0)?)
    }
}
