//! What is made of files, and made again when these change.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;

use super::{
    AccessError,
    file::{Stamp, stamps},
};
use crate::defaults;

/// How it is made.
type Read<T> = fn(&[PathBuf]) -> Result<Arc<T>, AccessError>;

/// Something made of files. They are looked at again, at most every
/// [`ACCESS_LOOK`](defaults::ACCESS_LOOK), when it is asked for; files that
/// cannot be used leave what is in force there.
pub(super) struct Watched<T> {
    /// What it is, for events.
    what: &'static str,
    paths: Vec<PathBuf>,
    read: Read<T>,
    now: ArcSwap<T>,
    looked: Mutex<(Instant, Vec<Option<Stamp>>)>,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl<T> Watched<T> {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be used.
    pub fn open(
        what: &'static str,
        paths: Vec<PathBuf>,
        read: Read<T>,
    ) -> Result<Self, AccessError> {
        let before = stamps(&paths);
        Ok(Self {
            what,
            now: ArcSwap::new(read(&paths)?),
            paths,
            read,
            looked: Mutex::new((Instant::now(), before)),
        })
    }

    /// It as the files are now.
    pub fn get(&self) -> Arc<T> {
        self.look();
        self.now.load_full()
    }

    fn look(&self) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.0.elapsed() < defaults::ACCESS_LOOK {
            return;
        }
        looked.0 = Instant::now();
        let stamps = stamps(&self.paths);
        if looked.1 == stamps {
            return;
        }
        looked.1 = stamps;
        let what = self.what;
        match (self.read)(&self.paths) {
            Ok(read) => {
                self.now.store(read);
                tracing::info!(what, "upstream_files_reloaded");
            }
            Err(error) => tracing::error!(what, %error, "upstream_files_not_reloaded"),
        }
    }
}
