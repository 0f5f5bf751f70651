//! Every lie contradicts the truth where it says it does, and nowhere else.

use std::collections::BTreeMap;

use heliostat_sim::tezos::{
    Lie, Network, Node,
    node::call,
    world::{Change, balance_key},
};
use heliostat_tezos_context::{Limits, ProofError, proof};
use heliostat_tezos_verifier::{BlockHash, Header, commit::find_operations};
use serde_json::{Value, json};

use crate::{Client, small};

/// A network whose head has a transfer, and three of its nodes.
async fn three(seed: u64) -> (Network, Vec<(Node, Client)>) {
    let network = small(seed);
    let to = network.world().account("bob").id;
    network.bake(&[Change::Transfer {
        from: 0,
        to,
        amount: 5,
    }]);
    network.bake(&[]);
    let nodes = Node::start_all(&network, 3).await;
    let nodes = nodes.expect("loopback has ports").into_iter();
    let asked = nodes.map(|node| {
        let client = Client::new(node.url());
        (node, client)
    });
    (network, asked.collect())
}

/// Everything that Heliostat asks of a node, about the block with the
/// transfer.
fn questions(network: &Network) -> Vec<String> {
    let world = network.world();
    let block = &world.blocks()[world.blocks().len() - 2];
    let alice = world.account("alice");
    let at = format!("/chains/main/blocks/{}", block.hash);
    let key = balance_key(&alice.id);
    let mut all = vec![
        "/chains/main/chain_id".to_owned(),
        "/chains/main/blocks/head/hash".to_owned(),
        "/chains/main/blocks/head/header/raw".to_owned(),
    ];
    all.extend(
        [
            "/header".to_owned(),
            "/header/raw".to_owned(),
            "/protocols".to_owned(),
            "/resulting_context_hash".to_owned(),
            "/operation_hashes".to_owned(),
            "/operations/0".to_owned(),
            "/operations/3".to_owned(),
            format!("/context/merkle_tree_v2/{key}"),
            format!("/context/merkle_tree_v2/{key}?holey=yes"),
            format!("/context/merkle_tree/{key}"),
            format!("/context/raw/bytes/{key}"),
            format!("/context/contracts/{}/balance", alice.address()),
        ]
        .map(|tail| format!("{at}{tail}")),
    );
    all
}

/// The answers to them, by call and path; statuses where there is none.
async fn answers(client: &Client, network: &Network) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for path in questions(network) {
        let (status, body) = client.raw(&path).await.expect("an answer");
        let words = String::from_utf8_lossy(&body);
        all.insert(path, format!("{status} {words}"));
    }
    all
}

/// The calls whose answers differ.
fn differences(
    one: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
) -> Vec<&'static str> {
    const CALLS: [&str; 11] = [
        "chain_id",
        "context",
        "hash",
        "header",
        "merkle_tree",
        "merkle_tree_v2",
        "operation_hashes",
        "operations",
        "protocols",
        "raw",
        "resulting_context_hash",
    ];
    let differs = |name: &&&str| {
        one.iter().any(|(path, answer)| {
            let segments: Vec<_> = path.split('?').next().unwrap_or(path).split('/').collect();
            let segments: Vec<_> = segments.into_iter().filter(|one| !one.is_empty()).collect();
            call(&segments) == **name && other[path] != *answer
        })
    };
    CALLS.iter().filter(differs).copied().collect()
}

/// Where a lie shows.
fn shows(lie: Lie) -> &'static [&'static str] {
    match lie {
        Lie::Value | Lie::Root | Lie::Absence | Lie::OldState => {
            &["context", "merkle_tree", "merkle_tree_v2", "raw"]
        }
        Lie::Plain => &["context", "raw"],
        Lie::Header => &["header"],
        Lie::Hash => &["hash"],
        // The block asked for lies above the point where the branch begins:
        // it is not on it.
        Lie::Unstamped | Lie::Branch | Lie::Unattested => &[
            "context",
            "hash",
            "header",
            "merkle_tree",
            "merkle_tree_v2",
            "operation_hashes",
            "operations",
            "protocols",
            "raw",
            "resulting_context_hash",
        ],
        Lie::OtherChain => &[
            "chain_id",
            "context",
            "hash",
            "header",
            "merkle_tree",
            "merkle_tree_v2",
            "operation_hashes",
            "operations",
            "protocols",
            "raw",
            "resulting_context_hash",
        ],
        Lie::Attestations | Lie::Operations => &["operations"],
        Lie::OperationHashes => &["operation_hashes"],
        Lie::Protocols => &["protocols"],
        Lie::Context => &["resulting_context_hash"],
        Lie::ChainId => &["chain_id", "header", "operations"],
        Lie::Injection => &[],
    }
}

#[tokio::test]
async fn every_lie_shows_where_it_says_and_nowhere_else() {
    let (network, nodes) = three(1).await;
    let (liar, asked) = &nodes[0];
    let honest = answers(&nodes[1].1, &network).await;
    for lie in Lie::ALL {
        liar.lie(lie);
        assert_eq!(liar.lies().map(|(lie, _)| lie), Some(lie));
        let told = answers(asked, &network).await;
        assert_eq!(differences(&honest, &told), shows(lie), "{lie:?}");
    }
    liar.behave();
    let told = answers(asked, &network).await;
    assert_eq!(differences(&honest, &told), [""; 0]);
}

#[tokio::test]
async fn those_who_lie_together_say_the_same_and_those_who_lie_alone_do_not() {
    let (network, nodes) = three(2).await;
    for lie in Lie::ALL {
        // These leave no room for two ways of telling them.
        let is_one_way = matches!(
            lie,
            Lie::Absence | Lie::OldState | Lie::Hash | Lie::OperationHashes | Lie::Injection
        );
        for (node, _) in &nodes[..2] {
            node.collude(lie);
        }
        let one = answers(&nodes[0].1, &network).await;
        let other = answers(&nodes[1].1, &network).await;
        assert_eq!(one, other, "{lie:?}");
        for (node, _) in &nodes[..2] {
            node.lie(lie);
        }
        let one = answers(&nodes[0].1, &network).await;
        let other = answers(&nodes[1].1, &network).await;
        assert_eq!(one == other, is_one_way, "{lie:?}");
    }
}

#[tokio::test]
async fn a_false_value_convicts_itself_and_a_false_root_does_not() {
    let (network, nodes) = three(3).await;
    let (liar, asked) = &nodes[0];
    let world = network.world();
    let block = &world.blocks()[world.blocks().len() - 2];
    let alice = world.account("alice");
    let at = format!("/chains/main/blocks/{}/context", block.hash);
    let path = format!("{at}/merkle_tree_v2/{}", balance_key(&alice.id));
    let limits = Limits::default();

    liar.lie(Lie::Value);
    let read = proof::json::read(&asked.bytes(&path).await, &limits);
    let verified = read.unwrap().unwrap().verify();
    assert!(matches!(verified, Err(ProofError::Before { .. })));

    liar.collude(Lie::Root);
    let read = proof::json::read(&asked.bytes(&path).await, &limits);
    let root = read.unwrap().unwrap().verify().unwrap().root;
    assert_ne!(root, block.state.hash());
    // It is the next header that convicts it.
    let committed = world.head().header.context;
    let find = |root| find_operations(&block.header, root, committed).unwrap();
    assert_eq!(find(root), None);
    assert_eq!(find(block.state.hash()), Some(block.operation_count()));
    let balance: String = asked
        .value(&format!("{at}/contracts/{}/balance", alice.address()))
        .await;
    let truth = world.balance(block, &alice.id);
    assert_eq!(balance, Lie::forged_balance(truth, 0).to_string());
}

/// The headers of a node's newest blocks, newest first.
async fn newest(client: &Client, count: usize) -> Vec<Header> {
    let mut headers = Vec::new();
    for back in 0..count {
        let raw: String = client
            .value(&format!("/chains/main/blocks/head~{back}/header/raw"))
            .await;
        headers.push(Header::from_raw_hex(&raw).expect("a header"));
    }
    headers
}

#[tokio::test]
async fn own_branches_link_and_grow_and_only_some_are_stamped() {
    let (network, nodes) = three(4).await;
    let (liar, asked) = &nodes[0];
    let threshold = network.world().numbers().proof_of_work_threshold;
    for lie in [Lie::Branch, Lie::Unattested, Lie::Unstamped] {
        liar.collude(lie);
        for _ in 0..2 {
            let truth = network.world();
            let headers = newest(asked, 6).await;
            assert_eq!(headers[0].level, truth.head().level + 1, "{lie:?}");
            for pair in headers.windows(2) {
                pair[0].follows(&pair[1]).unwrap();
            }
            let is_own = |header: &&Header| truth.find(&header.hash()).is_none();
            let own: Vec<_> = headers.iter().filter(is_own).collect();
            assert!(own.len() >= 4 && own.len() < headers.len(), "{lie:?}");
            for header in own {
                let is_stamped = header.has_proof_of_work(threshold).unwrap();
                assert_eq!(is_stamped, lie != Lie::Unstamped, "{lie:?}");
            }
            network.bake(&[]);
        }
        let operations = asked.json("/chains/main/blocks/head/operations/0").await;
        let attested = operations.as_array().is_some_and(|all| !all.is_empty());
        assert_eq!(attested, lie != Lie::Unattested, "{lie:?}");
        // The false balance is part of the branch: its own headers hold it.
        let alice = network.world().account("alice").clone();
        let path = format!(
            "/chains/main/blocks/head/context/contracts/{}/balance",
            alice.address()
        );
        let told: String = asked.value(&path).await;
        assert_ne!(
            told,
            network
                .world()
                .balance(network.world().head(), &alice.id)
                .to_string()
        );
    }
}

#[tokio::test]
async fn a_false_header_does_not_have_its_hash() {
    let (_network, nodes) = three(5).await;
    let (liar, asked) = &nodes[0];
    liar.lie(Lie::Header);
    let hash: BlockHash = asked.value("/chains/main/blocks/head/hash").await;
    for back in [0, 1] {
        let at = format!("/chains/main/blocks/{hash}~{back}");
        let json: Value = asked.json(&format!("{at}/header")).await;
        let header = Header::from_json(&json).unwrap();
        assert_ne!(json["hash"], json!(header.hash()));
    }
    let mut stream = asked.get("/monitor/heads/main", "*/*").await.unwrap();
    let line: Value = serde_json::from_slice(&stream.chunk().await.unwrap().unwrap()).unwrap();
    assert_eq!(line["hash"], json!(hash));
    assert_ne!(Header::from_json(&line).unwrap().hash(), hash);
}
