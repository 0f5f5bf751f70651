//! Reading values and ranges on one connection.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, Row, params};

use crate::{Direction, Table};

/// How many statements [`Statements`] holds.
pub(super) const STATEMENTS_PER_TABLE: usize = 6;

/// The text of every statement on one table, made once so that the prepared
/// statement is found by it without formatting.
pub(super) struct Statements {
    get: String,
    forward: String,
    backward: String,
    pub(super) put: String,
    pub(super) delete: String,
    pub(super) delete_range: String,
}

impl Statements {
    pub(super) fn new(Table(name): Table) -> Self {
        let range = |order| {
            format!(
                "SELECT v, large, k FROM \"{name}\" WHERE k >= ? AND k < ? ORDER BY k {order} LIMIT ?"
            )
        };
        Self {
            get: format!("SELECT v, large FROM \"{name}\" WHERE k = ?"),
            forward: range("ASC"),
            backward: range("DESC"),
            put: format!(
                "INSERT INTO \"{name}\"(k, v, large) VALUES (?, ?, ?) ON CONFLICT(k)
                 DO UPDATE SET v = excluded.v, large = excluded.large"
            ),
            delete: format!("DELETE FROM \"{name}\" WHERE k = ?"),
            delete_range: format!("DELETE FROM \"{name}\" WHERE k >= ? AND k < ?"),
        }
    }
}

/// The value of a key.
pub(super) fn get(
    connection: &Connection,
    statements: &Statements,
    key: &[u8],
) -> rusqlite::Result<Option<Bytes>> {
    connection
        .prepare_cached(&statements.get)?
        .query_row([key], |row| value(connection, row))
        .optional()
}

/// At most `limit` entries of a half-open range.
pub(super) fn range(
    connection: &Connection,
    statements: &Statements,
    range: &Range<Vec<u8>>,
    direction: Direction,
    limit: usize,
) -> rusqlite::Result<Vec<(Bytes, Bytes)>> {
    let text = match direction {
        Direction::Forward => &statements.forward,
        Direction::Backward => &statements.backward,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(text)?
        .query_map(params![range.start, range.end, limit], |row| {
            let key = Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?);
            Ok((key, value(connection, row)?))
        })?
        .collect()
}

/// The value of a row whose first columns are `v` and `large`. The row's
/// statement is still open, so a large value is read in the same transaction
/// even outside an explicit one.
fn value(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Bytes> {
    let Some(large) = row.get::<_, Option<i64>>(1)? else {
        return Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?));
    };
    let blob = connection.blob_open(MAIN_DB, "heliostat_large", "v", large, true)?;
    let mut bytes = vec![0; blob.len()];
    blob.read_at_exact(&mut bytes, 0)?;
    Ok(bytes.into())
}
