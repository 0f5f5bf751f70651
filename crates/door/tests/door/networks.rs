//! Which addresses get in, as sockets show them.

use heliostat_door::{Door, Limits, Networks, Options, Plaintext, Refused};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::serving::{Serving, hello, send, until_cut};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A door on every address of the machine; `None` where it has no IPv6.
async fn everywhere(allow: &[&str], deny: &[&str], limits: Limits) -> Option<Serving> {
    let options = Options {
        plaintext: Plaintext::Anywhere,
        networks: Networks::parse(allow, deny).expect("networks"),
        limits,
        ..Options::default()
    };
    let door = match Door::bind("[::]:0", options).await {
        Ok(door) => door,
        Err(error) => {
            eprintln!("skipped: {error}");
            return None;
        }
    };
    let stop = CancellationToken::new();
    Some(Serving {
        address: door.local_addr(),
        connections: door.connections(),
        reloader: door.reloader(),
        stop: stop.clone(),
        task: tokio::spawn(door.serve(hello(), stop)),
    })
}

async fn gets_in(serving: &Serving, from: &str) -> bool {
    let address = format!("{from}:{}", serving.address.port());
    let mut stream = send(address.parse().expect("an address"), GET).await;
    let heard = until_cut(&mut stream).await;
    assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 200"));
    !heard.is_empty()
}

#[tokio::test]
async fn rules_for_v4_hold_on_a_socket_for_both_and_rules_for_v6_for_v6_alone() {
    for (allow, deny, v4, v6) in [
        (&[][..], &["127.0.0.0/8"][..], false, true),
        (&[], &["::ffff:127.0.0.1"], false, true),
        (&[], &["::ffff:127.0.0.0/104"], false, true),
        (&[], &["::1"], true, false),
        (&["127.0.0.1"], &[], true, false),
        (&["::/0"], &[], false, true),
        (&["0.0.0.0/0"], &["::1"], true, false),
        (&["127.0.0.0/8", "::1"], &["127.0.0.1"], false, true),
    ] {
        let Some(serving) = everywhere(allow, deny, Limits::default()).await else {
            return;
        };
        let got_in = (
            gets_in(&serving, "127.0.0.1").await,
            gets_in(&serving, "[::1]").await,
        );
        assert_eq!(got_in, (v4, v6), "{allow:?} {deny:?}");
        assert_eq!(serving.refused(Refused::Network), 1);
        serving.end().await;
    }
}

#[tokio::test]
async fn an_address_is_counted_as_v4_however_it_comes() {
    let limits = Limits {
        connections_per_address: 1,
        exempt: Vec::new(),
        ..Limits::default()
    };
    let Some(serving) = everywhere(&[], &[], limits).await else {
        return;
    };
    let port = serving.address.port();
    let held = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
    serving.until(|door| door.connections.open() == 1).await;
    let mapped = format!("[::ffff:127.0.0.1]:{port}");
    let mut again = send(mapped.parse().expect("an address"), GET).await;
    let heard = until_cut(&mut again).await;
    assert!(heard.starts_with(b"HTTP/1.1 503"), "{heard:?}");
    assert!(gets_in(&serving, "[::1]").await, "another address");
    drop(held);
    serving.end().await;
}
