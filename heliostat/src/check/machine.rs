//! Ports, stores and files of the machine.

use std::{fs, path::Path};

use heliostat_door::{Door, DoorError};
use heliostat_store::{Options as StoreOptions, Table};

use super::{Found, Verdict};
use crate::{
    address::without_credentials,
    cli::exit::{Failure, store_words},
    config::Config,
};

/// Whether a port can be had.
pub(super) async fn port(
    setting: &str,
    address: &str,
    options: heliostat_door::Options,
    running: bool,
) -> Found {
    let (verdict, words) = match Door::bind(address, options).await {
        Ok(_) => (Verdict::Ok, "free".to_owned()),
        Err(DoorError::InUse { .. }) if running => (
            Verdict::Ok,
            "in use by the Heliostat that runs already".to_owned(),
        ),
        Err(error) => (Verdict::Failed, error.to_string()),
    };
    Found {
        subject: format!("{setting} {address}"),
        verdict,
        words,
    }
}

/// Opens the store for reading, which disturbs nobody; one that does not
/// exist yet is not made.
pub(super) async fn store(
    config: &Config,
    chain: &str,
    tables: &[Table],
) -> Result<Found, Failure> {
    let address = config.store_address(chain)?;
    let subject = format!("store {}", without_credentials(&address));
    let file = address.strip_prefix("sqlite:").map(Path::new);
    let (verdict, words) = match file {
        Some(file) if !file.exists() => match makeable(file) {
            Ok(()) => (Verdict::Ok, "new; it is made on the first start".to_owned()),
            Err(words) => (Verdict::Failed, words),
        },
        _ if address == "memory:" => (Verdict::Ok, "nothing is kept over a restart".to_owned()),
        _ => {
            let options = StoreOptions::read_only();
            match heliostat_store::open(&address, chain, tables, options).await {
                Ok(_) => match file.map(writable).transpose() {
                    Ok(_) => (Verdict::Ok, "can be opened".to_owned()),
                    Err(words) => (Verdict::Failed, words),
                },
                Err(error) => (Verdict::Failed, store_words(&error)),
            }
        }
    };
    Ok(Found {
        subject,
        verdict,
        words,
    })
}

/// Whether events can be appended to a file, which is not made here.
pub(super) fn log_file(file: &Path) -> Found {
    let here = file.parent().is_none_or(|folder| {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        folder.is_dir()
    });
    let looked = match (file.exists(), here) {
        (true, _) => writable(file),
        (false, true) => makeable(file),
        (false, false) => Err("its folder is not there; make it, or name another file".to_owned()),
    };
    let (verdict, words) = match looked {
        Ok(()) => (Verdict::Ok, "can be written to".to_owned()),
        Err(words) => (Verdict::Failed, words),
    };
    Found::new(
        format!("observe.log-file {}", file.display()),
        verdict,
        words,
    )
}

/// Whether a store's file can be made, with the folders it is in, as the first
/// start does. Tried where the innermost folder is that there is.
fn makeable(file: &Path) -> Result<(), String> {
    let above = file.ancestors().skip(1);
    let mut folders = above.map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let folder = folders.find(|folder| folder.exists());
    let folder = folder.unwrap_or(Path::new("/"));
    let trial = folder.join(format!(".heliostat-check-{}", std::process::id()));
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&trial);
    made.map_err(|error| {
        format!(
            "cannot be made in {}: {error}; name a folder that the user this runs as may write to",
            folder.display()
        )
    })?;
    fs::remove_file(&trial).map_err(|error| format!("{}: {error}", trial.display()))
}

/// Whether a store's file can be written to; nothing is.
fn writable(file: &Path) -> Result<(), String> {
    let opened = fs::OpenOptions::new().write(true).open(file);
    opened.map(drop).map_err(|error| {
        format!(
            "cannot be written to: {error}; give {} and its folder to the user this runs as",
            file.display()
        )
    })
}
