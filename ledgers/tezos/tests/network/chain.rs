//! The chain as it grows, is reorganized, and takes operations.

use heliostat_sim::tezos::Change;
use heliostat_tezos::HeadPolicy;

use super::*;

const HEAD: &str = "/chains/main/blocks/head/hash";

async fn reaches(daemon: &Daemon, block: &Block) -> Got {
    let hash = quoted(block.hash);
    daemon.until(HEAD, |got| got.text() == hash).await
}

#[tokio::test]
async fn heads_are_followed_and_an_unchanged_account_is_not_read_again() {
    let (network, nodes) = network(Made::default(), 3).await;
    let daemon = Daemon::run(settings(&nodes)).await;
    let world = network.world();
    reaches(&daemon, world.head()).await;
    let watched = &world.accounts()[..100];
    for account in watched {
        let got = daemon.balance("head", &account.id).await;
        assert_eq!(got.grade, agreed(3, 3));
    }
    let changes: Vec<_> = watched[..10]
        .iter()
        .map(|account| Change::Balance(account.id, 77))
        .collect();
    let block = network.bake(&changes);
    reaches(&daemon, &block).await;
    nodes.iter().for_each(|node| node.reset_counts());
    for (at, account) in watched.iter().enumerate() {
        let got = daemon.balance("head", &account.id).await;
        let expected = match at < 10 {
            true => quoted(77),
            false => true_balance(&world, &block, &account.id),
        };
        assert_eq!((got.text(), got.grade), (expected, agreed(3, 3)), "{at}");
    }
    let asked: u64 = nodes.iter().map(|node| node.count("merkle_tree_v2")).sum();
    // Those that changed and their neighbours in the directory's inodes, and
    // a vote of each of the two others.
    assert!(asked < 40, "{asked} requests for 100 accounts");
}

#[tokio::test]
async fn a_reorganization_is_followed_and_old_answers_are_not_mixed_in() {
    let (network, nodes) = network(Made::small(), 2).await;
    let daemon = Daemon::run(settings(&nodes)).await;
    let alice = network.world().account("alice").id;
    let common = network.world().head().level;
    let lost = network.bake(&[Change::Balance(alice, 5)]);
    reaches(&daemon, &lost).await;
    assert_eq!(daemon.balance("head", &alice).await.text(), quoted(5));
    let mut other = network.world().fork(common, "other");
    other.bake(&[Change::Balance(alice, 6)]);
    let won = other.bake(&[]);
    network.set_world(other);
    reaches(&daemon, &won).await;
    let got = daemon.balance("head", &alice).await;
    assert_eq!((got.text(), got.grade), (quoted(6), agreed(2, 2)));
    let got = daemon.at(&lost.level.to_string(), "hash").await;
    assert_eq!(got.text(), quoted(won.header.predecessor));
    // The block that was lost is still itself when asked for by its hash, but
    // nobody stands behind it any more.
    let got = daemon.balance(&lost.hash.to_string(), &alice).await;
    assert!(got.status != 200 || got.text() == quoted(5), "{got:?}");
    daemon.only_convicts(&[]);
}

#[tokio::test]
async fn a_checkpoint_and_attestations_prove_block_after_block() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::run(Settings {
        head: HeadPolicy::Proven,
        ..trusting(settings(&nodes), &world, 4)
    })
    .await;
    let alice = world.account("alice").id;
    let paid = network.bake(&[Change::Balance(alice, 5)]);
    for _ in 0..3 {
        network.bake(&[]);
    }
    let got = reaches(&daemon, &paid).await;
    assert_eq!(got.grade, Some(Assurance::Proven));
    let got = daemon.balance("head", &alice).await;
    assert_eq!(
        (got.text(), got.grade),
        (quoted(5), Some(Assurance::Proven))
    );
    let status = daemon.light.status();
    assert_eq!(status.why_unproven, "");
    assert_eq!(status.proven.unwrap().level, paid.level);
}

#[tokio::test]
async fn a_checkpoint_alone_proves_what_lies_below_it() {
    use heliostat_sim::tezos::Lie;
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[0].collude(Lie::Root);
    nodes[1].collude(Lie::Root);
    let daemon = Daemon::run(Settings {
        finality: false,
        min_agreement: 0.6,
        ..trusting(settings(&nodes), &world, 4)
    })
    .await;
    let alice = world.account("alice").id;
    let trusted = world.blocks().len() - 5;
    let below = &world.blocks()[trusted - 1];
    let path = format!("/chains/main/blocks/{}/hash", below.hash);
    daemon
        .until(&path, |got| got.grade == Some(Assurance::Proven))
        .await;
    // Two of three share a lie, and the header of the trusted block refutes it.
    let got = daemon.balance(&below.hash.to_string(), &alice).await;
    assert_eq!(got.text(), true_balance(&world, below, &alice));
    assert_eq!(got.grade, Some(Assurance::Proven));
    daemon.only_convicts(&[&nodes[0], &nodes[1]]);
    // Nothing above it is proven, and it is said why.
    let got = daemon.at(&world.head().hash.to_string(), "hash").await;
    assert_ne!(got.grade, Some(Assurance::Proven));
    let why = daemon.light.status().why_unproven;
    assert!(why.contains("finality is off"), "{why}");
}

#[tokio::test]
async fn without_a_quorum_nothing_newer_is_proven_and_the_reason_is_shown() {
    use heliostat_sim::tezos::{Attesting, Recipe};
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::run(trusting(settings(&nodes), &world, 4)).await;
    let blocks = world.blocks();
    let proven = format!("/chains/main/blocks/{}/hash", blocks[blocks.len() - 3].hash);
    daemon
        .until(&proven, |got| got.grade == Some(Assurance::Proven))
        .await;
    for _ in 0..4 {
        network.bake_as(Recipe {
            attesting: Attesting::Some(1),
            ..Recipe::default()
        });
    }
    let world = network.world();
    let got = reaches(&daemon, world.head()).await;
    assert_eq!(got.grade, agreed(2, 2), "it is still agreed by all");
    let waited = tokio::time::timeout(PATIENCE, async {
        while !daemon.light.status().why_unproven.contains("level") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("a reason in the status");
    let newest = daemon.light.status().proven.unwrap().level;
    assert!(newest < world.head().level - 4, "{newest}");
    // Once the bakers are back it goes on.
    for _ in 0..3 {
        network.bake(&[]);
    }
    let before = network.world().blocks()[network.world().blocks().len() - 3].hash;
    let path = format!("/chains/main/blocks/{before}/hash");
    daemon
        .until(&path, |got| got.grade == Some(Assurance::Proven))
        .await;
}

#[tokio::test]
async fn the_stream_of_heads_goes_on_when_one_node_dies() {
    let (network, nodes) = network(Made::small(), 3).await;
    nodes[2].set(|manner| manner.no_stream = true);
    let daemon = Daemon::run(Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    })
    .await;
    reaches(&daemon, network.world().head()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let stream = client.get(format!("{}/monitor/heads/main", daemon.url));
    let mut stream = stream.send().await.unwrap();
    let grade = stream.headers()[Assurance::FIELD]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(grade, "agreed 2/3");
    let mut seen = String::new();
    let mut heads = 0;
    let mut next = async |expected: &Block| {
        let wait = async {
            while seen.lines().count() <= heads || !seen.ends_with('\n') {
                let piece = stream.chunk().await.unwrap().unwrap();
                seen.push_str(std::str::from_utf8(&piece).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("a head");
        let line: serde_json::Value =
            serde_json::from_str(seen.lines().nth(heads).unwrap()).unwrap();
        heads += 1;
        assert_eq!(line["hash"], expected.hash.to_string());
        assert_eq!(line["level"], expected.level);
        let read = heliostat_tezos_verifier::Header::from_json(&line).unwrap();
        assert_eq!(read.hash(), expected.hash);
    };
    next(network.world().head()).await;
    let block = network.bake(&[]);
    next(&block).await;
    nodes[0].stop().await;
    for _ in 0..2 {
        let block = network.bake(&[]);
        next(&block).await;
    }
}

#[tokio::test]
async fn an_operation_is_sent_once_and_appears_in_a_block() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::run(settings(&nodes)).await;
    reaches(&daemon, world.head()).await;
    // A signed transfer: from a block that is not part of the chain.
    let bob = world.account("bob").id;
    let mut scratch = World::clone(&world);
    let block = scratch.bake(&[Change::Transfer {
        from: 0,
        to: bob,
        amount: 1_000,
    }]);
    let transfer = &block.operations[3][0];
    let mut bytes = transfer.branch.as_bytes().to_vec();
    bytes.extend_from_slice(&transfer.data);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |body: Vec<u8>, kind: &'static str| {
        let asked = client.post(format!("{}/injection/operation", daemon.url));
        let asked = asked.header("content-type", kind).body(body);
        async move { got(asked.send().await.unwrap()).await }
    };
    let body = quoted(hex::encode(&bytes)).into_bytes();
    let answer = send(body, "application/json").await;
    assert_eq!(answer.text().trim(), quoted(transfer.hash));
    assert_eq!(answer.grade, Some(Assurance::Relayed));
    assert_eq!(
        (nodes[0].count("injection"), network.pending().len()),
        (1, 1)
    );
    assert_eq!(nodes[1].count("injection"), 0, "sent to one node");
    let before = world.balance(world.head(), &bob);
    let block = network.bake(&[]);
    reaches(&daemon, &block).await;
    let got = daemon.balance("head", &bob).await;
    assert_eq!(got.text(), quoted(before + 1_000));
    let got = daemon.at("head", "operation_hashes/3/0").await;
    assert_eq!(got.text(), quoted(transfer.hash));
}

#[tokio::test]
async fn a_node_that_answers_another_hash_for_an_operation_is_convicted() {
    use heliostat_sim::tezos::Lie;
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    nodes[0].lie(Lie::Injection);
    let daemon = Daemon::serve(settings(&nodes)).await;
    let mut scratch = World::clone(&world);
    let to = world.account("bob").id;
    let (from, amount) = (0, 1_000);
    let block = scratch.bake(&[Change::Transfer { from, to, amount }]);
    let transfer = &block.operations[3][0];
    let mut bytes = transfer.branch.as_bytes().to_vec();
    bytes.extend_from_slice(&transfer.data);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.post(format!("{}/injection/operation", daemon.url));
    let asked = asked.body(quoted(hex::encode(&bytes)));
    let answer = got(asked.send().await.unwrap()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(nodes[1].count("injection"), 0, "never sent elsewhere");
    let found = daemon.light.upstreams().findings();
    assert_eq!(found[0].evidence.rule, "tezos.injection-hash");
    daemon.only_convicts(&[&nodes[0]]);
}

#[tokio::test]
async fn a_minimum_of_proven_moves_the_head_for_every_call_alike() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let mut made = trusting(settings(&nodes), &world, 5);
    made.minimum.insert("balance".into(), Assurance::Proven);
    let daemon = Daemon::run(made).await;
    let alice = world.account("alice").id;
    let path = format!("/chains/main/blocks/head/context/contracts/{alice}/balance");
    let got = daemon.until(&path, |got| got.status == 200).await;
    assert_eq!(got.grade, Some(Assurance::Proven));
    let got = daemon.get(HEAD).await;
    assert_eq!(got.grade, Some(Assurance::Proven));
    // A block that is newer is not given away below that grade.
    let got = daemon.balance(&world.head().hash.to_string(), &alice).await;
    assert_eq!(
        (got.status, got.error().as_str()),
        (503, "heliostat.assurance_too_low")
    );
}

#[tokio::test]
async fn a_stream_of_heads_ends_when_its_grade_does_not_hold_any_more() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::run(Settings {
        head: HeadPolicy::Proven,
        ..trusting(settings(&nodes), &world, 4)
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let open = || {
        client
            .get(format!("{}/monitor/heads/main", daemon.url))
            .send()
    };
    let mut stream = open().await.unwrap();
    assert_eq!(stream.headers()[Assurance::FIELD], "proven");
    assert!(stream.chunk().await.unwrap().is_some());
    // From here on `head` is a block that nobody has proven.
    let none = std::collections::BTreeMap::new();
    daemon.light.prepare(none, HeadPolicy::Newest).unwrap()();
    network.bake(&[]);
    let next = tokio::time::timeout(PATIENCE, stream.chunk())
        .await
        .unwrap();
    assert_eq!(next.unwrap(), None);
    assert_ne!(open().await.unwrap().headers()[Assurance::FIELD], "proven");
}
