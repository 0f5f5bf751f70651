//! Transactions that their block does not cover whole, asked of several nodes.

use heliostat_node::Role;
use heliostat_sim::zcash::{Filter, Misbehaviour, Node};
use heliostat_zcash_proto::{ChainSpec, TxFilter};
use heliostat_zcash_verifier::transaction;
use serde_json::Value;
use tonic::{Code, Status};

use crate::{
    grades::of_unary,
    rig::{BLOCKS, Client, Plan, Rig, first_node, generator, until},
    troubles::{Proxy, convicted},
};

/// Transactions of version 5 and later: their ids and bytes, the newest first.
fn newer() -> impl Iterator<Item = ([u8; 32], Vec<u8>)> {
    let blocks = (1..=BLOCKS).rev();
    blocks.flat_map(|height| {
        let block = generator().chain().at(height).expect("the chain has it");
        let all = block.txids.iter().zip(&block.txs);
        let all = all.map(|(txid, range)| (*txid, block.raw[range.clone()].to_vec()));
        let newer =
            |bytes: &[u8]| transaction::read(bytes).is_ok_and(|tx| !tx.is_covered_by_txid());
        all.filter(move |(_, bytes)| newer(bytes))
            .collect::<Vec<_>>()
    })
}

/// The same transaction by its id, with other authorizing data.
fn resigned(txid: [u8; 32], bytes: &[u8]) -> Vec<u8> {
    let flipped = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let mut others = (0..bytes.len()).map(flipped);
    let found = others.find(|other| transaction::txid(other) == Ok(txid));
    found.expect("some bytes are not covered")
}

/// Our node, and others that are followed too; the second's address may be
/// that of a proxy.
async fn rig(others: Vec<String>) -> (Rig, Client) {
    let follow = |url| (Role::Follow, url);
    let (count, others) = (others.len() + 1, others.into_iter().map(follow).collect());
    let plan = Plan {
        others,
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let client = rig.client().await;
    let all = format!("agreed {count}/{count}");
    until("the others are heard", || {
        let (mut client, all) = (client.clone(), all.clone());
        async move { of_unary(client.get_latest_block(ChainSpec {}).await) == all }
    })
    .await;
    (rig, client)
}

async fn grade(client: &mut Client, txid: [u8; 32]) -> String {
    let wanted = TxFilter {
        hash: txid.to_vec().into(),
        ..TxFilter::default()
    };
    of_unary(client.get_transaction(wanted).await)
}

/// Replaces the bytes of one transaction, where they are asked for alone.
fn replacing(bytes: &[u8], with: &[u8]) -> Proxy {
    let (bytes, with) = (hex::encode(bytes), hex::encode(with));
    Proxy::replying(move |request, reply| {
        if request["method"] == "getrawtransaction" && reply.as_str() == Some(&bytes[..]) {
            *reply = Value::from(&with[..]);
        }
    })
}

/// Asked for raw bytes; the verbose form is how the first one is asked.
fn asked(node: &Node) -> u64 {
    node.count("getrawtransaction")
}

#[tokio::test]
async fn nodes_that_give_the_same_bytes_agree_on_a_transaction() {
    let others = [first_node().await, first_node().await];
    let (rig, mut client) = rig(others.iter().map(|node| node.url()).collect()).await;
    for (txid, _) in newer().take(5) {
        assert_eq!(grade(&mut client, txid).await, "agreed 3/3");
    }
    assert!(others.iter().all(|node| asked(node) == 5), "each once");
    // One that is away or silent has no vote, and is waited for only so long.
    let (txid, _) = newer().next().expect("coinbases are newer ones");
    let raw = || Filter::method("getrawtransaction");
    others[0].misbehave(Misbehaviour::Reset, raw());
    assert_eq!(grade(&mut client, txid).await, "agreed 2/3");
    others[1].misbehave(Misbehaviour::Hang, raw());
    assert_eq!(grade(&mut client, txid).await, "relayed");
    assert!(rig.upstreams.findings().is_empty());
}

#[tokio::test]
async fn other_authorizing_data_lowers_the_grade_and_convicts_nobody() {
    let (txid, bytes) = newer().next().expect("coinbases are newer ones");
    let second = first_node().await;
    let proxy = replacing(&bytes, &resigned(txid, &bytes));
    let (url, _task) = proxy.before(&second).await;
    let (rig, mut client) = rig(vec![url]).await;
    assert_eq!(grade(&mut client, txid).await, "relayed");
    let (other, _) = newer().nth(1).expect("every block has one");
    assert_eq!(grade(&mut client, other).await, "agreed 2/2");
    assert!(rig.upstreams.findings().is_empty());
}

#[tokio::test]
async fn another_transaction_convicts_the_node_that_was_asked_to_agree() {
    let mut all = newer();
    let (txid, bytes) = all.next().expect("coinbases are newer ones");
    let (_, wrong) = all.next().expect("every block has one");
    let second = first_node().await;
    let (url, _task) = replacing(&bytes, &wrong).before(&second).await;
    let (rig, mut client) = rig(vec![url]).await;
    assert_eq!(grade(&mut client, txid).await, "relayed");
    convicted(&rig, "other0", "zcash.txid", &wrong);
}

#[tokio::test]
async fn an_unmined_transaction_stays_relayed_and_nobody_else_hears_of_it() {
    let second = first_node().await;
    let (rig, mut client) = rig(vec![second.url()]).await;
    let (txid, raw) = rig.unmined()[0].clone();
    rig.node.mempool_add(txid, raw.clone());
    second.mempool_add(txid, raw);
    assert_eq!(grade(&mut client, txid).await, "relayed");
    assert_eq!(asked(&second), 0);
}

/// The last transaction of the newest block, which a node that misbehaves with
/// [`Misbehaviour::UnknownVersion`] makes unreadable.
fn last() -> ([u8; 32], Vec<u8>) {
    let block = generator().chain().at(BLOCKS).expect("the chain has it");
    let txid = block.txids.last().expect("every block has a coinbase");
    let range = block.txs.last().expect("every block has a coinbase");
    (*txid, block.raw[range.clone()].to_vec())
}

async fn transaction_of(client: &mut Client, txid: [u8; 32]) -> Result<Vec<u8>, Status> {
    let hash = txid.to_vec().into();
    let wanted = TxFilter {
        hash,
        ..TxFilter::default()
    };
    let reply = client.get_transaction(wanted).await?;
    Ok(reply.into_inner().data.to_vec())
}

#[tokio::test]
async fn what_one_node_makes_unreadable_is_taken_from_another() {
    let second = first_node().await;
    let (rig, mut client) = rig(vec![second.url()]).await;
    let (txid, bytes) = last();
    rig.node
        .misbehave(Misbehaviour::UnknownVersion, Filter::default());
    let answer = transaction_of(&mut client, txid).await.expect("answered");
    assert_eq!(answer, bytes);
    // Nor is it believed when nobody else can be asked: its block was read.
    second.misbehave(Misbehaviour::Reset, Filter::method("getrawtransaction"));
    let refused = transaction_of(&mut client, txid).await;
    let refused = refused.expect_err("no bytes that cannot be read");
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("cannot be read"), "{refused}");
}
