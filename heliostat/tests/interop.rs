//! The suite against a real zebrad in regtest, named by `HELIOSTAT_ZEBRAD`:
//! blocks of every transaction version up to v6 (Ironwood), compared with
//! zebrad's own CompactTxStreamer and JSON-RPC; reorgs driven by
//! `invalidateblock` and `reconsiderblock`; a node that dies and comes back.
//!
//! ```text
//! HELIOSTAT_ZEBRAD=/path/to/zebrad cargo test --release -p heliostat --test interop -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "interop/heliostat.rs"]
mod heliostat;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "interop/zebrad.rs"]
mod zebrad;

use std::time::Duration;

use heliostat::Heliostat;
use heliostat_zcash_proto as proto;
use serde_json::{Value, json};
use zebrad::Zebrad;

/// The height NU6.3, and with it Ironwood, activates at in this chain.
const IRONWOOD: u64 = 110;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_zebrad_is_followed_block_for_block() {
    let Some(mut zebrad) = Zebrad::start(IRONWOOD).await else {
        eprintln!("skipped: HELIOSTAT_ZEBRAD names no zebrad binary");
        return;
    };
    mine_every_pool(&zebrad).await;
    let heliostat = Heliostat::start(&zebrad.rpc_url()).await;

    step("sync", heliostat.wait_for_tip(&zebrad)).await;
    step("compact blocks", same_compact_blocks(&heliostat, &zebrad)).await;
    step(
        "tree sizes and hashes",
        same_as_verbose(&heliostat, &zebrad),
    )
    .await;
    step("transactions", same_transactions(&heliostat, &zebrad)).await;
    step("tree states", same_tree_states(&heliostat, &zebrad)).await;
    step("errors", errors_are_lightwalletds(&heliostat)).await;
    step("reorgs", reorgs_are_followed(&heliostat, &zebrad)).await;
    step(
        "compact blocks again",
        same_compact_blocks(&heliostat, &zebrad),
    )
    .await;

    zebrad.kill();
    step("serving without a node", serves_alone(&heliostat)).await;
    heliostat.stop_and_verify().await;
}

/// Runs one part and says so.
async fn step(name: &str, part: impl Future<Output = String>) {
    let found = part.await;
    eprintln!("{name}: {found}");
}

/// Transparent, Sapling and Orchard coinbases before NU6.3, Ironwood ones
/// after it.
async fn mine_every_pool(zebrad: &Zebrad) {
    let addresses = zebrad::shielded_addresses();
    zebrad.call("generate", json!([60])).await;
    for height_of_pools in [70, IRONWOOD + 20] {
        for address in &addresses {
            zebrad.call("generatetoaddress", json!([2, address])).await;
        }
        let now = zebrad.height().await;
        zebrad
            .call("generate", json!([height_of_pools.max(now + 1) - now]))
            .await;
    }
    for address in &addresses {
        zebrad.call("generatetoaddress", json!([3, address])).await;
    }
}

/// Both servers' default set, both directions, equal after decoding (zebrad
/// still writes the field that v0.5.0 removed).
async fn same_compact_blocks(heliostat: &Heliostat, zebrad: &Zebrad) -> String {
    let tip = zebrad.height().await;
    let ours = heliostat.range(1, tip).await;
    let theirs = zebrad.range(1, tip).await;
    assert_eq!(ours.len() as u64, tip);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "block {}", ours.height);
    }
    let mut backwards = heliostat.range(tip, 1).await;
    backwards.reverse();
    assert_eq!(backwards, ours);
    let count = |part: fn(&proto::CompactTx) -> usize| -> usize {
        ours.iter().flat_map(|block| &block.vtx).map(part).sum()
    };
    let (sapling, orchard, ironwood) = (
        count(|tx| tx.outputs.len()),
        count(|tx| tx.actions.len()),
        count(|tx| tx.ironwood_actions.len()),
    );
    assert!(sapling > 0 && orchard > 0 && ironwood > 0);
    format!(
        "{tip} of {tip} equal ({sapling} Sapling outputs, {orchard} Orchard and {ironwood} Ironwood actions)"
    )
}

/// Hash, previous hash, time and tree sizes as `getblock 1` has them, and all
/// pools' transaction ids.
async fn same_as_verbose(heliostat: &Heliostat, zebrad: &Zebrad) -> String {
    let tip = zebrad.height().await;
    let blocks = heliostat.range_of(0, tip, vec![1, 2, 3, 4]).await;
    for block in &blocks {
        let verbose = zebrad
            .call("getblock", json!([block.height.to_string(), 1]))
            .await;
        assert_eq!(display(&block.hash), verbose["hash"]);
        assert_eq!(Value::from(block.time), verbose["time"]);
        let txids: Vec<_> = block.vtx.iter().map(|tx| display(&tx.txid)).collect();
        assert_eq!(json!(txids), verbose["tx"], "block {}", block.height);
        let sizes = block.chain_metadata.expect("always sent");
        for (pool, size) in [
            ("sapling", sizes.sapling_commitment_tree_size),
            ("orchard", sizes.orchard_commitment_tree_size),
            ("ironwood", sizes.ironwood_commitment_tree_size),
        ] {
            let theirs = verbose["trees"][pool]["size"].as_u64().unwrap_or(0);
            assert_eq!(u64::from(size), theirs, "{pool} at {}", block.height);
        }
    }
    format!("{} of {} equal", blocks.len(), tip + 1)
}

/// Every coinbase by id, byte for byte.
async fn same_transactions(heliostat: &Heliostat, zebrad: &Zebrad) -> String {
    let blocks = heliostat
        .range_of(1, zebrad.height().await, vec![1, 2, 3, 4])
        .await;
    let mut versions = [0; 8];
    for block in &blocks {
        for tx in &block.vtx {
            let got = heliostat.transaction(&tx.txid).await;
            let theirs = zebrad
                .call("getrawtransaction", json!([display(&tx.txid), 0]))
                .await;
            assert_eq!(hex::encode(&got.data), theirs);
            assert_eq!(got.height, block.height);
            versions[usize::from(got.data[0]).min(7)] += 1;
        }
    }
    assert!(versions[5] > 0 && versions[6] > 0, "v5 and v6 were mined");
    format!("by version {versions:?}, all equal")
}

/// Tree states at every tenth height, against the node's own.
async fn same_tree_states(heliostat: &Heliostat, zebrad: &Zebrad) -> String {
    let tip = zebrad.height().await;
    let mut compared = 0;
    for height in (1..=tip).step_by(10).chain([tip]) {
        let ours = heliostat.tree_state(height).await;
        let theirs = zebrad
            .call("z_gettreestate", json!([height.to_string()]))
            .await;
        assert_eq!(Value::from(ours.hash), theirs["hash"]);
        for (pool, ours) in [
            ("sapling", &ours.sapling_tree),
            ("orchard", &ours.orchard_tree),
            ("ironwood", &ours.ironwood_tree),
        ] {
            let theirs = theirs[pool]["commitments"]["finalState"]
                .as_str()
                .unwrap_or("");
            assert_eq!(ours, theirs, "{pool} at {height}");
        }
        compared += 1;
    }
    format!("{compared} heights equal")
}

/// What the wire carries when a request cannot be answered.
async fn errors_are_lightwalletds(heliostat: &Heliostat) -> String {
    let refused = heliostat.send(vec![0]).await.expect("errors are in-band");
    assert_eq!(refused.error_code, -22);
    let missing = heliostat.try_transaction(&[7; 32]).await.unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    let beyond = heliostat.try_block(1 << 30).await.unwrap_err();
    assert_eq!(beyond.code(), tonic::Code::OutOfRange);
    "a refused transaction, an unknown transaction, a block beyond the tip".into()
}

/// Deep and shallow reorgs, over shorter chains too, and the way back.
async fn reorgs_are_followed(heliostat: &Heliostat, zebrad: &Zebrad) -> String {
    let mut depths = Vec::new();
    for depth in [1, 5, 40] {
        let before = zebrad.height().await;
        let fork = zebrad.hash(before - depth + 1).await;
        zebrad.call("invalidateblock", json!([fork])).await;
        // A node that is merely shorter is behind, and nothing is forgotten.
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(heliostat.tip().await.height, before);
        // Without proof-of-work the node's branch is followed, shorter or not.
        let shorter = depth / 2;
        if shorter > 0 {
            zebrad.call("generate", json!([shorter])).await;
            heliostat.wait_for_tip(zebrad).await;
        }
        zebrad.call("generate", json!([depth + 3])).await;
        heliostat.wait_for_tip(zebrad).await;
        let tip = zebrad.height().await;
        let chain = heliostat.range(1, tip).await;
        for pair in chain.windows(2) {
            assert_eq!(pair[1].prev_hash, pair[0].hash);
        }
        zebrad.call("reconsiderblock", json!([fork])).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        heliostat.wait_for_tip(zebrad).await;
        depths.push(depth);
    }
    // The new branch has every pool again.
    for address in zebrad::shielded_addresses() {
        zebrad.call("generatetoaddress", json!([2, address])).await;
    }
    heliostat.wait_for_tip(zebrad).await;
    format!("depths {depths:?}, the deeper ones over a shorter chain first")
}

/// With the node gone, stored blocks are served and the process stays up.
async fn serves_alone(heliostat: &Heliostat) -> String {
    let tip = heliostat.tip().await;
    let blocks = heliostat.range(1, tip.height).await;
    assert_eq!(blocks.len() as u64, tip.height);
    let error = heliostat.try_tree_state(1_000_000).await.unwrap_err();
    format!(
        "{} blocks; tree state says {:?}",
        blocks.len(),
        error.message()
    )
}

/// Internal byte order to display hex.
fn display(id: &[u8]) -> String {
    hex::encode(id.iter().rev().copied().collect::<Vec<_>>())
}
