//! The served RPC, and what an operator sees of the daemon.

use heliostat_observe::Status;
use heliostat_sim::tezos::{Lie, node::Allows, world::Change};

use crate::running::{Daemon, Nodes, ask, balance_path};

fn has_head(status: &Status) -> bool {
    status.chains["tezos"].head.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_served_with_their_grade_and_left_with_exit_code_0() {
    let nodes = Nodes::start(3).await;
    let daemon = Daemon::over(&nodes, &["--store", "memory:"]).await;
    let status = daemon.until("at the head", has_head).await;
    let chain = &status.chains["tezos"];
    let head = nodes.network.world().head().hash.to_string();
    assert_eq!(chain.ledger, "tezos");
    assert_eq!(chain.head.as_ref().unwrap().id, head);
    let path = balance_path(&nodes.address("alice"));
    let (code, grade, body) = daemon.get(&path).await;
    assert_eq!((code, grade.as_str()), (200, "agreed 3/3"), "{body}");
    assert_eq!(body.trim(), format!("\"{}\"", nodes.balance("alice")));
    let (_, grade, _) = daemon.get("/version").await;
    assert_eq!(grade, "relayed");

    let metrics = format!("{}/metrics", daemon.url("observe"));
    let metrics = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    for part in [
        r#"chain="tezos",method="balance""#,
        r#"chain="tezos",method="relayed""#,
    ] {
        assert!(metrics.contains(part), "{part} is not in\n{metrics}");
    }
    let said = ask(&["status", "--observe", &daemon.url("observe")]).await;
    for part in [
        "light mode, 3 of 3 must agree",
        &head,
        &nodes.nodes[2].url(),
    ] {
        assert!(said.out.contains(part), "{part} is not in\n{}", said.out);
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_block_is_followed() {
    let nodes = Nodes::start(2).await;
    let daemon = Daemon::over(&nodes, &["--store", "memory:"]).await;
    daemon.until("at the head", has_head).await;
    let bob = nodes.network.world().account("bob").id;
    let block = nodes.network.bake(&[Change::Balance(bob, 77)]);
    let on_it = |status: &Status| {
        let head = status.chains["tezos"].head.as_ref();
        head.is_some_and(|head| head.id == block.hash.to_string())
    };
    daemon.until("on the new block", on_it).await;
    let (_, _, body) = daemon.get(&balance_path(&nodes.address("bob"))).await;
    assert_eq!(body.trim(), "\"77\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_of_proven_is_met_from_a_checkpoint_and_refused_without() {
    let nodes = Nodes::start(2).await;
    let path = balance_path(&nodes.address("alice"));
    let minimum = ["--store", "memory:", "--minimum", "proven"];
    let daemon = Daemon::over(&nodes, &minimum).await;
    daemon.until("at the head", has_head).await;
    let (code, grade, body) = daemon.get(&path).await;
    assert_eq!((code, grade.as_str()), (503, ""), "{body}");
    assert!(body.contains("heliostat.assurance_too_low"), "{body}");
    drop(daemon);

    let trusted = nodes.checkpoint(4);
    let finality = ["--checkpoint", &trusted, "--finality"];
    let daemon = Daemon::over(&nodes, &[&minimum[..], &finality].concat()).await;
    let proven = |status: &Status| status.chains["tezos"].state.contains("proven up to level");
    daemon.until("proven", proven).await;
    let (code, grade, body) = daemon.get(&path).await;
    assert_eq!((code, grade.as_str()), (200, "proven"), "{body}");
    assert_eq!(body.trim(), format!("\"{}\"", nodes.balance("alice")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_down_make_it_wait_and_say_why() {
    let nodes = Nodes::start(2).await;
    nodes.nodes[1].stop().await;
    let daemon = Daemon::over(&nodes, &["--store", "memory:"]).await;
    let waits = |status: &Status| {
        let chain = &status.chains["tezos"];
        chain
            .state
            .contains("1 of 2 endpoints can be used, and 2 must agree")
    };
    let status = daemon.until("waiting", waits).await;
    assert!(!status.ready);
    let said = ask(&["status", "--observe", &daemon.url("observe")]).await;
    assert_eq!(said.code, Some(3), "{}", said.out);
    assert!(said.out.contains("unreachable"), "{}", said.out);
    nodes.nodes[1].resume().await;
    daemon.until("at the head", has_head).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_access_list_refuses_proofs_is_told_apart_in_the_status() {
    let nodes = Nodes::start(3).await;
    nodes.nodes[2].set(|manner| manner.allows = Allows::Secure);
    let most = ["--store", "memory:", "--min-agreement", "0.6"];
    let daemon = Daemon::over(&nodes, &most).await;
    daemon.until("at the head", has_head).await;
    let (code, grade, body) = daemon.get(&balance_path(&nodes.address("carol"))).await;
    assert_eq!((code, grade.as_str()), (200, "agreed 2/3"), "{body}");
    let told = |status: &Status| {
        let mut nodes = status.chains["tezos"].upstreams.iter();
        nodes.any(|node| node.why.contains("merkle_tree_v2/**"))
    };
    daemon.until("told what to allow", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_run_in_one_process_and_one_file() {
    let nodes = Nodes::start(2).await;
    let folder = tempfile::tempdir().unwrap();
    let generator =
        heliostat_sim::zcash::Generator::new(heliostat_sim::zcash::GeneratorConfig::new(7, 12));
    let zcash = heliostat_sim::zcash::Node::start(generator.chain().clone());
    let zcash = zcash.await.unwrap();
    let file = folder.path().join("heliostat.toml");
    let text = format!(
        "[store]\naddress = 'sqlite:{}/{{chain}}.sqlite'\n\
         [observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\n\
         [chain.zec]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\n\
         [[chain.zec.upstream]]\nurl = '{}'\n\
         [chain.xtz]\nledger = 'tezos'\nlisten = '127.0.0.1:0'\nsources = '{}'\n\
         proof-of-work-threshold = {}\nmax-head-age-seconds = 0\n",
        folder.path().display(),
        zcash.handle().url(),
        nodes.sources(),
        nodes.stamp(),
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let checked = ask(&["check", "--config", file]).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    let daemon = Daemon::start(&["run", "--config", file]).await;
    let ready = |status: &Status| status.ready && status.chains.len() == 2;
    let status = daemon.until("ready", ready).await;
    assert_eq!(status.chains["zec"].local_height, Some(generator.height()));
    let (code, grade, _) = daemon.get(&balance_path(&nodes.address("alice"))).await;
    assert_eq!((code, grade.as_str()), (200, "agreed 2/2"));
    nodes.nodes[0].lie(Lie::Value);
    nodes.network.bake(&[]);
    daemon.get(&balance_path(&nodes.address("dave"))).await;
    daemon
        .until("the lie", |status| {
            !status.chains["xtz"].findings.is_empty()
        })
        .await;
    assert_eq!(daemon.terminate(), Some(0));
    let verified = ask(&["verify", "--config", file]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
    assert!(
        verified.out.contains("xtz: clean, 1 proofs of lies"),
        "{}",
        verified.out
    );
    assert!(verified.out.contains("zec: clean"), "{}", verified.out);
}
