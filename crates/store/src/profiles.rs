//! Profiles.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::{Config, Devices};
use model::{InstanceName, ProfileName};
use rusqlite::params;
use std::collections::BTreeMap;

/// A profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// What its owner wrote.
    pub description: String,
    /// Its keys.
    pub config: Config,
    /// Its devices.
    pub devices: Devices,
}

fn profile(row: &Record<'_>) -> Result<Profile> {
    Ok(Profile {
        name: row.parsed("name", ProfileName::parse)?,
        description: row.get("description")?,
        config: row.json("config")?,
        devices: row.json("devices")?,
    })
}

/// The number of a profile.
pub(crate) fn id(conn: &Conn<'_>, name: &ProfileName) -> Result<i64> {
    conn.id_of(Kind::Profile, "SELECT id FROM profiles WHERE name = ?1", name.as_str())
}

/// All profiles, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Profile>> {
    conn.all("profiles", "SELECT * FROM profiles ORDER BY name", [], profile)
}

/// The profile with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, name: &ProfileName) -> Result<Profile> {
    conn.first("profiles", "SELECT * FROM profiles WHERE name = ?1", [name.as_str()], profile)?
        .ok_or_else(|| Error::not_found(Kind::Profile, name))
}

/// The profiles with these names, in this order.
///
/// # Errors
/// [`Error::NotFound`] for the first that is not there.
pub fn get_all(conn: &Conn<'_>, names: &[ProfileName]) -> Result<Vec<Profile>> {
    names.iter().map(|name| get(conn, name)).collect()
}

/// Stores a new profile.
///
/// # Errors
/// [`Error::Conflict`].
pub fn insert(tx: &Tx<'_>, new: &Profile) -> Result<()> {
    let sql = "INSERT INTO profiles (name, description, config, devices) VALUES (?1, ?2, ?3, ?4)";
    let row = params![new.name.as_str(), new.description, json(&new.config)?, json(&new.devices)?];
    tx.execute(sql, row).map_err(|e| e.or_conflict(Kind::Profile, &new.name)).map(drop)
}

/// Changes everything but the name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, new: &Profile) -> Result<()> {
    let sql = "UPDATE profiles SET description = ?2, config = ?3, devices = ?4 WHERE name = ?1";
    let row = params![new.name.as_str(), new.description, json(&new.config)?, json(&new.devices)?];
    touched(tx.execute(sql, row)?, Kind::Profile, &new.name)
}

fn refuse_default(name: &ProfileName) -> Result<()> {
    if *name == ProfileName::default_profile() {
        return Err(Error::Protected { kind: Kind::Profile, name: name.to_string() });
    }
    Ok(())
}

/// Gives a profile another name; containers that use it follow.
///
/// # Errors
/// [`Error::Protected`] for `default`, [`Error::NotFound`], [`Error::Conflict`].
pub fn rename(tx: &Tx<'_>, name: &ProfileName, new: &ProfileName) -> Result<()> {
    refuse_default(name)?;
    let sql = "UPDATE profiles SET name = ?2 WHERE name = ?1";
    let rows =
        tx.execute(sql, [name.as_str(), new.as_str()]).map_err(|e| e.or_conflict(Kind::Profile, new))?;
    touched(rows, Kind::Profile, name)
}

/// Forgets a profile.
///
/// # Errors
/// [`Error::Protected`] for `default`, [`Error::InUse`], [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, name: &ProfileName) -> Result<()> {
    refuse_default(name)?;
    let rows = tx
        .execute("DELETE FROM profiles WHERE name = ?1", [name.as_str()])
        .map_err(|e| e.or_in_use(Kind::Profile, name))?;
    touched(rows, Kind::Profile, name)
}

/// The containers that use a profile, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn used_by(conn: &Conn<'_>, name: &ProfileName) -> Result<Vec<InstanceName>> {
    Ok(users(conn)?.remove(name).unwrap_or_default())
}

/// The names of the profiles that a query tells, column `name`, by the number of who uses them, column
/// `id`, in the query's order.
pub(crate) fn of_all(conn: &Conn<'_>, sql: &str) -> Result<BTreeMap<i64, Vec<ProfileName>>> {
    let pairs = conn.all("profiles", sql, [], |row| {
        Ok((row.get::<i64>("id")?, row.parsed("name", ProfileName::parse)?))
    })?;
    let mut profiles: BTreeMap<i64, Vec<ProfileName>> = BTreeMap::new();
    for (id, name) in pairs {
        profiles.entry(id).or_default().push(name);
    }
    Ok(profiles)
}

/// For every profile that is used, the containers that do, sorted by name.
///
/// # Errors
/// When the database cannot be read.
pub fn users(conn: &Conn<'_>) -> Result<BTreeMap<ProfileName, Vec<InstanceName>>> {
    let sql = "SELECT p.name AS profile, i.name AS name FROM instances_profiles ip
               JOIN profiles p ON p.id = ip.profile_id JOIN instances i ON i.id = ip.instance_id
               ORDER BY i.name";
    let pairs = conn.all("profiles", sql, [], |row| {
        Ok((row.parsed("profile", ProfileName::parse)?, row.parsed("name", InstanceName::parse)?))
    })?;
    let mut users: BTreeMap<ProfileName, Vec<InstanceName>> = BTreeMap::new();
    for (profile, instance) in pairs {
        users.entry(profile).or_default().push(instance);
    }
    Ok(users)
}
