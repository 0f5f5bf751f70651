//! The endpoint against the simulated node, one misbehaviour at a time.

use std::time::Duration;

use heliostat_core::{Fault, Id};
use heliostat_sim::zcash::{
    Filter, Misbehaviour, Node,
    node::{Access, Refusal},
    recorded::{REGTEST_NU6_3_AT_1, Recording},
};
use serde_json::json;

use super::*;

async fn node() -> Node {
    let recording = Recording::read(REGTEST_NU6_3_AT_1).expect("a recording");
    let chain = recording.chain().expect("the recording is whole");
    Node::start(chain).await.expect("a free port")
}

/// Short enough that a test of silence does not take long.
fn short() -> Limits {
    Limits {
        total: Duration::from_secs(2),
        connect: Duration::from_secs(1),
        idle: Duration::from_millis(300),
        in_flight: 8,
        ..Limits::default()
    }
}

fn rpc(node: &Node, auth: Auth) -> Rpc {
    Rpc::new(&node.url(), auth, short()).expect("a sound address")
}

fn fault(error: RpcError) -> Fault {
    match error {
        RpcError::Fault(fault) | RpcError::NotSent(fault) => fault,
        RpcError::Node { code, message } => panic!("the node answered {code}: {message}"),
    }
}

/// The fault a raw block ends in, and its words.
async fn fails(rpc: &Rpc) -> (&'static str, String) {
    let fault = fault(rpc.raw_block(7).await.expect_err("a misbehaving node"));
    (fault.kind(), fault.to_string())
}

#[tokio::test]
async fn raw_blocks_arrive_whole_by_height_and_by_hash() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    for block in &node.chain().blocks {
        assert_eq!(rpc.raw_block(block.height).await.unwrap(), block.raw);
        assert_eq!(rpc.raw_block(Id(block.hash)).await.unwrap(), block.raw);
        let tx = rpc.raw_transaction(&block.txids[0]).await;
        // The genesis transaction is known to the simulated node only.
        assert_eq!(tx.unwrap(), block.raw[block.txs[0].clone()]);
    }
    assert_eq!(rpc.raw_block(9999).await.unwrap_err().code(), Some(-8));
}

#[tokio::test]
async fn many_calls_share_few_connections_and_slots() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    let calls = (0..500).map(|at| rpc.raw_block(at % 117));
    let blocks = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(blocks.len(), 500);
    assert_eq!(node.count("getblock"), 500);
}

#[tokio::test]
async fn every_way_of_not_answering_is_unreachable_and_bounded() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    let every = Duration::from_millis(20);
    let trickle = Duration::from_secs(1);
    let cases = [
        (Misbehaviour::Reset, "without an answer"),
        (Misbehaviour::Truncated, "broke off"),
        (Misbehaviour::Huge(1 << 30), "larger than"),
        (Misbehaviour::Drip { bytes: 1, every }, "within 2 s"),
        (
            Misbehaviour::Drip {
                bytes: 9,
                every: trickle,
            },
            "stalled",
        ),
        (Misbehaviour::Hang, "within 2 s"),
        (Misbehaviour::Slow(Duration::from_secs(3)), "within 2 s"),
        (Misbehaviour::Status(500), "HTTP 500"),
        (Misbehaviour::Status(502), "HTTP 502"),
        (Misbehaviour::Garbage, "not JSON-RPC"),
    ];
    for (what, words) in cases {
        let name = format!("{what:?}");
        node.misbehave(what, Filter::all());
        let (kind, said) = fails(&rpc).await;
        assert_eq!(kind, "unreachable", "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        assert!(said.contains(rpc.address()), "{name}: {said}");
        node.behave();
        // The endpoint is as good as new.
        assert!(rpc.raw_block(7).await.is_ok(), "after {name}");
    }
}

#[tokio::test]
async fn a_huge_reply_is_cut_off_at_the_cap() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    node.misbehave(Misbehaviour::Huge(1 << 40), Filter::all());
    for (method, cap) in [
        ("getblock", defaults::VERBOSE_BLOCK_REPLY),
        ("getbestblockhash", defaults::SMALL_REPLY),
    ] {
        let error = rpc.call(method, json!(["7", 1])).await.unwrap_err();
        assert!(error.to_string().contains(&cap.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_node_that_is_not_ready_is_behind_and_one_that_cannot_is_unsupported() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    node.misbehave(Misbehaviour::WarmUp, Filter::all());
    let (kind, said) = fails(&rpc).await;
    assert_eq!(kind, "behind", "{said}");
    assert!(said.contains("Loading block index"), "{said}");
    node.behave();
    let unknown = fault(
        rpc.call("getexperimentalfeatures", json!([]))
            .await
            .unwrap_err(),
    );
    assert_eq!(unknown.kind(), "unsupported");
    assert!(
        unknown.to_string().contains("getexperimentalfeatures"),
        "{unknown}"
    );
    node.misbehave(Misbehaviour::Status(404), Filter::all());
    assert_eq!(fails(&rpc).await.0, "unsupported");
}

#[tokio::test]
async fn refused_credentials_are_named_without_being_shown() {
    let node = node().await;
    node.set_access(Some(Access::password("alice", "hunter2")));
    let basic = |password: &str| Auth::Basic {
        user: "alice".into(),
        password: password.into(),
    };
    assert!(rpc(&node, basic("hunter2")).raw_block(7).await.is_ok());
    let with_user = node.url().replace("http://", "http://alice:hunter2@");
    let within = Rpc::new(&with_user, Auth::None, short()).unwrap();
    assert!(within.raw_block(7).await.is_ok());
    assert!(!format!("{within:?} {}", within.address()).contains("hunter2"));
    for status in [401, 403] {
        let access = Access::password("alice", "hunter2");
        node.set_access(Some(access.refusing_by(Refusal::Status(status))));
        for (auth, hint) in [
            (basic("swordfish"), "rpcpassword"),
            (Auth::None, "--rpc-user"),
        ] {
            let (kind, said) = fails(&rpc(&node, auth)).await;
            assert_eq!(kind, "unsupported");
            assert!(
                said.contains(hint) && said.contains(&status.to_string()),
                "{said}"
            );
            assert!(!said.contains("swordfish"), "{said}");
        }
    }
    let (kind, said) = {
        node.set_access(None);
        let rpc = rpc(&node, basic("swordfish"));
        node.misbehave(Misbehaviour::Status(401), Filter::all());
        fails(&rpc).await
    };
    assert_eq!(kind, "unsupported", "{said}");
}

#[tokio::test]
async fn a_cookie_is_read_again_when_it_is_refused() {
    let node = node().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".cookie");
    let rpc = rpc(&node, Auth::Cookie(file.clone()));
    let (kind, said) = fails(&rpc).await;
    assert_eq!(
        kind, "unreachable",
        "no file yet, so no node either: {said}"
    );
    assert!(said.contains(".cookie"), "{said}");
    // zcashd answers 401; zebrad closes the connection.
    for (secret, refusal) in [
        ("one", Refusal::Status(401)),
        ("two", Refusal::Status(401)),
        ("three", Refusal::Close),
        ("four", Refusal::Close),
    ] {
        let access = Access::cookie(&file, secret).unwrap();
        node.set_access(Some(access.refusing_by(refusal)));
        assert!(rpc.raw_block(7).await.is_ok(), "{secret}");
    }
    // The file of another node.
    for (refusal, kind) in [
        (Refusal::Status(401), "unsupported"),
        (Refusal::Close, "unreachable"),
    ] {
        node.set_access(Some(
            Access::password("__cookie__", "five").refusing_by(refusal),
        ));
        let (found, said) = fails(&rpc).await;
        assert_eq!(found, kind, "{said}");
        assert!(said.contains(".cookie") && !said.contains("four"), "{said}");
    }
}

#[tokio::test]
async fn a_password_file_is_read_again_when_it_is_refused() {
    let node = node().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let user = "alice".to_owned();
    let rpc = rpc(
        &node,
        Auth::PasswordFile {
            user,
            file: file.clone(),
        },
    );
    let (kind, said) = fails(&rpc).await;
    assert_eq!(kind, "unsupported", "{said}");
    assert!(said.contains("rpc-password-file"), "{said}");
    for (secret, refusal) in [
        ("one", Refusal::Status(401)),
        ("two", Refusal::Status(401)),
        ("three", Refusal::Close),
    ] {
        std::fs::write(&file, format!("{secret}\nnot this\n")).unwrap();
        node.set_access(Some(Access::password("alice", secret).refusing_by(refusal)));
        assert!(rpc.raw_block(7).await.is_ok(), "{secret}");
    }
    node.set_access(Some(Access::password("alice", "four")));
    let (kind, said) = fails(&rpc).await;
    assert_eq!(kind, "unsupported", "{said}");
    assert!(
        said.contains("the password in") && !said.contains("three"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_restarts_is_unreachable_meanwhile_and_found_again() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    assert!(rpc.raw_block(7).await.is_ok());
    node.stop().await;
    let (kind, said) = fails(&rpc).await;
    assert_eq!(kind, "unreachable");
    assert!(said.contains("is the node running"), "{said}");
    node.resume().await;
    assert!(rpc.raw_block(7).await.is_ok());
    let down = Duration::from_millis(50);
    let what = Misbehaviour::RestartMidAnswer { down };
    node.misbehave(what, Filter::all().times(1));
    let (kind, said) = fails(&rpc).await;
    assert_eq!(kind, "unreachable");
    assert!(said.contains("broke off"), "{said}");
    while rpc.raw_block(7).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_write_whose_connection_breaks_is_not_sent_again() {
    let node = node().await;
    let rpc = rpc(&node, Auth::None);
    node.misbehave(Misbehaviour::Reset, Filter::all());
    for (method, times) in [("sendrawtransaction", 1), ("getbestblockhash", 2)] {
        let error = rpc.call(method, json!(["00"])).await.unwrap_err();
        assert_eq!(fault(error).kind(), "unreachable");
        assert_eq!(node.count(method), times, "{method}");
    }
    node.behave();
    // The node's own refusal is an answer.
    let error = rpc
        .call("sendrawtransaction", json!(["00"]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(-22));
}

#[tokio::test]
async fn what_never_left_is_told_apart_from_what_may_have_arrived() {
    let node = node().await;
    let mut limits = short();
    limits.in_flight = 1;
    let rpc = Rpc::new(&node.url(), Auth::None, limits).expect("a sound address");
    let write = || rpc.call("sendrawtransaction", json!(["00"]));
    let sent = |error: RpcError| !matches!(error, RpcError::NotSent(_));
    for what in [
        Misbehaviour::Reset,
        Misbehaviour::Truncated,
        Misbehaviour::Garbage,
        Misbehaviour::Status(500),
        Misbehaviour::Status(401),
        Misbehaviour::WarmUp,
    ] {
        let name = format!("{what:?}");
        node.misbehave(what, Filter::all());
        assert!(sent(write().await.unwrap_err()), "{name}");
    }
    // The only slot is taken for longer than a call may wait.
    let asked = node.count("sendrawtransaction");
    let slot = rpc.inner.slots.acquire().await.expect("it is never closed");
    let late = write().await.unwrap_err();
    assert!(late.to_string().contains("was not asked"), "{late}");
    assert!(!sent(late));
    assert_eq!(node.count("sendrawtransaction"), asked);
    drop(slot);
    node.misbehave(Misbehaviour::Hang, Filter::all());
    assert!(sent(write().await.unwrap_err()));
    node.behave();
    node.stop().await;
    let refused = write().await.unwrap_err();
    assert_eq!(Fault::from(refused.clone()).kind(), "unreachable");
    assert!(!sent(refused));
    // No credentials to send it with.
    let auth = Auth::Cookie("/nowhere/.cookie".into());
    let rpc = Rpc::new(&node.url(), auth, short()).expect("a sound address");
    let error = rpc.call("sendrawtransaction", json!(["00"])).await;
    assert!(!sent(error.unwrap_err()));
}
