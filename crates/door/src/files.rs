//! Files whose changes are taken over while we run.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use sha2::{Digest, Sha256};

use crate::{DoorError, defaults};

/// How often files were taken over after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Taken over.
    pub done: u64,
    /// Broken: what was in force stays.
    pub failed: u64,
}

/// Some files that make sense together.
#[derive(Debug)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    /// The digest of what was last looked at, good or broken: a broken file
    /// is reported once, not every few seconds. The lock also keeps two
    /// reloads apart.
    seen: Mutex<Option<[u8; 32]>>,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Files {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            seen: Mutex::default(),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(crate) fn reloads(&self) -> Reloads {
        Reloads {
            done: self.done.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }

    /// Reads all of them, in order.
    ///
    /// # Errors
    /// One cannot be read, or is larger than [`defaults::MAX_FILE`].
    pub(crate) fn read(&self) -> Result<Vec<Vec<u8>>, DoorError> {
        let read: Vec<_> = self.paths.iter().map(|path| read(path)).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest(&read));
        read.into_iter().collect()
    }

    /// Reads all of them again and hands them to `apply` if they differ from
    /// what was last seen, or if `force` says so. True if they were applied.
    ///
    /// # Errors
    /// One cannot be read, or `apply` does not like them. An error that was
    /// reported before is not reported again, except by `force`.
    pub(crate) fn reload(
        &self,
        force: bool,
        apply: impl FnOnce(&[Vec<u8>]) -> Result<(), DoorError>,
    ) -> Result<bool, DoorError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read: Vec<_> = self.paths.iter().map(|path| read(path)).collect();
        let digest = digest(&read);
        if !force && *seen == Some(digest) {
            return Ok(false);
        }
        *seen = Some(digest);
        let applied = read
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .and_then(|read| apply(&read));
        match applied {
            Ok(()) => {
                self.done.fetch_add(1, Relaxed);
                Ok(true)
            }
            Err(error) => {
                self.failed.fetch_add(1, Relaxed);
                Err(error)
            }
        }
    }
}

/// A file of bounded size.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DoorError> {
    let broken = |reason: String| DoorError::File {
        path: path.to_owned(),
        reason,
    };
    let unread = |error: io::Error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "; correct the path, or put the file there",
            ErrorKind::PermissionDenied => "; it must be readable for the user this runs as",
            _ => "",
        };
        broken(format!("{error}{hint}"))
    };
    let file = File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(defaults::MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > defaults::MAX_FILE {
        let limit = defaults::MAX_FILE;
        return Err(broken(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

fn digest(read: &[Result<Vec<u8>, DoorError>]) -> [u8; 32] {
    let mut all = Sha256::new();
    for one in read {
        match one {
            Ok(bytes) => all.update(Sha256::digest(bytes)),
            Err(error) => all.update(Sha256::digest(error.to_string())),
        }
    }
    all.finalize().into()
}
