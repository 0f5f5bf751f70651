//! Honest nodes: every row is what a node answers, with its grade.

use heliostat_sim::tezos::contracts::{BIG_MAP, key_text};
use heliostat_tezos::api::passed_on_table;
use heliostat_tezos_protocol::Protocol;

use super::*;

/// Paths below a block that are answered from verified data.
fn verified(world: &World) -> Vec<String> {
    let mut tails = Vec::new();
    let mut accounts: Vec<ContractId> = world.accounts().iter().take(8).map(|a| a.id).collect();
    accounts.push(world.stranger());
    accounts.extend(world.contracts().iter().map(|contract| contract.id));
    accounts.push(ContractId::Originated([9; 20]));
    for account in accounts {
        let holds = |known: &World| known.balance(known.head(), &account) > 0;
        for row in [
            "",
            "/balance",
            "/spendable",
            "/counter",
            "/manager_key",
            "/delegate",
            "/frozen_bonds",
            "/balance_and_frozen_bonds",
            "/spendable_and_frozen_bonds",
            "/script",
            "/storage",
            "/storage/used_space",
            "/storage/paid_space",
            "/entrypoints",
            "/entrypoints/default",
            "/entrypoints?normalize_types=true",
        ] {
            // Of an account that does not exist a node only says that it fails.
            if holds(world) || !row.contains("_and_") {
                tails.push(format!("context/contracts/{account}{row}"));
            }
        }
    }
    for holder in [world.account("alice").id, world.stranger()] {
        tails.push(format!("context/big_maps/{BIG_MAP}/{}", key_text(&holder)));
    }
    let fixed = [
        "context/constants",
        "context/constants/parametric",
        "context/liquidity_baking/cpmm_address",
        "context/total_supply",
        "context/protocol/first_level",
        "context/adaptive_issuance_launch_cycle",
        "helpers/current_level",
        "helpers/current_level?offset=3",
        "helpers/levels_in_current_cycle",
        "helpers/round",
        "helpers/consecutive_round_zero",
        "votes/current_period",
        "votes/successor_period",
        "votes/current_quorum",
        "votes/current_proposal",
        "votes/total_voting_power",
        "hash",
        "header",
        "header/raw",
        "header/shell",
        "header/protocol_data",
        "header/protocol_data/raw",
        "protocols",
        "resulting_context_hash",
        "operation_hashes",
        "operation_hashes/0",
        "operation_hashes/0/0",
        "operation_hashes/3/99",
        "context/raw/bytes/version",
        "context/raw/bytes/v1",
        "context/raw/bytes/contracts/global_counter",
        "context/raw/bytes/contracts/index",
        "context/raw/bytes",
        "context/merkle_tree_v2/contracts/index",
        "context/merkle_tree/contracts",
        "context/raw/bytes/nothing/of/the/kind",
        "context/merkle_tree_v2/version",
        "context/merkle_tree_v2/version?holey=yes",
        "context/merkle_tree_v2/v1",
        "context/merkle_tree_v2/nothing/of/the/kind",
        "context/merkle_tree/version",
        "context/merkle_tree/v1?holey=yes",
    ];
    tails.extend(fixed.map(str::to_owned));
    let alice = world.account("alice").id.index();
    for call in ["merkle_tree_v2", "merkle_tree", "raw/bytes"] {
        tails.push(format!("context/{call}/contracts/index/{alice}/balance"));
        tails.push(format!("context/{call}/contracts/index/{alice}"));
    }
    tails
}

async fn every_row_over(made: Made, missing: &[&str]) {
    let (network, nodes) = network(made, 3).await;
    let world = network.world();
    let daemon = Daemon::run(settings(&nodes)).await;
    let head = quoted(world.head().hash);
    daemon
        .until("/chains/main/blocks/head/hash", |got| got.text() == head)
        .await;
    // Read where the next block's header is known, and at the head.
    let mut answered = 0;
    for block in ["head", "head~1"] {
        let pinned = &world.blocks()[world.blocks().len() - 1 - usize::from(block != "head")];
        let tails = verified(&world).into_iter();
        for tail in tails.filter(|tail| !missing.iter().any(|at| tail.starts_with(at))) {
            let path = format!("/chains/main/blocks/{}/{tail}", pinned.hash);
            let theirs = get(&nodes[2].url(), &path).await;
            let ours = daemon.at(block, &tail).await;
            assert_eq!(ours.status, theirs.status, "{tail}: {ours:?} {theirs:?}");
            let is_text = tail.starts_with("context") || tail.starts_with("votes");
            match ours.status {
                200 if is_text => assert_eq!(ours.text().trim(), theirs.text().trim(), "{tail}"),
                200 => assert_eq!(ours.json(), theirs.json(), "{tail}"),
                _ => assert_eq!(ours.text(), theirs.text(), "{tail}"),
            }
            let is_ahead = block == "head" && tail == "resulting_context_hash";
            let expected = match is_ahead {
                true => Some(Assurance::Relayed),
                false => agreed(3, 3),
            };
            assert_eq!(ours.grade, expected, "{block} {tail}: {:?}", ours.reason);
            answered += 1;
        }
    }
    assert!(answered >= 400, "{answered}");
    daemon.only_convicts(&[]);
    assert!(daemon.light.upstreams().disagreements().is_empty());
}

#[tokio::test]
async fn every_row_is_what_a_node_answers_and_says_who_agrees() {
    every_row_over(Made::small(), &[]).await;
}

#[tokio::test]
async fn the_same_holds_in_wide_directories_and_for_the_protocol_before() {
    let made = Made {
        blocks: 4,
        protocol: Protocol::Tallinn.hash().parse().unwrap(),
        ..Made::default()
    };
    // The simulated state is that of protocol 025, where these differ.
    let missing = [
        "context/constants",
        "context/protocol/first_level",
        "votes/",
    ];
    every_row_over(made, &missing).await;
}

#[tokio::test]
async fn from_a_checkpoint_every_row_is_proven() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::run(trusting(settings(&nodes), &world, 6)).await;
    let blocks = world.blocks();
    let proven = &blocks[blocks.len() - 4];
    let path = format!("/chains/main/blocks/{}/hash", proven.hash);
    daemon
        .until(&path, |got| got.grade == Some(Assurance::Proven))
        .await;
    for tail in verified(&world) {
        let got = daemon.at(&proven.hash.to_string(), &tail).await;
        assert_eq!(got.grade, Some(Assurance::Proven), "{tail}: {got:?}");
    }
    let got = daemon.get("/chains/main/chain_id").await;
    assert_eq!(got.text(), quoted(world.chain_id()));
    assert_eq!(got.grade, Some(Assurance::Proven));
}

#[tokio::test]
async fn proofs_are_served_in_bytes_as_a_node_gives_them() {
    let (network, nodes) = network(Made::default(), 2).await;
    let world = network.world();
    let daemon = Daemon::serve(settings(&nodes)).await;
    let alice = world.account("alice").id.index();
    for key in [
        "version".to_owned(),
        format!("contracts/index/{alice}/counter"),
    ] {
        for holey in ["yes", "no"] {
            let hash = world.head().hash;
            let path =
                format!("/chains/main/blocks/{hash}/context/merkle_tree_v2/{key}?holey={holey}");
            let bytes = "application/octet-stream";
            let theirs = get_as(&nodes[0].url(), &path, bytes).await;
            let ours = get_as(&daemon.url, &path, bytes).await;
            assert_eq!(ours.body, theirs.body, "{path}");
            assert_eq!(ours.grade, agreed(2, 2));
        }
    }
}

#[tokio::test]
async fn what_is_passed_on_is_marked_and_pinned_to_the_same_block() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    // The head that both have is one behind the first node's own.
    nodes[1].set(|manner| manner.behind = 1);
    let daemon = Daemon::serve(settings(&nodes)).await;
    let common = world.blocks()[world.blocks().len() - 2].hash;
    for tail in [
        "context/contracts",
        "context/delegates",
        "metadata",
        "live_blocks",
    ] {
        nodes[0].reset_counts();
        let got = daemon.at("head", tail).await;
        let path = format!("/chains/main/blocks/{common}/{tail}");
        let theirs = get(&nodes[0].url(), &path).await;
        assert_eq!(got.text(), theirs.text(), "{tail}");
        assert_eq!(got.grade, Some(Assurance::Relayed), "{tail}");
        let log = nodes[0].take_log();
        assert!(log.contains(&format!("GET {path}")), "{log:?}");
    }
    for path in [
        "/version",
        "/network/self",
        "/chains/main/mempool/pending_operations",
    ] {
        let got = daemon.get(path).await;
        assert_eq!(
            (got.status, got.grade),
            (200, Some(Assurance::Relayed)),
            "{path}"
        );
    }
    assert!(passed_on_table().iter().any(|one| one.path == "./metadata"));
}

#[tokio::test]
async fn a_whole_block_has_the_operations_that_its_header_commits_to() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    // Every node but the last tells another block.
    nodes[0].lie(heliostat_sim::tezos::Lie::Header);
    nodes[1].lie(heliostat_sim::tezos::Lie::OperationHashes);
    let daemon = Daemon::serve(Settings {
        min_agreement: 0.3,
        ..settings(&nodes)
    })
    .await;
    let path = format!("/chains/main/blocks/{}", world.head().hash);
    let theirs = get(&nodes[2].url(), &path).await;
    for path in [path.clone(), format!("{path}?metadata=always")] {
        let got = daemon.get(&path).await;
        assert_eq!(got.json(), theirs.json(), "{path}");
        assert_eq!(got.grade, Some(Assurance::Relayed));
    }
    daemon.only_convicts(&[&nodes[0], &nodes[1]]);
    let liars = Daemon::serve(settings(&nodes[..2])).await;
    let got = liars.get(&path).await;
    assert_eq!(got.status, 503, "{got:?}");
}

#[tokio::test]
async fn operations_are_checked_against_the_header_and_their_texts_are_relayed() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let daemon = Daemon::serve(settings(&nodes)).await;
    for tail in [
        "operations",
        "operations/0",
        "operations/0/1",
        "operations/3",
    ] {
        let path = format!("/chains/main/blocks/{}/{tail}", world.head().hash);
        let theirs = get(&nodes[0].url(), &path).await;
        let got = daemon.get(&path).await;
        assert_eq!(got.json(), theirs.json(), "{tail}");
        assert_eq!(got.grade, Some(Assurance::Relayed), "{tail}");
    }
}

#[tokio::test]
async fn the_first_block_of_all_convicts_nobody() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let genesis = world.genesis().hash.to_string();
    // By its hash as the first request of all: nobody knows it yet.
    for block in [&genesis, "genesis", "0"] {
        let daemon = Daemon::serve(settings(&nodes)).await;
        let got = daemon.at(block, "hash").await;
        assert_eq!(got.text(), quoted(&genesis), "{block}");
        for tail in ["header", "header/raw", "protocols", "operation_hashes"] {
            let got = daemon.at(block, tail).await;
            let theirs = get(
                &nodes[0].url(),
                &format!("/chains/main/blocks/{genesis}/{tail}"),
            )
            .await;
            assert_eq!(got.json(), theirs.json(), "{block} {tail}");
            assert_eq!(got.grade, Some(Assurance::Relayed), "{block} {tail}");
        }
        let got = daemon.at(block, "context/raw/bytes/version").await;
        assert_eq!(got.text(), quoted(hex::encode("genesis")));
        assert_eq!(got.grade, agreed(2, 2));
        daemon.only_convicts(&[]);
    }
}
