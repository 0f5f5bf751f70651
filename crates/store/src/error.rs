//! What can go wrong, told apart by what an operator can do about it.

use thiserror::Error;

/// Why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk is full. Reads go on; writing resumes when there is room.
    #[error("the disk of {store} is full: {reason}; free some space, nothing else is needed")]
    Full {
        /// Which store, without credentials.
        store: String,
        /// The engine's words.
        reason: String,
    },
    /// The store cannot be written to: permissions, a read-only file system,
    /// or another writer holds it.
    #[error("{store} cannot be written: {reason}")]
    ReadOnly {
        /// Which store, without credentials.
        store: String,
        /// The engine's words.
        reason: String,
    },
    /// The server cannot be reached, or the file cannot be opened.
    #[error("{store} cannot be reached: {reason}")]
    Unavailable {
        /// Which store, without credentials.
        store: String,
        /// The engine's words.
        reason: String,
    },
    /// What is stored is not what was written, or was written by a newer
    /// release.
    #[error("{store} cannot be used: {reason}")]
    Corrupt {
        /// Which store, without credentials.
        store: String,
        /// What was found.
        reason: String,
    },
    /// The caller asked for what no store does: a table that was not named
    /// when the store was opened, or a key or name that is too long. A mistake
    /// in the program, not in the store.
    #[error("{store} refuses: {reason}")]
    Refused {
        /// Which store, without credentials.
        store: String,
        /// What was asked.
        reason: String,
    },
    /// The address does not name a store.
    #[error(
        "{given:?} is not a store address: {reason}; use memory:, sqlite:PATH or postgres://USER@HOST/DATABASE"
    )]
    Address {
        /// What was given, without credentials.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
}
