//! What a node answers fits together.

use std::time::Duration;

use heliostat_sim::tezos::{
    World, contracts,
    world::{Change, Settings},
};
use heliostat_tezos_context::{Key, Limits, Lookup, proof, raw, tree::Place, v1};
use heliostat_tezos_verifier::{
    BlockHash, Header, OperationHash, commit::find_operations, operations,
};
use serde_json::{Value, json};

use crate::{node, small};

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
    let binary = proof::binary::read_answer(&bytes, &limits).unwrap();
    assert_eq!(binary.unwrap().verify().unwrap().root, verified.root);
    let count = find_operations(&block.header, verified.root, next.header.context);
    assert_eq!(count.unwrap(), Some(block.operation_count()));
    let old = client.bytes(&format!("{at}/merkle_tree/{key}")).await;
    let old = v1::adopt(None, &v1::read(&old, &limits).unwrap().unwrap()).unwrap();
    let data = verified.tree.get(&[b"data"]);
    let Place::Found(data) = data else {
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
    let hashes: Vec<Vec<OperationHash>> = client
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

#[tokio::test]
async fn values_are_those_of_the_state() {
    let settings = Settings {
        holders: 300,
        ..Settings::default()
    };
    let network = heliostat_sim::tezos::Network::new(World::new(5, settings));
    let (_node, client) = node(&network).await;
    let world = network.world();
    let at = "/chains/main/blocks/head/context";
    let [alice, bob] = ["alice", "bob"].map(|name| world.account(name).clone());
    let info = client
        .json(&format!("{at}/contracts/{}", alice.address()))
        .await;
    assert_eq!(info["balance"], alice.balance.to_string());
    assert_eq!(info["counter"], alice.counter.to_string());
    assert_eq!(info["revealed"], alice.is_revealed);
    let key: String = client
        .value(&format!("{at}/contracts/{}/manager_key", bob.address()))
        .await;
    let secret = bob.secret.as_ref().unwrap();
    assert_eq!(key, secret.public().to_string());
    let stranger = world.stranger();
    let nothing: String = client
        .value(&format!("{at}/contracts/{stranger}/balance"))
        .await;
    assert_eq!(nothing, "0");
    let path = format!("{at}/contracts/{stranger}/delegate");
    assert_eq!(client.status(&path).await, 404);
    let ledger = world.contract("ledger").address();
    let storage = client
        .json(&format!("{at}/contracts/{ledger}/storage"))
        .await;
    assert_eq!(storage["args"][1]["string"], alice.address());
    assert_eq!(storage["args"][2]["string"], "2026-01-01T00:00:00Z");
    let holder = &world.holders()[299];
    let hash = contracts::key_text(&holder.holder);
    let value = client
        .json(&format!("{at}/big_maps/{}/{hash}", contracts::BIG_MAP))
        .await;
    assert_eq!(value, json!({ "int": holder.value.to_string() }));
    let registry = world.contract("registry").address();
    let entrypoints = client
        .json(&format!("{at}/contracts/{registry}/entrypoints"))
        .await;
    assert!(entrypoints["entrypoints"]["put"].is_object());
    let constants = client.json(&format!("{at}/constants")).await;
    assert_eq!(
        constants["blocks_per_cycle"],
        world.numbers().blocks_per_cycle
    );
    assert_eq!(constants["minimal_block_delay"], "6");
    let contracts: Vec<String> = client.value(&format!("{at}/contracts")).await;
    assert!(contracts.contains(&bob.address()) && contracts.len() > 400);
}

#[tokio::test]
async fn raw_bytes_are_the_state_down_to_a_depth() {
    let network = small(6);
    let (_node, client) = node(&network).await;
    let at = "/chains/main/blocks/head/context/raw/bytes";
    let version = client.json(&format!("{at}/version")).await;
    let version = hex::decode(version.as_str().unwrap()).unwrap();
    assert_eq!(version, b"u025_025");
    let whole = client.bytes(&format!("{at}/contracts")).await;
    let tree = raw::read(&whole, &Limits::default()).unwrap();
    let state = network.world().head().state.clone();
    let Lookup::Directory(held) = state.find(&[b"data", b"contracts"]) else {
        panic!("no directory");
    };
    assert_eq!(tree.hash(), held.hash());
    let shallow = client.json(&format!("{at}/contracts?depth=1")).await;
    assert_eq!(shallow["index"], Value::Null);
    assert_eq!(client.status(&format!("{at}/contracts/nothing")).await, 404);
    assert_eq!(client.status(&format!("{at}/contracts?depth=x")).await, 400);
}

#[tokio::test]
async fn blocks_are_found_by_every_kind_of_name() {
    let network = small(7);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let head = world.head();
    let first = world.first();
    for (id, expected) in [
        ("head".to_owned(), head.hash),
        ("head~0".to_owned(), head.hash),
        ("head-1".to_owned(), head.header.predecessor),
        (head.level.to_string(), head.hash),
        (format!("{}+1", head.level - 1), head.hash),
        (format!("{}~1", head.hash), head.header.predecessor),
        ("caboose".to_owned(), first.hash),
        ("genesis".to_owned(), world.genesis().hash),
        ("0".to_owned(), world.genesis().hash),
    ] {
        let hash: BlockHash = client
            .value(&format!("/chains/main/blocks/{id}/hash"))
            .await;
        assert_eq!(hash, expected, "{id}");
    }
    for id in [
        "head+1",
        "head~x",
        "nonsense",
        "99999999",
        &BlockHash([1; 32]).to_string(),
    ] {
        assert_eq!(
            client
                .status(&format!("/chains/main/blocks/{id}/hash"))
                .await,
            404,
            "{id}"
        );
    }
    let by_id = format!("/chains/{}/blocks/head/hash", world.chain_id());
    assert_eq!(client.status(&by_id).await, 200);
    assert_eq!(
        client
            .status("/chains/NetXdQprcVkpaWU/blocks/head/hash")
            .await,
        404
    );
}

#[tokio::test]
async fn the_stream_of_heads_tells_every_new_head() {
    let network = small(8);
    let (_node, client) = node(&network).await;
    let path = "/monitor/heads/main";
    let mut stream = client.get(path, "application/json").await.unwrap();
    for _ in 0..3 {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.extend(stream.chunk().await.unwrap().unwrap());
        }
        let json: Value = serde_json::from_slice(&line).unwrap();
        let header = Header::from_json(&json).unwrap();
        assert_eq!(header, network.world().head().header);
        assert_eq!(json["hash"], header.hash().to_string());
        network.bake(&[]);
    }
}

#[tokio::test]
async fn a_reorganization_replaces_the_head_everywhere() {
    let network = small(9);
    let (_node, client) = node(&network).await;
    let old = network.world();
    let mut other = old.fork(old.head().level - 2, "other");
    for _ in 0..3 {
        other.bake(&[]);
    }
    network.set_world(other);
    let head: BlockHash = client.value("/chains/main/blocks/head/hash").await;
    assert_eq!(head, network.world().head().hash);
    assert_ne!(
        network.world().at(old.head().level).unwrap().hash,
        old.head().hash
    );
    // Nodes know the blocks of the old branch by hash.
    let path = format!("/chains/main/blocks/{}/header/raw", old.head().hash);
    let raw: String = client.value(&path).await;
    assert_eq!(raw, old.head().header.raw_hex());
}

#[tokio::test]
async fn blocks_come_by_themselves_until_told_otherwise() {
    let network = small(10);
    let mut heads = network.watch();
    let baking = network.bake_every(Duration::from_millis(1));
    for _ in 0..3 {
        heads.changed().await.unwrap();
    }
    drop(baking);
    assert!(network.world().blocks().len() > Settings::small().blocks + 2);
}
