//! Profiles.

use crate::Error;
use api::profiles::{Profile, ProfilePatch, ProfilePut};

/// All profiles. Cheap to clone.
#[derive(Clone)]
pub struct Profiles {}

#[allow(clippy::unused_async)]
impl Profiles {
    /// Every profile by name.
    #[must_use]
    pub fn list(&self) -> Vec<Profile> {
        unimplemented!()
    }

    /// One profile.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Profile, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Makes a profile.
    ///
    /// # Errors
    /// The name is bad or taken; anything wrong with its configuration.
    pub async fn create(&self, put: ProfilePut) -> Result<(), Error> {
        let _ = put;
        unimplemented!()
    }

    /// Replaces what is in it and applies that to every container that uses it.
    ///
    /// # Errors
    /// Not found; bad configuration; containers that could not follow (the profile is saved).
    pub async fn update(&self, name: &str, put: ProfilePut) -> Result<(), Error> {
        let _ = (name, put);
        unimplemented!()
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// As for `update`.
    pub async fn patch(&self, name: &str, patch: ProfilePatch) -> Result<(), Error> {
        let _ = (name, patch);
        unimplemented!()
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// Not found; bad or taken; the default profile.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let _ = (name, new_name);
        unimplemented!()
    }

    /// Removes it.
    ///
    /// # Errors
    /// Not found; in use; the default profile.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        unimplemented!()
    }
}
