//! What comes from the replica.

use heliostat_zcash::api::SERVICE;
use heliostat_zcash_proto::{BlockId, BlockRange, ChainSpec, Empty};
use heliostat_zcash_verifier::scan;
use prost::Message as _;
use tonic::Code;

use crate::rig::{BLOCKS, PENDING, Rig, at, by_hash, refused};

#[tokio::test]
async fn the_latest_block_is_the_replicas_tip() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let calls = rig.node.total();
    let latest = client
        .get_latest_block(ChainSpec {})
        .await
        .expect("it is synced");
    let latest = latest.into_inner();
    assert_eq!(latest.height, BLOCKS);
    assert_eq!(latest.hash.as_ref(), rig.block(BLOCKS).hash);
    rig.mine();
    rig.caught_up().await;
    let next = client
        .get_latest_block(ChainSpec {})
        .await
        .expect("it is synced");
    assert_eq!(next.into_inner().height, BLOCKS + 1);
    assert!(rig.node.count("getinfo") <= calls, "nothing asks for facts");
}

#[tokio::test]
async fn a_block_has_all_pools_and_is_the_same_by_height_and_by_hash() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let mut with_inputs = 0;
    for height in 1..=BLOCKS {
        let block = rig.block(height);
        let ours = client
            .get_block(at(height))
            .await
            .expect("it is stored")
            .into_inner();
        let named = client
            .get_block(by_hash(&block.hash))
            .await
            .expect("it is stored");
        assert_eq!(ours, named.into_inner());
        // The scanner writes everything but the tree sizes.
        let metadata = ours.chain_metadata.expect("it is always there");
        let mut expected = scan(&block.raw).expect("it is a block").full;
        let inner = metadata.encode_to_vec();
        expected.extend([0x42, inner.len() as u8]);
        expected.extend(inner);
        assert_eq!(ours.encode_to_vec(), expected, "block {height}");
        let trees = block.trees.as_ref().expect("the generator knows them");
        assert_eq!(metadata.sapling_commitment_tree_size, trees.sapling.size);
        assert_eq!(metadata.orchard_commitment_tree_size, trees.orchard.size);
        assert_eq!(metadata.ironwood_commitment_tree_size, trees.ironwood.size);
        with_inputs += ours.vtx.iter().filter(|tx| !tx.vin.is_empty()).count();
    }
    assert!(with_inputs > 0, "the chain has transparent spends");
}

#[tokio::test]
async fn a_hash_wins_over_a_height() {
    let rig = Rig::new().await;
    let wanted = BlockId {
        height: 7,
        hash: rig.block(9).hash.to_vec().into(),
    };
    let block = rig
        .client()
        .await
        .get_block(wanted)
        .await
        .expect("it is stored");
    assert_eq!(block.into_inner().height, 9);
}

#[tokio::test]
#[expect(deprecated, reason = "wallets still call it")]
async fn nullifiers_keep_every_transaction_and_nothing_else() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let mut nullifiers = 0;
    for height in 1..=BLOCKS {
        let mut full = client
            .get_block(at(height))
            .await
            .expect("it is stored")
            .into_inner();
        let bare = client
            .get_block_nullifiers(at(height))
            .await
            .expect("it is stored");
        for tx in &mut full.vtx {
            (tx.outputs, tx.vin, tx.vout) = (vec![], vec![], vec![]);
            for action in tx.actions.iter_mut().chain(&mut tx.ironwood_actions) {
                (action.cmx, action.ephemeral_key, action.ciphertext) = Default::default();
            }
            nullifiers += tx.spends.len() + tx.actions.len() + tx.ironwood_actions.len();
        }
        full.chain_metadata = Some(Default::default());
        assert_eq!(bare.into_inner(), full, "block {height}");
    }
    assert!(nullifiers > 0, "the chain has nullifiers");
}

#[tokio::test]
async fn ranges_are_served_by_the_same_router() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let range = |start, end| BlockRange {
        start: Some(at(start)),
        end: Some(at(end)),
        pool_types: vec![1, 2, 3, 4],
    };
    let stream = client
        .get_block_range(range(3, 1))
        .await
        .expect("it begins");
    let mut stream = stream.into_inner();
    for height in [3, 2, 1] {
        let block = stream
            .message()
            .await
            .expect("it is stored")
            .expect("it is not the end");
        assert_eq!(block.height, height);
    }
    assert!(stream.message().await.expect("it ends well").is_none());
    let nothing = BlockRange::default();
    let text = "GetBlockRange: must specify start and end heights";
    refused(
        client.get_block_range(nothing).await,
        Code::InvalidArgument,
        text,
    );
}

#[tokio::test]
async fn the_server_says_what_wallets_look_at() {
    let settings = heliostat_zcash::api::Settings {
        donation_address: "u1donation".into(),
        ..Default::default()
    };
    let rig = Rig::with(settings).await;
    let mut client = rig.client().await;
    let info = client
        .get_lightd_info(Empty {})
        .await
        .expect("the node is up")
        .into_inner();
    assert_eq!(info.vendor, "Heliostat");
    assert_eq!(info.version, format!("v{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(info.lightwallet_protocol_version, "v0.5.0");
    assert!(info.taddr_support);
    // zebrad says so on regtest.
    assert_eq!(info.chain_name, "test");
    assert_eq!(info.sapling_activation_height, 1);
    assert_eq!(info.consensus_branch_id, "5437f330");
    assert_eq!(info.block_height, BLOCKS);
    assert_eq!(
        (info.upgrade_name.as_str(), info.upgrade_height),
        ("NU6.3", PENDING)
    );
    assert_eq!(info.zcashd_build, "v7.0.0");
    assert_eq!(info.zcashd_subversion, "/Zebra:7.0.0/");
    assert_eq!(info.donation_address, "u1donation");
    // From memory from now on, also when the node is gone.
    let asked = rig.node.count("getinfo");
    rig.node.stop().await;
    for _ in 0..3 {
        let again = client
            .get_lightd_info(Empty {})
            .await
            .expect("it is in memory");
        assert_eq!(again.into_inner(), info);
    }
    assert_eq!(rig.node.count("getinfo"), asked);
}

#[tokio::test]
async fn single_block_requests_that_are_no_such_message_are_refused_in_grpcs_words() {
    let rig = Rig::new().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("plain HTTP/2 needs nothing");
    let frame = |flag: u8, length: u32, message: &[u8]| {
        [&[flag][..], &length.to_be_bytes(), message].concat()
    };
    let most = 4 << 20;
    let long = [&[0x12, 0xfa, 0xff, 0xff, 0x01][..], &vec![7; most - 6]].concat();
    let cases = [
        ("nothing", vec![], "13"),
        ("half a prefix", vec![0, 0, 0], "13"),
        ("compressed", frame(1, 2, &[8, 1]), "12"),
        ("cut", frame(0, 3, &[8, 1]), "13"),
        (
            "two messages",
            [frame(0, 2, &[8, 1]), frame(0, 0, &[])].concat(),
            "13",
        ),
        ("not protobuf", frame(0, 1, &[0xff]), "13"),
        ("announced too large", frame(0, u32::MAX, &[]), "8"),
        ("a long hash", frame(0, (most - 1) as u32, &long), "3"),
        (
            "beyond the limit",
            frame(0, most as u32 + 1, &vec![7; most + 1]),
            "8",
        ),
    ];
    for method in ["GetBlock", "GetBlockNullifiers"] {
        let url = format!("http://{}/{SERVICE}/{method}", rig.address);
        let post = |kind: &'static str, body: Vec<u8>| {
            client.post(&url).header("content-type", kind).body(body)
        };
        for (name, body, status) in &cases {
            let reply = post("application/grpc", body.clone()).send().await;
            let reply = reply.expect("it is answered");
            assert_eq!(reply.status(), 200, "{method}: {name}");
            assert_eq!(reply.headers()["grpc-status"], status, "{method}: {name}");
            assert!(!reply.headers().contains_key("heliostat-assurance"));
        }
        let reply = post("application/json", frame(0, 2, &[8, 1])).send().await;
        assert_eq!(reply.expect("it is answered").status(), 415);
        let reply = post("application/grpc+proto", frame(0, 2, &[8, 1])).send();
        let reply = reply.await.expect("it is answered");
        assert_eq!(reply.headers()["content-type"], "application/grpc");
        assert_eq!(reply.headers()["heliostat-assurance"], "relayed");
        let body = reply.bytes().await.expect("it is whole");
        assert_eq!(body[..1], [0]);
        assert_eq!(body[1..5], (body.len() as u32 - 5).to_be_bytes());
    }
}
