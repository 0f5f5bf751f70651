//! The address, connecting, names of tables as SQL.

use std::{collections::HashMap, fmt, time::Duration};

use deadpool_postgres::ClientWrapper as Session;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{fault, tls};
use crate::{
    StoreError, Table,
    defaults::{CONNECT, TCP_USER},
    open::unknown_table,
};

/// Where the password comes from when the address has none, as with `psql`.
const PASSWORD_VARIABLE: &str = "PGPASSWORD";

/// How to reach one schema. Holds the password, so it is never printed.
pub(super) struct Link {
    /// `postgres://USER@HOST:PORT/DATABASE`, for errors.
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// The schema's name, unquoted.
    pub(super) schema: String,
    pub(super) tables: HashMap<Table, Statements>,
}

/// The text of every statement on one table.
pub(super) struct Statements {
    /// Schema and table, quoted.
    pub(super) table: String,
    pub(super) get: String,
    pub(super) forward: String,
    pub(super) backward: String,
    pub(super) put: String,
    pub(super) delete: String,
    pub(super) delete_range: String,
    pub(super) overlap: String,
    pub(super) copy: String,
    pub(super) unstage: String,
}

impl Statements {
    fn new(schema: &str, Table(name): Table) -> Self {
        let table = format!("\"{schema}\".\"{name}\"");
        let range = |order| {
            format!("SELECT k, v FROM {table} WHERE k >= $1 AND k < $2 ORDER BY k {order} LIMIT $3")
        };
        let replace = "ON CONFLICT (k) DO UPDATE SET v = excluded.v";
        Self {
            get: format!("SELECT v FROM {table} WHERE k = $1"),
            forward: range("ASC"),
            backward: range("DESC"),
            put: format!(
                "INSERT INTO {table} (k, v) SELECT * FROM unnest($1::bytea[], $2::bytea[]) {replace}"
            ),
            delete: format!("DELETE FROM {table} WHERE k = ANY($1::bytea[])"),
            delete_range: format!("DELETE FROM {table} WHERE k >= $1 AND k < $2"),
            overlap: format!("SELECT 1 FROM {table} WHERE k >= $1 AND k <= $2 LIMIT 1"),
            copy: format!("COPY {table} (k, v) FROM STDIN (FORMAT binary)"),
            unstage: format!(
                "INSERT INTO {table} (k, v) SELECT k, v FROM pg_temp.heliostat_stage {replace}"
            ),
            table,
        }
    }
}

impl Link {
    /// Reads the address. Nothing of an address that cannot be read is shown:
    /// any part of it may be a piece of the password.
    pub(super) fn parse(url: &str, schema: &str, tables: &[Table]) -> Result<Self, StoreError> {
        let refuse = |given: &str, reason: &str| StoreError::Address {
            given: given.to_owned(),
            reason: reason.to_owned(),
        };
        let (url, asked) = tls::split(url).map_err(|words| refuse("postgres://…", words))?;
        let mut config: Config = url.parse().map_err(|_| {
            refuse(
                "postgres://…",
                "it cannot be read (not shown, it may hold a password); \
                 percent-encode special characters in the password, and check the options after ?",
            )
        })?;
        let name = name(&config);
        if config.get_hosts().is_empty() {
            return Err(refuse(&name, "the host is missing"));
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(refuse(&name, "the user is missing"));
        }
        let local = |host: &Host| matches!(host, Host::Unix(_));
        config.ssl_mode(match config.get_hosts().iter().all(local) {
            true => SslMode::Disable,
            false => asked.mode,
        });
        let tls = asked.connector().map_err(|words| refuse(&name, &words))?;
        if config.get_password().is_none()
            && let Some(password) = std::env::var_os(PASSWORD_VARIABLE)
        {
            config.password(password.into_encoded_bytes());
        }
        if config.get_application_name().is_none() {
            config.application_name("heliostat");
        }
        config.connect_timeout(CONNECT);
        config.tcp_user_timeout(TCP_USER);
        let statements = |&table| (table, Statements::new(schema, table));
        Ok(Self {
            name,
            config,
            tls,
            schema: schema.to_owned(),
            tables: tables.iter().map(statements).collect(),
        })
    }

    /// A session of one's own. Its task ends when the session is dropped.
    pub(super) async fn connect(&self) -> Result<Session, StoreError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, connection) = connected.map_err(|error| self.fault(&error))?;
        let name = self.name.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(
                    store = name,
                    error = fault::words(&error),
                    "connection lost"
                );
            }
        });
        Ok(Session::new(client, task))
    }

    pub(super) fn statements(&self, table: Table) -> Result<&Statements, StoreError> {
        let statements = self.tables.get(&table);
        statements.ok_or_else(|| unknown_table(&self.name, table))
    }

    pub(super) fn fault(&self, error: &tokio_postgres::Error) -> StoreError {
        fault::of(&self.name, error)
    }

    pub(super) fn unavailable(&self, reason: impl fmt::Display) -> StoreError {
        StoreError::Unavailable {
            store: self.name.clone(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn slow(&self, limit: Duration) -> StoreError {
        self.unavailable(format_args!("no answer within {} s", limit.as_secs()))
    }
}

/// The address without password and options.
fn name(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(directory)) => directory.display().to_string(),
        None => "…".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let user = config.get_user().unwrap_or("…");
    let database = config.get_dbname().unwrap_or(user);
    format!("postgres://{user}@{host}:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Link::parse(url, "main", &[]) {
            Ok(_) => panic!("{url} was accepted"),
            Err(error) => format!("{error} {error:?}"),
        }
    }

    #[test]
    fn no_refusal_shows_a_piece_of_the_password() {
        for url in [
            "postgres://user:hunter2/x@host:port/db",
            "postgres://user:hunter2@host/db?hunter2=1",
            "postgres://user:hunter2@host/db?sslmode=hunter2",
            "postgres://user:hunter2@host/db?sslmode=verify-full",
            "postgres://user:hunter2@host/db?sslmode=verify-ca&sslrootcert=/no/such/file",
            "postgres://:hunter2@host/db?sslmode=require",
        ] {
            assert!(!refused(url).contains("hunter2"), "{}", refused(url));
        }
    }

    #[test]
    fn the_name_shows_where_but_not_the_password() {
        let link = Link::parse("postgres://eve:hunter2@db.example:6543/chain", "main", &[]);
        let link = link.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(link.name, "postgres://eve@db.example:6543/chain");
    }
}
