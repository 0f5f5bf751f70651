//! One writing process at a time.
//!
//! SQLite's own exclusive mode would shut readers out too, so the writer holds
//! an advisory lock on `PATH.lock`. The operating system drops it with the
//! process, however that ends; the file itself stays.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use super::fault;
use crate::StoreError;

/// Longest process id read back from a lock file, in bytes.
const PID_BYTES: u64 = 20;

/// Held for as long as this process may write.
pub(super) struct WriterLock(#[expect(dead_code, reason = "dropping it unlocks")] File);

impl WriterLock {
    /// Takes the lock for the database at `path`.
    ///
    /// Errors: [`StoreError::ReadOnly`] when another process has it.
    pub(super) fn take(store: &str, path: &Path) -> Result<Self, StoreError> {
        let mut beside = path.to_owned().into_os_string();
        beside.push(".lock");
        let beside = Path::new(&beside);
        let failed = |error| fault::of_path(store, beside, &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::ReadOnly {
                    store: store.to_owned(),
                    reason: format!(
                        "another process{} writes to it; stop that one, or open for reading only",
                        holder(&mut file)
                    ),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The number only helps people; a full disk must not keep us out.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = write!(file, "{}", std::process::id());
        Ok(Self(file))
    }
}

/// ` (process 123)` when the holder wrote its number.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(PID_BYTES).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(process)) => format!(" (process {process})"),
        _ => String::new(),
    }
}
