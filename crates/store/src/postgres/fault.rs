//! PostgreSQL's error codes, by what an operator can do.

use std::error::Error as _;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::{Error, error::SqlState};

use crate::{StoreError, defaults::CONNECT};

/// The error in words, with the server's own where it gave any. Statements
/// and values are not part of it.
pub(super) fn words(error: &Error) -> String {
    if let Some(told) = error.as_db_error() {
        let hint = told.hint().map(|hint| format!("; {hint}"));
        let code = told.code().code();
        return format!("{} ({code}){}", told.message(), hint.unwrap_or_default());
    }
    if let Some(words) = super::tls::words(error) {
        return words;
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What PostgreSQL or the network said, as an error of this crate.
pub(super) fn of(store: &str, error: &Error) -> StoreError {
    let (store, reason) = (store.to_owned(), words(error));
    let Some(code) = error.code() else {
        return StoreError::Unavailable { store, reason };
    };
    if *code == SqlState::DISK_FULL {
        StoreError::Full { store, reason }
    } else if [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ]
    .contains(code)
    {
        StoreError::ReadOnly { store, reason }
    } else if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        StoreError::Corrupt { store, reason }
    } else {
        StoreError::Unavailable { store, reason }
    }
}

/// Why the pool gave no connection.
pub(super) fn of_pool(store: &str, error: &PoolError) -> StoreError {
    let reason = match error {
        PoolError::Backend(error) => return of(store, error),
        PoolError::Timeout(TimeoutType::Wait) => {
            "all readers stayed taken; the server is too slow for the load, or more readers \
             should be configured"
                .into()
        }
        PoolError::Timeout(_) => format!("no connection within {} s", CONNECT.as_secs()),
        other => other.to_string(),
    };
    let store = store.to_owned();
    StoreError::Unavailable { store, reason }
}
