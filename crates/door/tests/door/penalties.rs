//! Addresses that are refused for a while. Attackers have addresses of their
//! own, as in real life: all of 127.0.0.0/8 is loopback on Linux.

use std::{net::SocketAddr, time::Duration};

use heliostat_door::{Cut, Limits, Options, Refused, defaults};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::serving::{GET, Serving, ask, hello, limited, serving, until_cut};

const GOOD: &str = "127.0.1.1";
const BAD: &str = "127.0.1.2";

/// Control frames ahead; what is beyond is a flood.
const AHEAD: u32 = 5;

fn limits() -> Limits {
    Limits {
        control_frames: AHEAD,
        ..Limits::default()
    }
}

async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let from = from.parse().expect("a literal address");
    socket.bind(SocketAddr::new(from, 0)).expect("loopback");
    socket.connect(to).await.expect("the door is open")
}

/// Whether a request from this address is answered, and not closed.
async fn gets_in(from: &str, serving: &Serving) -> bool {
    let mut stream = connect(from, serving.address).await;
    let ask = [
        GET,
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ]
    .concat();
    // Whoever is refused may not even get this far.
    let _ = stream.write_all(&ask).await;
    until_cut(&mut stream).await.starts_with(b"HTTP/1.1 200")
}

/// Sends pings without end from this address, until it is cut.
async fn flood(from: &str, serving: &Serving) {
    let mut stream = connect(from, serving.address).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for _ in 0..4 * AHEAD {
        bytes.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
    let _ = stream.write_all(&bytes).await;
    until_cut(&mut stream).await;
}

#[tokio::test]
async fn who_floods_is_refused_for_a_while_and_nobody_else() {
    let serving = serving(hello(), limited(limits())).await;
    let mut before = connect(BAD, serving.address).await;
    assert!(ask(&mut before).await.starts_with("HTTP/1.1 200"));
    flood(BAD, &serving).await;
    assert_eq!(serving.cut(Cut::Flood), 1);
    let accepted = serving.connections.accepted();
    assert!(!gets_in(BAD, &serving).await);
    assert_eq!(serving.refused(Refused::Penalty), 1);
    assert_eq!(serving.connections.accepted(), accepted, "it costs no task");
    assert!(gets_in(GOOD, &serving).await);
    // What was open stays: others may be behind the same address.
    assert!(ask(&mut before).await.starts_with("HTTP/1.1 200"));
    while !gets_in(BAD, &serving).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(before);
    serving.end().await;
}

#[tokio::test]
async fn nonsense_is_punished_in_numbers_only() {
    let serving = serving(hello(), limited(limits())).await;
    let mut sent = 0;
    while serving.refused(Refused::Penalty) == 0 {
        let mut stream = connect(BAD, serving.address).await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n: x\r\n\r\n").await;
        sent += u64::from(until_cut(&mut stream).await.starts_with(b"HTTP/1.1 400"));
    }
    assert!(sent >= defaults::SMALL_OFFENCES, "after {sent}");
    assert!(gets_in(GOOD, &serving).await);
    serving.end().await;
}

#[tokio::test]
async fn slow_connections_are_punished_in_numbers_only() {
    let serving = serving(
        hello(),
        limited(Limits {
            header_timeout: Duration::from_millis(400),
            ..limits()
        }),
    )
    .await;
    let few = defaults::SMALL_OFFENCES - 1;
    let mut cut = 0;
    // One is forgotten each second: twice as many cannot be missed.
    for (count, refused) in [(few, false), (2 * defaults::SMALL_OFFENCES + few, true)] {
        let mut open = Vec::new();
        for _ in 0..count {
            let mut stream = connect(BAD, serving.address).await;
            stream.write_all(b"GET /").await.expect("sent");
            open.push(stream);
        }
        cut += count;
        serving.until(|door| door.cut(Cut::Headers) == cut).await;
        assert_eq!(gets_in(BAD, &serving).await, !refused);
    }
    serving.end().await;
}

#[tokio::test]
async fn exempt_networks_and_doors_without_penalties_refuse_nobody() {
    let exempt = Options {
        limits: limits(),
        ..Options::default()
    };
    let without = limited(Limits {
        longest_penalty: Duration::ZERO,
        ..limits()
    });
    for options in [exempt, without] {
        let serving = serving(hello(), options).await;
        for count in 1..=3 {
            flood(BAD, &serving).await;
            assert_eq!(serving.cut(Cut::Flood), count);
        }
        assert!(gets_in(BAD, &serving).await);
        assert_eq!(serving.refused(Refused::Penalty), 0);
        serving.end().await;
    }
}
