//! Tokens from an issuer.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use heliostat_node::access::{
    Access, AccessOptions, Bearer, ClientCredentials, ClientSecret, Secret,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    file,
    server::{Answer, Authority, Server},
};

fn credentials(url: &str) -> ClientCredentials {
    ClientCredentials {
        token_url: format!("{url}/token"),
        client_id: "heliostat".to_owned(),
        client_secret: ClientSecret::Value(Secret::new("s3cret-client")),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        audience: Some("node".to_owned()),
        ca_file: None,
    }
}

fn open(credentials: ClientCredentials) -> Access {
    let options = AccessOptions {
        bearer: Some(Bearer::Client(credentials)),
        ..AccessOptions::default()
    };
    Access::open(&options).unwrap()
}

async fn header(access: &Access) -> String {
    let header = access.authorization().await.unwrap().unwrap();
    assert!(header.is_sensitive());
    header.to_str().unwrap().to_owned()
}

/// Gives `s3cret-1`, `s3cret-2`…, each with this life in seconds.
fn counting(life: u64) -> Answer {
    let given = AtomicU64::new(0);
    Arc::new(move |_| {
        let number = given.fetch_add(1, Relaxed) + 1;
        let token = format!(
            r#"{{"access_token":"s3cret-{number}","token_type":"bearer","expires_in":{life}}}"#
        );
        (200, token)
    })
}

#[tokio::test]
async fn an_issuer_behind_tls_gives_a_token_for_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let issuer = Server::answering(&authority, counting(3_600)).await;
    let access = open(ClientCredentials {
        ca_file: Some(file(folder.path(), "ca.pem", &authority.pem())),
        client_secret: ClientSecret::File(file(folder.path(), "secret", "s3cret-filed\n")),
        ..credentials(&issuer.url())
    });
    for _ in 0..5 {
        assert_eq!(header(&access).await, "Bearer s3cret-1");
    }
    let requests = issuer.requests();
    assert_eq!(requests.len(), 1, "it is kept");
    let (head, body) = &requests[0];
    // heliostat:s3cret-filed
    assert!(
        head.contains("Basic aGVsaW9zdGF0OnMzY3JldC1maWxlZA=="),
        "{head}"
    );
    for part in [
        "grant_type=client_credentials",
        "scope=read+write",
        "audience=node",
    ] {
        assert!(body.contains(part), "{body}");
    }
    // Without its authority the issuer is not trusted, and not told the secret.
    let access = open(credentials(&issuer.url()));
    let fault = access.authorization().await.unwrap_err();
    assert_eq!(fault.kind(), "unreachable");
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_while_the_old_one_is_used() {
    let issuer = Server::plain(counting(3)).await;
    let access = open(credentials(&issuer.url()));
    assert_eq!(header(&access).await, "Bearer s3cret-1");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    // Nobody waits for the issuer.
    assert_eq!(header(&access).await, "Bearer s3cret-1");
    while header(&access).await == "Bearer s3cret-1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(header(&access).await, "Bearer s3cret-2");
    assert_eq!(issuer.requests().len(), 2);
}

#[tokio::test]
async fn many_requests_at_one_time_ask_the_issuer_once() {
    let issuer = Server::plain(counting(3_600)).await;
    let access = open(credentials(&issuer.url()));
    let all = (0..50).map(|_| header(&access));
    let all = futures::future::join_all(all).await;
    assert!(all.iter().all(|one| one == "Bearer s3cret-1"));
    assert_eq!(issuer.requests().len(), 1);
    // Also when all of them are refused with it.
    let used = access.authorization().await.unwrap().unwrap();
    let renewed = (0..50).map(|_| access.renewed(Some(&used)));
    for one in futures::future::join_all(renewed).await {
        assert_eq!(one.unwrap(), "Bearer s3cret-2");
    }
    assert_eq!(issuer.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_gives_nothing_is_not_asked_by_every_request() {
    let huge = format!(r#"{{"access_token":"{}"}}"#, "s3cret".repeat(20_000));
    for (status, reply, kind) in [
        (
            401,
            r#"{"error":"invalid_client","error_description":"s3cret-client"}"#,
            "unsupported",
        ),
        (500, "s3cret-client", "unreachable"),
        (200, "s3cret-client is no JSON", "unreachable"),
        (
            200,
            r#"{"access_token":"s3cret\n","token_type":"bearer"}"#,
            "unreachable",
        ),
        (200, huge.as_str(), "unreachable"),
    ] {
        let reply = reply.to_owned();
        let issuer = Server::plain(Arc::new(move |_| (status, reply.clone()))).await;
        let access = open(credentials(&issuer.url()));
        for _ in 0..5 {
            let fault = access.authorization().await.unwrap_err();
            assert_eq!(fault.kind(), kind, "{fault}");
            assert!(!fault.to_string().contains("s3cret"), "{fault}");
        }
        assert_eq!(issuer.requests().len(), 1);
        tokio::time::advance(Duration::from_secs(6)).await;
        access.authorization().await.unwrap_err();
        assert_eq!(issuer.requests().len(), 2);
    }
}

#[test]
fn an_issuer_over_the_network_in_the_clear_is_refused() {
    for (url, words) in [
        ("http://issuer.example", "has to be https"),
        ("ftp://localhost", "has to be https"),
        ("not a url", "is no URL"),
        ("https://a:s3cret@issuer.example", "credentials in it"),
    ] {
        let options = AccessOptions {
            bearer: Some(Bearer::Client(credentials(url))),
            ..AccessOptions::default()
        };
        let error = Access::open(&options).map(drop).unwrap_err().to_string();
        assert!(
            error.contains(words) && !error.contains("s3cret"),
            "{error}"
        );
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let issuer = Server::plain(counting(1)).await;
    let access = open(credentials(&issuer.url()));
    header(&access).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    header(&access).await;
    let broken = Server::plain(Arc::new(|_| (400, "s3cret-client".to_owned()))).await;
    open(credentials(&broken.url()))
        .authorization()
        .await
        .unwrap_err();
    let path = file(folder.path(), "token", "s3cret-filed");
    let options = AccessOptions {
        bearer: Some(Bearer::File(path.clone())),
        ..AccessOptions::default()
    };
    let access = Access::open(&options).unwrap();
    let used = access.authorization().await.unwrap().unwrap();
    std::fs::write(&path, "s3cret and more").unwrap();
    assert_eq!(access.renewed(Some(&used)).await, None);
    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("token_not_renewed"), "{said}");
    assert!(said.contains("bearer_token_not_reloaded"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
