//! The access to upstreams, against real TLS servers and issuers on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

mod oauth;
mod server;
mod unanswered;

use std::{fs, path::Path, time::Duration};

use heliostat_node::access::{Access, AccessOptions, Bearer, Secret};
use reqwest::Client;
use server::{Authority, Server};

/// A client over `access`, as the ledgers make theirs.
pub fn client(access: &Access) -> Client {
    let builder = access.client(Client::builder().no_proxy());
    builder.build().unwrap()
}

/// Writes a file and names it.
pub fn file(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn pinned(folder: &Path, authority: &Authority) -> AccessOptions {
    AccessOptions {
        ca_file: Some(file(folder, "ca.pem", &authority.pem())),
        ..AccessOptions::default()
    }
}

fn refused(options: &AccessOptions) -> String {
    let error = Access::open(options).map(drop).unwrap_err().to_string();
    assert!(!error.contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn only_a_pinned_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::start(&ours, None).await;
    let access = Access::open(&pinned(folder.path(), &ours)).unwrap();
    let reply = client(&access).get(server.url()).send().await.unwrap();
    assert_eq!(reply.text().await.unwrap(), "hello");

    let access = Access::open(&pinned(folder.path(), &other)).unwrap();
    let error = client(&access).get(server.url()).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    // Nor is it trusted without being pinned.
    let access = Access::open(&AccessOptions::default()).unwrap();
    client(&access).get(server.url()).send().await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
    // A pinned authority does not vouch for another host's name.
    let elsewhere = Server::named(&ours, "elsewhere.example", None).await;
    let access = Access::open(&pinned(folder.path(), &ours)).unwrap();
    client(&access)
        .get(elsewhere.url())
        .send()
        .await
        .unwrap_err();
}

#[tokio::test]
async fn an_authority_that_is_put_into_the_file_is_trusted_from_then_on_and_the_old_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, next) = (Authority::new(), Authority::new());
    let (old, new) = (
        Server::start(&ours, None).await,
        Server::start(&next, None).await,
    );
    let access = Access::open(&pinned(folder.path(), &ours)).unwrap();
    let one = || {
        let builder = Client::builder().no_proxy().pool_max_idle_per_host(0);
        access.client(builder).build().unwrap()
    };
    let kept = one();
    kept.get(old.url()).send().await.unwrap();
    kept.get(new.url()).send().await.unwrap_err();
    // A file that cannot be used leaves the old one in force.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    file(folder.path(), "ca.pem", "nothing");
    kept.get(old.url()).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    file(folder.path(), "ca.pem", &next.pem());
    kept.get(new.url()).send().await.unwrap();
    kept.get(old.url()).send().await.unwrap_err();
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_a_new_one_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, clients) = (Authority::new(), Authority::new());
    let server = Server::start(&ours, Some(&clients)).await;
    // Without one nobody gets in.
    let bare = Access::open(&pinned(folder.path(), &ours)).unwrap();
    client(&bare).get(server.url()).send().await.unwrap_err();

    let (certificate, key) = clients.client("first");
    let options = AccessOptions {
        client_certificate: Some(file(folder.path(), "client.pem", &certificate)),
        client_key: Some(file(folder.path(), "client.key", &key)),
        ..pinned(folder.path(), &ours)
    };
    let access = Access::open(&options).unwrap();
    // Each request on a connection of its own.
    let new = || {
        let builder = Client::builder().no_proxy().pool_max_idle_per_host(0);
        access.client(builder).build().unwrap()
    };
    new().get(server.url()).send().await.unwrap();
    assert_eq!(server.peers(), ["first"]);
    // Broken files leave the old one in force.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    file(folder.path(), "client.pem", "not a certificate");
    new().get(server.url()).send().await.unwrap();
    assert_eq!(server.peers(), ["first", "first"]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (certificate, key) = clients.client("second");
    file(folder.path(), "client.pem", &certificate);
    file(folder.path(), "client.key", &key);
    new().get(server.url()).send().await.unwrap();
    assert_eq!(server.peers(), ["first", "first", "second"]);
}

#[tokio::test]
async fn a_token_is_sent_from_a_value_or_a_file_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let value = AccessOptions {
        bearer: Some(Bearer::Value(Secret::new("s3cret-value"))),
        ..AccessOptions::default()
    };
    let access = Access::open(&value).unwrap();
    let header = access.authorization().await.unwrap().unwrap();
    assert_eq!(header, "Bearer s3cret-value");
    assert!(header.is_sensitive());
    assert_eq!(access.renewed(Some(&header)).await, None);

    let path = file(folder.path(), "token", "s3cret-1\nnot this\n");
    let filed = AccessOptions {
        bearer: Some(Bearer::File(path.clone())),
        ..AccessOptions::default()
    };
    let access = Access::open(&filed).unwrap();
    let first = access.authorization().await.unwrap().unwrap();
    assert_eq!(first, "Bearer s3cret-1");
    assert_eq!(access.renewed(Some(&first)).await, None, "nothing is newer");
    fs::write(&path, "s3cret-22").unwrap();
    let second = access.renewed(Some(&first)).await.unwrap();
    assert_eq!(second, "Bearer s3cret-22");
    // A file that became useless leaves the token in force.
    fs::write(&path, "\n").unwrap();
    assert_eq!(access.renewed(Some(&second)).await, None);
    assert_eq!(access.authorization().await.unwrap().unwrap(), second);
    fs::remove_file(&path).unwrap();
    assert_eq!(access.authorization().await.unwrap().unwrap(), second);
    let shown = format!("{access:?} {value:?} {filed:?} {second:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn settings_that_make_no_sense_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.client("one");
    let (_, other_key) = authority.client("two");
    let at = |name: &str, text: &str| Some(file(folder.path(), name, text));
    let missing = Some(folder.path().join("missing"));
    let base = AccessOptions::default;
    let large = "x".repeat((1 << 20) + 1);
    for (options, words) in [
        (
            AccessOptions {
                ca_file: missing.clone(),
                ..base()
            },
            "cannot be read",
        ),
        (
            AccessOptions {
                ca_file: at("empty", ""),
                ..base()
            },
            "no certificate in it",
        ),
        (
            AccessOptions {
                ca_file: at("large", &large),
                ..base()
            },
            "larger than",
        ),
        (
            AccessOptions {
                client_certificate: at("c", &certificate),
                ..base()
            },
            "set both",
        ),
        (
            AccessOptions {
                client_key: at("k", &key),
                ..base()
            },
            "set both",
        ),
        (
            AccessOptions {
                client_certificate: at("c", &certificate),
                client_key: at("k2", &other_key),
                ..base()
            },
            "is not the key of the certificate",
        ),
        (
            AccessOptions {
                client_certificate: at("c", &certificate),
                client_key: at("k3", "s3cret"),
                ..base()
            },
            "no private key",
        ),
        (
            AccessOptions {
                bearer: Some(Bearer::Value(Secret::new("s3cret\n"))),
                ..base()
            },
            "cannot stand in a header",
        ),
        (
            AccessOptions {
                bearer: missing.clone().map(Bearer::File),
                ..base()
            },
            "cannot be read",
        ),
        (
            AccessOptions {
                bearer: at("t", "\ns3cret").map(Bearer::File),
                ..base()
            },
            "empty first line",
        ),
        (
            AccessOptions {
                bearer: at("t2", "s3cret and more").map(Bearer::File),
                ..base()
            },
            "cannot stand in a header",
        ),
    ] {
        let said = refused(&options);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn tokens_and_authorities_are_not_for_plain_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let url = |text: &str| text.parse().unwrap();
    let token = AccessOptions {
        bearer: Some(Bearer::Value(Secret::new("s3cret"))),
        ..AccessOptions::default()
    };
    let token = Access::open(&token).unwrap();
    for good in [
        "https://node:8232",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://localhost",
    ] {
        token.check(&url(good)).unwrap();
    }
    for bad in [
        "http://node:8232",
        "http://10.0.0.1",
        "http://localhost.example",
    ] {
        let error = token.check(&url(bad)).unwrap_err().to_string();
        assert!(error.contains("in the clear"), "{error}");
    }
    let pinned = Access::open(&pinned(folder.path(), &Authority::new())).unwrap();
    pinned.check(&url("https://node")).unwrap();
    let error = pinned.check(&url("http://127.0.0.1")).unwrap_err();
    assert!(error.to_string().contains("write https"), "{error}");
}
