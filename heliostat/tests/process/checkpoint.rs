//! A chain that is joined at a checkpoint.

use heliostat_observe::Status;
use heliostat_sim::zcash::{
    Node, Profile,
    chain::Block,
    mainnet_sample,
    node::{Filter, Misbehaviour},
};
use heliostat_zcash_proto::BlockId;
use tonic::Code;

use crate::running::{Process, chain, heliostat, store};

/// `HEIGHT:HASH` as an operator writes it.
pub fn checkpoint(block: &Block) -> String {
    let mut hash = block.hash;
    hash.reverse();
    format!("{}:{}", block.height, hex::encode(hash))
}

fn at(height: u64) -> BlockId {
    BlockId {
        height,
        ..BlockId::default()
    }
}

/// The process follows `height` blocks, with that grade at the newest.
pub async fn until_at(process: &Process, height: u64, assurance: &str) -> Status {
    let there = |status: &Status| {
        let head = status.chains["zcash"].head.as_ref();
        head.is_some_and(|head| head.height == height && head.assurance == assurance)
    };
    let what = format!("{assurance} at {height}");
    process.until(&what, there).await
}

/// `heliostat verify` on a store that nobody writes: nothing is wrong with its
/// blocks, which are these.
fn must_verify(store: &str, blocks: &str) {
    let (code, words) = heliostat(&["verify", "--store", store]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains(blocks), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_joined_at_a_checkpoint_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let twin = Node::start(generator.chain().clone()).await.unwrap();
    let (url, second) = (node.handle().url(), twin.handle().url());
    let joint = generator.chain().blocks[10].clone();
    let (store, joined) = (store(&folder), checkpoint(&joint));
    let args = ["--upstream", &url, "--witness", &second, "--store", &store];
    let args = [&args[..], &["--checkpoint", &joined]].concat();
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    // The tree sizes are a node's word, so two that agree do not help.
    until_at(&process, 20, "relayed").await;
    let mut client = process.client().await;
    let first = client.get_block(at(11)).await.unwrap();
    let grade = first.metadata().get("heliostat-assurance").cloned();
    assert_eq!(grade.unwrap(), "relayed");
    assert_eq!(first.into_inner().prev_hash[..], joint.hash);
    let below = client.get_block(at(10)).await.unwrap_err();
    assert_eq!(below.code(), Code::OutOfRange, "{below}");
    assert!(below.message().contains("10"), "{below}");
    assert_eq!(process.terminate(), Some(0));
    must_verify(&store, "blocks 11 to 20 of regtest");

    // Forks right above the joint are followed, also over a restart.
    let fork = generator.fork(10, 12, 99).unwrap();
    node.handle().set_chain(fork.chain().clone());
    twin.handle().set_chain(fork.chain().clone());
    let process = Process::start(&args);
    until_at(&process, 22, "relayed").await;
    let mut client = process.client().await;
    let first = client.get_block(at(11)).await.unwrap().into_inner();
    assert_eq!(first.prev_hash[..], joint.hash);
    assert_eq!(first.hash[..], fork.chain().blocks[11].hash);
    assert_eq!(process.terminate(), Some(0));
    must_verify(&store, "blocks 11 to 22 of regtest");

    // One that does not have the joint is not.
    generator = generator.fork(8, 30, 7).unwrap();
    node.handle().set_chain(generator.chain().clone());
    let process = Process::start(&args);
    let told = |status: &Status| {
        let why = &status.chains["zcash"].upstreams[0].why;
        why.contains("nothing in common with this replica, from height 10 on")
    };
    let status = process.until("told", told).await;
    assert_eq!(status.chains["zcash"].local_height, Some(22));
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_with_tree_sizes_is_as_good_as_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let twin = Node::start(generator.chain().clone()).await.unwrap();
    let (url, second) = (node.handle().url(), twin.handle().url());
    let joint = &generator.chain().blocks[10];
    let trees = joint.trees.as_ref().unwrap();
    let sizes = [&trees.sapling, &trees.orchard, &trees.ironwood].map(|pool| pool.size);
    assert_ne!(sizes, [0; 3], "the sizes say something");
    let joined = format!(
        "{}:{}:{}:{}",
        checkpoint(joint),
        sizes[0],
        sizes[1],
        sizes[2]
    );
    let store = store(&folder);
    let args = ["--upstream", &url, "--witness", &second, "--store", &store];
    let process = Process::start(&[&args[..], &["--checkpoint", &joined]].concat());
    until_at(&process, 20, "agreed 2/2").await;
    let mut client = process.client().await;
    let last = client.get_block(at(20)).await.unwrap().into_inner();
    let counted = last.chain_metadata.unwrap();
    let trees = generator.chain().blocks[20].trees.as_ref().unwrap();
    assert_eq!(counted.sapling_commitment_tree_size, trees.sapling.size);
    assert_eq!(counted.orchard_commitment_tree_size, trees.orchard.size);
    assert_eq!(process.terminate(), Some(0));
    must_verify(&store, "blocks 11 to 20 of regtest");

    // The store knows its beginning without the setting.
    let process = Process::start(&args);
    until_at(&process, 20, "agreed 2/2").await;
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_proof_of_work_above_a_checkpoint_is_proven_with_its_tree_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let chain = mainnet_sample();
    let joined = checkpoint(&chain.blocks[5]);
    let node = Node::start_as(Profile::mainnet(), chain).await.unwrap();
    let url = node.handle().url();
    let store = store(&folder);
    for (at, assurance) in [(joined.clone(), "relayed"), (joined + ":0:0:0", "proven")] {
        let store = format!("{store}-{assurance}");
        let args = ["--upstream", &url, "--store", &store, "--checkpoint", &at];
        for _start in 0..2 {
            let process = Process::start(&args);
            until_at(&process, 10, assurance).await;
            assert_eq!(process.terminate(), Some(0));
            must_verify(&store, "blocks 6 to 10 of main");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_below_a_checkpoint_are_held_to_its_hash() {
    let chain = mainnet_sample();
    let joined = format!("{}:0:0:0", checkpoint(&chain.blocks[5]));
    let node = Node::start_as(Profile::mainnet(), chain).await.unwrap();
    let below = Filter::all().at(3..=3);
    node.handle()
        .misbehave(Misbehaviour::WrongMerkleRoot, below);
    let url = node.handle().url();
    let args = ["--upstream", &url, "--store", "memory:"];
    let process = Process::start(&[&args[..], &["--checkpoint", &joined]].concat());
    let told = |status: &Status| {
        let state = &status.chains["zcash"].state;
        state.contains("at height 3") && state.contains("below the checkpoint at 5")
    };
    process.until("told", told).await;
    node.handle().behave();
    until_at(&process, 10, "proven").await;
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_not_on_the_nodes_chain_is_said() {
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let url = node.handle().url();
    let mut hash = generator.chain().blocks[10].hash;
    hash.reverse();
    let wrong = format!("11:{}", hex::encode(hash));
    let args = ["--upstream", &url, "--store", "memory:"];
    let process = Process::start(&[&args[..], &["--checkpoint", &wrong]].concat());
    let told = |status: &Status| {
        let state = &status.chains["zcash"].state;
        state.contains("another block at height 11")
    };
    process.until("told", told).await;
    assert_eq!(process.terminate(), Some(0));
}
