//! Aliases: names for images.

use super::{Images, Scope};
use crate::Error;
use crate::catalog::Stamp;
use api::images::{AliasEntry, AliasPatch};
use model::names::AliasName;
use std::sync::Arc;
use store::aliases::Alias;

impl Images {
    /// Every alias of an image that somebody may see, by name.
    #[must_use]
    pub fn aliases_in(&self, scope: Scope) -> Vec<AliasEntry> {
        self.aliases.all().iter().filter(|alias| self.shows(alias, scope)).map(|alias| show(alias)).collect()
    }

    /// One alias of an image that somebody may see.
    ///
    /// # Errors
    /// Not found, also for what may not be seen.
    pub fn alias_in(&self, name: &str, scope: Scope) -> Result<AliasEntry, Error> {
        let alias = self.find_alias(name)?;
        if self.shows(&alias, scope) { Ok(show(&alias)) } else { Err(Error::not_found("Image alias", name)) }
    }

    fn shows(&self, alias: &Alias, scope: Scope) -> bool {
        scope == Scope::All || self.images.get(alias.target.as_str()).is_some_and(|image| scope.shows(&image))
    }

    /// One alias.
    ///
    /// # Errors
    /// Not found.
    pub fn alias(&self, name: &str) -> Result<AliasEntry, Error> {
        Ok(show(&*self.find_alias(name)?))
    }

    fn find_alias(&self, name: &str) -> Result<Arc<Alias>, Error> {
        self.aliases.get(name).ok_or_else(|| Error::not_found("Image alias", name))
    }

    /// Makes an alias.
    ///
    /// # Errors
    /// The name is empty or taken; no such image.
    pub async fn create_alias(&self, entry: AliasEntry) -> Result<(), Error> {
        let name = AliasName::parse(&entry.name)?;
        if self.aliases.get(name.as_str()).is_some() {
            return Err(Error::Exists { what: "Image alias", name: name.to_string() });
        }
        let image = self.record(&entry.target)?;
        let alias = Alias {
            name,
            description: entry.description,
            target: image.fingerprint.clone(),
            public: image.public,
        };
        let stored = alias.clone();
        let write = self.store.write(move |tx| {
            store::aliases::insert(tx, &stored.name, &stored.description, &stored.target)?;
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        let name = alias.name.to_string();
        self.aliases.insert(stamp, &name, alias);
        Ok(())
    }

    /// Points an alias elsewhere.
    ///
    /// # Errors
    /// No such alias or image.
    pub async fn update_alias(&self, name: &str, patch: AliasPatch) -> Result<(), Error> {
        let old = self.find_alias(name)?;
        let target = match patch.target.filter(|target| !target.is_empty()) {
            Some(target) => self.record(&target)?.fingerprint.clone(),
            None => old.target.clone(),
        };
        let description = patch.description.unwrap_or_else(|| old.description.clone());
        let new = Alias { description, target, ..Alias::clone(&old) };
        let stored = new.clone();
        let write = self.store.write(move |tx| {
            store::aliases::update(tx, &stored.name, &stored.description, &stored.target)?;
            Ok(Stamp::take())
        });
        let stamp = write.await?;
        self.aliases.insert(stamp, name, new);
        Ok(())
    }

    /// Gives an alias another name.
    ///
    /// # Errors
    /// Not found; taken.
    pub async fn rename_alias(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let old = self.find_alias(name)?;
        let new = AliasName::parse(new_name)?;
        if self.aliases.get(new.as_str()).is_some() {
            return Err(Error::Exists { what: "Image alias", name: new.to_string() });
        }
        let (from, to) = (old.name.clone(), new.clone());
        let write = self.store.write(move |tx| {
            store::aliases::rename(tx, &from, &to)?;
            Ok((Stamp::take(), Stamp::take()))
        });
        let (gone, here) = write.await?;
        self.aliases.remove(gone, name);
        self.aliases.insert(here, new.as_str(), Alias { name: new.clone(), ..Alias::clone(&old) });
        Ok(())
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_alias(&self, name: &str) -> Result<(), Error> {
        let gone = self.find_alias(name)?.name.clone();
        let write = self.store.write(move |tx| store::aliases::delete(tx, &gone).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.aliases.remove(stamp, name);
        Ok(())
    }
}

fn show(alias: &Alias) -> AliasEntry {
    AliasEntry {
        name: alias.name.to_string(),
        description: alias.description.clone(),
        target: alias.target.to_string(),
        kind: "container".to_owned(),
    }
}
