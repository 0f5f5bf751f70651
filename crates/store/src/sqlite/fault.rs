//! SQLite's result codes, by what an operator can do.

use std::{fs::OpenOptions, io, path::Path};

use rusqlite::{Error, ErrorCode};

use crate::StoreError;

/// What SQLite said, as an error of this crate.
pub(super) fn of(store: &str, error: &Error) -> StoreError {
    let store = store.to_owned();
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { store, reason },
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => StoreError::ReadOnly { store, reason },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt {
            store,
            reason: format!("{reason}; restore a copy, or move the file away to start over"),
        },
        Some(ErrorCode::NotADatabase) => StoreError::Corrupt {
            store,
            reason: "the file is no SQLite database; name another path".into(),
        },
        Some(ErrorCode::CannotOpen) => StoreError::Unavailable {
            store,
            reason: format!("{reason}; check that the path and its directory may be used"),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unavailable {
            store,
            reason: format!("another program holds a lock on it ({reason})"),
        },
        _ => StoreError::Unavailable { store, reason },
    }
}

/// The same of the connection that writes. Of a file system that turned
/// read-only under it SQLite says that I/O failed; the system says more when
/// asked about the log. Not about the database itself: to close any descriptor
/// of that would end the locks SQLite holds.
pub(super) fn of_writing(store: &str, log: &Path, error: &Error) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        && let Err(refused) = OpenOptions::new().write(true).open(log)
        && refused.kind() != io::ErrorKind::NotFound
    {
        return of_path(store, log, &refused);
    }
    of(store, error)
}

/// Whether another connection is in the way for a moment.
pub(super) fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// What the file system said about `path`, as an error of this crate.
pub(super) fn of_path(store: &str, path: &Path, error: &io::Error) -> StoreError {
    let store = store.to_owned();
    let reason = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { store, reason }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { store, reason }
        }
        _ => StoreError::Unavailable { store, reason },
    }
}
