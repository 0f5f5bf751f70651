//! A real, unmodified wallet (zingo-cli, named by `HELIOSTAT_ZINGO_CLI`) over
//! a real zebrad (named by `HELIOSTAT_ZEBRAD`), Heliostat between them: it
//! synchronises, sends an Ironwood transaction, and survives a reorg.
//!
//! ```text
//! cargo install zingo-cli --version 0.5.0 --locked --no-default-features --features nakednet-test-mode
//! HELIOSTAT_ZINGO_CLI=… HELIOSTAT_ZEBRAD=… cargo test -p heliostat --test wallet_cli -- --nocapture
//! ```
//!
//! zingo-cli's default build goes online through a mixnet only, hence the
//! features. Everything here is on loopback.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "interop/heliostat.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod heliostat;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "wallet_cli/wallet.rs"]
mod wallet;
#[path = "interop/zebrad.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod zebrad;

use std::{collections::BTreeMap, time::Duration};

use heliostat::Heliostat;
use serde_json::{Value, json};
use wallet::Wallet;
use zebrad::Zebrad;

/// The wallet takes every upgrade to be active from the first block on.
const IRONWOOD: u64 = 1;

/// Blocks mined to the wallet.
const OURS: u64 = 3;

/// Blocks mined to somebody else, so that ours are 100 blocks old and may be
/// spent.
const MATURING: u64 = 120;

/// ZIP 317: 5,000 zatoshi for each logical action, here one for each
/// transparent input and the two actions an Ironwood bundle is padded to.
const FEE: u64 = 5_000 * (OURS + 2);

/// The first bytes of a transaction of version 6, "overwintered" bit set.
const VERSION_6: &str = "06000080";

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_wallet_syncs_sends_and_survives_a_reorg() {
    let Some(program) = Wallet::program() else {
        eprintln!("skipped: HELIOSTAT_ZINGO_CLI names no zingo-cli binary");
        return;
    };
    let Some(zebrad) = Zebrad::start(IRONWOOD).await else {
        eprintln!("skipped: HELIOSTAT_ZEBRAD names no zebrad binary");
        return;
    };
    // The wallet refuses a server that has the genesis block alone.
    zebrad.call("generate", json!([1])).await;
    let heliostat = Heliostat::start(&zebrad.rpc_url()).await;
    heliostat.wait_for_tip(&zebrad).await;
    let before = calls(&heliostat).await;
    let wallet = Wallet::new(program, &heliostat.process().grpc);
    assert_eq!(wallet.balance().await.total(), 0, "a new wallet is empty");
    let address = wallet.address().await;
    let run = Run {
        zebrad,
        heliostat,
        wallet,
        address,
    };

    let received = run.receives().await;
    run.introduces_itself().await;
    let txid = run.shields(received).await;
    let block = run.mines(&txid, received).await;
    let other = run.loses_the_block(&block, &txid, received).await;
    run.returns_to_the_block(&block, &other, received).await;
    run.is_found_again_from_its_words(received).await;

    run.every_call_was_answered(&before).await;
    run.nothing_was_logged_about_the_user(&txid);
    run.heliostat.stop_and_verify().await;
}

/// The three programs, and the address the wallet is paid at.
struct Run {
    zebrad: Zebrad,
    heliostat: Heliostat,
    wallet: Wallet,
    address: String,
}

impl Run {
    /// Mines to the wallet; what it is paid, in zatoshi.
    async fn receives(&self) -> u64 {
        let mine = json!([OURS, self.address]);
        self.zebrad.call("generatetoaddress", mine).await;
        self.zebrad.call("generate", json!([MATURING])).await;
        let held = self.holds("mined").await;
        assert!(held.transparent > 0);
        assert_eq!(held.ironwood, 0);
        held.transparent
    }

    /// What the wallet is told about the server is what the node says.
    async fn introduces_itself(&self) {
        let shown = self.wallet.online(&["info"]).await;
        let info: Value = serde_json::from_str(&shown).unwrap();
        let node = self.zebrad.call("getblockchaininfo", json!([])).await;
        assert_eq!(info["vendor"], "Heliostat");
        assert_eq!(info["latest_block_height"], node["blocks"]);
        assert_eq!(info["consensus_branch_id"], node["consensus"]["chaintip"]);
        assert_eq!(info["chain_name"], node["chain"]);
    }

    /// A transaction goes out through Heliostat, and comes back from the
    /// memory pool to a wallet that did not make it.
    async fn shields(&self, received: u64) -> String {
        let txid = self.wallet.shield().await;
        let waiting = self.zebrad.call("getrawmempool", json!([])).await;
        assert_eq!(waiting, json!([txid]));
        let sent = self
            .zebrad
            .call("getrawtransaction", json!([txid, 0]))
            .await;
        assert!(sent.as_str().unwrap().starts_with(VERSION_6), "{sent}");
        let watching = self.wallet.restored().await;
        let seen = watching.balance().await;
        assert_eq!(seen.unconfirmed("ironwood"), received - FEE);
        assert_eq!(seen.confirmed("ironwood"), 0);
        eprintln!(
            "sent: {} bytes of version 6",
            sent.as_str().unwrap().len() / 2
        );
        txid
    }

    /// The transaction is mined; the hash of its block.
    async fn mines(&self, txid: &str, received: u64) -> String {
        let hash = self.mine_one_by_one(1).await;
        let block = self.zebrad.call("getblock", json!([hash, 1])).await;
        assert!(block["tx"].as_array().unwrap().contains(&json!(txid)));
        self.mine_one_by_one(2).await;
        let held = self.holds("shielded").await;
        assert_eq!((held.transparent, held.ironwood), (0, received - FEE));
        hash
    }

    /// Mines; the hash of the first block. zebrad's memory pool is made to
    /// look at each block: where it sees several at once it verifies anew
    /// what they mined, and after a reorg that would be in the pool again at
    /// a time of its choosing.
    async fn mine_one_by_one(&self, blocks: u64) -> String {
        let mut first = None;
        for _ in 0..blocks {
            let mined = self.zebrad.call("generate", json!([1])).await;
            let waiting = self.zebrad.call("getrawmempool", json!([])).await;
            assert_eq!(waiting, json!([]));
            first.get_or_insert(mined[0].as_str().unwrap().to_owned());
        }
        first.unwrap()
    }

    /// A longer branch without the transaction takes the place of its block;
    /// the first block of that branch.
    async fn loses_the_block(&self, block: &str, txid: &str, received: u64) -> String {
        self.zebrad.call("invalidateblock", json!([block])).await;
        let other = self.mine_one_by_one(6).await;
        let held = self.holds("after the reorg").await;
        assert_eq!((held.transparent, held.ironwood), (received, 0));
        let history = self.wallet.offline(&["transactions"]).await;
        let about = history.split("txid: ").find(|part| part.starts_with(txid));
        let about = about.expect("a transaction of its own is kept");
        assert!(about.contains("status: failed"), "{about}");
        other
    }

    /// The node takes the first branch again, shorter at first.
    async fn returns_to_the_block(&self, block: &str, other: &str, received: u64) {
        // In this order: zebrad remembers one invalidated block of a height.
        self.zebrad.call("reconsiderblock", json!([block])).await;
        self.zebrad.call("invalidateblock", json!([other])).await;
        // zebrad answers the calls before what they change can be seen.
        let before: u64 = 1 + OURS + MATURING + 3;
        while self.zebrad.call("getblockcount", json!([])).await != before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let held = self.holds("back on the first branch").await;
        assert_eq!((held.transparent, held.ironwood), (0, received - FEE));
        self.mine_one_by_one(6).await;
        let held = self.holds("and further").await;
        assert_eq!((held.transparent, held.ironwood), (0, received - FEE));
    }

    /// A wallet that knows the words only comes to the same.
    async fn is_found_again_from_its_words(&self, received: u64) {
        let restored = self.wallet.restored().await;
        let found = restored.balance().await;
        assert_eq!(found.confirmed("ironwood"), received - FEE);
        assert_eq!(found.total(), received - FEE);
        assert_eq!(restored.address().await, self.address);
    }

    /// Synchronises the wallet, and compares it with the node: height,
    /// transparent balance of its address, and the Ironwood pool, which is
    /// all its own.
    async fn holds(&self, when: &str) -> Held {
        self.heliostat.wait_for_tip(&self.zebrad).await;
        let balance = self.wallet.balance().await;
        let held = Held {
            transparent: balance.confirmed("transparent"),
            ironwood: balance.confirmed("ironwood"),
        };
        assert_eq!(balance.total(), held.transparent + held.ironwood);

        let height = self.zebrad.height().await;
        assert_eq!(self.wallet.height().await, height, "{when}");
        let asked = json!([{"addresses": [self.address]}]);
        let at_address = self.zebrad.call("getaddressbalance", asked).await;
        assert_eq!(at_address["balance"], held.transparent, "{when}");
        let info = self.zebrad.call("getblockchaininfo", json!([])).await;
        let pools = info["valuePools"].as_array().unwrap();
        let ironwood = pools.iter().find(|pool| pool["id"] == "ironwood").unwrap();
        assert_eq!(ironwood["chainValueZat"], held.ironwood, "{when}");
        eprintln!("{when}: {held:?} at height {height}, as the node has it");
        held
    }

    /// What the wallet called, as Heliostat counted it: the calls of this
    /// test before there was a wallet are left out (the tip is asked for
    /// until there is one), later ones are successful `GetLatestBlock`s.
    async fn every_call_was_answered(&self, before: &Calls) {
        let mut calls = calls(&self.heliostat).await;
        calls.retain(|call, count| {
            *count -= before.get(call).unwrap_or(&0);
            *count > 0
        });
        for ((method, code), count) in &calls {
            eprintln!("{method} {code}: {count}");
            // A wallet hangs up on the memory pool when it is done.
            let hung_up = code == "cancelled" && method == "GetMempoolStream";
            assert!(code == "ok" || hung_up, "{method} ended with {code}");
        }
        for method in [
            "GetBlockRange",
            "GetLatestBlock",
            "GetLightdInfo",
            "GetSubtreeRoots",
            "GetTaddressTxids",
            "GetTransaction",
            "GetTreeState",
        ] {
            assert!(
                calls.contains_key(&(method.into(), "ok".into())),
                "{method}"
            );
        }
        assert_eq!(calls[&("SendTransaction".into(), "ok".into())], 1);
    }

    /// Neither address nor transaction of the wallet is in the log.
    fn nothing_was_logged_about_the_user(&self, txid: &str) {
        let log = self.heliostat.process().logged();
        assert!(log.contains("rewound"), "the log is kept: {log}");
        for private in [txid, &self.address] {
            assert!(!log.contains(private), "{log}");
        }
    }
}

/// What wallet and node agree on, in zatoshi.
#[derive(Debug)]
struct Held {
    transparent: u64,
    ironwood: u64,
}

/// Answers by method and status code, grades taken together.
type Calls = BTreeMap<(String, String), u64>;

/// Reads them from the metrics.
async fn calls(heliostat: &Heliostat) -> Calls {
    let url = format!("{}/metrics", heliostat.process().observe);
    let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
    let mut calls = Calls::new();
    for line in metrics.lines() {
        let Some(labels) = line.strip_prefix("heliostat_requests_total{") else {
            continue;
        };
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        *calls.entry((label("method"), label("code"))).or_default() += count;
    }
    calls
}

/// Internal byte order to display hex.
fn display(id: &[u8]) -> String {
    hex::encode(id.iter().rev().copied().collect::<Vec<_>>())
}
