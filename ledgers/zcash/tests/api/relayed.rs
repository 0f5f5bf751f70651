//! What comes from a node, when the node is well.

use heliostat_zcash_proto::{
    BlockRange, Empty, GetAddressUtxosArg, GetSubtreeRootsArg, RawTransaction,
    TransparentAddressBlockFilter, TreeState, TxFilter,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    rig::{BLOCKS, Rig, address, ask, at, by_hash, display, refused},
    troubles::Proxy,
};

#[tokio::test]
async fn a_tree_state_is_the_nodes_and_is_kept() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    for height in [1, 9, BLOCKS] {
        let block = rig.block(height);
        let trees = block.trees.as_ref().expect("the generator knows them");
        let expected = TreeState {
            network: "test".into(),
            height,
            hash: display(&block.hash),
            time: block.time,
            sapling_tree: hex::encode(&trees.sapling.state),
            orchard_tree: hex::encode(&trees.orchard.state),
            ironwood_tree: hex::encode(&trees.ironwood.state),
        };
        let state = client
            .get_tree_state(at(height))
            .await
            .expect("the node has it");
        assert_eq!(state.into_inner(), expected);
        let asked = rig.node.count("z_gettreestate");
        let mut shown = block.hash;
        shown.reverse();
        let state = client
            .get_tree_state(by_hash(&shown))
            .await
            .expect("it is kept");
        assert_eq!(state.into_inner(), expected);
        assert_eq!(
            rig.node.count("z_gettreestate"),
            asked,
            "it was kept by its hash"
        );
    }
    let latest = client
        .get_latest_tree_state(Empty {})
        .await
        .expect("the node has it");
    assert_eq!(latest.into_inner().height, BLOCKS);
}

#[tokio::test]
async fn after_a_reorganization_tree_states_are_those_of_the_new_chain() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let before = client
        .get_tree_state(at(BLOCKS))
        .await
        .expect("the node has it");
    let fork = rig
        .generator
        .fork(BLOCKS - 5, 8, 3)
        .expect("the chain is longer");
    rig.node.set_chain(fork.chain().clone());
    rig.caught_up().await;
    let after = client
        .get_tree_state(at(BLOCKS))
        .await
        .expect("the node has it");
    assert_ne!(before.into_inner().hash, after.get_ref().hash);
    let block = fork.chain().at(BLOCKS).expect("the fork has it");
    assert_eq!(after.into_inner().hash, display(&block.hash));
}

#[tokio::test]
async fn subtree_roots_carry_our_hashes_in_display_order_and_are_kept_for_a_block() {
    // No chain of a test's size completes a subtree: the node is made to say
    // that some blocks did.
    let heights = [3, 50, BLOCKS];
    let proxy = Proxy::replying(move |request, reply| {
        if request["method"] == "z_getsubtreesbyindex" {
            assert_eq!(request["params"], json!(["orchard", 7, 3]));
            let subtree =
                |height| json!({ "root": format!("{height:064x}"), "end_height": height });
            reply["subtrees"] = heights.map(subtree).into();
        }
    });
    let rig = proxy.rig().await;
    let mut client = rig.client().await;
    let wanted = GetSubtreeRootsArg {
        start_index: 7,
        shielded_protocol: 1,
        max_entries: 3,
    };
    for _ in 0..2 {
        let mut stream = client
            .get_subtree_roots(wanted)
            .await
            .expect("it begins")
            .into_inner();
        for height in heights {
            let root = stream
                .message()
                .await
                .expect("it goes on")
                .expect("as many as given");
            assert_eq!(hex::encode(&root.root_hash), format!("{height:064x}"));
            assert_eq!(root.completing_block_height, height);
            let hash = display(&rig.block(height).hash);
            assert_eq!(hex::encode(&root.completing_block_hash), hash);
        }
        assert!(stream.message().await.expect("it ends well").is_none());
        assert_eq!(
            rig.node.count("z_getsubtreesbyindex"),
            1,
            "kept until the next block"
        );
    }
    rig.mine();
    rig.caught_up().await;
    client.get_subtree_roots(wanted).await.expect("it begins");
    assert_eq!(rig.node.count("z_getsubtreesbyindex"), 2);
}

#[tokio::test]
async fn a_subtree_of_a_block_nobody_has_is_refused() {
    let proxy = Proxy::replying(|request, reply| {
        if request["method"] == "z_getsubtreesbyindex" {
            reply["subtrees"] = json!([{ "root": "00", "end_height": 9999 }]);
        }
    });
    let rig = proxy.rig().await;
    refused(
        rig.client()
            .await
            .get_subtree_roots(GetSubtreeRootsArg::default())
            .await,
        Code::Internal,
        "rpc error: code = OutOfRange desc = GetBlock: block 9999 is newer than the latest block",
    );
}

fn by_txid(txid: &[u8; 32]) -> TxFilter {
    TxFilter {
        hash: txid.to_vec().into(),
        ..TxFilter::default()
    }
}

#[tokio::test]
async fn every_transaction_of_the_chain_is_given_as_mined() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    for block in &rig.node.chain().blocks {
        for (txid, range) in block.txids.iter().zip(&block.txs) {
            let reply = client
                .get_transaction(by_txid(txid))
                .await
                .expect("the node has it");
            let expected = RawTransaction {
                data: block.raw.slice(range.clone()),
                height: block.height,
            };
            assert_eq!(reply.into_inner(), expected);
        }
    }
    assert!(rig.upstreams.findings().is_empty());
}

#[tokio::test]
async fn an_unmined_transaction_has_height_0() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let (txid, raw) = rig.unmined()[0].clone();
    rig.node.mempool_add(txid, raw.clone());
    let reply = client
        .get_transaction(by_txid(&txid))
        .await
        .expect("the node has it");
    let expected = RawTransaction {
        data: raw,
        height: 0,
    };
    assert_eq!(reply.into_inner(), expected);
}

#[tokio::test]
async fn a_sent_transaction_comes_back_as_a_quoted_id_or_a_plain_one() {
    for plain in [false, true] {
        let mut settings = heliostat_zcash::api::Settings::default();
        settings.compat.plain_txid = plain;
        let rig = Rig::with(settings).await;
        let mut client = rig.client().await;
        let (txid, data) = rig.unmined()[0].clone();
        let sent = RawTransaction { data, height: 0 };
        let reply = client
            .send_transaction(sent.clone())
            .await
            .expect("the node took it");
        let reply = reply.into_inner();
        assert_eq!(reply.error_code, 0);
        let shown = display(&txid);
        let expected = if plain { shown } else { format!("\"{shown}\"") };
        assert_eq!(reply.error_message, expected);
        assert_eq!(rig.node.mempool(), [txid]);
        // Once more: the same reply, and nothing is sent.
        let again = client.send_transaction(sent).await;
        assert_eq!(again.expect("it is known").into_inner(), reply);
        assert_eq!(rig.node.count("sendrawtransaction"), 1);
    }
}

#[tokio::test]
async fn an_address_has_its_transactions_balance_and_outputs() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let address = address(&rig.node).await;
    let query = json!([{ "addresses": [address], "start": 1, "end": BLOCKS }]);
    let expected = ask(&rig.node, "getaddresstxids", query).await;
    let expected = expected.as_array().expect("a list").clone();
    assert!(!expected.is_empty());
    // Without an end, and with the end 0, it is our newest block.
    for end in [None, Some(at(0)), Some(at(BLOCKS))] {
        let history = TransparentAddressBlockFilter {
            address: address.clone(),
            range: Some(BlockRange {
                start: Some(at(1)),
                end,
                ..BlockRange::default()
            }),
        };
        let new = client
            .get_taddress_transactions(history.clone())
            .await
            .expect("it begins");
        let old = client.get_taddress_txids(history).await.expect("it begins");
        let (mut new, mut old) = (new.into_inner(), old.into_inner());
        for txid in &expected {
            let full = ask(&rig.node, "getrawtransaction", json!([txid, 1])).await;
            let one = new.message().await.expect("it goes on").expect("as many");
            assert_eq!(hex::encode(&one.data), full["hex"]);
            assert_eq!(json!(one.height), full["height"]);
            assert_eq!(old.message().await.expect("it goes on"), Some(one));
        }
        assert!(new.message().await.expect("it ends well").is_none());
        assert!(old.message().await.expect("it ends well").is_none());
    }
    let utxos = ask(
        &rig.node,
        "getaddressutxos",
        json!([{ "addresses": [address] }]),
    )
    .await;
    let utxos = utxos.as_array().expect("a list").clone();
    let sum: i64 = utxos
        .iter()
        .filter_map(|utxo| utxo["satoshis"].as_i64())
        .sum();
    let list = heliostat_zcash_proto::AddressList {
        addresses: vec![address.clone()],
    };
    let balance = client.get_taddress_balance(list).await.expect("it answers");
    assert_eq!(balance.into_inner().value_zat, sum);
    let wanted = GetAddressUtxosArg {
        addresses: vec![address.clone()],
        ..GetAddressUtxosArg::default()
    };
    let listed = client
        .get_address_utxos(wanted)
        .await
        .expect("it answers")
        .into_inner();
    assert_eq!(listed.address_utxos.len(), utxos.len());
    for (ours, theirs) in listed.address_utxos.iter().zip(&utxos) {
        let txid: [u8; 32] = ours.txid.as_ref().try_into().expect("32 bytes");
        assert_eq!(display(&txid), theirs["txid"]);
        assert_eq!(json!(ours.index), theirs["outputIndex"]);
        assert_eq!(hex::encode(&ours.script), theirs["script"]);
        assert_eq!(json!(ours.height), theirs["height"]);
        assert_eq!(ours.address, address);
    }
}

#[tokio::test]
async fn limits_on_outputs_hold_also_when_the_node_ignores_them() {
    let liar = Proxy::start(|request: &mut Value| {
        if request["method"] == "getaddressutxos" {
            let query = &mut request["params"][0];
            query["startHeight"] = json!(0);
            query["maxEntries"] = json!(0);
        }
    });
    let rig = liar.rig().await;
    let mut client = rig.client().await;
    let address = address(&rig.node).await;
    let all = ask(
        &rig.node,
        "getaddressutxos",
        json!([{ "addresses": [address] }]),
    )
    .await;
    let heights: Vec<u64> = all
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|utxo| utxo["height"].as_u64())
        .collect();
    let start = *heights.last().expect("the address has outputs");
    let wanted = |start_height, max_entries| GetAddressUtxosArg {
        addresses: vec![address.clone()],
        start_height,
        max_entries,
    };
    let late = client
        .get_address_utxos(wanted(start, 0))
        .await
        .expect("it answers");
    let late = late.into_inner().address_utxos;
    assert_eq!(
        late.len(),
        heights.iter().filter(|height| **height >= start).count()
    );
    let mut one = client
        .get_address_utxos_stream(wanted(0, 1))
        .await
        .expect("it begins");
    let first = one
        .get_mut()
        .message()
        .await
        .expect("it goes on")
        .expect("one");
    assert_eq!(first.height, heights[0]);
    assert!(
        one.get_mut()
            .message()
            .await
            .expect("it ends well")
            .is_none()
    );
}

#[tokio::test]
async fn a_tree_state_is_followed_to_the_block_its_skip_hash_names() {
    // Older nodes leave a state out where the tree did not change.
    let old = Proxy::replying(|request, reply| {
        let height = reply["height"].as_u64();
        if request["method"] == "z_gettreestate" && height.is_some_and(|at| at > 20) {
            reply["sapling"] = json!({ "commitments": {}, "skipHash": SKIP.get() });
        }
    });
    let rig = old.rig().await;
    SKIP.set(display(&rig.block(15).hash))
        .expect("it is set once");
    let mut client = rig.client().await;
    let state = client
        .get_tree_state(at(30))
        .await
        .expect("it is followed")
        .into_inner();
    assert_eq!(state.height, 15);
    assert_eq!(state.hash, display(&rig.block(15).hash));
    let trees = rig
        .block(15)
        .trees
        .as_ref()
        .expect("the generator knows them");
    assert_eq!(state.orchard_tree, hex::encode(&trees.orchard.state));
}

#[tokio::test]
async fn a_block_without_a_tree_state_has_none() {
    let rig = Proxy::replying(|request, reply| {
        if request["method"] == "z_gettreestate" {
            reply["sapling"] = json!({ "commitments": {} });
        }
    });
    let rig = rig.rig().await;
    refused(
        rig.client().await.get_tree_state(at(30)).await,
        Code::InvalidArgument,
        "GetTreeState: z_gettreestate did not return treestate",
    );
}

static SKIP: std::sync::OnceLock<String> = std::sync::OnceLock::new();
