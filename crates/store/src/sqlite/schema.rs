//! The layout on disk, its versions and their migrations.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::File;
use crate::{StoreError, Table};

/// Marks the file as Heliostat's in its header (`PRAGMA application_id`);
/// `file` and `sqlite3` show it. The bytes read `HELI`.
const APPLICATION: i32 = 0x4845_4c49;

/// One step from a version to the next.
type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// The steps in order: the first makes version 1 of an empty file. Append
/// only; a step that was released never changes.
const MIGRATIONS: &[Migration] = &[values_apart];

/// Version 1: the version itself, and the place of large values.
fn values_apart(work: &Transaction<'_>) -> rusqlite::Result<()> {
    work.execute_batch(
        "CREATE TABLE heliostat_schema(version INTEGER NOT NULL);
         INSERT INTO heliostat_schema(version) VALUES (0);
         CREATE TABLE heliostat_large(id INTEGER PRIMARY KEY, v BLOB NOT NULL);",
    )
}

/// Brings the file to this release's version and creates missing tables, in
/// one transaction.
pub(super) fn prepare(file: &File, connection: &mut Connection) -> Result<(), StoreError> {
    migrate(file, connection, MIGRATIONS)
}

fn migrate(
    file: &File,
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let fault = |error| file.fault(&error);
    let work = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault)?;
    let found = version(&work).map_err(fault)?;
    if found.is_none() && !is_empty(&work).map_err(fault)? {
        return Err(corrupt(file, "it holds the tables of another program"));
    }
    let found = found.unwrap_or(0);
    let (steps, newest) = (migrations.get(found..), migrations.len());
    let Some(steps) = steps else {
        return Err(newer(file, found, newest));
    };
    for (step, number) in steps.iter().zip(found + 1..) {
        step(&work).map_err(fault)?;
        tracing::info!(store = file.name, version = number, "schema migrated");
    }
    if !steps.is_empty() {
        work.execute("UPDATE heliostat_schema SET version = ?", params![newest])
            .map_err(fault)?;
        work.pragma_update(None, "application_id", APPLICATION)
            .map_err(fault)?;
    }
    for table in file.tables.keys() {
        create(&work, *table).map_err(fault)?;
    }
    work.commit().map_err(fault)
}

/// Creates a ledger's table when it is missing. Triggers keep the large
/// values in step, whoever deletes or replaces the row.
fn create(work: &Transaction<'_>, Table(name): Table) -> rusqlite::Result<()> {
    let drop_large = "WHEN old.large IS NOT NULL
         BEGIN DELETE FROM heliostat_large WHERE id = old.large; END";
    work.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS \"{name}\"(k BLOB PRIMARY KEY, v BLOB, large INTEGER)
             WITHOUT ROWID;
         CREATE TRIGGER IF NOT EXISTS \"{name}_deleted\" AFTER DELETE ON \"{name}\" {drop_large};
         CREATE TRIGGER IF NOT EXISTS \"{name}_replaced\" AFTER UPDATE ON \"{name}\" {drop_large};"
    ))
}

/// Refuses a file that this release cannot read as it is.
pub(super) fn check(file: &File, connection: &Connection) -> Result<(), StoreError> {
    let fault = |error| file.fault(&error);
    let newest = MIGRATIONS.len();
    match version(connection).map_err(fault)? {
        Some(found) if found > newest => return Err(newer(file, found, newest)),
        Some(found) if found < newest => {
            return Err(unready(
                file,
                &format!("it has schema version {found}, not {newest}"),
            ));
        }
        Some(_) => {}
        None if is_empty(connection).map_err(fault)? => {
            return Err(unready(file, "it is still empty"));
        }
        None => return Err(corrupt(file, "it holds the tables of another program")),
    }
    for Table(name) in file.tables.keys() {
        if !has_table(connection, name).map_err(fault)? {
            return Err(unready(file, &format!("it has no table {name:?} yet")));
        }
    }
    Ok(())
}

/// The version in the file; `None` when it is not one of ours.
fn version(connection: &Connection) -> rusqlite::Result<Option<usize>> {
    if !has_table(connection, "heliostat_schema")? {
        return Ok(None);
    }
    connection
        .query_row("SELECT version FROM heliostat_schema", [], |row| row.get(0))
        .optional()
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?
        .exists([name])
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = connection
        .prepare("SELECT 1 FROM sqlite_schema")?
        .exists([]);
    tables.map(|any| !any)
}

fn newer(file: &File, found: usize, newest: usize) -> StoreError {
    corrupt(
        file,
        &format!(
            "a newer release wrote it (schema version {found}, this release knows up to {newest}); \
             use that release"
        ),
    )
}

fn unready(file: &File, found: &str) -> StoreError {
    StoreError::Unavailable {
        store: file.name.clone(),
        reason: format!("{found}; start the writing process of this release first"),
    }
}

fn corrupt(file: &File, reason: &str) -> StoreError {
    StoreError::Corrupt {
        store: file.name.clone(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn file() -> File {
        File {
            name: "sqlite:test".into(),
            path: "test".into(),
            tables: HashMap::new(),
        }
    }

    #[test]
    fn later_steps_run_once_on_an_older_file_and_none_when_one_fails() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&file(), &mut connection, MIGRATIONS).unwrap();
        let count: Migration =
            |work| work.execute_batch("CREATE TABLE steps(n); INSERT INTO steps VALUES (1);");
        let fail: Migration = |work| work.execute_batch("INSERT INTO nowhere VALUES (1)");
        let steps = [values_apart, count];

        assert!(migrate(&file(), &mut connection, &[values_apart, count, fail]).is_err());
        assert!(!has_table(&connection, "steps").unwrap());
        assert_eq!(version(&connection).unwrap(), Some(1));

        for _again in 0..2 {
            migrate(&file(), &mut connection, &steps).unwrap();
            assert_eq!(version(&connection).unwrap(), Some(2));
            let rows: i64 = connection
                .query_row("SELECT count(*) FROM steps", [], |row| row.get(0))
                .unwrap();
            assert_eq!(rows, 1);
        }

        let newer = migrate(&file(), &mut connection, MIGRATIONS).unwrap_err();
        assert!(newer.to_string().contains("newer release"), "{newer}");
    }
}
