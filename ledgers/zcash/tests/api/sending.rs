//! `SendTransaction` through the outbox.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use heliostat_node::{Role, outbox::Policy};
use heliostat_sim::zcash::{Filter, Misbehaviour};
use heliostat_zcash_proto::{RawTransaction, SendResponse};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Response, Status};

use super::rig::{Client, Plan, Rig, display, first_node, until};

/// Sends a transaction.
async fn send(client: &mut Client, data: &Bytes) -> Result<Response<SendResponse>, Status> {
    let data = data.clone();
    client
        .send_transaction(RawTransaction { data, height: 0 })
        .await
}

fn receipt(metadata: &tonic::metadata::MetadataMap) -> String {
    let value = metadata.get(heliostat_zcash::api::RECEIPT);
    let value = value.expect("every write has a receipt");
    value.to_str().expect("it is hex").to_owned()
}

#[tokio::test]
async fn a_repeated_transaction_has_the_first_receipt_and_answer() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let (txid, data) = rig.unmined()[0].clone();
    let first = send(&mut client, &data).await.expect("it is taken");
    let name = receipt(first.metadata());
    assert_eq!(name.len(), 32);
    let reply = first.into_inner();
    assert_eq!(reply.error_message, format!("\"{}\"", display(&txid)));
    // Whatever becomes of the node.
    rig.node.misbehave(Misbehaviour::Status(500), Filter::all());
    for _ in 0..3 {
        let again = send(&mut client, &data).await.expect("it is known");
        assert_eq!(receipt(again.metadata()), name);
        assert_eq!(again.into_inner(), reply);
    }
    assert_eq!(rig.node.count("sendrawtransaction"), 1);
}

#[tokio::test]
async fn equal_transactions_at_one_time_are_sent_once() {
    let rig = Rig::new().await;
    let slow = Misbehaviour::Slow(Duration::from_millis(300));
    rig.node
        .misbehave(slow, Filter::method("sendrawtransaction"));
    let (_, data) = rig.unmined()[0].clone();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (channel, data) = (rig.channel(), data.clone());
            async move { send(&mut Client::new(channel.await), &data).await }
        })
        .collect();
    let replies = futures::future::join_all(calls).await;
    let mut names: Vec<_> = replies
        .iter()
        .map(|reply| receipt(reply.as_ref().expect("it is taken").metadata()))
        .collect();
    names.dedup();
    assert_eq!(names.len(), 1);
    assert_eq!(rig.node.count("sendrawtransaction"), 1);
}

#[tokio::test]
async fn what_a_node_refuses_is_asked_anew_in_its_own_words() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let (_, data) = rig.unmined()[0].clone();
    let no = Misbehaviour::Error(-26, "tx-expiring-soon".into());
    rig.node
        .misbehave(no, Filter::method("sendrawtransaction").times(1));
    let first = send(&mut client, &data).await.expect("no gRPC error");
    let name = receipt(first.metadata());
    let refused = first.into_inner();
    assert_eq!(
        (refused.error_code, refused.error_message.as_str()),
        (-26, "tx-expiring-soon")
    );
    let second = send(&mut client, &data).await.expect("it is taken");
    assert_eq!(receipt(second.metadata()), name);
    assert_eq!(second.into_inner().error_code, 0);
    assert_eq!(rig.node.count("sendrawtransaction"), 2);
}

#[tokio::test]
async fn a_lost_transaction_is_found_where_it_went_and_sent_nowhere_else() {
    let second = first_node().await;
    let plan = Plan {
        others: vec![(Role::Follow, second.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let mut client = rig.client().await;
    let (txid, data) = rig.unmined()[0].clone();
    let filter = || Filter::method("sendrawtransaction");
    rig.node.misbehave(Misbehaviour::Reset, filter().times(1));
    let lost = send(&mut client, &data).await.expect_err("no answer came");
    assert_eq!(lost.code(), Code::Unknown);
    let name = receipt(lost.metadata());
    // The node had it after all.
    rig.node.mempool_add(txid, data.clone());
    let again = send(&mut client, &data).await.expect("it is found");
    assert_eq!(receipt(again.metadata()), name);
    let expected = format!("\"{}\"", display(&txid));
    assert_eq!(again.into_inner().error_message, expected);
    assert_eq!(rig.node.count("sendrawtransaction"), 1);
    assert_eq!(second.count("sendrawtransaction"), 0);
}

#[tokio::test]
async fn a_lost_transaction_is_looked_for_until_our_own_block_has_it() {
    let mut rig = Rig::new().await;
    let stop = CancellationToken::new();
    let outbox = Arc::clone(&rig.outbox);
    rig.keep(AbortOnDropHandle::new(tokio::spawn(async move {
        outbox.run(stop).await;
    })));
    let mut client = rig.client().await;
    let (_, data) = rig.unmined()[0].clone();
    rig.node
        .misbehave(Misbehaviour::Reset, Filter::method("sendrawtransaction"));
    send(&mut client, &data).await.expect_err("no answer came");
    assert_eq!(rig.outbox.counts()["unknown"], 1);
    while rig
        .chain()
        .up_to(rig.node.chain().tip().expect("a tip").height)
        .blocks
        .len()
        < rig.chain().blocks.len()
    {
        rig.mine();
    }
    rig.caught_up().await;
    until("it is found on the chain", || async {
        rig.outbox.counts()["included"] == 1
    })
    .await;
    let found = send(&mut client, &data).await.expect("it is there");
    assert_eq!(found.into_inner().error_code, 0);
    assert_eq!(rig.node.count("sendrawtransaction"), 1, "never again");
}

#[tokio::test]
async fn a_broadcast_goes_to_as_many_nodes_as_the_operator_wants() {
    let (second, third) = (first_node().await, first_node().await);
    let plan = Plan {
        others: vec![(Role::Follow, second.url()), (Role::Follow, third.url())],
        policy: Policy::Broadcast(2),
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let (_, data) = rig.unmined()[0].clone();
    let sent = send(&mut rig.client().await, &data).await;
    sent.expect("it is taken");
    let counts = || [&rig.node, &second, &third].map(|node| node.count("sendrawtransaction"));
    until("two nodes have it", || async {
        counts().iter().sum::<u64>() == 2
    })
    .await;
    assert_eq!(counts()[0], 1);
}
