//! A node behind TLS, under an authority of its own, that wants a token.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use heliostat_node::access::{Access, AccessOptions, Bearer, Secret};
use heliostat_store::testing::Authority;
use heliostat_zcash::{
    credentials::Auth,
    rpc::{Limits, Rpc, RpcError},
};
use http::HeaderMap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::AbortOnDropHandle;

/// Connections that have shaken hands.
struct Tls(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Tls {
    type Io = TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.0.accept().await.expect("a connection");
            // Who does not trust us goes away here.
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The token that is let in.
type Wanted = Arc<Mutex<&'static str>>;

async fn answer(State(wanted): State<Wanted>, headers: HeaderMap) -> (StatusCode, String) {
    let wanted = format!("Bearer {}", wanted.lock().expect("no panic"));
    match headers.get("authorization") {
        Some(token) if token == wanted.as_str() => (
            StatusCode::OK,
            json!({"result": 7, "error": null, "id": 1}).to_string(),
        ),
        _ => (StatusCode::UNAUTHORIZED, String::new()),
    }
}

/// A node called `localhost` that lets in `wanted`.
async fn node(authority: &Authority, wanted: &Wanted) -> (String, AbortOnDropHandle<()>) {
    let (certificate, key) = authority.sign("localhost");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let app = Router::new()
        .route("/", post(answer))
        .with_state(Arc::clone(wanted));
    let listener = Tls(listener, TlsAcceptor::from(Arc::new(config)));
    let task = tokio::spawn(async move {
        axum::serve(listener, app).await.expect("it serves");
    });
    (
        format!("https://localhost:{port}"),
        AbortOnDropHandle::new(task),
    )
}

fn rpc(url: &str, ca: &Path, token: &Path) -> Rpc {
    let options = AccessOptions {
        ca_file: Some(ca.to_owned()),
        bearer: Some(Bearer::File(token.to_owned())),
        ..AccessOptions::default()
    };
    let access = Access::open(&options).expect("the files are sound");
    Rpc::secured(url, Auth::None, Limits::default(), access).expect("they go together")
}

#[tokio::test]
async fn a_pinned_node_is_asked_with_a_token_that_is_read_again_when_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, token) = (folder.path().join("ca"), folder.path().join("token"));
    let (ours, other) = (Authority::new(), folder.path().join("other"));
    std::fs::write(&ca, ours.pem()).expect("written");
    std::fs::write(&other, Authority::new().pem()).expect("written");
    std::fs::write(&token, "s3cret-one\n").expect("written");
    let wanted = Wanted::new(Mutex::new("s3cret-one"));
    let (url, _node) = node(&ours, &wanted).await;
    let rpc_ = rpc(&url, &ca, &token);
    let count = || async { rpc_.call("getblockcount", json!([])).await };
    assert_eq!(count().await.expect("let in"), 7);

    // The node wants another one, and so says the file.
    *wanted.lock().expect("no panic") = "s3cret-another";
    std::fs::write(&token, "s3cret-another\n").expect("written");
    assert_eq!(count().await.expect("let in with the new one"), 7);

    *wanted.lock().expect("no panic") = "something else";
    let refused = count().await.expect_err("the file has no such token");
    let RpcError::Fault(fault) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(fault.kind(), "unsupported");
    let words = fault.to_string();
    assert!(words.contains("check the bearer token in"), "{words}");
    assert!(!words.contains("s3cret"), "{words}");

    let distrusted = rpc(&url, &other, &token);
    let asked = distrusted.call("getblockcount", json!([])).await;
    let words = asked.expect_err("another authority").to_string();
    assert!(words.contains("its certificate is not trusted"), "{words}");
}

#[test]
fn a_node_gets_one_kind_of_credentials() {
    let bearer = || {
        Access::open(&AccessOptions {
            bearer: Some(Bearer::Value(Secret::new("s3cret"))),
            ..AccessOptions::default()
        })
    };
    let basic = Auth::Basic {
        user: "user".to_owned(),
        password: "s3cret".to_owned(),
    };
    for (url, auth, words) in [
        ("https://localhost", basic, "both a bearer token and"),
        (
            "https://user:s3cret@localhost",
            Auth::None,
            "both a bearer token and",
        ),
        ("http://node.example", Auth::None, "in the clear"),
    ] {
        let access = bearer().expect("it is sound");
        let error = Rpc::secured(url, auth, Limits::default(), access).expect_err("not both");
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}
