//! Files of bounded size, read where waiting does no harm.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::AccessError;
use crate::defaults;

/// What tells a file that was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64, Option<SystemTime>);

/// The stamps of some files; `None` for one that is not there.
pub(super) fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let known = std::fs::metadata(path).ok()?;
        Some(Stamp(known.len(), known.modified().ok()))
    };
    paths.iter().map(stamp).collect()
}

/// A whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    let cannot = |error: std::io::Error| {
        AccessError::file(
            path,
            format!("cannot be read: {error}; it must be readable for the user this runs as"),
        )
    };
    let file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(defaults::ACCESS_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    match bytes.len() as u64 > defaults::ACCESS_FILE {
        true => Err(AccessError::file(
            path,
            format!("is larger than {} bytes", defaults::ACCESS_FILE),
        )),
        false => Ok(bytes),
    }
}

/// The first line of a file, which has to say something.
pub(super) fn first_line(path: &Path) -> Result<String, AccessError> {
    let bytes = read(path)?;
    let text = str::from_utf8(&bytes)
        .map_err(|_| AccessError::file(path, "is no text; its first line must be the secret"))?;
    let line = text.lines().next().unwrap_or_default().trim();
    match line.is_empty() {
        true => Err(AccessError::file(
            path,
            "has an empty first line; it must be the secret",
        )),
        false => Ok(line.to_owned()),
    }
}

/// The same off the runtime's threads.
pub(super) async fn first_line_later(path: PathBuf) -> Result<String, AccessError> {
    let read = tokio::task::spawn_blocking({
        let path = path.clone();
        move || first_line(&path)
    });
    read.await
        .unwrap_or_else(|_| Err(AccessError::file(&path, "could not be read")))
}
