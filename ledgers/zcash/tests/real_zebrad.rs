//! Against a real zebrad in regtest, named by `HELIOSTAT_ZEBRAD`: its cookie
//! file found by its configuration, its errors, its restart.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use heliostat_core::{Id, Source};
use heliostat_zcash::{
    credentials,
    rpc::{Limits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_verifier::Network;
use serde_json::{Value, json};

/// A running zebrad; it is killed when this is dropped.
struct Zebrad {
    child: Child,
}

impl Drop for Zebrad {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Writes a configuration; the port of its RPC was free a moment ago.
fn configure(directory: &Path) -> PathBuf {
    let (peers, rpc) = (free_port(), free_port());
    let directory_text = directory.display();
    let text = format!(
        r#"
[network]
network = "Regtest"
listen_addr = "127.0.0.1:{peers}"
initial_mainnet_peers = []
initial_testnet_peers = []
cache_dir = false
[network.testnet_parameters.activation_heights]
NU5 = 1
[state]
cache_dir = "{directory_text}/state"
[rpc]
listen_addr = "127.0.0.1:{rpc}"
cookie_dir = "{directory_text}"
[mempool]
debug_enable_at_height = 0
[mining]
miner_address = "tmSRd1r8gs77Ja67Fw1JcdoXytxsyrLTPJm"
"#
    );
    let path = directory.join("zebrad.toml");
    std::fs::write(&path, text).expect("the directory is ours");
    path
}

async fn start(binary: &str, conf: &Path, source: &ZcashSource) -> Zebrad {
    let child = Command::new(binary)
        .arg("-c")
        .arg(conf)
        .arg("start")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = child.expect("HELIOSTAT_ZEBRAD names a program");
    let zebrad = Zebrad { child };
    for _ in 0..600 {
        if source.head().await.is_ok() {
            return zebrad;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = source.head().await;
    panic!("zebrad did not come up within a minute: {last:?}");
}

#[tokio::test]
async fn a_real_zebrad_is_followed_across_its_restart() {
    let Ok(binary) = std::env::var("HELIOSTAT_ZEBRAD") else {
        eprintln!("skipped: HELIOSTAT_ZEBRAD does not name a zebrad");
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let conf = configure(directory.path());
    let endpoint = credentials::from_file(&conf, |_| None).expect("a sound configuration");
    let rpc = Rpc::new(&endpoint.url, endpoint.auth, Limits::default()).expect("a sound address");
    let source = ZcashSource::new(rpc, Some(Network::Regtest));
    assert_eq!(
        source.head().await.expect_err("nobody listens").kind(),
        "unreachable"
    );

    let zebrad = start(&binary, &conf, &source).await;
    let seen = source.head().await.expect("it is up");
    let generate = async {
        let mined = source.rpc().call("generate", json!([5])).await;
        mined.expect("regtest mines at will")
    };
    let (mined, ()) = tokio::join!(generate, source.watch(seen));
    let head = source.head().await.expect("it is up");
    assert_eq!(head.height, 5);
    assert_eq!(mined[4], Value::from(ZcashSource::show(&head.id)));
    assert_eq!(source.id_at(6).await.expect("an answer"), None);
    assert_eq!(
        source.fetch(6).await.expect_err("no such block").kind(),
        "behind"
    );
    for height in 0..=5 {
        let id: Id = source
            .id_at(height)
            .await
            .expect("an answer")
            .expect("a block");
        let plain = source.fetch(height).await.expect("a block");
        assert_eq!(
            source.rpc().raw_block(id).await.expect("a block"),
            plain.bytes
        );
        // The genesis transaction is not in a node's transaction set.
        if height > 0 {
            let described = source.describe(height).await.expect("a description");
            let described = described.described.expect("it was asked for");
            assert!(plain.bytes.ends_with(&described.txs[0].raw));
        }
    }
    let info = source.info().expect("it was asked");
    assert!(info.software.subversion.contains("Zebra"), "{info:?}");
    assert_eq!(source.syncing(), None);
    let refused = source.rpc().call("sendrawtransaction", json!(["00"])).await;
    assert_eq!(refused.expect_err("no transaction").code(), Some(-22));
    let unknown = source
        .rpc()
        .call("getexperimentalfeatures", json!([]))
        .await;
    assert!(
        unknown
            .expect_err("not zebrad's")
            .to_string()
            .contains("unsupported")
    );

    // It comes back with another cookie; the same source goes on.
    let cookie = directory.path().join(".cookie");
    let before = std::fs::read_to_string(&cookie).expect("a cookie file");
    drop(zebrad);
    assert_eq!(
        source.head().await.expect_err("it is gone").kind(),
        "unreachable"
    );
    let _zebrad = start(&binary, &conf, &source).await;
    let after = std::fs::read_to_string(&cookie).expect("a cookie file");
    assert_ne!(before, after);
    assert!(source.head().await.is_ok());
}
