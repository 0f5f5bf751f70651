//! A node behind TLS.

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use heliostat_sim::zcash::Node;
use heliostat_store::testing::Authority;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::running::{Process, chain};

/// Where rustls looks for the CAs of this machine.
const TRUST: &str = "SSL_CERT_FILE";

/// Takes TLS connections as `localhost` and hands them on to a node without.
async fn front(authority: &Authority, node: &str) -> (String, AbortOnDropHandle<()>) {
    let (certificate, key) = authority.sign("localhost");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = node.strip_prefix("http://").unwrap().to_owned();
    let task = tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (acceptor, node) = (acceptor.clone(), node.clone());
            tokio::spawn(async move {
                // A client that does not trust us goes away here.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut node = TcpStream::connect(node).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
            });
        }
    });
    (
        format!("https://localhost:{port}"),
        AbortOnDropHandle::new(task),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_tls_is_followed_when_its_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(30);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let authority = Authority::new();
    let (url, _front) = front(&authority, &node.handle().url()).await;
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let args = ["--upstream", &url, "--store", "memory:"];

    let process = Process::start_in(&args, &[(TRUST, trusted.to_str().unwrap())]);
    let status = process.until("ready", |status| status.ready).await;
    assert_eq!(status.chains["zcash"].local_height, Some(30));
    assert_eq!(process.terminate(), Some(0));

    // Another one of the same name.
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new().pem()).unwrap();
    let process = Process::start_in(&args, &[(TRUST, other.to_str().unwrap())]);
    let words = "its certificate is not trusted";
    let status = process
        .until("told", |status| {
            status.chains["zcash"].state.contains(words)
        })
        .await;
    let state = &status.chains["zcash"].state;
    assert!(
        state.contains("unreachable") && state.contains(TRUST),
        "{state}"
    );
    assert_eq!(process.terminate(), Some(0));

    // So says the command that is there for asking.
    let check = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args([
            "check",
            "--listen",
            "127.0.0.1:0",
            "--observe",
            "127.0.0.1:0",
        ])
        .args(args)
        .env(TRUST, &other)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert_eq!(check.status.code(), Some(3), "{said}");
    assert!(said.contains(words), "{said}");
}
