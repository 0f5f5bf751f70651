//! SIGHUP.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use heliostat_store::testing::Authority;
use heliostat_zcash_proto::Empty;

use crate::{
    rig::{Denied, HEIGHT, OBSERVE, Rig, replace, trusting},
    running::Process,
};

/// Sends SIGHUP, and waits until it was dealt with `times` times.
pub async fn hang_up(process: &Process, times: usize) {
    process.signal("-HUP");
    // The door, which looks at files by itself too, does not say what changed.
    let ends =
        |line: &&str| line.contains("\"message\":\"reloaded") && line.contains("\"changed\":");
    while process.logged().lines().filter(ends).count() < times {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_served_after_a_signal_and_open_connections_live_on() {
    let rig = Rig::new().await;
    let process = rig.start(&(OBSERVE.to_owned() + &rig.tls(""))).await;
    let mut open = rig.client(&process, None).await.unwrap();
    let other = Authority::new();
    rig.certify(&other.sign("localhost"));
    hang_up(&process, 1).await;
    let renewed = trusting(&other.pem(), &process, None).await;
    assert_eq!(
        crate::rig::newest(&mut renewed.unwrap()).await.unwrap(),
        HEIGHT
    );
    assert_eq!(rig.ask(&process, None).await, Err(Denied::Handshake));
    assert_eq!(crate::rig::newest(&mut open).await.unwrap(), HEIGHT);
    let door = &process.status().await.doors["zcash"];
    assert!(door.reloads >= 1 && door.reload_failures == 0, "{door:?}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_keeps_the_old_one_and_says_so() {
    let rig = Rig::new().await;
    let process = rig.start(&(OBSERVE.to_owned() + &rig.tls(""))).await;
    fs::write(rig.path("server.pem"), "nothing").unwrap();
    hang_up(&process, 1).await;
    let log = process.logged();
    assert!(log.contains("what was in force stays"), "{log}");
    assert!(
        log.contains("server.pem") && log.contains("BEGIN CERTIFICATE"),
        "{log}"
    );
    assert!(log.contains("reloaded in part"), "{log}");
    assert_eq!(rig.ask(&process, None).await, Ok(HEIGHT));
    assert!(process.status().await.doors["zcash"].reload_failures >= 1);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_is_taken_over_and_what_takes_a_restart_is_named() {
    let rig = Rig::new().await;
    let process = rig.start(OBSERVE).await;
    let nonsense = || {
        let address = process.grpc.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(b"nonsense\r\n\r\n").unwrap();
        // Until the other side has had enough.
        let _ = socket.read_to_end(&mut Vec::new());
    };
    nonsense();
    let file = rig.path("heliostat.toml");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text
        .replace("[observe]", "[observe]\nlog-level = 'debug'")
        .replace("[store]", "[door]\nno-tls-very-insecure = true\n[store]");
    replace(&file, &changed);
    hang_up(&process, 1).await;
    let log = process.logged();
    assert!(!log.contains("connection ended early"), "{log}");
    let line = |part: &str| log.lines().find(|line| line.contains(part)).unwrap_or("");
    assert!(line("observe.log-level").contains("reloaded"), "{log}");
    let left = line("door.no-tls-very-insecure");
    assert!(left.contains("takes effect after a restart"), "{log}");
    nonsense();
    process.until_logged("connection ended early").await;
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_keeps_the_old_one_and_says_so() {
    let rig = Rig::new().await;
    let process = rig.start(&(OBSERVE.to_owned() + &rig.tls(""))).await;
    let file = rig.path("heliostat.toml");
    let text = fs::read_to_string(&file).unwrap();
    replace(&file, &text.replace("[door.tls]", "[door.tsl]"));
    // A certificate should not stay old because of it.
    let other = Authority::new();
    rig.certify(&other.sign("localhost"));
    hang_up(&process, 1).await;
    let log = process.logged();
    assert!(log.contains("the configuration in force stays"), "{log}");
    assert!(log.contains("did you mean tls?"), "{log}");
    let mut renewed = trusting(&other.pem(), &process, None).await.unwrap();
    assert_eq!(crate::rig::newest(&mut renewed).await.unwrap(), HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_drains_through_the_door() {
    let rig = Rig::new().await;
    let more = format!("{OBSERVE}[door]\ndrain-seconds = 1\n");
    let process = rig.start(&(more + &rig.mutual("required"))).await;
    let wallet = rig.clients.sign("wallet");
    let mut client = rig.client(&process, Some(&wallet)).await.unwrap();
    assert_eq!(crate::rig::newest(&mut client).await.unwrap(), HEIGHT);
    // An answer that lasts until the next block, which never comes: it is cut
    // after the drain time, and the process ends in order.
    let stream = client.get_mempool_stream(Empty {}).await.unwrap();
    assert_eq!(process.terminate(), Some(0));
    assert!(stream.into_inner().message().await.is_err());
}
