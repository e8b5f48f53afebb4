//! Profiles.

use crate::{Client, Error, Tagged, encode_segment};
use api::profiles::{Profile, ProfilePut, RenamePost};
use http::Method;

impl Client {
    /// All profiles.
    ///
    /// # Errors
    /// As for every request.
    pub async fn profiles(&self) -> Result<Vec<Profile>, Error> {
        self.get("/1.0/profiles?recursion=1").await
    }

    /// One profile.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn profile(&self, name: &str) -> Result<Tagged<Profile>, Error> {
        self.get_tagged(&at(name)).await
    }

    /// Makes a profile.
    ///
    /// # Errors
    /// 400 or 409 when it exists.
    pub async fn create_profile(&self, profile: &ProfilePut) -> Result<(), Error> {
        self.change(Method::POST, "/1.0/profiles", profile, None).await
    }

    /// Replaces a profile; its containers follow.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current, 400 for bad keys and values.
    pub async fn put_profile(&self, name: &str, put: &ProfilePut, etag: Option<&str>) -> Result<(), Error> {
        self.change(Method::PUT, &at(name), put, etag).await
    }

    /// Renames a profile.
    ///
    /// # Errors
    /// 409 when the new name is taken.
    pub async fn rename_profile(&self, name: &str, new_name: &str) -> Result<(), Error> {
        self.change(Method::POST, &at(name), &RenamePost { name: new_name.to_owned() }, None).await
    }

    /// Deletes a profile that nothing uses.
    ///
    /// # Errors
    /// 400 while it is in use.
    pub async fn delete_profile(&self, name: &str) -> Result<(), Error> {
        self.remove(&at(name)).await
    }
}

fn at(name: &str) -> String {
    format!("/1.0/profiles/{}", encode_segment(name))
}
