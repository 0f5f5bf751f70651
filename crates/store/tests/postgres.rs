//! What is particular to the engine on a server.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

use std::sync::Arc;

use heliostat_store::{
    Access, Batch, Options, Store, StoreError, Table, open, testing::PrivatePostgres,
};
use tokio_postgres::NoTls;

const T: Table = Table("blocks");

async fn try_open(url: &str, options: Options) -> Result<Arc<dyn Store>, StoreError> {
    open(url, "main", &[T], options).await
}

async fn write(url: &str) -> Arc<dyn Store> {
    let opened = try_open(url, Options::default()).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(url: &str, access: Access) -> StoreError {
    let options = Options {
        access,
        ..Options::default()
    };
    try_open(url, options)
        .await
        .err()
        .expect("it must be refused")
}

fn one(key: u8) -> Batch {
    let mut batch = Batch::new();
    batch.put(T, vec![key], vec![key; 3000]);
    batch
}

async fn sql(url: &str, text: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_writes_a_chain_and_others_read_it() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    let early = refusal(&url, Access::Read).await;
    assert!(
        early.to_string().contains("start the writing process"),
        "{early}"
    );

    let writer = write(&url).await;
    let second = refusal(&url, Access::Write).await;
    assert!(matches!(second, StoreError::ReadOnly { .. }), "{second}");
    assert!(
        second.to_string().contains("another process writes"),
        "{second}"
    );
    let other_chain = open(&url, "test-net", &[T], Options::default())
        .await
        .unwrap();
    other_chain.commit(one(9)).await.unwrap();

    let reader = try_open(&url, Options::read_only()).await.unwrap();
    writer.commit(one(1)).await.unwrap();
    assert!(reader.get(T, &[1]).await.unwrap().is_some());
    assert!(reader.get(T, &[9]).await.unwrap().is_none());
    let refused = reader.commit(one(2)).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
    assert!(reader.size().await.unwrap() > 0);

    drop(writer);
    write(&url).await.commit(one(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again_and_the_lock_is_taken_again() {
    let Some(mut server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    let store = write(&url).await;
    store.commit(one(1)).await.unwrap();
    let held = store.snapshot().await.unwrap();
    server.stop();
    let cut = held.get(T, &[1]).await.unwrap_err();
    assert!(matches!(cut, StoreError::Unavailable { .. }), "{cut}");
    for error in [
        store.commit(one(2)).await.unwrap_err(),
        store.get(T, &[1]).await.unwrap_err(),
        store.snapshot().await.err().expect("the server is down"),
    ] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
    server.start();
    assert!(store.get(T, &[1]).await.unwrap().is_some());
    store.commit(one(3)).await.unwrap();
    let second = refusal(&url, Access::Write).await;
    assert!(matches!(second, StoreError::ReadOnly { .. }), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_replaced_while_cut_off_writes_no_more() {
    let Some(mut server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    let first = write(&url).await;
    first.commit(one(1)).await.unwrap();
    server.stop();
    server.start();
    // The first has not noticed yet, so its lock is free.
    write(&url).await.commit(one(2)).await.unwrap();
    for _again in 0..2 {
        // The first error may be the cut itself.
        let _ = first.commit(one(3)).await;
    }
    let replaced = first.commit(one(3)).await.unwrap_err();
    assert!(
        matches!(replaced, StoreError::ReadOnly { .. }),
        "{replaced}"
    );
    assert!(first.get(T, &[3]).await.unwrap().is_none());
    assert!(first.get(T, &[2]).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_release_is_refused_unchanged() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    drop(write(&url).await);
    sql(&url, "UPDATE main.heliostat_schema SET version = 1000").await;
    for access in [Access::Write, Access::Read] {
        let refused = refusal(&url, access).await;
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
        assert!(refused.to_string().contains("newer release"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_the_password() {
    let Some(mut server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    let store = write(&url).await;
    let mut errors = vec![
        refusal(&url, Access::Write).await,
        refusal(&url.replace("chains", "no_such_database"), Access::Write).await,
        refusal(&url.replace("secret", "secret-but-wrong"), Access::Write).await,
        refusal(&format!("{url}?sslmode=verify-ca"), Access::Write).await,
        refusal(&format!("{url}?no_such_option=1"), Access::Write).await,
    ];
    server.stop();
    errors.push(refusal(&url, Access::Write).await);
    errors.push(store.commit(one(1)).await.unwrap_err());
    for error in errors {
        let shown = format!("{error} {error:?}");
        for secret in server.secrets() {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(!shown.contains("but-wrong"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_given_up_half_way_leave_their_session_usable() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let options = Options {
        readers: 1,
        ..Options::default()
    };
    let store = try_open(&server.url("chains"), options).await.unwrap();
    store.commit(one(1)).await.unwrap();
    for polls in 0..40 {
        let mut reading = std::pin::pin!(async {
            let view = store.snapshot().await.unwrap();
            view.get(T, &[1]).await.unwrap()
        });
        for _poll in 0..polls {
            if futures::poll!(reading.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    store.commit(one(2)).await.unwrap();
    let view = store.snapshot().await.unwrap();
    assert!(
        view.get(T, &[2]).await.unwrap().is_some(),
        "it is a fresh transaction"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_may_end_a_snapshot_that_is_kept_and_the_reader_is_replaced() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let url = server.url("chains");
    let options = Options {
        readers: 1,
        ..Options::default()
    };
    let store = try_open(&url, options).await.unwrap();
    store.commit(one(1)).await.unwrap();
    let kept = store.snapshot().await.unwrap();
    // As the time-out does that every snapshot sets on the server.
    sql(
        &url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE state = 'idle in transaction' AND query LIKE \
         '%idle_in_transaction_session_timeout = 60000%'",
    )
    .await;
    let ended = kept.get(T, &[1]).await.unwrap_err();
    assert!(matches!(ended, StoreError::Unavailable { .. }), "{ended}");
    drop(kept);
    let next = store.snapshot().await.unwrap();
    assert!(next.get(T, &[1]).await.unwrap().is_some());
}
