//! Mistakes that only upstreams show, and those with Tezos nodes.

use std::fs;

use super::{Written, hold};
use crate::{rig::Rig, running::heliostat};

#[tokio::test(flavor = "multi_thread")]
async fn what_upstreams_show_is_told_with_the_upstream() {
    let rig = Rig::new().await;
    let good = Written::new(&rig);
    let url = |url: &str| Written {
        url: url.to_owned(),
        ..good.clone()
    };
    let upstream = |upstream: &str| Written {
        upstream: upstream.to_owned(),
        ..good.clone()
    };
    let other = Written {
        chain: "network = 'main'".to_owned(),
        ..good.clone()
    };
    let clear = Written {
        url: "http://192.0.2.1:8232".to_owned(),
        upstream: "bearer-token = 's3cret'".to_owned(),
        ..good.clone()
    };
    let everything_else = "chain.zcash.listen 127.0.0.1:0: free";
    hold(
        &rig,
        vec![
            (
                "nobody there",
                url("http://127.0.0.1:1"),
                3,
                vec![
                    "http://127.0.0.1:1",
                    "Connection refused",
                    "is the node running",
                ],
            ),
            (
                "no scheme",
                url("127.0.0.1:8232"),
                2,
                vec!["chain.zcash.upstream[0].url: ", "write http://HOST:PORT"],
            ),
            (
                "a node of another network",
                other,
                1,
                vec![rig.node_url().as_str(), "regtest", "main", "; "],
            ),
            (
                "an authority that is not there",
                upstream("ca-file = '/nope/ca.pem'"),
                1,
                vec![
                    "chain.zcash.upstream[0]: /nope/ca.pem",
                    "readable",
                    everything_else,
                ],
            ),
            (
                "a token in the clear",
                clear,
                1,
                vec![
                    "chain.zcash.upstream[0]: ",
                    "write https://",
                    everything_else,
                ],
            ),
            (
                "a cookie that is not there",
                upstream("rpc-cookie-file = '/nope/.cookie'"),
                3,
                vec!["/nope/.cookie", "is it running"],
            ),
        ],
    );
}

/// What `check` says of a Tezos chain with these lines.
fn tezos(rig: &Rig, lines: &str) -> (Option<i32>, String) {
    let file = rig.path("tezos.toml");
    let text = format!(
        "[observe]\nlisten = '127.0.0.1:0'\n[store]\naddress = 'memory:'\n[chain.tezos]\n\
         ledger = 'tezos'\nlisten = '127.0.0.1:0'\n{lines}\n"
    );
    fs::write(&file, text).unwrap();
    heliostat(&["check", "--config", file.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_with_tezos_nodes_are_told_with_their_setting() {
    let rig = Rig::new().await;
    let two = "endpoints = ['http://127.0.0.1:1', 'http://127.0.0.1:2']\n";
    for (lines, code, parts) in [
        (
            "endpoints = ['http://127.0.0.1:1', '127.0.0.1:2']".to_owned(),
            2,
            vec![
                "line 8: chain.tezos.endpoints[1]: ",
                "write http://HOST:PORT",
            ],
        ),
        (
            two.to_owned() + "min-agreement = 1.5",
            2,
            vec!["line 9: chain.tezos.min-agreement: ", "within 0"],
        ),
        (
            two.to_owned() + "mode = 'lite'",
            2,
            vec!["line 9: chain.tezos.mode: ", "`light`"],
        ),
        (
            two.to_owned() + "call-seconds = 0",
            2,
            vec!["line 9: chain.tezos.call-seconds: ", "above 0"],
        ),
        (
            two.to_owned() + "chain-id = 'Net'",
            2,
            vec!["line 9: chain.tezos.chain-id: ", "NetXdQprcVkpaWU"],
        ),
        (
            two.to_owned(),
            3,
            vec!["endpoint http://127.0.0.1:2", "is the node running"],
        ),
    ] {
        let (found, words) = tezos(&rig, &lines);
        assert_eq!(found, Some(code), "{lines}: {words}");
        for part in parts {
            assert!(words.contains(part), "{lines}: {part} is not in {words}");
        }
    }
}
