//! Rules that change while a door serves.

use futures::StreamExt;
use heliostat_door::{Changed, Cut, Limits, Networks, Options, Rate, Refused};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::serving::{Serving, endless, hello, send, serving, until_cut};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// What a door with default options goes by, without exempt networks.
fn rules(limits: Limits) -> Changed {
    Changed::from(&Options {
        limits: Limits {
            exempt: Vec::new(),
            ..limits
        },
        ..Options::default()
    })
}

/// Asks on an open connection; the first line of the answer.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.expect("sent");
    let mut reply = vec![0; 4096];
    let length = stream.read(&mut reply).await.expect("an answer");
    let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
    reply.lines().next().unwrap_or_default().to_owned()
}

async fn open(serving: &Serving) -> TcpStream {
    TcpStream::connect(serving.address).await.expect("open")
}

#[tokio::test]
async fn whoever_is_denied_is_cut_at_rest_and_in_the_middle_of_an_answer() {
    let serving = serving(endless(), Options::default()).await;
    let mut at_rest = open(&serving).await;
    assert_eq!(ask(&mut at_rest).await, "HTTP/1.1 200 OK");
    let silent = open(&serving).await;
    let answer = reqwest::get(format!("{}endless", serving.url())).await;
    let mut answer = answer.expect("answered").bytes_stream();
    answer.next().await.expect("a chunk").expect("bytes");
    serving.until(|door| door.connections.open() == 3).await;

    let mut changed = rules(Limits::default());
    changed.networks = Networks::parse(&[], &["127.0.0.1"]).expect("a network");
    serving.reloader.replace(changed);
    assert_eq!(serving.cut(Cut::Network), 3);
    assert!(until_cut(&mut at_rest).await.is_empty());
    while let Some(Ok(_)) = answer.next().await {}
    let mut another = send(serving.address, GET).await;
    assert!(until_cut(&mut another).await.is_empty());
    assert_eq!(serving.refused(Refused::Network), 1);
    drop(silent);

    serving.reloader.replace(rules(Limits::default()));
    assert_eq!(ask(&mut open(&serving).await).await, "HTTP/1.1 200 OK");
    assert_eq!(serving.connections.counts().reloads, 2);
    serving.end().await;
}

#[tokio::test]
async fn limits_hold_for_the_next_request_of_an_open_connection() {
    let serving = serving(hello(), Options::default()).await;
    let mut stream = open(&serving).await;
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    let strict = Limits {
        address_rate: Rate::new(1, 2),
        connections_per_address: 1,
        ..Limits::default()
    };
    serving.reloader.replace(rules(strict.clone()));
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    // What was counted stays when another limit changes.
    let other = Limits {
        max_request: 10,
        ..strict
    };
    serving.reloader.replace(rules(other));
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 429 Too Many Requests");
    let _held = open(&serving).await;
    let mut second = send(serving.address, GET).await;
    let heard = until_cut(&mut second).await;
    assert!(heard.starts_with(b"HTTP/1.1 503"), "{heard:?}");
    serving.reloader.replace(rules(Limits {
        address_rate: None,
        ..Limits::default()
    }));
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    drop((stream, _held));
    serving.end().await;
}

#[tokio::test]
async fn shorter_time_outs_hold_for_connections_that_are_open() {
    let serving = serving(hello(), Options::default()).await;
    let mut stream = open(&serving).await;
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
    serving.reloader.replace(rules(Limits {
        idle_timeout: std::time::Duration::from_millis(200),
        ..Limits::default()
    }));
    assert!(until_cut(&mut stream).await.is_empty());
    assert_eq!(serving.cut(Cut::Idle), 1);
    serving.end().await;
}

#[tokio::test]
async fn more_places_let_in_at_once_who_waits() {
    let one = Options {
        max_connections: 1,
        ..Options::default()
    };
    let serving = serving(hello(), one).await;
    let mut first = open(&serving).await;
    assert_eq!(ask(&mut first).await, "HTTP/1.1 200 OK");
    let mut second = open(&serving).await;
    second.write_all(GET).await.expect("sent");
    assert_eq!(serving.connections.accepted(), 1);
    serving.reloader.replace(rules(Limits::default()));
    let mut reply = [0; 15];
    second.read_exact(&mut reply).await.expect("an answer");
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
    drop((first, second));
    serving.end().await;
}

#[tokio::test]
async fn no_good_request_fails_while_rules_change_and_nothing_is_left() {
    let serving = serving(hello(), Options::default()).await;
    let done = std::sync::atomic::AtomicBool::new(false);
    let asking = || async {
        let mut answered = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let mut stream = open(&serving).await;
            for _ in 0..3 {
                assert_eq!(ask(&mut stream).await, "HTTP/1.1 200 OK");
                answered += 1;
            }
        }
        answered
    };
    let changing = async {
        for round in 0..200 {
            let mut changed = rules(Limits {
                address_rate: Rate::new(1_000_000, 1_000_000 + round % 3),
                connections_per_address: 100 + round as usize,
                ..Limits::default()
            });
            let elsewhere = format!("192.0.2.{round}");
            changed.networks = Networks::parse(&[], &[elsewhere]).expect("a network");
            changed.max_connections = 100 + round as usize;
            serving.reloader.replace(changed);
            tokio::task::yield_now().await;
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (one, two, three, ()) = tokio::join!(asking(), asking(), asking(), changing);
    assert!(one > 0 && two > 0 && three > 0);
    let counts = serving.connections.counts();
    assert_eq!(counts.reloads, 200);
    assert!(counts.refused.values().all(|&refused| refused == 0));
    assert!(counts.cut.values().all(|&cut| cut == 0), "{counts:?}");
    serving.end().await;
}
