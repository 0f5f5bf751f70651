//! `/readyz` and `grpc.health.v1` say the same.

use heliostat_observe::Status;
use heliostat_sim::zcash::Node;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::running::{Process, chain};

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_say_what_readyz_says() {
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let handle = node.handle();
    let url = handle.url();
    let process = Process::start(&["--upstream", &url, "--store", "memory:"]);
    process.until("ready", |status| status.ready).await;
    let server = tonic::transport::Endpoint::from_shared(process.grpc.clone()).unwrap();
    let mut health = HealthClient::new(server.connect().await.unwrap());
    let request = HealthCheckRequest::default();
    let mut watched = health.watch(request).await.unwrap().into_inner();
    let mut next = async || {
        let told = watched.message().await.unwrap().expect("it goes on");
        told.status()
    };
    while next().await != ServingStatus::Serving {}

    let metrics = format!("{}/metrics", process.observe);
    let metrics = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    let asked = format!(
        "heliostat_upstream_request_seconds_count{{chain=\"zcash\",upstream=\"{url}\",outcome=\"ok\"}}"
    );
    assert!(
        metrics.contains(&asked),
        "{asked} is missing from\n{metrics}"
    );

    // Without any upstream the head is still young, and nobody can say for how
    // long: a reason for both.
    handle.stop().await;
    let alone = |status: &Status| {
        let why = status.not_ready.join("; ");
        !status.ready && why.contains("no upstream can be used")
    };
    process.until("alone", alone).await;
    while next().await != ServingStatus::NotServing {}
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.terminate(), Some(0));
}
