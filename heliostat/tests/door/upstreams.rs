//! An upstream behind TLS that wants a certificate and a token of us.

use std::{fs, path::PathBuf};

use heliostat_sim::tezos::{Network, Node, World, world::Settings};
use heliostat_store::testing::Authority;

use crate::{
    guarded::{Giver, Guarded},
    rig::{HEIGHT, Rig, replace},
    running::{Process, heliostat},
};

/// No log line may have one of these in it.
const SECRETS: [&str; 4] = ["s3cret-one", "s3cret-two", "s3cret-client", "PRIVATE KEY"];

/// A node that is guarded, and what it takes to be let in.
struct Stage {
    rig: Rig,
    node: Guarded,
}

impl Stage {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let behind = rig.node_url();
        let node = Guarded::start(&behind, &rig.servers, &rig.clients, "s3cret-one").await;
        let ours = rig.clients.sign("heliostat.example");
        fs::write(rig.path("ca.pem"), rig.servers.pem()).unwrap();
        fs::write(rig.path("ours.pem"), ours.0).unwrap();
        fs::write(rig.path("ours.key"), ours.1).unwrap();
        fs::write(rig.path("token"), "s3cret-one\n").unwrap();
        Self { rig, node }
    }

    fn path(&self, name: &str) -> String {
        self.rig.path(name).display().to_string()
    }

    /// The lines that pin the node's authority.
    fn pinned(&self) -> String {
        format!("ca-file = '{}'\n", self.path("ca.pem"))
    }

    /// The lines of our certificate.
    fn shown(&self) -> String {
        let (certificate, key) = (self.path("ours.pem"), self.path("ours.key"));
        format!("client-cert = '{certificate}'\nclient-key = '{key}'\n")
    }

    /// The line of our token's file.
    fn token(&self) -> String {
        format!("bearer-token-file = '{}'\n", self.path("token"))
    }

    /// Writes a configuration whose upstream has these lines.
    fn configure(&self, access: &str) -> PathBuf {
        let text = format!(
            "[observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\nlog-level = 'trace'\n\
             [store]\naddress = 'memory:'\n\
             [chain.zcash]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\n\
             [[chain.zcash.upstream]]\nurl = '{}'\n{access}",
            self.node.url
        );
        let file = self.rig.path("heliostat.toml");
        fs::write(&file, text).unwrap();
        file
    }

    fn everything(&self) -> String {
        self.pinned() + &self.shown() + &self.token()
    }
}

/// What a command says of a file; no secret is in it.
fn said(command: &str, file: &std::path::Path) -> (Option<i32>, String) {
    let (code, words) = heliostat(&[command, "--config", file.to_str().unwrap()]);
    for secret in SECRETS {
        assert!(!words.contains(secret), "{command}: {words}");
    }
    (code, words)
}

fn keeps_its_secrets(process: &Process) {
    let log = process.logged();
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret} is logged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_node_is_followed_with_our_certificate_and_token_and_a_new_token() {
    let stage = Stage::new().await;
    let file = stage.configure(&stage.everything());
    let (code, words) = said("check", &file);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains(&format!("height {HEIGHT}")), "{words}");
    let (code, words) = said("show-config", &file);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("ours.key") && words.contains("/token"),
        "{words}"
    );

    let process = Process::run(&file);
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.served_height().await, HEIGHT);
    let names = stage.node.names();
    assert!(names.contains(&"heliostat.example".to_owned()), "{names:?}");
    // The node takes another token, and the file has it.
    stage.node.want("s3cret-two");
    replace(&stage.rig.path("token"), "s3cret-two\n");
    stage.node.until_seen("s3cret-two").await;
    process.until("ready", |status| status.ready).await;
    keeps_its_secrets(&process);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_authority_is_refused_in_words_until_the_file_has_its_own() {
    let stage = Stage::new().await;
    fs::write(stage.rig.path("ca.pem"), Authority::new().pem()).unwrap();
    let file = stage.configure(&stage.everything());
    let (code, words) = said("check", &file);
    assert_ne!(code, Some(0), "{words}");
    for part in [stage.node.url.as_str(), "certificate", "ca-file"] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    let process = Process::run(&file);
    let status = process
        .until("in trouble", |status| {
            let upstream = &status.chains["zcash"].upstreams[0];
            upstream.why.contains("certificate")
        })
        .await;
    assert!(!status.ready);
    assert!(stage.node.names().is_empty(), "nothing was asked");
    replace(&stage.rig.path("ca.pem"), &stage.rig.servers.pem());
    process.until("ready", |status| status.ready).await;
    keeps_its_secrets(&process);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_which_part_of_the_access_is_wrong() {
    let stage = Stage::new().await;
    let other = stage.rig.clients.sign("other");
    fs::write(stage.rig.path("other.key"), &other.1).unwrap();
    fs::write(stage.rig.path("wrong"), "s3cret-two\n").unwrap();
    fs::write(stage.rig.path("empty"), "\n").unwrap();
    let (pinned, shown, token) = (stage.pinned(), stage.shown(), stage.token());
    let mismatch = shown.replace("ours.key", "other.key");
    let cases = [
        (
            "no certificate",
            format!("{pinned}{token}"),
            vec!["certificate", "client-cert"],
        ),
        (
            "no pin",
            format!("{shown}{token}"),
            vec!["certificate", "ca-file"],
        ),
        ("no token", format!("{pinned}{shown}"), vec!["401"]),
        (
            "another token",
            format!("{pinned}{shown}{}", token.replace("/token", "/wrong")),
            vec!["token", "wrong"],
        ),
        (
            "another key",
            format!("{pinned}{mismatch}{token}"),
            vec!["other.key", "not the key of the certificate", "ours.pem"],
        ),
        (
            "no such file",
            format!("{}{shown}{token}", pinned.replace("ca.pem", "none.pem")),
            vec!["none.pem", "No such file"],
        ),
        (
            "an empty token",
            format!("{pinned}{shown}{}", token.replace("/token", "/empty")),
            vec!["empty", "first line"],
        ),
    ];
    for (name, access, parts) in cases {
        let (code, words) = said("check", &stage.configure(&access));
        assert!(
            code == Some(1) || code == Some(2) || code == Some(3),
            "{name}: {words}"
        );
        for part in parts {
            assert!(words.contains(part), "{name}: {part} is not in {words}");
        }
    }
    let plain = stage.configure(&stage.everything());
    let text = fs::read_to_string(&plain)
        .unwrap()
        .replace("https://", "http://");
    fs::write(&plain, text).unwrap();
    let (_, words) = said("check", &plain);
    assert!(words.contains("write https://"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_an_issuer_are_sent_and_renewed() {
    let stage = Stage::new().await;
    // A second is over before the test is: another one is asked for.
    let giver = Giver::start("s3cret-client", "s3cret-one", 1).await;
    fs::write(stage.rig.path("secret"), "s3cret-client\n").unwrap();
    let oauth2 = |secret: &str| {
        format!(
            "{}{}[chain.zcash.upstream.oauth2]\ntoken-url = '{}'\nclient-id = 'heliostat'\n\
             client-secret-file = '{}'\nscopes = ['rpc']\n",
            stage.pinned(),
            stage.shown(),
            giver.url,
            stage.path(secret),
        )
    };
    fs::write(stage.rig.path("wrong"), "s3cret-two\n").unwrap();
    let (code, words) = said("check", &stage.configure(&oauth2("wrong")));
    assert_ne!(code, Some(0), "{words}");
    assert!(
        words.contains("token") && words.contains("heliostat"),
        "{words}"
    );

    let file = stage.configure(&oauth2("secret"));
    let (code, words) = said("check", &file);
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = said("show-config", &file);
    assert_eq!(code, Some(0), "{words}");
    let process = Process::run(&file);
    process.until("ready", |status| status.ready).await;
    giver.give("s3cret-two");
    stage.node.want("s3cret-two");
    stage.node.until_seen("s3cret-two").await;
    process.until("ready", |status| status.ready).await;
    keeps_its_secrets(&process);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tezos_nodes_get_the_same_from_their_chain() {
    let stage = Stage::new().await;
    let network = Network::new(World::new(11, Settings::small()));
    let nodes = Node::start_all(&network, 2).await.unwrap();
    let (rig, token) = (&stage.rig, "s3cret-one");
    let mut guarded = Vec::new();
    for node in &nodes {
        let node = Guarded::start(&node.url(), &rig.servers, &rig.clients, token).await;
        guarded.push(node);
    }
    let stamp = network.world().numbers().proof_of_work_threshold;
    let configure = |access: &str| {
        let tezos = format!(
            "[chain.tezos]\nledger = 'tezos'\nlisten = '127.0.0.1:0'\n\
             endpoints = ['{}', '{}']\nproof-of-work-threshold = {stamp}\n\
             max-head-age-seconds = 0\n{access}",
            guarded[0].url, guarded[1].url,
        );
        let file = stage.configure(&stage.everything());
        let text = fs::read_to_string(&file).unwrap() + "\n" + &tezos;
        fs::write(&file, text).unwrap();
        file
    };
    for (access, parts) in [
        (
            stage.shown() + &stage.token(),
            vec!["certificate is not trusted", "ca-file"],
        ),
        (
            stage.pinned() + &stage.token(),
            vec!["set client-cert and client-key"],
        ),
        (stage.pinned() + &stage.shown(), vec!["401"]),
    ] {
        let (code, words) = said("check", &configure(&access));
        assert!(code == Some(1) || code == Some(3), "{words}");
        for part in parts {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
    let file = configure(&stage.everything());
    let (code, words) = said("check", &file);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("2 of 2 must agree, and 2 give proofs now"),
        "{words}"
    );
    let process = Process::run(&file);
    process.until("ready", |status| status.ready).await;
    let names = guarded[0].names();
    assert!(names.contains(&"heliostat.example".to_owned()), "{names:?}");
    // One file for all; every node takes the new token.
    for node in guarded.iter().chain([&stage.node]) {
        node.want("s3cret-two");
    }
    replace(&stage.rig.path("token"), "s3cret-two\n");
    let log = process.logged();
    let started = log
        .lines()
        .find(|line| line.contains("\"started\""))
        .unwrap();
    let started: serde_json::Value = serde_json::from_str(started).unwrap();
    let alice = network.world().account("alice").address().to_string();
    let path = format!("chains/main/blocks/head/context/contracts/{alice}/balance");
    let url = format!("http://{}/{path}", started["rpc"].as_str().unwrap());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    for node in &guarded {
        node.until_seen("s3cret-two").await;
    }
    process.until("ready", |status| status.ready).await;
    keeps_its_secrets(&process);
    assert_eq!(process.terminate(), Some(0));
}
