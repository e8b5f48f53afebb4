//! Finding an image by the beginning of its fingerprint.

use crate::Error;
use model::names::FingerprintPrefix;
use std::sync::Arc;
use store::images::Image as Record;

/// The only image whose fingerprint begins so.
pub(super) fn lookup(images: &[Arc<Record>], prefix: &FingerprintPrefix) -> Result<Arc<Record>, Error> {
    let mut matching = images.iter().filter(|image| image.fingerprint.as_str().starts_with(prefix.as_str()));
    match (matching.next(), matching.next()) {
        (None, _) => Err(Error::not_found("Image", prefix.as_str())),
        (Some(image), None) => Ok(image.clone()),
        (Some(image), Some(_)) if image.fingerprint.as_str() == prefix.as_str() => Ok(image.clone()),
        (Some(_), Some(_)) => Err(Error::AmbiguousFingerprint { prefix: prefix.to_string() }),
    }
}
