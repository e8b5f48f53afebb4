//! Tests of every step of the schema on databases with content.

use super::{Step, steps::STEPS, update, update_with, version};
use crate::Error;
use rusqlite::Connection;
use std::path::Path;

fn database() -> Connection {
    let sql = Connection::open_in_memory().unwrap();
    sql.pragma_update(None, "foreign_keys", true).unwrap();
    sql
}

macro_rules! first {
    () => {
        "
INSERT INTO config (key, value) VALUES ('images.auto_update_interval', '0');
INSERT INTO profiles (name, description, config, devices) VALUES ('web', 'd', '{\"user.a\":\"1\"}', '{}');
INSERT INTO pools (name, driver, description, config) VALUES ('default', 'dir', '', '{}');
INSERT INTO instances (name, architecture, ephemeral, stateful, created_at, last_used_at, description,
    config, devices, pool_id) VALUES ('c1', 2, 0, 0, '2026-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '',
    '{\"volatile.last_state.power\":\"RUNNING\"}', '{\"root\":{\"type\":\"disk\"}}', 1);
INSERT INTO instances_profiles (instance_id, position, profile_id) VALUES (1, 0, 1), (1, 1, 2);
INSERT INTO images (fingerprint, filename, size, public, cached, auto_update, architecture, created_at,
    expires_at, last_used_at, uploaded_at, properties, source) VALUES
    ('0000000000000000000000000000000000000000000000000000000000000000', 'f', 1, 0, 0, 0, 2,
    '2026-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '2026-01-01T00:00:00.5Z', '{}', NULL);
INSERT INTO aliases (name, description, image_id) VALUES ('debian/12', '', 1);
INSERT INTO networks (name, type, description, config) VALUES ('lxdbr0', 'bridge', '', '{}');
INSERT INTO volumes (pool_id, type, name, description, config) VALUES (1, 0, 'c1', '', '{}');
INSERT INTO journal (kind, subject, detail, started_at) VALUES ('create', 'c2', '{}', '2026-01-01T00:00:00Z');
"
    };
}

/// What was added by the second step.
macro_rules! second {
    () => {
        concat!(first!(), "
INSERT INTO snapshots (instance_id, name, architecture, ephemeral, stateful, created_at, last_used_at, expires_at,
    description, config, devices) VALUES (1, 'snap0', 2, 0, 0, '2026-01-01T00:00:00Z', '1970-01-01T00:00:00Z',
    '1970-01-01T00:00:00Z', '', '{}', '{}');
INSERT INTO snapshots_profiles (snapshot_id, position, profile_id) VALUES (1, 0, 1);
")
    };
}

/// What was added by the third step.
macro_rules! third {
    () => {
        concat!(
            second!(),
            "
INSERT INTO certificates (fingerprint, name, der) VALUES ('00ff', 'c', x'30');
"
        )
    };
}

/// What a database of each version may hold, in every table.
const POPULATED: &[&str] = &[
    first!(),
    second!(),
    third!(),
    concat!(
        third!(),
        "
INSERT INTO volume_snapshots (volume_id, name, created_at, expires_at, description, config)
    VALUES (1, 'snap0', '2026-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '', '{}');
"
    ),
];

#[test]
fn every_step_is_made_on_a_populated_database_and_everything_can_be_read() {
    assert_eq!(POPULATED.len(), STEPS.len(), "say what a database of the new version may hold");
    for (index, content) in POPULATED.iter().enumerate() {
        let mut sql = database();
        update_with(&mut sql, Path::new("test"), &STEPS[..=index]).unwrap();
        sql.execute_batch(content).unwrap();
        update(&mut sql, Path::new("test")).unwrap();

        let conn = crate::Conn::new(&sql);
        let instances = crate::instances::list(&conn).unwrap();
        assert_eq!(instances[0].profiles.len(), 2);
        assert_eq!(instances[0].config["volatile.last_state.power"], "RUNNING");
        assert_eq!(crate::profiles::list(&conn).unwrap().len(), 2);
        assert_eq!(crate::pools::list(&conn).unwrap().len(), 1);
        assert_eq!(crate::images::list(&conn).unwrap().len(), 1);
        assert_eq!(crate::aliases::list(&conn).unwrap().len(), 1);
        assert_eq!(crate::networks::list(&conn).unwrap().len(), 1);
        assert_eq!(crate::volumes::list(&conn, &instances[0].pool).unwrap().len(), 1);
        let snapshots = crate::snapshots::list(&conn).unwrap().into_values().flatten();
        assert_eq!(snapshots.map(|s| s.content.profiles.len()).collect::<Vec<_>>(), vec![1; index.min(1)]);
        assert_eq!(crate::certificates::list(&conn).unwrap().len(), usize::from(index >= 2));
        assert_eq!(crate::journal::list(&conn).unwrap().len(), 1);
        assert_eq!(crate::server_config::get(&conn).unwrap().len(), 1);
    }
}

#[test]
fn steps_are_made_once_and_noted() {
    let mut sql = database();
    for _ in 0..2 {
        update(&mut sql, Path::new("test")).unwrap();
        assert_eq!(version(&sql).unwrap(), STEPS.len() as i64);
    }
    let rows: i64 =
        sql.query_row("SELECT count(*) FROM schema WHERE time LIKE '20%Z'", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, STEPS.len() as i64);
    assert!(sql.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)).unwrap());
}

/// Rebuilding a table is how its columns are changed; rows that point at it must stay.
const REBUILD: Step = "
CREATE TABLE new_pools (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,
    description TEXT NOT NULL, config TEXT NOT NULL, extra TEXT NOT NULL DEFAULT 'x') STRICT;
INSERT INTO new_pools (id, name, driver, description, config) SELECT id, name, driver, description, config FROM pools;
DROP TABLE pools;
ALTER TABLE new_pools RENAME TO pools;
";

fn with(step: Step) -> Vec<Step> {
    STEPS.iter().copied().chain([step]).collect()
}

#[test]
fn a_rebuilt_table_keeps_the_rows_that_point_at_it() {
    let mut sql = database();
    update(&mut sql, Path::new("test")).unwrap();
    sql.execute_batch(POPULATED[POPULATED.len() - 1]).unwrap();
    update_with(&mut sql, Path::new("test"), &with(REBUILD)).unwrap();
    let extra: String = sql
        .query_row("SELECT p.extra FROM instances i JOIN pools p ON p.id = i.pool_id", [], |row| row.get(0))
        .unwrap();
    assert_eq!(extra, "x");
    assert!(sql.execute("DELETE FROM pools", []).is_err(), "keys are enforced again");
}

#[test]
fn a_step_that_fails_leaves_everything_as_it_was() {
    for (step, dangling) in [("DROP TABLE journal; SELECT nonsense;", false), ("DELETE FROM pools;", true)] {
        let mut sql = database();
        update(&mut sql, Path::new("test")).unwrap();
        sql.execute_batch(POPULATED[POPULATED.len() - 1]).unwrap();
        let error = update_with(&mut sql, Path::new("lxd.db"), &with(step)).unwrap_err();
        assert!(error.to_string().contains("lxd.db"), "{error}");
        let Error::Schema { source, .. } = error else { panic!() };
        assert_eq!(matches!(*source, Error::Dangling { .. }), dangling, "{source:?}");
        assert_eq!(version(&sql).unwrap(), STEPS.len() as i64);
        let rows: i64 = sql
            .query_row("SELECT (SELECT count(*) FROM journal) + (SELECT count(*) FROM pools)", [], |r| {
                r.get(0)
            })
            .unwrap();
        assert_eq!(rows, 2);
    }
}

#[test]
fn a_newer_database_is_left_alone() {
    let mut sql = database();
    update_with(&mut sql, Path::new("test"), &with(REBUILD)).unwrap();
    let error = update(&mut sql, Path::new("lxd.db")).unwrap_err();
    assert!(matches!(error, Error::TooNew { .. }));
    assert!(error.to_string().contains("lxd.db") && error.to_string().contains("newer"));
}
