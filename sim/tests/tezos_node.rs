//! The simulated Tezos node: what it answers fits together, and every lie is
//! one.

#[path = "tezos/ask.rs"]
mod ask;

use ask::Client;
use heliostat_sim::tezos::{
    Network, Node, World,
    world::{Change, Settings},
};
use heliostat_tezos_context::{Key, Limits, Lookup, proof, v1};
use heliostat_tezos_verifier::{BlockHash, Header, commit::find_operations, operations};
use serde_json::Value;

fn small(seed: u64) -> Network {
    Network::new(World::new(seed, Settings::small()))
}

async fn node(network: &Network) -> (Node, Client) {
    let node = Node::start(network).await.unwrap();
    let client = Client::new(node.url());
    (node, client)
}

#[tokio::test]
async fn every_form_of_a_header_is_that_of_its_block() {
    let network = small(1);
    let (_node, client) = node(&network).await;
    let head: BlockHash = client.value("/chains/main/blocks/head/hash").await;
    for id in ["head", "head~2", "head-3", &head.to_string(), "checkpoint"] {
        let at = format!("/chains/main/blocks/{id}");
        let hash: BlockHash = client.value(&format!("{at}/hash")).await;
        let raw: String = client.value(&format!("{at}/header/raw")).await;
        let header = Header::from_raw_hex(&raw).unwrap();
        assert_eq!(header.hash(), hash);
        let json = client.json(&format!("{at}/header")).await;
        assert_eq!(Header::from_json(&json).unwrap(), header);
        assert_eq!(json["hash"], hash.to_string());
        let shell = client.json(&format!("{at}/header/shell")).await;
        assert_eq!(shell, header.shell_json());
        let whole = client.json(&at).await;
        assert_eq!(whole["header"]["level"], header.level);
        assert_eq!(whole["metadata"]["level_info"]["level"], header.level);
    }
}

#[tokio::test]
async fn a_proof_leads_to_the_next_header() {
    let network = small(2);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let (block, next) = (&world.blocks()[5], &world.blocks()[6]);
    let alice = world.account("alice");
    let key: Key = format!("contracts/index/{}/balance", alice.id.index())
        .parse()
        .unwrap();
    let at = format!("/chains/main/blocks/{}/context", block.hash);
    let json = client.bytes(&format!("{at}/merkle_tree_v2/{key}")).await;
    let limits = Limits::default();
    let verified = proof::json::read(&json, &limits).unwrap().unwrap();
    let verified = verified.verify().unwrap();
    assert!(matches!(verified.find(&key), Lookup::Contents(_)));
    let path = format!("{at}/merkle_tree_v2/{key}?holey=no");
    let bytes = client.binary(&path).await;
    let binary = proof::binary::read(&bytes, &limits).unwrap().verify();
    assert_eq!(binary.unwrap().root, verified.root);
    let count = find_operations(&block.header, verified.root, next.header.context);
    assert_eq!(count.unwrap(), Some(block.operation_count()));
    let old = client.bytes(&format!("{at}/merkle_tree/{key}")).await;
    let old = v1::adopt(None, &v1::read(&old, &limits).unwrap().unwrap()).unwrap();
    let data = verified.tree.get(&[b"data"]);
    let heliostat_tezos_context::tree::Place::Found(data) = data else {
        panic!("{data:?}");
    };
    assert_eq!(old.hash(), data.hash());
    let balance: String = client
        .value(&format!("{at}/contracts/{}/balance", alice.address()))
        .await;
    assert_eq!(balance, alice.balance.to_string());
}

#[tokio::test]
async fn operations_are_those_of_the_header() {
    let network = small(3);
    let transfer = Change::Transfer {
        from: 0,
        to: network.world().account("bob").id,
        amount: 7,
    };
    let block = network.bake(&[transfer]);
    let (_node, client) = node(&network).await;
    let hashes: Vec<Vec<heliostat_tezos_verifier::OperationHash>> = client
        .value("/chains/main/blocks/head/operation_hashes")
        .await;
    assert_eq!(
        operations::operations_hash(&hashes),
        block.header.operations_hash
    );
    let transfers = client.json("/chains/main/blocks/head/operations/3").await;
    assert_eq!(transfers[0]["contents"][0]["amount"], "7");
    let one = client.json("/chains/main/blocks/head/operations/3/0").await;
    assert_eq!(one["hash"], hashes[3][0].to_string());
    assert_eq!(
        client.status("/chains/main/blocks/head/operations/9").await,
        404
    );
}

#[tokio::test]
async fn requests_and_bytes_are_counted() {
    let network = small(4);
    let (node, client) = node(&network).await;
    let body = client.bytes("/chains/main/chain_id").await;
    let _: Value = client.json("/version").await;
    assert_eq!((node.requests(), node.count("chain_id")), (2, 1));
    assert!(node.bytes() > body.len() as u64);
    assert_eq!(node.take_log()[0], "GET /chains/main/chain_id");
    node.reset_counts();
    assert_eq!((node.requests(), node.bytes()), (0, 0));
}
