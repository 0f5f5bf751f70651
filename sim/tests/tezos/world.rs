//! The generated chain is what Tezos' rules make of it.

use heliostat_sim::tezos::{
    Network, World,
    world::{Attesting, Change, Recipe, Settings},
};
use heliostat_tezos_context::{Key, Lookup, Proof};
use heliostat_tezos_verifier::finality::{
    Attestation, Parameters, Quorum, Rights, Sampler, check_payload, verify_quorum,
};
use serde_json::Value;

use crate::{node, small};

#[test]
fn the_same_seed_gives_the_same_chain() {
    let one = World::new(1, Settings::small());
    let other = World::new(1, Settings::small());
    assert_eq!(one.head().hash, other.head().hash);
    assert_eq!(one.chain_id(), other.chain_id());
    assert_ne!(World::new(2, Settings::small()).chain_id(), one.chain_id());
}

#[test]
fn headers_link_are_stamped_and_commit_to_the_state_before() {
    let world = World::new(3, Settings::small());
    for pair in world.blocks().windows(2) {
        let [before, block] = pair else { panic!("two") };
        block.header.follows(&before.header).unwrap();
        let threshold = world.numbers().proof_of_work_threshold;
        assert!(block.header.has_proof_of_work(threshold).unwrap());
        assert_eq!(block.header.context, world.commit(before));
        let signed = world.bakers().iter().any(|baker| {
            let key = baker.secret.public();
            let signature = block.header.verify_signature(&world.chain_id(), &key);
            signature.is_ok()
        });
        assert!(signed, "level {}", block.level);
    }
}

/// The quorum on a network's block before the head, with rights read from the
/// state `back` blocks before the head.
async fn quorum(network: &Network, back: usize) -> Quorum {
    let (_node, client) = node(network).await;
    let world = network.world();
    let attested = world.at(world.head().level - 1).expect("a block");
    let (cycle, position) = world.numbers().cycle(attested.level);
    let read = async |name: &str| {
        let path =
            format!("/chains/main/blocks/head~{back}/context/raw/bytes/cycle/{cycle}/{name}");
        let text: String = client.value(&path).await;
        hex::decode(text).expect("hex digits")
    };
    let sampler = Sampler::decode(&read("delegate_sampler_state").await, true);
    let seed: [u8; 32] = read("random_seed").await.try_into().expect("32 bytes");
    let parameters = Parameters {
        committee_size: world.numbers().committee_size,
        threshold_size: world.numbers().threshold_size,
    };
    let sampler = sampler.expect("a sampler");
    let rights = Rights::drawn(&sampler, &seed, position, &parameters);
    let at = format!("/chains/main/blocks/{}", attested.hash);
    let hashes: Vec<Vec<_>> = client.value(&format!("{at}/operation_hashes")).await;
    let vote = check_payload(&attested.header, &hashes).expect("the block's own operations");
    let operations = client.json("/chains/main/blocks/head/operations/0").await;
    let included = &world.head().operation_hashes()[0];
    let attestations: Vec<Attestation> = operations
        .as_array()
        .expect("a list")
        .iter()
        .map(|json: &Value| Attestation::from_json(json).expect("an operation"))
        .map(|one| one.expect("an attestation"))
        .inspect(|one| assert!(included.contains(&one.hash())))
        .collect();
    verify_quorum(&world.chain_id(), &rights, &vote, &attestations)
}

#[tokio::test]
async fn a_baked_block_is_attested_by_a_quorum_with_all_kinds_of_keys() {
    let network = Network::new(World::new(4, Settings::default()));
    let quorum = quorum(&network, 2).await;
    assert_eq!(quorum.refused, []);
    assert_eq!(
        quorum.power,
        u64::from(network.world().numbers().committee_size)
    );
    assert!(quorum.reached());
    let signers = quorum.signers;
    let counts = [
        signers.ed25519,
        signers.secp256k1,
        signers.p256,
        signers.aggregated,
    ];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[tokio::test]
async fn too_few_or_the_wrong_ones_make_no_quorum() {
    let network = small(5);
    for (attesting, is_empty) in [
        (Attesting::Some(1), false),
        (Attesting::Nobody, true),
        (Attesting::Impostors, false),
    ] {
        network.bake_as(Recipe {
            attesting,
            ..Recipe::default()
        });
        let quorum = quorum(&network, 2).await;
        assert!(!quorum.reached(), "{attesting:?}: {quorum}");
        let attested = network.world().head().operations[0].is_empty();
        assert_eq!(attested, is_empty);
        assert_eq!(quorum.refused.is_empty(), attesting != Attesting::Impostors);
    }
    network.bake(&[]);
    assert!(quorum(&network, 2).await.reached());
}

#[tokio::test]
async fn rights_reach_over_the_end_of_a_cycle() {
    let mut settings = Settings::small();
    settings.numbers.blocks_per_cycle = 4;
    settings.first_level = 10 * 4 + 2;
    let network = Network::new(World::new(6, settings));
    for _ in 0..9 {
        network.bake(&[]);
        let quorum = quorum(&network, 6).await;
        assert!(quorum.reached(), "{quorum}");
    }
}

#[test]
fn wide_directories_are_proven_and_so_is_absence() {
    let world = World::new(7, Settings::default());
    let state = &world.head().state;
    let key = |id: &heliostat_tezos_protocol::ContractId| -> Key {
        format!("contracts/index/{}/balance", id.index())
            .parse()
            .unwrap()
    };
    for account in world.accounts() {
        let proof = Proof::produce(state, &key(&account.id), false).unwrap();
        let verified = proof.verify().unwrap();
        assert_eq!(verified.root, state.hash());
        assert!(matches!(
            verified.find(&key(&account.id)),
            Lookup::Contents(_)
        ));
    }
    let absent = key(&world.stranger());
    let proof = Proof::produce(state, &absent, false).unwrap();
    let verified = proof.verify().unwrap();
    assert!(matches!(verified.find(&absent), Lookup::Absent));
    // What was seen is a part: 400 accounts do not fit one directory node.
    assert!(!verified.tree.is_complete());
}

#[test]
fn changes_are_in_the_state_and_nowhere_before() {
    let mut world = World::new(8, Settings::small());
    let alice = world.account("alice").clone();
    let before = world.head().clone();
    let block = world.bake(&[Change::Balance(alice.id, 77), Change::Counter(alice.id, 5)]);
    assert_eq!(world.balance(&block, &alice.id), 77);
    assert_eq!(world.balance(&before, &alice.id), alice.balance);
    let (level, hash) = world.checkpoint(1);
    assert_eq!((level, hash), (before.level, before.hash));
    assert_eq!(world.checkpoint(1_000).1, world.first().hash);
}
