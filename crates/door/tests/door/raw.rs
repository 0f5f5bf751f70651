//! Protocols that are not HTTP.

use std::{fs, net::SocketAddr, time::Duration};

use heliostat_door::{
    ClientAuth, Cut, Door, Identities, IdentityFiles, Limits, Memory, Networks, NodeId, Options,
    RawStream, Refused, Tls, defaults,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{
    pki::{self, authority, client, connector, self_signed, server, signed_by},
    serving::{Serving, limited, send, until_cut},
};

/// The first byte says which node is asking, `0` none; then a length, and what
/// comes back is that many bytes. `!` is the answer to whoever may not enter.
async fn echo(mut stream: RawStream) {
    let stopping = stream.stopping();
    let Ok(first) = stream.read_u8().await else {
        return;
    };
    let node = (first != b'0').then(|| node(first));
    if stream.enter(node).is_err() {
        let _ = stream.write_all(b"!").await;
        return;
    }
    loop {
        let length = tokio::select! {
            length = stream.read_u32() => length,
            () = stopping.cancelled() => return,
        };
        let Ok(length) = length else { return };
        let Ok(_held) = stream.message(length.into()) else {
            let _ = stream.write_all(b"!").await;
            return;
        };
        let mut message = vec![0; length as usize];
        if stream.read_exact(&mut message).await.is_err()
            || stream.write_all(&message).await.is_err()
        {
            return;
        }
    }
}

fn node(digit: u8) -> NodeId {
    let key = char::from(digit).to_string().repeat(128);
    key.parse().expect("128 digits")
}

async fn echoing(options: Options) -> Serving {
    let door = Door::bind("127.0.0.1:0", options).await.expect("a port");
    let stop = CancellationToken::new();
    Serving {
        address: door.local_addr(),
        connections: door.connections(),
        reloader: door.reloader(),
        stop: stop.clone(),
        task: tokio::spawn(door.serve_raw(echo, stop)),
    }
}

async fn say<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S, words: &[u8]) -> Vec<u8> {
    let length = words.len() as u32;
    stream.write_all(&length.to_be_bytes()).await.expect("sent");
    stream.write_all(words).await.expect("sent");
    let mut heard = vec![0; words.len()];
    stream.read_exact(&mut heard).await.expect("an echo");
    heard
}

async fn entered(address: SocketAddr, node: u8) -> TcpStream {
    let mut stream = send(address, &[node]).await;
    assert_eq!(say(&mut stream, b"hi").await, b"hi");
    stream
}

#[tokio::test]
async fn bytes_pass_in_plaintext_and_over_tls_with_the_clients_certificate() {
    let plain = echoing(Options::default()).await;
    let mut stream = entered(plain.address, b'0').await;
    // More than any buffer on the way.
    let long: Vec<u8> = (0..1 << 20).map(|n| n as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        writer.write_u32(long.len() as u32).await.expect("sent");
        writer.write_all(&long).await.expect("sent");
    };
    let mut heard = vec![0; long.len()];
    let (_, read) = tokio::join!(sending, reader.read_exact(&mut heard));
    read.expect("an echo");
    assert!(heard == long);
    plain.end().await;

    let folder = tempfile::tempdir().expect("a folder");
    let ca = self_signed(authority("ca"));
    let served = signed_by(&ca, server("server"));
    let alice = signed_by(&ca, client("alice"));
    let files = pki::files(folder.path(), &served, Some(&ca.pem), ClientAuth::Required);
    let allow = folder.path().join("allow");
    fs::write(&allow, "alice\n").expect("written");
    let allow = Some(allow);
    let secure = echoing(Options {
        tls: Some(Tls::load(files).expect("good files")),
        identities: Some(Identities::load(IdentityFiles { allow, deny: None }).expect("a list")),
        ..Options::default()
    })
    .await;
    let open = |shown: pki::Made| {
        let shown = Some((vec![shown.der.clone()], shown.key_der()));
        let connector = connector(&ca, shown);
        let address = secure.address;
        async move {
            let tcp = TcpStream::connect(address).await.expect("open");
            let name = ServerName::try_from("localhost").expect("a name");
            connector.connect(name, tcp).await.expect("a handshake")
        }
    };
    let mut stream = open(alice).await;
    stream.write_all(b"0").await.expect("sent");
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
    let mut bob = open(signed_by(&ca, client("bob"))).await;
    bob.write_all(b"0").await.expect("sent");
    assert_eq!(bob.read_u8().await.expect("an answer"), b'!');
    assert_eq!(secure.refused(Refused::Identity), 1);
    drop((stream, bob));
    secure.end().await;
}

#[tokio::test]
async fn nodes_are_let_in_by_quorums_files_and_cut_when_these_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = |nodes: &[u8]| {
        let urls = nodes
            .iter()
            .map(|digit| format!("\"enode://{}@h:1\"", node(*digit)));
        format!("[{}]", urls.collect::<Vec<_>>().join(","))
    };
    let allow = folder.path().join("permissioned-nodes.json");
    let deny = folder.path().join("disallowed-nodes.json");
    fs::write(&allow, list(b"123")).expect("written");
    fs::write(&deny, list(b"3")).expect("written");
    let files = IdentityFiles {
        allow: Some(allow.clone()),
        deny: Some(deny.clone()),
    };
    let options = Options {
        identities: Some(Identities::load(files).expect("good lists")),
        ..Options::default()
    };
    let serving = echoing(options).await;
    let mut first = entered(serving.address, b'1').await;
    let mut second = entered(serving.address, b'2').await;
    for unknown in [b'0', b'3', b'4'] {
        let mut stream = send(serving.address, &[unknown]).await;
        assert_eq!(until_cut(&mut stream).await, b"!", "{unknown}");
    }
    assert_eq!(serving.refused(Refused::Identity), 3);

    // Nobody asks for a reload: the files are looked at.
    fs::write(&deny, list(b"31")).expect("written");
    until_cut(&mut first).await;
    assert_eq!(serving.cut(Cut::Identity), 1);
    assert_eq!(say(&mut second, b"still here").await, b"still here");
    fs::write(&allow, list(b"1")).expect("written");
    serving.reloader.reload().expect("good lists");
    until_cut(&mut second).await;
    assert_eq!(serving.cut(Cut::Identity), 2);
    serving.end().await;
}

#[tokio::test]
async fn who_does_not_enter_or_does_not_read_is_cut() {
    let short = Duration::from_millis(300);
    let serving = echoing(limited(Limits {
        handshake_timeout: short,
        unread_timeout: short,
        max_request: 16 << 20,
        ..Limits::default()
    }))
    .await;
    let mut silent = TcpStream::connect(serving.address).await.expect("open");
    assert!(until_cut(&mut silent).await.is_empty());
    assert_eq!(serving.cut(Cut::Handshake), 1);

    let mut idle = entered(serving.address, b'0').await;
    tokio::time::sleep(short * 3).await;
    assert_eq!(
        say(&mut idle, b"back").await,
        b"back",
        "once in, it may rest"
    );

    let mut greedy = entered(serving.address, b'0').await;
    greedy.write_u32(16 << 20).await.expect("sent");
    greedy.write_all(&vec![7; 16 << 20]).await.expect("sent");
    serving.until(|door| door.cut(Cut::Unread) == 1).await;
    drop((idle, greedy));
    serving.end().await;
}

#[tokio::test]
async fn networks_and_limits_are_the_same() {
    let options = Options {
        networks: Networks::parse(&[], &["127.0.0.0/8"]).expect("a network"),
        ..Options::default()
    };
    let refusing = echoing(options).await;
    let mut stream = TcpStream::connect(refusing.address).await.expect("open");
    assert!(until_cut(&mut stream).await.is_empty());
    assert_eq!(refusing.refused(Refused::Network), 1);
    refusing.end().await;

    let share = defaults::CONNECTION_SHARE;
    let options = Options {
        memory: Memory::new(3 * share),
        ..limited(Limits {
            connections_per_address: 2,
            max_request: 1_000,
            ..Limits::default()
        })
    };
    let memory = options.memory.clone();
    let serving = echoing(options).await;
    let mut open = entered(serving.address, b'0').await;
    let other = entered(serving.address, b'0').await;
    let mut third = TcpStream::connect(serving.address).await.expect("open");
    assert!(until_cut(&mut third).await.is_empty());
    assert_eq!(serving.refused(Refused::Connections), 1);
    assert_eq!(say(&mut open, &[7; 1_000]).await, [7; 1_000]);
    open.write_u32(1_001).await.expect("sent");
    assert_eq!(until_cut(&mut open).await, b"!");
    assert_eq!(serving.refused(Refused::Size), 1);
    serving.until(|_| memory.used() == share).await;
    drop(other);
    serving.end().await;
}

#[tokio::test]
async fn the_end_of_the_door_is_told_and_then_enforced() {
    let serving = echoing(Options::default()).await;
    let mut open = entered(serving.address, b'0').await;
    serving.stop.cancel();
    assert!(until_cut(&mut open).await.is_empty());
    serving.end().await;

    let options = Options {
        drain: Duration::from_millis(50),
        ..Options::default()
    };
    let door = Door::bind("127.0.0.1:0", options).await.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let stop = CancellationToken::new();
    let deaf = |mut stream: RawStream| async move {
        stream.enter(None).expect("no lists");
        // Handed on, and never let go of by the protocol.
        tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
    };
    let task = tokio::spawn(door.serve_raw(deaf, stop.clone()));
    let mut open = send(address, b"x").await;
    while connections.open() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    assert!(until_cut(&mut open).await.is_empty());
    task.await.expect("the door cuts");
    assert_eq!(connections.open(), 0);
    assert_eq!(connections.counts().cut["drain"], 1);
}
