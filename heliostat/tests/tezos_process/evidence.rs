//! Lies, kept and checked again.

use std::fs;

use heliostat_observe::Status;
use heliostat_sim::{
    tezos::Lie,
    zcash::{Filter, Generator, GeneratorConfig, Misbehaviour},
};
use serde_json::{Value, json};

use crate::running::{Daemon, Nodes, ask, balance_path, heliostat};

/// What `/evidence` sends after one lie.
async fn caught(lie: Lie) -> Value {
    let nodes = Nodes::start(3).await;
    nodes.nodes[0].lie(lie);
    let trusted = nodes.checkpoint(4);
    let more = [
        "--store",
        "memory:",
        "--min-agreement",
        "0.6",
        "--checkpoint",
        &trusted,
        "--finality",
        "--head",
        "proven",
    ];
    let daemon = Daemon::over(&nodes, &more).await;
    let proven = |status: &Status| status.chains["tezos"].state.contains("proven up to level");
    daemon.until("proven", proven).await;
    daemon.get(&balance_path(&nodes.address("alice"))).await;
    let found = |status: &Status| status.chains["tezos"].findings.len() == 1;
    daemon.until("caught", found).await;
    let sent = format!("{}/evidence", daemon.url("observe"));
    let sent = reqwest::get(sent).await.unwrap().text().await.unwrap();
    serde_json::from_str(&sent).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_a_forged_value_convicts_offline_and_changed_evidence_does_not() {
    for (lie, rule) in [
        (Lie::Root, "tezos.state-root"),
        (Lie::Value, "tezos.proof-root"),
    ] {
        let mut evidence = caught(lie).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lies.json");
        let file = file.to_str().unwrap();
        fs::write(file, evidence.to_string()).unwrap();
        let said = ask(&["verify-evidence", file]).await;
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        assert!(
            said.out.contains("holds") && said.out.contains(rule),
            "{}",
            said.out
        );
        // One proof alone, without who said it, is enough.
        fs::write(file, evidence[0]["evidence"].to_string()).unwrap();
        let said = ask(&["verify-evidence", "--json", file]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let found: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(
            (&found[0]["rule"], &found[0]["holds"]),
            (&json!(rule), &json!(true))
        );

        for exhibit in evidence[0]["evidence"]["exhibits"].as_array_mut().unwrap() {
            exhibit["bytes"] = json!("00");
        }
        fs::write(file, evidence.to_string()).unwrap();
        let said = ask(&["verify-evidence", file]).await;
        assert_eq!(said.code, Some(1), "{}", said.out);
        assert!(said.out.contains("DOES NOT"), "{}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_against_a_zcash_node_convicts_offline_too() {
    let generator = Generator::new(GeneratorConfig::new(7, 30));
    let node = heliostat_sim::zcash::Node::start(generator.chain().clone());
    let node = node.await.unwrap();
    let lie = Filter::method("getblock").at(20..=20);
    node.handle().misbehave(Misbehaviour::WrongMerkleRoot, lie);
    let url = node.handle().url();
    let daemon = Daemon::start(&[
        "zcash",
        "--upstream",
        &url,
        "--store",
        "memory:",
        "--listen",
        "127.0.0.1:0",
        "--observe",
        "127.0.0.1:0",
        "--log-format",
        "json",
    ])
    .await;
    let found = |status: &Status| status.chains["zcash"].findings.len() == 1;
    daemon.until("caught", found).await;
    let sent = format!("{}/evidence", daemon.url("observe"));
    let sent = reqwest::get(sent).await.unwrap().text().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lies.json");
    fs::write(&file, &sent).unwrap();
    let said = ask(&["verify-evidence", file.to_str().unwrap()]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("zcash.merkle-root"), "{}", said.out);
}

#[test]
fn a_claim_without_its_exhibits_convicts_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lie.json");
    let claim = |rule: &str| {
        json!({ "rule": rule, "words": "w", "height": null, "exhibits": [] }).to_string()
    };
    for (rule, why) in [
        ("zcash.merkle-root", "exhibit"),
        ("tezos.proof-root", "the exhibit"),
        ("lightning.htlc", "no ledger this release has"),
    ] {
        fs::write(&file, claim(rule)).unwrap();
        let said = heliostat(&["verify-evidence", file.to_str().unwrap()]);
        assert_eq!(said.code, Some(1), "{rule}: {}", said.out);
        assert!(said.out.contains(why), "{rule}: {}", said.out);
    }
}

#[test]
fn a_file_without_evidence_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lie.json");
    for text in ["", "[]", "{}", "[{\"rule\": 7}]"] {
        fs::write(&file, text).unwrap();
        let said = heliostat(&["verify-evidence", file.to_str().unwrap()]);
        assert_eq!(said.code, Some(2), "{text}: {}", said.out);
    }
    let said = heliostat(&["verify-evidence", "/nonexistent/lie.json"]);
    assert_eq!(said.code, Some(2), "{}", said.out);
}
