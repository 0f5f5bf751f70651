//! The mistakes operators make, and what `heliostat check` says of each: what
//! is wrong, where, and what to do.

use std::{fs, net::TcpListener, path::Path};

use crate::{rig::Rig, running::heliostat};

/// A configuration with the parts that a mistake changes.
#[derive(Clone)]
struct Written {
    /// Before the tables of the chain.
    more: String,
    store: String,
    listen: String,
    /// In the chain's table.
    chain: String,
    url: String,
    /// In the upstream's table.
    upstream: String,
}

impl Written {
    fn new(rig: &Rig) -> Self {
        Self {
            more: String::new(),
            store: "memory:".to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            chain: String::new(),
            url: rig.node_url(),
            upstream: String::new(),
        }
    }

    /// The exit code and words of `check`.
    fn check(&self, file: &Path) -> (Option<i32>, String) {
        let text = format!(
            "[observe]\nlisten = '127.0.0.1:0'\n{}\n[store]\naddress = '{}'\n[chain.zcash]\n\
             ledger = 'zcash'\nlisten = '{}'\n{}\n[[chain.zcash.upstream]]\nurl = '{}'\n{}\n",
            self.more, self.store, self.listen, self.chain, self.url, self.upstream
        );
        fs::write(file, text).unwrap();
        heliostat(&["check", "--config", file.to_str().unwrap()])
    }
}

/// A mistake, its exit code, and what has to be said of it.
type Case<'a> = (&'a str, Written, i32, Vec<&'a str>);

fn hold(rig: &Rig, cases: Vec<Case<'_>>) {
    let file = rig.path("heliostat.toml");
    for (name, written, expected, parts) in cases {
        let (code, words) = written.check(&file);
        assert_eq!(code, Some(expected), "{name}: {words}");
        for part in parts {
            assert!(words.contains(part), "{name}: {part} is not in {words}");
        }
        assert!(!words.contains("s3cret"), "{name}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_alone_shows_is_told_with_its_line() {
    let rig = Rig::new().await;
    let good = Written::new(&rig);
    let more = |more: &str| Written {
        more: more.to_owned(),
        ..good.clone()
    };
    let chain = |chain: &str| Written {
        chain: chain.to_owned(),
        ..good.clone()
    };
    let upstream = |upstream: &str| Written {
        upstream: upstream.to_owned(),
        ..good.clone()
    };
    hold(
        &rig,
        vec![
            ("none", good.clone(), 0, vec!["at height 12"]),
            (
                "a typing error",
                more("log-lvel = 'info'"),
                2,
                vec!["heliostat.toml line 3: ", "did you mean log-level?"],
            ),
            (
                "a level that is none",
                more("log-level = 'loud'"),
                2,
                vec!["line 3: observe.log-level: ", "`loud`", "`debug`"],
            ),
            (
                "a number in quotes",
                more("[door.limits]\naddress-rate = '50'"),
                2,
                vec![
                    "line 4: door.limits.address-rate ",
                    "write address-rate = 500",
                ],
            ),
            (
                "no network",
                more("[door.access]\ndeny-networks = ['10.0.0.0/33']"),
                2,
                vec![
                    "line 4: door.access.deny-networks: ",
                    "10.0.0.0/33",
                    "192.0.2.0/24",
                ],
            ),
            (
                "another network's name",
                chain("network = 'mainnet'"),
                2,
                vec!["line 9: chain.zcash.network: ", "`mainnet`", "`main`"],
            ),
            (
                "a password that is a number",
                upstream("rpc-user = 'me'\nrpc-password = 12345"),
                2,
                vec!["chain.zcash.upstream[0].rpc-password ", "in quotes"],
            ),
            (
                "a password without a name",
                upstream("rpc-password = 's3cret'"),
                2,
                vec!["chain.zcash.upstream[0].rpc-user: ", "add rpc-user"],
            ),
        ],
    );
    // The value may have been the password.
    let number = upstream("rpc-user = 'me'\nrpc-password = 12345");
    let (_, words) = number.check(&rig.path("heliostat.toml"));
    assert!(!words.contains("12345"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_shows_is_told_with_the_way_out() {
    let rig = Rig::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    fs::write(rig.path("file"), "no database").unwrap();
    let below_file = format!("sqlite:{}/below/zcash.sqlite", rig.path("file").display());
    let no_database = format!("sqlite:{}", rig.path("file").display());
    let new = format!("sqlite:{}/new/folder/z.sqlite", rig.folder.path().display());
    let good = Written::new(&rig);
    let store = |store: &str| Written {
        store: store.to_owned(),
        ..good.clone()
    };
    let listen = |listen: &str| Written {
        listen: listen.to_owned(),
        ..good.clone()
    };
    hold(
        &rig,
        vec![
            (
                "a port in use",
                listen(&taken),
                1,
                vec![
                    "chain.zcash.listen",
                    "the port is in use",
                    "ss -ltnp",
                    "at height 12",
                ],
            ),
            (
                "plaintext for everybody",
                listen("0.0.0.0:0"),
                1,
                vec!["certificate", "no-tls-very-insecure = true in [door]"],
            ),
            (
                "a place where nothing can be made",
                store("sqlite:/proc/zcash.sqlite"),
                1,
                vec!["cannot be made in /proc", "name a folder", "at height 12"],
            ),
            (
                "a folder that is a file",
                store(&below_file),
                1,
                vec!["cannot be made in", "name a folder"],
            ),
            (
                "another file",
                store(&no_database),
                1,
                vec!["no SQLite database"],
            ),
            (
                "a path alone",
                store("/var/lib/z.sqlite"),
                1,
                vec!["sqlite:PATH"],
            ),
            (
                "a new folder",
                store(&new),
                0,
                vec!["it is made on the first start"],
            ),
        ],
    );
    assert!(!rig.path("new").exists(), "check makes nothing");
    let left = fs::read_dir(rig.folder.path()).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|name| name.to_string_lossy().contains("check")));
}

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
