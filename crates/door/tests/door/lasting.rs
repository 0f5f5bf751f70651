//! WebSockets and long answers: what lasts beyond its request is still under
//! the door's eyes.

use std::{fs, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::get,
};
use futures::{SinkExt, StreamExt};
use heliostat_door::{
    ClientAuth, Cut, Door, Identities, IdentityFiles, Limits, Options, Refused, Tls,
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Error};
use tokio_util::sync::CancellationToken;

use crate::{
    pki::{self, Made, authority, client, connector, self_signed, server, signed_by},
    serving::{Serving, endless, limited, serving},
};

type Open = WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

fn echoing() -> Router {
    async fn echo(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
                return;
            }
        }
    }
    let upgrade = |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(echo) };
    endless().route("/ws", get(upgrade))
}

async fn open(serving: &Serving, ca: &Made, shown: &Made) -> Result<Open, Error> {
    let tcp = TcpStream::connect(serving.address).await.expect("open");
    let name = ServerName::try_from("localhost").expect("a name");
    let shown = Some((vec![shown.der.clone()], shown.key_der()));
    let stream = connector(ca, shown).connect(name, tcp).await;
    let opened = client_async("wss://localhost/ws", stream.expect("a handshake")).await;
    opened.map(|(socket, _)| socket)
}

async fn echo<S>(socket: &mut WebSocketStream<S>, words: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    socket.send(words.into()).await.expect("sent");
    let heard = socket.next().await.expect("an answer").expect("whole");
    assert_eq!(heard.into_text().expect("text"), words);
}

#[tokio::test]
async fn an_open_websocket_and_a_long_answer_end_when_the_lists_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let names = ["alice", "bob", "carol"];
    let [alice, bob, carol] = names.map(|name| signed_by(&ca, client(name)));
    let files = pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Required);
    let deny = folder.path().join("deny");
    fs::write(&deny, "carol").expect("written");
    let lists = Identities::load(IdentityFiles {
        allow: None,
        deny: Some(deny.clone()),
    });
    let options = Options {
        tls: Some(Tls::load(files).expect("good files")),
        identities: Some(lists.expect("a good list")),
        ..Options::default()
    };
    let serving = serving(echoing(), options).await;
    let refused = open(&serving, &ca, &carol).await.expect_err("denied");
    assert!(matches!(refused, Error::Http(reply) if reply.status() == 403));
    assert_eq!(serving.refused(Refused::Identity), 1);
    let mut as_alice = open(&serving, &ca, &alice).await.expect("let in");
    let mut as_bob = open(&serving, &ca, &bob).await.expect("let in");
    echo(&mut as_alice, "one").await;
    echo(&mut as_bob, "one").await;
    let both = format!("{}{}", bob.pem, bob.key.serialize_pem());
    let long = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(ca.pem.as_bytes()).expect("PEM")])
        .identity(reqwest::Identity::from_pem(both.as_bytes()).expect("PEM"))
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/endless", serving.address.port());
    let mut long = long.get(url).send().await.expect("answered");
    long.chunk().await.expect("it goes on");

    fs::write(&deny, "carol\nbob").expect("written");
    serving.reloader.reload().expect("a good list");
    while let Some(Ok(_)) = as_bob.next().await {}
    while let Ok(Some(_)) = long.chunk().await {}
    assert_eq!(serving.cut(Cut::Identity), 2);
    echo(&mut as_alice, "two").await;
    drop((as_alice, as_bob, long));
    serving.end().await;
}

#[tokio::test]
async fn a_websocket_counts_as_a_connection_and_ends_with_the_door() {
    let options = Options {
        drain: Duration::from_millis(50),
        ..limited(Limits {
            connections_per_address: 1,
            header_timeout: Duration::from_millis(200),
            idle_timeout: Duration::from_millis(200),
            ..Limits::default()
        })
    };
    let door = Door::bind("127.0.0.1:0", options).await.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let stop = CancellationToken::new();
    let task = tokio::spawn(door.serve(echoing(), stop.clone()));
    let open = || async {
        let tcp = TcpStream::connect(address).await.expect("open");
        client_async(format!("ws://{address}/ws"), tcp).await
    };
    let (mut socket, _) = open().await.expect("let in");
    echo(&mut socket, "one").await;
    let refused = open().await.expect_err("one too many");
    assert!(matches!(refused, Error::Http(reply) if reply.status() == 503));
    assert_eq!(connections.counts().refused["connections"], 1);
    // Far longer than any time-out of HTTP.
    tokio::time::sleep(Duration::from_millis(900)).await;
    echo(&mut socket, "two").await;
    stop.cancel();
    while let Some(Ok(_)) = socket.next().await {}
    task.await.expect("the door cuts");
    let counts = connections.counts();
    assert_eq!((counts.open, counts.memory_used), (0, 0));
    assert_eq!(counts.cut["drain"], 1);
}
