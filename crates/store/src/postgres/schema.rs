//! The layout on the server, its versions and their migrations.

use deadpool_postgres::ClientWrapper as Session;
use tokio_postgres::{Client, error::SqlState};

use super::link::Link;
use crate::{StoreError, Table};

/// The steps in order, run within the chain's schema: the first makes
/// version 1 of an empty one. Append only; a released step never changes.
///
/// Version 1: `version` of the layout, and `term`, which counts the processes
/// that became the writer, so that one which lost its session can tell
/// whether another wrote meanwhile.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE heliostat_schema (version integer NOT NULL, term bigint NOT NULL);
     INSERT INTO heliostat_schema (version, term) VALUES (0, 0);",
];

/// Brings the schema to this release's version, creates missing tables, and
/// begins the next term, all in one transaction. Gives the term.
pub(super) async fn prepare(link: &Link, client: &mut Session) -> Result<i64, StoreError> {
    migrate(link, client, MIGRATIONS).await
}

async fn migrate(
    link: &Link,
    client: &mut Session,
    migrations: &[&str],
) -> Result<i64, StoreError> {
    let fault = |error| link.fault(&error);
    let (schema, newest) = (&link.schema, migrations.len());
    let exists = client
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[schema])
        .await
        .map_err(fault)?;
    let work = client.transaction().await.map_err(fault)?;
    if exists.is_none() {
        // Only when it is missing: it takes rights that a writer can do without.
        let create = format!("CREATE SCHEMA \"{schema}\"");
        work.batch_execute(&create).await.map_err(fault)?;
    }
    let within = format!("SET LOCAL search_path = \"{schema}\"");
    work.batch_execute(&within).await.map_err(fault)?;
    let known = work
        .query_one("SELECT to_regclass('heliostat_schema') IS NOT NULL", &[])
        .await
        .map_err(fault)?;
    let found = match known.get::<_, bool>(0) {
        true => version(link, &*work).await?,
        false => 0,
    };
    let Some(steps) = migrations.get(found..) else {
        return Err(newer(link, found, newest));
    };
    for (step, number) in steps.iter().zip(found + 1..) {
        work.batch_execute(step).await.map_err(fault)?;
        tracing::info!(
            store = link.name,
            schema,
            version = number,
            "schema migrated"
        );
    }
    for Table(name) in link.tables.keys() {
        // Uncompressed, outside the row; see the module's documentation.
        let create = format!(
            "CREATE TABLE IF NOT EXISTS \"{name}\" (k bytea PRIMARY KEY, v bytea NOT NULL);
             ALTER TABLE \"{name}\" ALTER COLUMN v SET STORAGE EXTERNAL"
        );
        work.batch_execute(&create).await.map_err(fault)?;
    }
    let next =
        format!("UPDATE heliostat_schema SET version = {newest}, term = term + 1 RETURNING term");
    let term = work.query_one(&next, &[]).await.map_err(fault)?.get(0);
    work.commit().await.map_err(fault)?;
    Ok(term)
}

async fn version(
    link: &Link,
    client: &impl tokio_postgres::GenericClient,
) -> Result<usize, StoreError> {
    let text = format!("SELECT version FROM \"{}\".heliostat_schema", link.schema);
    let found: i32 = client
        .query_one(&text, &[])
        .await
        .map_err(|error| match error.code() {
            Some(code) if *code == SqlState::UNDEFINED_TABLE => unready(link, "it is still empty"),
            _ => link.fault(&error),
        })?
        .get(0);
    usize::try_from(found).map_err(|_| StoreError::Corrupt {
        store: link.name.clone(),
        reason: format!("it has schema version {found}"),
    })
}

/// The term that is running.
pub(super) async fn term(link: &Link, client: &Client) -> Result<i64, StoreError> {
    let text = format!("SELECT term FROM \"{}\".heliostat_schema", link.schema);
    let row = client.query_one(&text, &[]).await;
    Ok(row.map_err(|error| link.fault(&error))?.get(0))
}

/// Refuses a schema that this release cannot read as it is.
pub(super) async fn check(link: &Link, client: &Client) -> Result<(), StoreError> {
    let newest = MIGRATIONS.len();
    match version(link, client).await? {
        found if found > newest => return Err(newer(link, found, newest)),
        found if found < newest => {
            let found = format!("it has schema version {found}, not {newest}");
            return Err(unready(link, &found));
        }
        _ => {}
    }
    for (Table(name), statements) in &link.tables {
        let known = client
            .query_one(
                "SELECT to_regclass($1::text) IS NOT NULL",
                &[&statements.table],
            )
            .await
            .map_err(|error| link.fault(&error))?;
        if !known.get::<_, bool>(0) {
            return Err(unready(link, &format!("it has no table {name:?} yet")));
        }
    }
    Ok(())
}

fn newer(link: &Link, found: usize, newest: usize) -> StoreError {
    StoreError::Corrupt {
        store: link.name.clone(),
        reason: format!(
            "a newer release wrote schema {:?} (version {found}, this release knows up to \
             {newest}); use that release",
            link.schema
        ),
    }
}

fn unready(link: &Link, found: &str) -> StoreError {
    link.unavailable(format_args!(
        "schema {:?}: {found}; start the writing process of this release first",
        link.schema
    ))
}
