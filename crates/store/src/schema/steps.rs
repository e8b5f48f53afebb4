//! The steps, oldest first.

use super::Step;

/// Every step. Never change one that was released.
pub(super) const STEPS: &[Step] = &[FIRST, SNAPSHOTS, CERTIFICATES, VOLUME_SNAPSHOTS];

/// Maps and lists are JSON: they are read and written as a whole. What has to be unique, looked
/// up or kept from dangling is a column. Points in time are RFC 3339 text.
const FIRST: Step = "
CREATE TABLE schema (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL UNIQUE,
    time    TEXT    NOT NULL
) STRICT;

CREATE TABLE config (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE profiles (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    config      TEXT NOT NULL,
    devices     TEXT NOT NULL
) STRICT;

CREATE TABLE pools (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    driver      TEXT NOT NULL,
    description TEXT NOT NULL,
    config      TEXT NOT NULL
) STRICT;

CREATE TABLE instances (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL UNIQUE,
    architecture INTEGER NOT NULL,
    ephemeral    INTEGER NOT NULL,
    stateful     INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    last_used_at TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    config       TEXT    NOT NULL,
    devices      TEXT    NOT NULL,
    pool_id      INTEGER NOT NULL REFERENCES pools (id) ON DELETE RESTRICT
) STRICT;
CREATE INDEX instances_by_pool ON instances (pool_id);

CREATE TABLE instances_profiles (
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    profile_id  INTEGER NOT NULL REFERENCES profiles (id) ON DELETE RESTRICT,
    PRIMARY KEY (instance_id, position),
    UNIQUE (instance_id, profile_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX instances_profiles_by_profile ON instances_profiles (profile_id);

CREATE TABLE images (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint  TEXT    NOT NULL UNIQUE,
    filename     TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    public       INTEGER NOT NULL,
    cached       INTEGER NOT NULL,
    auto_update  INTEGER NOT NULL,
    architecture INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    expires_at   TEXT    NOT NULL,
    last_used_at TEXT    NOT NULL,
    uploaded_at  TEXT    NOT NULL,
    properties   TEXT    NOT NULL,
    source       TEXT
) STRICT;

CREATE TABLE aliases (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL UNIQUE,
    description TEXT    NOT NULL,
    image_id    INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX aliases_by_image ON aliases (image_id);

CREATE TABLE networks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    type        TEXT NOT NULL,
    description TEXT NOT NULL,
    config      TEXT NOT NULL
) STRICT;

CREATE TABLE volumes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id     INTEGER NOT NULL REFERENCES pools (id) ON DELETE RESTRICT,
    type        INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    config      TEXT    NOT NULL,
    UNIQUE (pool_id, type, name)
) STRICT;

CREATE TABLE journal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL,
    started_at TEXT NOT NULL
) STRICT;

INSERT INTO profiles (name, description, config, devices)
    VALUES ('default', 'Default LXD profile', '{}', '{}');
";

/// Snapshots have what their containers had. A profile that is removed is missing from then on.
const SNAPSHOTS: Step = "
CREATE TABLE snapshots (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id  INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    architecture INTEGER NOT NULL,
    ephemeral    INTEGER NOT NULL,
    stateful     INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    last_used_at TEXT    NOT NULL,
    expires_at   TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    config       TEXT    NOT NULL,
    devices      TEXT    NOT NULL,
    UNIQUE (instance_id, name)
) STRICT;

CREATE TABLE snapshots_profiles (
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    profile_id  INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    PRIMARY KEY (snapshot_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshots_profiles_by_profile ON snapshots_profiles (profile_id);
";

/// Clients of the network that are trusted.
const CERTIFICATES: Step = "
CREATE TABLE certificates (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    der         BLOB NOT NULL
) STRICT;
";

/// What volumes were at times. Of older volumes nobody knows when they were made.
const VOLUME_SNAPSHOTS: Step = "
ALTER TABLE volumes ADD COLUMN created_at TEXT NOT NULL DEFAULT '1970-01-01T00:00:00Z';

CREATE TABLE volume_snapshots (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    volume_id   INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    expires_at  TEXT    NOT NULL,
    description TEXT    NOT NULL,
    config      TEXT    NOT NULL,
    UNIQUE (volume_id, name)
) STRICT;
";
