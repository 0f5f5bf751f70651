//! Traces and metrics of a real process, as a collector receives them.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use heliostat_sim::zcash::Node;
use heliostat_zcash_proto::{
    BlockId, ChainSpec, compact_tx_streamer_client::CompactTxStreamerClient,
};

use crate::{
    collector::{Collector, text},
    running::chain,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_metrics_and_the_answers_of_a_process_over_grpc() {
    let collector = Collector::default();
    let (address, serving) = collector.serve().await;
    gets_what_happens(&collector, &format!("endpoint = 'http://{address}'")).await;
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_metrics_and_the_answers_of_a_process_over_http() {
    let collector = Collector::default();
    let (address, serving) = collector.serve_http().await;
    let lines = format!("endpoint = 'http://{address}'\nprotocol = 'http'");
    gets_what_happens(&collector, &lines).await;
    serving.abort();
}

async fn gets_what_happens(collector: &Collector, lines: &str) {
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heliostat.toml");
    let config = format!(
        "[store]\naddress = 'memory:'\n[observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\n\
         [observe.otlp]\n{lines}\ninterval-seconds = 1\nsample = 1.0\n\
         [chain.mine]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\n\
         [[chain.mine.upstream]]\nurl = '{}'\n",
        node.handle().url()
    );
    std::fs::write(&file, config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["run", "--config"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let started = lines.by_ref().map_while(Result::ok).find_map(|line| {
        // Every line is one JSON object, whatever it says.
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(event["level"].is_string() && event["timestamp"].is_string());
        (event["message"] == "started").then_some(event)
    });
    let started = started.unwrap();
    let grpc = format!("http://{}", started["grpc"].as_str().unwrap());
    let drained = std::thread::spawn(move || lines.map_while(Result::ok).count());

    let mut client = CompactTxStreamerClient::connect(grpc).await.unwrap();
    let latest = loop {
        match client.get_latest_block(ChainSpec {}).await {
            Ok(latest) if latest.get_ref().height == 20 => break latest.into_inner(),
            _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    let block = BlockId {
        height: latest.height,
        ..BlockId::default()
    };
    client.get_block(block).await.unwrap();
    collector.pushes(2).await;
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(ended.await.unwrap().code(), Some(0));
    drained.join().unwrap();

    let metrics = collector.last_metrics();
    for name in [
        "heliostat_head_height",
        "heliostat_requests",
        "heliostat_request_seconds",
        "heliostat_upstream_request_seconds",
        "heliostat_door_accepted",
        "heliostat_tasks",
        "process_cpu_seconds",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains_key(name), "{name} is missing");
    }
    let spans = collector.all_spans();
    let answered = |name: &str| spans.iter().find(|span| span.name == name);
    let block = answered("GetBlock").expect("what was asked last is sent too");
    assert_eq!(text(&block.attributes, "chain"), Some("mine"));
    assert_eq!(text(&block.attributes, "code"), Some("ok"));
    let asked = answered("getblockchaininfo").expect("questions to upstreams are spans");
    assert_eq!(asked.kind, 3, "a client's span");
}
