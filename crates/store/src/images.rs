//! Images.

use crate::row::{Record, json, touched};
use crate::{Conn, Error, Kind, Result, Tx};
use api::{Config, Time, images::UpdateSource};
use model::{Architecture, Fingerprint, FingerprintPrefix};
use rusqlite::params;

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// SHA-256 of its files.
    pub fingerprint: Fingerprint,
    /// What its file was called.
    pub filename: String,
    /// Bytes of its files.
    pub size: u64,
    /// Clients that are not trusted may see it.
    pub public: bool,
    /// It was downloaded to make a container and may be removed when it is not used.
    pub cached: bool,
    /// A newer version is looked for.
    pub auto_update: bool,
    /// Its architecture.
    pub architecture: Architecture,
    /// When it was made.
    pub created_at: Time,
    /// When it is no longer good.
    pub expires_at: Time,
    /// When a container was last made from it.
    pub last_used_at: Time,
    /// When it was added.
    pub uploaded_at: Time,
    /// Its properties.
    pub properties: Config,
    /// Where it came from.
    pub source: Option<UpdateSource>,
}

fn image(row: &Record<'_>) -> Result<Image> {
    let source: Option<String> = row.get("source")?;
    Ok(Image {
        fingerprint: row.parsed("fingerprint", Fingerprint::parse)?,
        filename: row.get("filename")?,
        size: u64::try_from(row.get::<i64>("size")?).unwrap_or(0),
        public: row.get("public")?,
        cached: row.get("cached")?,
        auto_update: row.get("auto_update")?,
        architecture: row.architecture("architecture")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.time("last_used_at")?,
        uploaded_at: row.time("uploaded_at")?,
        properties: row.json("properties")?,
        source: if source.is_some() { Some(row.json("source")?) } else { None },
    })
}

/// The number of an image.
pub(crate) fn id(conn: &Conn<'_>, fingerprint: &Fingerprint) -> Result<i64> {
    conn.id_of(Kind::Image, "SELECT id FROM images WHERE fingerprint = ?1", fingerprint.as_str())
}

/// All images, sorted by fingerprint.
///
/// # Errors
/// When the database cannot be read.
pub fn list(conn: &Conn<'_>) -> Result<Vec<Image>> {
    conn.all("images", "SELECT * FROM images ORDER BY fingerprint", [], image)
}

/// The image with this fingerprint.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get(conn: &Conn<'_>, fingerprint: &Fingerprint) -> Result<Image> {
    conn.first("images", "SELECT * FROM images WHERE fingerprint = ?1", [fingerprint.as_str()], image)?
        .ok_or_else(|| Error::not_found(Kind::Image, fingerprint))
}

/// The one image whose fingerprint begins so. With `public_only` there are no others.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Ambiguous`].
pub fn resolve(conn: &Conn<'_>, prefix: &FingerprintPrefix, public_only: bool) -> Result<Image> {
    // A range of the index: no hexadecimal digit comes after "f".
    let sql = "SELECT * FROM images WHERE fingerprint >= ?1 AND fingerprint < ?1 || 'g'
               AND (public OR NOT ?2) ORDER BY fingerprint LIMIT 4";
    let mut found = conn.all("images", sql, params![prefix.as_str(), public_only], image)?;
    if found.len() > 1 {
        return Err(ambiguous(prefix, &found));
    }
    found.pop().ok_or_else(|| Error::not_found(Kind::Image, prefix))
}

/// Shows as many digits as tell the first from the others, and those of a listing at least.
fn ambiguous(prefix: &FingerprintPrefix, found: &[Image]) -> Error {
    let all: Vec<&str> = found.iter().map(|image| image.fingerprint.as_str()).collect();
    // Sorted, so what the first and the last begin with, all do.
    let common = match (all.first(), all.last()) {
        (Some(first), Some(last)) => first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let digits = (common + 1).max(12);
    let matches = all.iter().map(|f| f.get(..digits).unwrap_or(f).to_owned()).collect();
    Error::Ambiguous { prefix: prefix.to_string(), matches }
}

/// Stores a new image.
///
/// # Errors
/// [`Error::Conflict`] when there is one with this fingerprint.
pub fn insert(tx: &Tx<'_>, new: &Image) -> Result<()> {
    let sql = "INSERT INTO images (fingerprint, filename, size, public, cached, auto_update, architecture,
                   created_at, expires_at, last_used_at, uploaded_at, properties, source)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let row = params![
        new.fingerprint.as_str(),
        new.filename,
        i64::try_from(new.size).unwrap_or(i64::MAX),
        new.public,
        new.cached,
        new.auto_update,
        new.architecture.id(),
        new.created_at.to_string(),
        new.expires_at.to_string(),
        new.last_used_at.to_string(),
        new.uploaded_at.to_string(),
        json(&new.properties)?,
        new.source.as_ref().map(json).transpose()?,
    ];
    tx.execute(sql, row).map_err(|e| e.or_conflict(Kind::Image, &new.fingerprint)).map(drop)
}

/// Changes what its owner may change.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(
    tx: &Tx<'_>,
    fingerprint: &Fingerprint,
    public: bool,
    auto_update: bool,
    properties: &Config,
) -> Result<()> {
    let sql = "UPDATE images SET public = ?2, auto_update = ?3, properties = ?4 WHERE fingerprint = ?1";
    let row = params![fingerprint.as_str(), public, auto_update, json(properties)?];
    touched(tx.execute(sql, row)?, Kind::Image, fingerprint)
}

/// Notes when a container was last made from an image.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_last_used(tx: &Tx<'_>, fingerprint: &Fingerprint, time: Time) -> Result<()> {
    let sql = "UPDATE images SET last_used_at = ?2 WHERE fingerprint = ?1";
    touched(tx.execute(sql, params![fingerprint.as_str(), time.to_string()])?, Kind::Image, fingerprint)
}

/// Notes whether an image is only kept for containers.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_cached(tx: &Tx<'_>, fingerprint: &Fingerprint, cached: bool) -> Result<()> {
    let sql = "UPDATE images SET cached = ?2 WHERE fingerprint = ?1";
    touched(tx.execute(sql, params![fingerprint.as_str(), cached])?, Kind::Image, fingerprint)
}

/// Notes what the file of an image was called.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_filename(tx: &Tx<'_>, fingerprint: &Fingerprint, filename: &str) -> Result<()> {
    let sql = "UPDATE images SET filename = ?2 WHERE fingerprint = ?1";
    touched(tx.execute(sql, params![fingerprint.as_str(), filename])?, Kind::Image, fingerprint)
}

/// Notes where an image came from.
///
/// # Errors
/// [`Error::NotFound`].
pub fn set_source(tx: &Tx<'_>, fingerprint: &Fingerprint, source: Option<&UpdateSource>) -> Result<()> {
    let sql = "UPDATE images SET source = ?2 WHERE fingerprint = ?1";
    let row = params![fingerprint.as_str(), source.map(json).transpose()?];
    touched(tx.execute(sql, row)?, Kind::Image, fingerprint)
}

/// Forgets an image and its aliases.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(tx: &Tx<'_>, fingerprint: &Fingerprint) -> Result<()> {
    let rows = tx.execute("DELETE FROM images WHERE fingerprint = ?1", [fingerprint.as_str()])?;
    touched(rows, Kind::Image, fingerprint)
}
