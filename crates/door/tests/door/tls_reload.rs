//! Certificates that change while clients come and go.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use heliostat_door::{ClientAuth, Options, Tls};
use rcgen::date_time_ymd;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    pki::{self, authority, connector, self_signed, server, signed_by},
    serving::{measuring, serving},
};

/// How often the certificate changes.
const RELOADS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_good_handshake_fails_while_certificates_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Arc::new(self_signed(authority("ca")));
    let files = pki::files(
        folder.path(),
        &signed_by(&ca, server("0")),
        None,
        ClientAuth::Off,
    );
    let options = Options {
        tls: Some(Tls::load(files.clone()).expect("good files")),
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    let address = serving.address;
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (ca, over, done) = (Arc::clone(&ca), Arc::clone(&over), Arc::clone(&done));
            tokio::spawn(async move {
                while !over.load(SeqCst) {
                    let tcp = TcpStream::connect(address).await.expect("open");
                    let name = ServerName::try_from("127.0.0.1").expect("an address");
                    let stream = connector(&ca, None).connect(name, tcp).await;
                    let mut stream = stream.expect("a good handshake");
                    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                    stream.write_all(request).await.expect("sent");
                    let mut reply = String::new();
                    stream.read_to_string(&mut reply).await.expect("answered");
                    assert!(reply.ends_with("hello"), "{reply}");
                    done.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for round in 1..=RELOADS {
        let next = signed_by(&ca, server(&round.to_string()));
        // The door may look in between, and keeps the old pair then.
        pki::files(folder.path(), &next, None, ClientAuth::Off);
        serving.reloader.reload().expect("good files");
        // Every certificate is used at least once.
        let seen = done.load(SeqCst);
        while done.load(SeqCst) < seen + 2 {
            assert!(clients.iter().all(|client| !client.is_finished()));
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    over.store(true, SeqCst);
    for client in clients {
        client.await.expect("no handshake failed");
    }
    let counts = serving.connections.counts();
    assert!(counts.reloads >= RELOADS);
    assert_eq!(counts.handshake_failures, 0);
    serving.end().await;
}

#[tokio::test]
async fn a_changed_certificate_is_noticed_without_being_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let first = signed_by(&ca, server("first"));
    let files = pki::files(folder.path(), &first, None, ClientAuth::Off);
    let options = Options {
        tls: Some(Tls::load(files.clone()).expect("good files")),
        ..Options::default()
    };
    let serving = serving(measuring(), options).await;
    fs::write(&files.certificate, "broken").expect("written");
    serving
        .until(|door| door.connections.counts().reload_failures > 0)
        .await;
    let mut params = server("second");
    params.not_after = date_time_ymd(2100, 1, 1);
    let second = signed_by(&ca, params);
    pki::files(folder.path(), &second, None, ClientAuth::Off);
    let ends = date_time_ymd(2100, 1, 1).unix_timestamp();
    serving
        .until(|door| door.connections.counts().certificate_not_after == Some(ends))
        .await;
    assert_eq!(serving.connections.counts().reloads, 1);
    serving.end().await;
}
