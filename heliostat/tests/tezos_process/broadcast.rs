//! `--send-policy "broadcast(2)"`: operations that go to two nodes, through a
//! real process and over kills.

use heliostat_observe::Status;
use heliostat_sim::tezos::{
    node::{Fault, Filter},
    operations,
};

use crate::running::{Daemon, Nodes, balance_path};

/// An answer to an operation, and what stands beside it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    receipt: String,
    handed_to: String,
    body: String,
}

async fn inject(daemon: &Daemon, operation: &operations::Operation) -> Answer {
    let url = format!("{}/injection/operation", daemon.url("rpc"));
    let asked = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(format!("\"{}\"", hex::encode(operation.bytes())));
    let reply = asked.send().await.unwrap();
    let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
    Answer {
        status: reply.status().as_u16(),
        receipt: header("heliostat-receipt"),
        handed_to: header("heliostat-handed-to"),
        body: reply.text().await.unwrap(),
    }
}

/// A transfer that nobody has seen, from one account or another.
async fn transfer(nodes: &Nodes, from: usize) -> operations::Operation {
    let world = nodes.network.world();
    let accounts = world.accounts();
    let (sender, to) = (&accounts[from], accounts[4].id);
    let path = balance_path(&sender.address()).replace("/balance", "/counter");
    let url = format!("{}{path}", nodes.nodes[0].url());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let counter: u64 = text.trim().trim_matches('"').parse().unwrap();
    operations::transfer(sender, &to, 7, counter + 1, world.head().hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_goes_to_two_nodes_and_a_repetition_settles_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}/t.sqlite", folder.path().display());
    let nodes = Nodes::start(3).await;
    let start = async |policy: &str| {
        let more = ["--store", &store, "--send-policy", policy];
        let daemon = Daemon::over(&nodes, &more).await;
        let has_head = |status: &Status| status.chains["tezos"].head.is_some();
        daemon.until("at the head", has_head).await;
        daemon
    };
    let counts = || {
        let each = nodes.nodes.iter();
        each.map(|node| node.count("injection")).collect::<Vec<_>>()
    };
    let daemon = start("broadcast(2)").await;
    let taken = inject(&daemon, &transfer(&nodes, 0).await).await;
    assert_eq!((taken.status, taken.handed_to.as_str()), (200, "2"));
    while counts() != [1, 1, 0] {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    // One answers nothing, the other refuses: the first may have it.
    let operation = transfer(&nodes, 1).await;
    nodes.nodes[0].fail(Fault::Reset, Filter::call("injection"));
    nodes.nodes[1].fail(Fault::Status(500), Filter::call("injection"));
    let lost = inject(&daemon, &operation).await;
    assert_eq!((lost.status, lost.handed_to.as_str()), (503, "2"));
    assert!(lost.body.contains("heliostat.outcome_unknown"), "{lost:?}");
    assert_eq!(counts(), [2, 2, 0]);
    // `kill -9`; the next one sends nothing by itself.
    drop(daemon);
    nodes.nodes.iter().for_each(|node| node.behave());
    let daemon = start("broadcast(2)").await;
    assert_eq!(counts(), [2, 2, 0]);
    let settled = inject(&daemon, &operation).await;
    assert_eq!(settled.receipt, lost.receipt);
    assert_eq!(settled.status, 200, "{settled:?}");
    assert_eq!(settled.body.trim(), format!("\"{}\"", operation.hash));
    drop(daemon);

    // Nothing is sent again of what was taken, whatever the policy is.
    for policy in ["broadcast(2)", "one"] {
        let daemon = start(policy).await;
        let before = counts();
        assert_eq!(inject(&daemon, &operation).await.body, settled.body);
        assert_eq!(counts(), before);
        assert_eq!(daemon.terminate(), Some(0));
    }
}
