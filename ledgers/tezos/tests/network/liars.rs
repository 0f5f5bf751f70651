//! What becomes of liars: bytes that convict are kept as evidence, other lies
//! are shown as disagreements.

use std::sync::Arc;

use heliostat_node::{UpstreamState, findings};
use heliostat_sim::tezos::Lie;
use heliostat_store::{Options, Store};

use super::*;

/// Asks for everything that a lie may be about.
async fn ask_all(daemon: &Daemon, world: &World) {
    let alice = world.account("alice").id;
    let old = world.blocks()[3].hash.to_string();
    daemon.balance("head", &alice).await;
    for tail in ["header/raw", "operation_hashes", "protocols"] {
        daemon.at(&old, tail).await;
    }
}

#[tokio::test]
async fn a_lie_that_contradicts_itself_is_convicted_and_the_truth_is_answered() {
    for (lie, rule) in [
        (Lie::Value, "tezos.proof-root"),
        (Lie::Header, "tezos.header-hash"),
        (Lie::OperationHashes, "tezos.operations-root"),
        (Lie::Unstamped, "tezos.proof-of-work"),
    ] {
        let (network, nodes) = network(Made::small(), 3).await;
        let world = network.world();
        nodes[0].lie(lie);
        let daemon = Daemon::run(Settings {
            min_agreement: 0.6,
            ..settings(&nodes)
        })
        .await;
        ask_all(&daemon, &world).await;
        let found = daemon.light.upstreams().findings();
        assert_eq!(found.len(), 1, "{lie:?}: {found:?}");
        assert_eq!(found[0].evidence.rule, rule);
        daemon.only_convicts(&[&nodes[0]]);
        let state = daemon.light.status().endpoints[0].upstream.state;
        assert_eq!(state, UpstreamState::Quarantined, "{lie:?}");
        nodes[0].reset_counts();
        let alice = world.account("alice").id;
        let got = daemon.balance("head", &alice).await;
        assert_eq!(got.text(), true_balance(&world, world.head(), &alice));
        assert_eq!(got.grade, agreed(2, 3), "{lie:?}");
        assert_eq!(nodes[0].requests(), 0, "a liar is not asked again");
    }
}

#[tokio::test]
async fn a_state_that_the_next_header_refutes_convicts_under_a_final_header() {
    for lie in [Lie::Root, Lie::Absence, Lie::OldState] {
        let (network, nodes) = network(Made::small(), 2).await;
        // A state that differs in every block, or the old one would be true.
        let alice = network.world().account("alice").id;
        for mutez in [5, 6, 7, 8] {
            network.bake(&[heliostat_sim::tezos::Change::Balance(alice, mutez)]);
        }
        let world = network.world();
        nodes[0].lie(lie);
        let daemon = Daemon::run(trusting(settings(&nodes), &world, 6)).await;
        let blocks = world.blocks();
        let block = &blocks[blocks.len() - 4];
        let path = format!("/chains/main/blocks/{}/hash", block.hash);
        daemon
            .until(&path, |got| got.grade == Some(Assurance::Proven))
            .await;
        let got = daemon.balance(&block.hash.to_string(), &alice).await;
        assert_eq!(got.text(), true_balance(&world, block, &alice), "{lie:?}");
        assert_eq!(got.grade, Some(Assurance::Proven), "{lie:?}");
        let found = daemon.light.upstreams().findings();
        assert_eq!(found[0].evidence.rule, "tezos.state-root", "{lie:?}");
        daemon.only_convicts(&[&nodes[0]]);
        // The same answer says nothing of another block.
        let mut other = found[0].evidence.clone();
        let question = other.exhibits.iter_mut().find(|one| one.name == "question");
        question.unwrap().bytes = b"/chains/main/blocks/head/context/x".to_vec();
        assert!(evidence::recheck(&other).is_err());
    }
}

#[tokio::test]
async fn two_states_of_which_either_may_be_true_are_shown_and_convict_nobody() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    nodes[1].lie(Lie::Root);
    let daemon = Daemon::serve(settings(&nodes)).await;
    let head = world.head().hash.to_string();
    let got = daemon.balance(&head, &world.account("bob").id).await;
    assert_eq!((got.status, got.grade), (503, None));
    assert_eq!(got.error(), "heliostat.no_agreement");
    assert!(got.text().contains("Consensus cannot be reached for key: "));
    assert!(daemon.light.upstreams().findings().is_empty());
    let both = daemon.light.upstreams().disagreements();
    assert_eq!(both.len(), 1);
    assert_ne!(both[0].ours, both[0].theirs);
}

#[tokio::test]
async fn what_was_found_survives_a_restart() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[0].lie(Lie::Value);
    let address = "memory:";
    let store = heliostat_store::open(address, "tezos", &[findings::TABLE], Options::default());
    let store: Arc<dyn Store> = store.await.unwrap();
    let made = || Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    };
    let alice = world.account("alice").id;
    let found = Findings::open(Arc::clone(&store)).await.unwrap();
    let mut daemon = Daemon::with(made(), found).await;
    daemon.follow();
    let got = daemon.balance("head", &alice).await;
    assert_eq!(got.grade, agreed(2, 3));
    let before = daemon.light.upstreams().findings();
    assert_eq!(before.len(), 1);
    daemon.end().await;
    // The liar is honest now, and a new process believes it again; what it
    // said is still on record.
    nodes[0].behave();
    let found = Findings::open(store).await.unwrap();
    let daemon = Daemon::with(made(), found).await;
    assert_eq!(daemon.light.upstreams().findings(), before);
    let got = daemon.balance("head", &alice).await;
    assert_eq!(got.text(), true_balance(&world, world.head(), &alice));
    assert_eq!(got.grade, agreed(3, 3));
}

#[tokio::test]
async fn a_disagreement_is_stored_while_the_process_goes_on() {
    let (network, nodes) = network(Made::small(), 2).await;
    nodes[1].lie(Lie::Root);
    let store = heliostat_store::open("memory:", "tezos", &[findings::TABLE], Options::default());
    let store: Arc<dyn Store> = store.await.unwrap();
    let found = Findings::open(Arc::clone(&store)).await.unwrap();
    let mut daemon = Daemon::with(settings(&nodes), found).await;
    daemon.follow();
    let bob = network.world().account("bob").id;
    let head = network.world().head().hash.to_string();
    assert_eq!(daemon.balance(&head, &bob).await.status, 503);
    let shown = daemon.light.upstreams().disagreements();
    assert!(!shown.is_empty());
    let stored = async {
        loop {
            let reopened = Findings::open(Arc::clone(&store)).await.unwrap();
            if reopened.disagreements() == shown {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let stored = tokio::time::timeout(PATIENCE, stored).await;
    stored.expect("what was noted is stored by itself");
}

#[tokio::test]
async fn octez_truth_table_holds_over_nodes_with_states_of_their_own() {
    let (network, nodes) = network(Made::small(), 7).await;
    let world = network.world();
    let head = world.head().hash.to_string();
    let bob = world.account("bob").id;
    let truth = true_balance(&world, world.head(), &bob);
    for (share, honest, rogue, is_reached) in [
        (1.0, 2, 0, true),
        (1.0, 3, 0, true),
        (1.0, 4, 0, true),
        (0.01, 1, 1, true),
        (0.01, 1, 2, true),
        (0.6, 2, 1, true),
        (0.6, 3, 1, true),
        (0.6, 4, 1, true),
        (0.6, 5, 1, true),
        (0.5, 2, 2, true),
        (1.0, 2, 1, false),
        (0.7, 2, 1, false),
        (0.7, 1, 2, false),
        (0.7, 1, 3, false),
    ] {
        let some = &nodes[..honest + rogue];
        for (at, node) in some.iter().enumerate() {
            node.behave();
            if at >= honest {
                // Each with a state of its own, as in Octez's table.
                node.lie(Lie::Root);
            }
        }
        let daemon = Daemon::serve(Settings {
            min_agreement: share,
            ..settings(some)
        })
        .await;
        let got = daemon.balance(&head, &bob).await;
        let words = format!("{share} {honest} {rogue}: {got:?}");
        if is_reached {
            assert_eq!((got.status, got.text()), (200, truth.clone()), "{words}");
            assert_eq!(got.grade, agreed(honest, honest + rogue), "{words}");
        } else {
            assert_eq!(got.error(), "heliostat.no_agreement", "{words}");
        }
    }
}

#[tokio::test]
async fn the_chains_id_loses_the_voice_of_an_endpoint_that_is_convicted_later() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    let daemon = Daemon::serve(Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    })
    .await;
    let got = daemon.get("/chains/main/chain_id").await;
    assert_eq!(got.grade, agreed(3, 3));
    nodes[0].lie(Lie::Value);
    daemon.balance("head", &world.account("alice").id).await;
    assert_eq!(daemon.light.upstreams().findings().len(), 1);
    let got = daemon.get("/chains/main/chain_id").await;
    assert_eq!(got.text(), quoted(world.chain_id()));
    assert_eq!(got.grade, agreed(2, 3));
}

#[tokio::test]
async fn a_chains_id_that_liars_agreed_on_gives_way_to_the_bakers() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[0].collude(Lie::ChainId);
    nodes[1].collude(Lie::ChainId);
    let mut daemon = Daemon::serve(Settings {
        min_agreement: 0.6,
        ..trusting(settings(&nodes), &world, 4)
    })
    .await;
    let got = daemon.get("/chains/main/chain_id").await;
    assert_ne!(got.text(), quoted(world.chain_id()));
    assert_eq!(got.grade, Some(Assurance::Relayed));
    daemon.follow();
    let is_proven = |got: &Got| got.grade == Some(Assurance::Proven);
    let got = daemon.until("/chains/main/chain_id", is_proven).await;
    assert_eq!(got.text(), quoted(world.chain_id()));
    daemon.only_convicts(&[]);
}
