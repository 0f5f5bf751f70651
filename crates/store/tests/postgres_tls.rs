//! Connections to PostgreSQL that must be encrypted, on a server with a
//! certificate of its own.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

use std::{fs, path::Path, sync::Arc};

use heliostat_store::{
    Batch, Options, Store, StoreError, Table, open,
    testing::{Authority, PrivatePostgres},
};

const T: Table = Table("blocks");

async fn try_open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    open(url, "main", &[T], Options::default()).await
}

/// Opens, writes (over the writing session) and reads (over a reader).
async fn used(url: &str) {
    let store = try_open(url).await;
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let mut batch = Batch::new();
    batch.put(T, vec![1], vec![7; 100_000]);
    store.commit(batch).await.unwrap();
    let read = store.get(T, &[1]).await.unwrap();
    assert_eq!(read.map(|value| value.len()), Some(100_000));
}

/// Why it cannot be opened: an outage, in words.
async fn refused(server: &PrivatePostgres, url: &str) -> String {
    let error = try_open(url).await.err().expect("it must be refused");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    let shown = format!("{error} {error:?}");
    for secret in server.secrets() {
        assert!(!shown.contains(secret), "{shown}");
    }
    error.to_string()
}

fn trusting(url: &str, mode: &str, file: &Path) -> String {
    format!("{url}?sslmode={mode}&sslrootcert={}", file.display())
}

/// How many sessions of ours the server says are encrypted, by asking it.
async fn encrypted(server: &PrivatePostgres, url: &str) -> bool {
    let store = try_open(url).await.unwrap();
    let config = server.url("chains");
    let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let text = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'heliostat'";
    let answer = client.query_one(text, &[]).await.unwrap().get(0);
    drop((client, store));
    connection.await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_its_authority_and_its_name() {
    let Some(server) = PrivatePostgres::start_with_tls() else {
        return;
    };
    let url = server.network_url("chains");
    let ours = server.authority();
    for mode in ["require", "verify-ca", "verify-full"] {
        used(&trusting(&url, mode, &ours)).await;
    }
    used(&trusting(&url, "verify-full", &server.certificate())).await;

    let home = tempfile::tempdir().unwrap();
    let theirs = home.path().join("other.pem");
    fs::write(&theirs, Authority::new().pem()).unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let words = refused(&server, &trusting(&url, mode, &theirs)).await;
        assert!(
            words.contains("not signed by a CA of sslrootcert"),
            "{words}"
        );
    }

    let by_number = url.replace("localhost", "127.0.0.1");
    let words = refused(&server, &trusting(&by_number, "verify-full", &ours)).await;
    assert!(words.contains("for another host"), "{words}");
    assert!(words.contains("verify-ca"), "{words}");
    used(&trusting(&by_number, "verify-ca", &ours)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_where_that_is_asked_and_never_less() {
    let Some(mut server) = PrivatePostgres::start_with_tls() else {
        return;
    };
    let url = server.network_url("chains");
    used(&url).await;
    for (options, is_encrypted) in [
        ("?sslmode=require", true),
        ("", true),
        ("?sslmode=disable", false),
    ] {
        let url = format!("{url}{options}");
        assert_eq!(encrypted(&server, &url).await, is_encrypted, "{options}");
    }

    server.offer_tls(false);
    let url = server.network_url("chains");
    for url in [
        format!("{url}?sslmode=require"),
        trusting(&url, "verify-full", &server.authority()),
    ] {
        let words = refused(&server, &url).await;
        assert!(words.contains("offers no TLS"), "{words}");
    }
    used(&url).await;
    // As in libpq, a Unix socket needs no TLS to stay on this machine.
    used(&format!("{}?sslmode=require", server.url("chains"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_told_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("empty.pem");
    fs::write(&empty, "not a certificate").unwrap();
    for (file, reason) in [
        (empty, "holds no certificate"),
        (home.path().join("missing.pem"), "cannot be read"),
    ] {
        let url = trusting("postgres://me:hunter2@localhost/x", "verify-full", &file);
        let error = try_open(&url).await.err().expect("it must be refused");
        let words = format!("{error} {error:?}");
        assert!(words.contains(reason), "{words}");
        assert!(words.contains(&file.display().to_string()), "{words}");
        assert!(!words.contains("hunter2"), "{words}");
    }
}
