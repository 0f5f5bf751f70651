//! What clients do to send an operation: simulate, forge, sign, inject, and
//! find it in the next block.

use heliostat_sim::tezos::{
    Account, Lie, World,
    manager::{self, Call, Manager, What},
    operations::transfer,
    world::counter_key,
};
use heliostat_tezos_context::Lookup;
use heliostat_tezos_protocol::{
    ContractId,
    micheline::{Node as Micheline, binary},
    zarith,
};
use heliostat_tezos_verifier::{BlockHash, OperationHash, Signature};
use serde_json::{Value, json};

use crate::{node, small};

/// The next counter of an account.
fn next_counter(world: &World, account: &Account) -> u64 {
    let state = &world.head().state;
    let Lookup::Contents(bytes) = state.find_key(&counter_key(&account.id)) else {
        panic!("{} has no counter", account.name)
    };
    let mut cursor = heliostat_tezos_protocol::cursor::Cursor::new("counter", &bytes);
    let counter = zarith::read_z(&mut cursor).expect("a counter");
    u64::try_from(counter).expect("a small one") + 1
}

/// Contents of an account, one after the other.
fn contents(world: &World, from: &Account, all: &[What]) -> Vec<Manager> {
    let ContractId::Implicit(source) = from.id else {
        panic!("{} is no account", from.name)
    };
    let counters = next_counter(world, from)..;
    all.iter()
        .zip(counters)
        .map(|(what, counter)| Manager {
            source,
            fee: 400,
            counter,
            gas: 2_000,
            storage: 300,
            what: what.clone(),
        })
        .collect()
}

/// Branch, contents and signature, in hex.
fn signed(from: &Account, branch: BlockHash, contents: &[Manager]) -> String {
    let forged = [&branch.as_bytes()[..], &manager::forge(contents)].concat();
    let secret = from.secret.as_ref().expect("an account with a key");
    let signature = secret.sign(&[&[3], &forged[..]].concat());
    let data = manager::write(contents, &signature);
    hex::encode([&branch.as_bytes()[..], &data].concat())
}

#[tokio::test]
async fn a_transfer_is_applied_in_the_next_block() {
    let network = small(1);
    let (_node, client) = node(&network).await;
    let world = network.world();
    // One of each kind of key.
    for name in ["alice", "bob", "carol", "dave"] {
        let from = world.account(name);
        let branch = world.at(world.head().level - 2).unwrap().hash;
        let operation = transfer(
            from,
            &world.stranger(),
            1_000,
            next_counter(&world, from),
            branch,
        );
        let bytes = json!(hex::encode(operation.bytes()));
        let (status, hash) = client.post("/injection/operation", &bytes).await;
        assert_eq!((status, &hash), (200, &json!(operation.hash)), "{name}");
        let pending = client.json("/chains/main/mempool/pending_operations").await;
        let last = pending["validated"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert_eq!(last["hash"], hash);
        assert_eq!(last["contents"][0]["amount"], "1000");
    }
    let block = network.bake(&[]);
    assert_eq!(block.operations[3].len(), 4);
    assert_eq!(network.world().balance(&block, &world.stranger()), 4_000);
    let alice = world.account("alice");
    let left = network.world().balance(&block, &alice.id);
    assert_eq!(left, alice.balance - 1_000 - 500);
    let one = client.json("/chains/main/blocks/head/operations/3/0").await;
    assert_eq!(
        one["contents"][0]["metadata"]["operation_result"]["status"],
        "applied"
    );
    assert!(network.pending().is_empty());
}

#[tokio::test]
async fn what_would_fail_is_refused() {
    let network = small(2);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    let (branch, counter) = (world.head().hash, next_counter(&world, alice));
    let sent = |amount, counter, branch| transfer(alice, &bob.id, amount, counter, branch).bytes();
    let mut unsigned = sent(1, counter, branch);
    *unsigned.last_mut().unwrap() ^= 1;
    let elsewhere = BlockHash([9; 32]);
    for (bytes, id) in [
        (sent(1, counter - 1, branch), "counter_in_the_past"),
        (sent(1, counter + 1, branch), "counter_in_the_future"),
        (sent(alice.balance, counter, branch), "balance_too_low"),
        (sent(1, counter, elsewhere), "unknown_branch"),
        (unsigned, "invalid_signature"),
        (vec![7; 200], "parse_error"),
        (vec![7; 3], "parse_error"),
    ] {
        let (status, errors) = client
            .post("/injection/operation", &json!(hex::encode(bytes)))
            .await;
        assert_eq!(status, 500, "{id}");
        assert!(errors[0]["id"].as_str().unwrap().ends_with(id), "{errors}");
    }
    let (status, _) = client.post("/injection/operation", &json!("no hex")).await;
    assert_eq!(status, 400);
    assert!(network.pending().is_empty());
}

#[tokio::test]
async fn a_simulation_tells_what_becomes_of_each_content() {
    let network = small(3);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let alice = world.account("alice");
    let give = |amount| What::Transfer {
        amount,
        to: world.stranger(),
        call: None,
    };
    let run = async |all: &[What]| {
        let contents = contents(&world, alice, all);
        let json: Vec<Value> = contents.iter().map(Manager::json).collect();
        let body = json!({
            "operation": { "branch": world.head().hash, "contents": json },
            "chain_id": world.chain_id(),
        });
        let path = "/chains/main/blocks/head/helpers/scripts/simulate_operation";
        let (status, answer) = client.post(path, &body).await;
        assert_eq!(status, 200);
        let result = |one: &Value| one["metadata"]["operation_result"].clone();
        let all = answer["contents"].as_array().unwrap().iter().map(result);
        all.collect::<Vec<_>>()
    };
    let results = run(&[give(5), give(6)]).await;
    assert_eq!(results[0]["status"], "applied");
    assert_eq!(results[0]["allocated_destination_contract"], true);
    assert_eq!(results[1]["consumed_milligas"], "100000");
    assert!(results[1].get("allocated_destination_contract").is_none());
    let results = run(&[give(5), give(u64::MAX / 2), give(6)]).await;
    let statuses: Vec<_> = results
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["backtracked", "failed", "skipped"]);
    assert!(
        results[1]["errors"][0]["id"]
            .as_str()
            .unwrap()
            .ends_with("balance_too_low")
    );
}

#[tokio::test]
async fn forging_gives_the_bytes_that_are_signed() {
    let network = small(4);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let erin = world.account("erin");
    let key = erin.secret.as_ref().unwrap().public();
    let call = Call {
        entrypoint: "increment".to_owned(),
        value: Micheline::int(3),
    };
    let all = contents(
        &world,
        erin,
        &[
            What::Reveal { key, proof: None },
            What::Transfer {
                amount: 0,
                to: world.contract("counter").id,
                call: Some(call),
            },
            What::Delegate(None),
        ],
    );
    let json: Vec<Value> = all.iter().map(Manager::json).collect();
    let read: Result<Vec<_>, _> = json.iter().map(Manager::from_json).collect();
    assert_eq!(read.as_ref(), Ok(&all));
    let body = json!({ "branch": world.head().hash, "contents": json });
    let path = "/chains/main/blocks/head/helpers/forge/operations";
    let (status, forged) = client.post(path, &body).await;
    let forged = (status, hex::decode(forged.as_str().unwrap()).unwrap());
    let expected = [&world.head().hash.as_bytes()[..], &manager::forge(&all)].concat();
    assert_eq!(forged, (200, expected));
    let signature = Signature::from_bytes(&[5; 64]).unwrap();
    let read = manager::Signed::read(&manager::write(&all, &signature)).unwrap();
    assert_eq!((&read.contents, &read.signature), (&all, &signature));
    assert_eq!(read.signed_len(), manager::forge(&all).len());
}

#[tokio::test]
async fn an_account_reveals_its_key_and_calls_a_contract() {
    let network = small(5);
    let (_node, client) = node(&network).await;
    let world = network.world();
    let erin = world.account("erin");
    assert!(!erin.is_revealed);
    let key = erin.secret.as_ref().unwrap().public();
    let counter = world.contract("counter").id;
    let call = |entrypoint: &str, value: i64| What::Transfer {
        amount: 0,
        to: counter,
        call: Some(Call {
            entrypoint: entrypoint.to_owned(),
            value: Micheline::int(value),
        }),
    };
    let all = [
        What::Reveal {
            key: key.clone(),
            proof: None,
        },
        call("increment", 10),
        call("decrement", 2),
    ];
    let without = contents(&world, erin, &all[1..]);
    let sent = json!(signed(erin, world.head().hash, &without));
    let (status, _) = client.post("/injection/operation", &sent).await;
    assert_eq!(status, 500, "the key is not revealed");
    let sent = json!(signed(
        erin,
        world.head().hash,
        &contents(&world, erin, &all)
    ));
    let (status, _) = client.post("/injection/operation", &sent).await;
    assert_eq!(status, 200);
    let block = network.bake(&[]);
    let at = "/chains/main/blocks/head/context/contracts";
    let revealed: String = client
        .value(&format!("{at}/{}/manager_key", erin.address()))
        .await;
    assert_eq!(revealed, key.to_string());
    let storage = client.json(&format!("{at}/{counter}/storage")).await;
    assert_eq!(storage, json!({ "int": "50" }));
    let path: heliostat_tezos_context::Key =
        format!("contracts/index/{}/data/storage", counter.index())
            .parse()
            .unwrap();
    let Lookup::Contents(bytes) = block.state.find_key(&path) else {
        panic!("no storage");
    };
    assert_eq!(binary::read_sized(&bytes).unwrap(), Micheline::int(50));
}

#[tokio::test]
async fn a_liar_answers_another_hash_for_what_it_takes() {
    let network = small(6);
    let (liar, client) = node(&network).await;
    liar.lie(Lie::Injection);
    let world = network.world();
    let alice = world.account("alice");
    let operation = transfer(
        alice,
        &world.stranger(),
        1,
        next_counter(&world, alice),
        world.head().hash,
    );
    let bytes = json!(hex::encode(operation.bytes()));
    let (status, hash) = client.post("/injection/operation", &bytes).await;
    let hash: OperationHash = serde_json::from_value(hash).unwrap();
    assert!(status == 200 && hash != operation.hash);
    assert_eq!(network.pending().len(), 1);
}
