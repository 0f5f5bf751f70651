//! The source against the simulated node.

use heliostat_sim::zcash::{
    Filter, Misbehaviour, Node,
    recorded::{REGTEST_NU6_3_AT_1, REGTEST_NU6_3_AT_110, Recording},
};

use super::*;
use crate::{credentials::Auth, rpc::Limits};

async fn node() -> Node {
    let recording = Recording::read(REGTEST_NU6_3_AT_110).expect("a recording");
    let chain = recording.chain().expect("the recording is whole");
    Node::start(chain).await.expect("a free port")
}

fn source(node: &Node, expected: Option<Network>) -> ZcashSource {
    let limits = Limits {
        total: Duration::from_secs(5),
        idle: Duration::from_secs(1),
        ..Limits::default()
    };
    let rpc = Rpc::new(&node.url(), Auth::None, limits).expect("a sound address");
    ZcashSource::new(rpc, expected).polling_every(Duration::from_millis(5))
}

#[tokio::test]
async fn head_ids_and_blocks_are_the_nodes() {
    let node = node().await;
    let source = source(&node, Some(Network::Regtest));
    let chain = node.chain();
    let tip = chain.tip().unwrap();
    let head = source.head().await.unwrap();
    assert_eq!((head.height, head.id), (tip.height, Id(tip.hash)));
    for block in &chain.blocks {
        assert_eq!(
            source.id_at(block.height).await.unwrap(),
            Some(Id(block.hash))
        );
        let raw = source.fetch(block.height).await.unwrap();
        assert_eq!(raw.bytes, block.raw);
        assert!(raw.described.is_none());
    }
    assert_eq!(source.id_at(tip.height + 1).await.unwrap(), None);
    assert_eq!(
        source.fetch(tip.height + 1).await.unwrap_err().kind(),
        "behind"
    );
    let info = source.info().unwrap();
    assert_eq!(info.backend(), Backend::Zebra);
    assert_eq!(info.chain.upgrades.len(), 10);
    assert_eq!(info.chain.tip_branch, "37a5165b");
    assert_eq!(source.syncing(), None);
    // Told the two node-level facts once, not at every look.
    source.head().await.unwrap();
    assert_eq!(node.count("getinfo"), 1);
}

#[tokio::test]
async fn a_described_block_comes_with_its_transactions_and_tree_sizes() {
    let node = node().await;
    let source = source(&node, None);
    for block in &node.chain().blocks {
        let raw = source.describe(block.height).await.unwrap();
        assert_eq!(raw.bytes, block.raw);
        let described = raw.described.unwrap();
        let txids: Vec<_> = described.txs.iter().map(|tx| tx.txid).collect();
        assert_eq!(txids, block.txids);
        for (tx, range) in described.txs.iter().zip(&block.txs) {
            assert_eq!(tx.raw, block.raw[range.clone()]);
        }
        let trees = block.trees.as_ref().unwrap();
        let sizes = (
            described.sizes.sapling,
            described.sizes.orchard,
            described.sizes.ironwood,
        );
        assert_eq!(
            sizes,
            (trees.sapling.size, trees.orchard.size, trees.ironwood.size)
        );
    }
}

#[tokio::test]
async fn another_network_is_refused_in_words_and_found_out_again_after_a_restart() {
    let node = node().await;
    let wrong = source(&node, Some(Network::Main));
    let fault = wrong.head().await.unwrap_err();
    assert_eq!(fault.kind(), "unsupported");
    let words = fault.to_string();
    assert!(
        words.contains("is on regtest, and this chain is mainnet"),
        "{words}"
    );

    let right = source(&node, Some(Network::Regtest));
    assert!(right.head().await.is_ok());
    // Another node comes up in its place.
    node.stop().await;
    assert_eq!(right.head().await.unwrap_err().kind(), "unreachable");
    let genesis = Network::Main.genesis().0;
    node.misbehave(Misbehaviour::WrongNetwork(genesis), Filter::all());
    node.resume().await;
    let words = right.head().await.unwrap_err().to_string();
    assert!(
        words.contains("is on mainnet, and this chain is regtest"),
        "{words}"
    );

    node.behave();
    node.misbehave(Misbehaviour::WrongNetwork([7; 32]), Filter::all());
    let unknown = source(&node, None).head().await.unwrap_err();
    assert_eq!(unknown.kind(), "unsupported");
    assert!(unknown.to_string().contains("not known"), "{unknown}");
}

#[tokio::test]
async fn a_node_that_knows_only_lightwalletds_calls_will_do() {
    let node = node().await;
    let unknown = Misbehaviour::Error(-32601, "Method not found".into());
    node.misbehave(unknown.clone(), Filter::method("getblockhash"));
    node.misbehave(unknown, Filter::method("getinfo"));
    let source = source(&node, Some(Network::Regtest));
    assert!(source.head().await.is_ok());
    let block = node.chain().at(9).unwrap().hash;
    assert_eq!(source.id_at(9).await.unwrap(), Some(Id(block)));
    assert_eq!(source.id_at(9999).await.unwrap(), None);
    assert_eq!(
        node.count("getblockhash"),
        1,
        "it is not tried again and again"
    );
    assert_eq!(source.info().unwrap().backend(), Backend::Unknown);
}

#[tokio::test]
async fn watching_ends_when_the_head_moves_or_the_node_goes() {
    let node = node().await;
    let source = source(&node, None);
    let chain = node.chain();
    node.set_chain(chain.up_to(250));
    let seen = source.head().await.unwrap();
    let unmoved = tokio::time::timeout(Duration::from_millis(100), source.watch(seen)).await;
    assert!(unmoved.is_err(), "nothing happened");
    let (_, ()) = tokio::join!(source.watch(seen), async { node.set_chain(chain) });
    // A reorg to a lower height is a move too.
    let seen = source.head().await.unwrap();
    node.set_chain(node.chain().up_to(200));
    source.watch(seen).await;
    node.stop().await;
    let seen = Point {
        height: 200,
        id: Id(node.chain().at(200).unwrap().hash),
    };
    source.watch(seen).await;
}

#[tokio::test]
async fn a_reorg_shows_in_ids_and_blocks() {
    let node = node().await;
    let other = Recording::read(REGTEST_NU6_3_AT_1)
        .unwrap()
        .chain()
        .unwrap();
    let source = source(&node, None);
    assert_eq!(source.head().await.unwrap().height, 260);
    node.set_chain(other.clone());
    let head = source.head().await.unwrap();
    assert_eq!((head.height, head.id), (116, Id(other.tip().unwrap().hash)));
    assert_eq!(
        source.id_at(50).await.unwrap(),
        Some(Id(other.at(50).unwrap().hash))
    );
    assert_eq!(source.id_at(200).await.unwrap(), None);
}

#[tokio::test]
async fn a_node_that_syncs_says_so_in_words_and_is_followed_all_the_same() {
    let node = node().await;
    node.set_syncing(Some((3_500_000, 0.000_1)));
    let source = source(&node, None);
    assert_eq!(source.head().await.unwrap().height, 260);
    let words = source.syncing().unwrap();
    assert!(words.contains("260 of about 3500000"), "{words}");
    node.misbehave(Misbehaviour::WarmUp, Filter::all());
    assert_eq!(source.head().await.unwrap_err().kind(), "behind");
}

#[tokio::test]
async fn a_source_passes_lies_on_and_convicts_nobody() {
    let node = node().await;
    let source = source(&node, None);
    let honest = source.fetch(110).await.unwrap().bytes;
    node.misbehave(
        Misbehaviour::WrongMerkleRoot,
        Filter::method("getblock").at(110..=110),
    );
    let lie = source.fetch(110).await.unwrap().bytes;
    let differing: Vec<_> = (0..honest.len())
        .filter(|at| honest[*at] != lie[*at])
        .collect();
    assert_eq!(differing, [36]);
}

#[test]
fn ids_are_shown_the_way_explorers_show_them() {
    let mut id = [0; 32];
    id[0] = 0xab;
    assert!(ZcashSource::show(&Id(id)).ends_with("00ab"));
}
