//! Containers.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::{Config, Devices, Time};
use model::{Architecture, InstanceName, PoolName, ProfileName};
use rusqlite::params;
use std::collections::BTreeMap;

/// A container as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its number, never used again.
    pub id: i64,
    /// Its name.
    pub name: InstanceName,
    /// Its architecture.
    pub architecture: Architecture,
    /// It is removed when it stops.
    pub ephemeral: bool,
    /// The state of its processes is saved on disk.
    pub stateful: bool,
    /// When it was made.
    pub created_at: Time,
    /// When it was last started.
    pub last_used_at: Time,
    /// What its owner wrote.
    pub description: String,
    /// Its own keys.
    pub config: Config,
    /// Its own devices.
    pub devices: Devices,
    /// Its profiles, in order.
    pub profiles: Vec<ProfileName>,
    /// Where its root is.
    pub pool: PoolName,
}

/// A container to be stored.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // as in `Instance`
pub struct NewInstance {
    pub name: InstanceName,
    pub architecture: Architecture,
    pub ephemeral: bool,
    pub created_at: Time,
    pub description: String,
    pub config: Config,
    pub devices: Devices,
    pub profiles: Vec<ProfileName>,
    pub pool: PoolName,
}

/// What can be changed of a container, all of it at once.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // as in `Instance`
pub struct Update {
    pub architecture: Architecture,
    pub ephemeral: bool,
    pub description: String,
    pub config: Config,
    pub devices: Devices,
    pub profiles: Vec<ProfileName>,
}

impl From<Instance> for Update {
    fn from(instance: Instance) -> Self {
        Self {
            architecture: instance.architecture,
            ephemeral: instance.ephemeral,
            description: instance.description,
            config: instance.config,
            devices: instance.devices,
            profiles: instance.profiles,
        }
    }
}

const SELECT: &str = "SELECT i.*, p.name AS pool FROM instances i JOIN pools p ON p.id = i.pool_id";
/// The number of a container.
pub(crate) const ID: &str = "SELECT id FROM instances WHERE name = ?1";

/// The row, still without its profiles.
fn instance(row: &Record<'_>) -> Result<Instance> {
    Ok(Instance {
        id: row.get("id")?,
        name: row.parsed("name", InstanceName::parse)?,
        architecture: row.architecture("architecture")?,
        ephemeral: row.get("ephemeral")?,
        stateful: row.get("stateful")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
        description: row.get("description")?,
        config: row.json("config")?,
        devices: row.json("devices")?,
        profiles: vec![],
        pool: row.parsed("pool", PoolName::parse)?,
    })
}

/// All containers, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Instance>> {
    let mut all = conn.all("instances", &format!("{SELECT} ORDER BY i.name"), [], instance)?;
    let mut profiles = crate::profiles::of_all(
        conn,
        "SELECT ip.instance_id AS id, p.name AS name FROM instances_profiles ip
         JOIN profiles p ON p.id = ip.profile_id ORDER BY ip.instance_id, ip.position",
    )?;
    for instance in &mut all {
        instance.profiles = profiles.remove(&instance.id).unwrap_or_default();
    }
    Ok(all)
}

/// The names of all containers, sorted.
///
/// # Errors
/// When the database cannot be read.
pub fn names(conn: &Conn<'_>) -> Result<Vec<InstanceName>> {
    conn.all("instances", "SELECT name FROM instances ORDER BY name", [], |row| {
        row.parsed("name", InstanceName::parse)
    })
}

/// The container with this name, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub fn find(conn: &Conn<'_>, name: &InstanceName) -> Result<Option<Instance>> {
    let sql = format!("{SELECT} WHERE i.name = ?1");
    let Some(mut found) = conn.first("instances", &sql, [name.as_str()], instance)? else { return Ok(None) };
    let sql = "SELECT p.name AS name FROM instances_profiles ip JOIN profiles p ON p.id = ip.profile_id
               WHERE ip.instance_id = ?1 ORDER BY ip.position";
    found.profiles = conn.all("profiles", sql, [found.id], |row| row.parsed("name", ProfileName::parse))?;
    Ok(Some(found))
}

/// The container with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, name: &InstanceName) -> Result<Instance> {
    find(conn, name)?.ok_or_else(|| Error::not_found(Kind::Instance, name))
}

/// Stores a new container.
///
/// # Errors
/// [`Error::Conflict`] when the name is taken, [`Error::NotFound`] for a profile or pool that is
/// not there.
pub fn insert(tx: &Tx<'_>, new: &NewInstance) -> Result<Instance> {
    let pool = crate::pools::id(tx, &new.pool)?;
    let sql = "INSERT INTO instances (name, architecture, ephemeral, stateful, created_at, last_used_at,
                   description, config, devices, pool_id)
               VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9)";
    let row = params![
        new.name.as_str(),
        new.architecture.id(),
        new.ephemeral,
        new.created_at.to_string(),
        Time::UNSET.to_string(),
        new.description,
        json(&new.config)?,
        json(&new.devices)?,
        pool,
    ];
    tx.execute(sql, row).map_err(|e| e.or_conflict(Kind::Instance, &new.name))?;
    set_profiles(tx, tx.sql().last_insert_rowid(), &new.profiles)?;
    get(tx, &new.name)
}

fn set_profiles(tx: &Tx<'_>, instance: i64, profiles: &[ProfileName]) -> Result<()> {
    tx.execute("DELETE FROM instances_profiles WHERE instance_id = ?1", [instance])?;
    for (position, profile) in (0_i64..).zip(profiles) {
        let id = crate::profiles::id(tx, profile)?;
        tx.execute(
            "INSERT INTO instances_profiles (instance_id, position, profile_id) VALUES (?1, ?2, ?3)",
            [instance, position, id],
        )
        .map_err(|e| e.or_conflict(Kind::Profile, profile))?;
    }
    Ok(())
}

/// Changes a container.
///
/// # Errors
/// [`Error::NotFound`] for the container or a profile.
pub fn update(tx: &Tx<'_>, name: &InstanceName, new: &Update) -> Result<()> {
    let id = tx.id_of(Kind::Instance, ID, name.as_str())?;
    let sql = "UPDATE instances SET architecture = ?2, ephemeral = ?3, description = ?4, config = ?5,
                   devices = ?6 WHERE id = ?1";
    let row = params![
        id,
        new.architecture.id(),
        new.ephemeral,
        new.description,
        json(&new.config)?,
        json(&new.devices)?,
    ];
    tx.execute(sql, row)?;
    set_profiles(tx, id, &new.profiles)
}

/// Changes some keys of a container's own configuration: no value, or an empty one, removes the
/// key. Other keys stay as they are in the database now, whoever changed them.
///
/// # Errors
/// [`Error::NotFound`].
pub fn patch_config<K, V>(
    tx: &Tx<'_>,
    name: &InstanceName,
    changes: impl IntoIterator<Item = (K, Option<V>)>,
) -> Result<()>
where
    K: Into<String>,
    V: Into<String>,
{
    // RFC 7396: null removes.
    let patch: BTreeMap<String, Option<String>> = changes
        .into_iter()
        .map(|(key, value)| (key.into(), value.map(Into::into).filter(|v| !v.is_empty())))
        .collect();
    let sql = "UPDATE instances SET config = json_patch(config, ?2) WHERE name = ?1";
    touched(tx.execute(sql, params![name.as_str(), json(&patch)?])?, Kind::Instance, name)
}

/// Notes when a container was last started.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_last_used(tx: &Tx<'_>, name: &InstanceName, time: Time) -> Result<()> {
    let sql = "UPDATE instances SET last_used_at = ?2 WHERE name = ?1";
    touched(tx.execute(sql, params![name.as_str(), time.to_string()])?, Kind::Instance, name)
}

/// Notes whether the state of a container's processes is saved on disk.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_stateful(tx: &Tx<'_>, name: &InstanceName, stateful: bool) -> Result<()> {
    let sql = "UPDATE instances SET stateful = ?2 WHERE name = ?1";
    touched(tx.execute(sql, params![name.as_str(), stateful])?, Kind::Instance, name)
}

/// Gives a container another name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, name: &InstanceName, new: &InstanceName) -> Result<()> {
    let sql = "UPDATE instances SET name = ?2 WHERE name = ?1";
    let rows =
        tx.execute(sql, [name.as_str(), new.as_str()]).map_err(|e| e.or_conflict(Kind::Instance, new))?;
    touched(rows, Kind::Instance, name)
}

/// Forgets a container.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, name: &InstanceName) -> Result<()> {
    let rows = tx.execute("DELETE FROM instances WHERE name = ?1", [name.as_str()])?;
    touched(rows, Kind::Instance, name)
}

/// Moves a container to another pool.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_pool(tx: &Tx<'_>, name: &InstanceName, pool: &PoolName) -> Result<()> {
    let pool = crate::pools::id(tx, pool)?;
    let rows =
        tx.execute("UPDATE instances SET pool_id = ?2 WHERE name = ?1", params![name.as_str(), pool])?;
    touched(rows, Kind::Instance, name)
}
