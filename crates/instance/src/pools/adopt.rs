//! Pools that are on disk and not in the database.

use super::{Held, Pools, mount};
use crate::Error;
use crate::catalog::Stamp;
use api::storage::PoolsPost;
use model::names::PoolName;
use storage::DriverKind;
use store::pools::Pool as Record;

impl Pools {
    /// A handle to a pool that the database does not know, with the configuration that it had recorded.
    ///
    /// # Errors
    /// The name is bad or known; unknown driver; anything wrong with the configuration.
    pub(crate) async fn open_unknown(&self, post: &PoolsPost) -> Result<storage::Pool, Error> {
        let name = PoolName::parse(&post.name)?;
        if self.table.get(name.as_str()).is_some() {
            return Err(Error::Exists { what: "Storage pool", name: name.to_string() });
        }
        let kind = DriverKind::parse(&post.driver).map_err(storage::Error::from)?;
        let mut config = post.config.clone();
        config.retain(|_, value| !value.is_empty());
        Ok(storage::Pool::open(self.var.root(), name, kind, &config)?)
    }

    /// Takes over a pool that the database does not know.
    ///
    /// # Errors
    /// As [`open_unknown`](Self::open_unknown); it cannot be used.
    pub(crate) async fn adopt(&self, post: PoolsPost) -> Result<(), Error> {
        let pool = self.open_unknown(&post).await?;
        mount(&pool).await?;
        let PoolsPost { name, driver, mut config, description } = post;
        config.retain(|_, value| !value.is_empty());
        let record = Record { name: PoolName::parse(&name)?, driver, description, config };
        let stored = record.clone();
        let write = self.store.write(move |tx| store::pools::insert(tx, &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.table.insert(stamp, &name, Held { record, pool, unavailable: None });
        Ok(())
    }
}
