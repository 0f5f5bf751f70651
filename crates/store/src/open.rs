//! From an address to a [`Store`].

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{Store, StoreError, Table, defaults, memory::Memory, postgres, sqlite};

/// What a process does with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Access {
    /// Reads and writes, as the only process that does. Creates and migrates
    /// what is missing.
    #[default]
    Write,
    /// Reads what another process writes; [`Store::commit`] is refused.
    Read,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether this process writes.
    pub access: Access,
    /// How many snapshots can be open at the same time, at least 1.
    pub readers: usize,
    /// How long a snapshot waits for a free reader.
    pub reader_wait: Duration,
    /// SQLite only: the file may not grow beyond this many bytes; commits that
    /// need more fail with [`StoreError::Full`].
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            access: Access::Write,
            readers: defaults::READERS,
            reader_wait: defaults::READER_WAIT,
            max_bytes: None,
        }
    }
}

impl Options {
    /// The defaults for a process that only reads.
    pub fn read_only() -> Self {
        Self {
            access: Access::Read,
            ..Self::default()
        }
    }
}

/// Opens the store at `address`: `memory:`, `sqlite:PATH`, or a PostgreSQL URL
/// (`postgres://` or `postgresql://`; without a password in it, the
/// environment variable `PGPASSWORD` is used).
///
/// `namespace` keeps chains apart: it is the schema in PostgreSQL; SQLite and
/// memory ignore it, since they have one file or map per chain. `tables` are
/// all the tables the caller will ever name.
///
/// Must be called within a tokio runtime. Errors: [`StoreError::Address`] for
/// an address that names no store, [`StoreError::ReadOnly`] when another
/// process writes to it, and whatever the engine meets.
pub async fn open(
    address: &str,
    namespace: &str,
    tables: &[Table],
    options: Options,
) -> Result<Arc<dyn Store>, StoreError> {
    let address = Address::parse(address)?;
    check_names(namespace, tables)?;
    Ok(match address {
        Address::Memory => Arc::new(Memory::new(tables)),
        Address::Sqlite(path) => Arc::new(sqlite::open(path, tables, options).await?),
        Address::Postgres(url) => Arc::new(postgres::open(&url, namespace, tables, options).await?),
    })
}

/// An address, told apart by engine.
#[derive(PartialEq, Eq)]
enum Address {
    Memory,
    Sqlite(PathBuf),
    /// The whole URL, credentials included: never shown.
    Postgres(String),
}

impl Address {
    fn parse(text: &str) -> Result<Self, StoreError> {
        let refuse = |given: &str, reason: &str| {
            Err(StoreError::Address {
                given: given.to_owned(),
                reason: reason.to_owned(),
            })
        };
        // What follows the scheme of an unknown address may hold a password.
        let Some((scheme, rest)) = text.split_once(':') else {
            return match text {
                "" => refuse("", "it is empty"),
                path if path.contains(['/', '.']) && !path.contains('@') => {
                    refuse(path, "a file is named with its engine, as in sqlite:PATH")
                }
                _ => refuse("…", "it names no engine"),
            };
        };
        match (scheme, rest) {
            ("memory", "") => Ok(Self::Memory),
            ("memory", _) => refuse("memory:…", "nothing can follow memory:"),
            ("sqlite", "") => refuse(text, "the path is missing"),
            ("sqlite", ":memory:") => refuse(text, "a store in memory is called memory:"),
            ("sqlite", path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() || path.ends_with('/') {
                    return refuse(text, "the path names a directory, not a file");
                }
                Ok(Self::Sqlite(path.into()))
            }
            ("postgres" | "postgresql", url) if url.starts_with("//") => {
                Ok(Self::Postgres(text.to_owned()))
            }
            ("postgres" | "postgresql", _) => {
                refuse(&format!("{scheme}:…"), "// must follow postgres:")
            }
            _ => refuse(
                &format!("{}:…", scheme.chars().take(16).collect::<String>()),
                "no such engine",
            ),
        }
    }
}

fn check_names(namespace: &str, tables: &[Table]) -> Result<(), StoreError> {
    let refuse = |reason: String| {
        let store = "the store".to_owned();
        Err(StoreError::Refused { store, reason })
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if namespace.is_empty() || namespace.len() > defaults::MAX_NAME || !namespace.chars().all(plain)
    {
        return refuse(format!(
            "{namespace:?} is not a name for a chain; use up to {} letters, digits, - and _",
            defaults::MAX_NAME
        ));
    }
    let reserved = ["pg_", "information_schema"];
    if reserved.iter().any(|start| namespace.starts_with(start)) {
        return refuse(format!("the name {namespace:?} belongs to PostgreSQL"));
    }
    for Table(name) in tables {
        let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= defaults::MAX_NAME
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !name.starts_with("heliostat_")
            && !name.starts_with("sqlite_")
            && !name.starts_with("pg_");
        if !sound {
            return refuse(format!("{name:?} is not a name for a table"));
        }
    }
    Ok(())
}

/// The error for a table that was not named when the store was opened.
pub(crate) fn unknown_table(store: &str, table: Table) -> StoreError {
    StoreError::Refused {
        store: store.to_owned(),
        reason: format!("the table {:?} was not named when it was opened", table.0),
    }
}

/// Refuses keys that not every engine could store.
pub(crate) fn check_keys(store: &str, batch: &crate::Batch) -> Result<(), StoreError> {
    use crate::Op;
    for op in batch.ops() {
        let (Op::Put { table, key, .. } | Op::Delete { table, key }) = op else {
            continue;
        };
        if key.len() > defaults::MAX_KEY {
            return Err(StoreError::Refused {
                store: store.to_owned(),
                reason: format!(
                    "a key of {} bytes for {:?} is over the limit of {}",
                    key.len(),
                    table.0,
                    defaults::MAX_KEY
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(address: &str) -> String {
        match Address::parse(address) {
            Ok(_) => panic!("{address} is no address"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_name_their_engine() {
        let parse = |text| Address::parse(text).ok();
        assert!(parse("memory:") == Some(Address::Memory));
        for (text, path) in [
            ("sqlite:chain.sqlite", "chain.sqlite"),
            ("sqlite:/var/lib/x.sqlite", "/var/lib/x.sqlite"),
            ("sqlite:///var/lib/x.sqlite", "/var/lib/x.sqlite"),
        ] {
            assert!(parse(text) == Some(Address::Sqlite(path.into())), "{text}");
        }
        for url in ["postgres://a@b/c", "postgresql://a@b/c"] {
            assert!(parse(url) == Some(Address::Postgres(url.into())), "{url}");
        }
    }

    #[test]
    fn a_wrong_address_is_answered_with_the_right_form() {
        for address in [
            "",
            "chain",
            "./chain.sqlite",
            "memory:x",
            "sqlite:",
            "sqlite:/x/",
            "sqlite::memory:",
            "postgres:x",
            "mysql://root@localhost/x",
        ] {
            let words = error(address);
            assert!(words.contains("sqlite:PATH"), "{words}");
        }
        assert!(error("./chain.sqlite").contains("as in sqlite:PATH"));
    }

    #[test]
    fn a_wrong_address_never_shows_a_password() {
        for address in [
            "mysql://root:hunter2@localhost/x",
            "postgres:hunter2@x",
            "hunter2@host",
        ] {
            assert!(!error(address).contains("hunter2"), "{}", error(address));
        }
    }

    #[tokio::test]
    async fn names_that_an_engine_could_mistake_are_refused() {
        for table in [
            "",
            "Blocks",
            "1st",
            "a b",
            "x\"y",
            "heliostat_schema",
            "sqlite_master",
        ] {
            let refused = open("memory:", "main", &[Table(table)], Options::default()).await;
            assert!(
                matches!(refused, Err(StoreError::Refused { .. })),
                "{table}"
            );
        }
        for namespace in ["", "a b", "pg_catalog", "x;y", "information_schema"] {
            let refused = open("memory:", namespace, &[], Options::default()).await;
            assert!(
                matches!(refused, Err(StoreError::Refused { .. })),
                "{namespace}"
            );
        }
    }
}
