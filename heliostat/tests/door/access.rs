//! Networks, rates, plaintext.

use tonic::Code;

use crate::{
    rig::{HEIGHT, OBSERVE, Rig, newest},
    running::{Process, heliostat},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_denied_or_not_allowed_is_closed_without_a_word() {
    let rig = Rig::new().await;
    for access in [
        "deny-networks = ['127.0.0.0/8']",
        "allow-networks = ['192.0.2.0/24']",
        "allow-networks = ['127.0.0.0/8']\ndeny-networks = ['127.0.0.1']",
    ] {
        let process = Process::run(&rig.configure(&format!("{OBSERVE}[door.access]\n{access}\n")));
        let observe = reqwest::get(format!("{}/livez", process.observe)).await;
        assert!(observe.is_err(), "{access}");
        let endpoint = tonic::transport::Endpoint::from_shared(process.grpc.clone());
        let refused = match endpoint.unwrap().connect().await {
            Err(_) => true,
            Ok(channel) => {
                let mut client =
                    heliostat_zcash_proto::compact_tx_streamer_client::CompactTxStreamerClient::new(
                        channel,
                    );
                newest(&mut client).await.is_err()
            }
        };
        assert!(refused, "{access}");
        assert_eq!(process.terminate(), Some(0));
    }
    let process = rig
        .start(&format!(
            "{OBSERVE}[door.access]\nallow-networks = ['127.0.0.1']\n"
        ))
        .await;
    assert_eq!(process.served_height().await, HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_much_is_told_so_in_its_protocol() {
    let rig = Rig::new().await;
    let limits = "[door.limits]\naddress-rate = 1\naddress-burst = 20\nexempt-networks = []\n";
    // The observe address has a bucket of its own.
    let process = Process::run(&rig.configure(&format!("{OBSERVE}{limits}")));
    process.until_logged("replica open").await;
    let mut client = process.client().await;
    let mut refused = Vec::new();
    for _ in 0..40 {
        refused.extend(newest(&mut client).await.err());
    }
    let refused: Vec<_> = refused
        .iter()
        .filter(|status| status.code() == Code::ResourceExhausted)
        .collect();
    assert!(!refused.is_empty());
    assert!(
        refused[0].message().contains("too many requests"),
        "{}",
        refused[0]
    );
    let counted = process.status().await.doors["zcash"].refused["address_rate"];
    assert_eq!(counted, refused.len() as u64);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_limit_is_refused_in_words() {
    let rig = Rig::new().await;
    let process = rig
        .start(&format!("{OBSERVE}[door.limits]\nrequest-bytes = 1000\n"))
        .await;
    let transaction = |bytes| heliostat_zcash_proto::RawTransaction {
        data: vec![0; bytes].into(),
        height: 0,
    };
    let mut client = process.client().await;
    let refused = client.send_transaction(transaction(2_000)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("1000 bytes"), "{refused}");
    let small = client.send_transaction(transaction(100)).await;
    let code = small.err().map(|status| status.code());
    assert_ne!(code, Some(Code::ResourceExhausted));
    assert_eq!(process.status().await.doors["zcash"].refused["size"], 1);
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn plaintext_beyond_loopback_is_refused_with_the_three_ways_out() {
    let (code, words) = heliostat(&[
        "zcash",
        "--upstream",
        "http://127.0.0.1:1",
        "--store",
        "memory:",
        "--observe",
        "127.0.0.1:0",
        "--listen",
        "0.0.0.0:0",
    ]);
    assert_eq!(code, Some(2), "{words}");
    for part in [
        "chain.zcash.listen",
        "certificate",
        "127.0.0.1",
        "--no-tls-very-insecure",
    ] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_beyond_loopback_is_served_when_asked_for() {
    let rig = Rig::new().await;
    let more = format!("{OBSERVE}[door]\nno-tls-very-insecure = true\n");
    let file = rig.configure(&more);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("listen = '127.0.0.1:0'\n[[", "listen = '0.0.0.0:0'\n[["),
    )
    .unwrap();
    let mut process = Process::run(&file);
    process.until("ready", |status| status.ready).await;
    process.grpc = process.grpc.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(process.served_height().await, HEIGHT);
    assert_eq!(process.terminate(), Some(0));
}
