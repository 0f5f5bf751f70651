//! The mistakes operators make, and what `heliostat check` says of each: what
//! is wrong, where, and what to do.

#[path = "mistakes/upstreams.rs"]
mod upstreams;

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
    let logs = |file: &Path| Written {
        more: format!("log-file = '{}'", file.display()),
        ..good.clone()
    };
    hold(
        &rig,
        vec![
            (
                "logs nowhere",
                logs(&rig.path("none/heliostat.log")),
                1,
                vec!["observe.log-file", "its folder is not there; make it"],
            ),
            (
                "logs somewhere",
                logs(&rig.path("heliostat.log")),
                0,
                vec!["can be written to"],
            ),
            (
                "no PostgreSQL",
                store("postgres://me@127.0.0.1:1/heliostat"),
                1,
                vec!["store postgres://", "is the server running there"],
            ),
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
    assert!(!rig.path("heliostat.log").exists());
    let left = fs::read_dir(rig.folder.path()).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|name| name.to_string_lossy().contains("check")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_told_as_well_as_by_check() {
    let rig = Rig::new().await;
    let good = Written::new(&rig);
    let file = rig.path("heliostat.toml");
    for (written, code, parts) in [
        (
            Written {
                store: "sqlite:/proc/zcash.sqlite".to_owned(),
                ..good.clone()
            },
            1,
            vec![
                "sqlite:/proc/zcash.sqlite",
                "set store.address to another place",
            ],
        ),
        (
            Written {
                more: "[door.tls]\ncert = '/nope.pem'\nkey = '/nope.key'".to_owned(),
                ..good.clone()
            },
            2,
            vec!["door.tls: ", "/nope.pem", "correct the path"],
        ),
        (
            Written {
                upstream: "ca-file = '/nope/ca.pem'".to_owned(),
                ..good.clone()
            },
            2,
            vec!["chain.zcash.upstream[0]: /nope/ca.pem"],
        ),
    ] {
        written.check(&file);
        let (found, words) = heliostat(&["run", "--config", file.to_str().unwrap()]);
        assert_eq!(found, Some(code), "{words}");
        for part in parts {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
}
