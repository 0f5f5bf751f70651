//! `heliostat verify` on sound and on damaged stores.

use std::sync::Arc;

use heliostat_core::Verifier as _;
use heliostat_node::Replica as _;
use heliostat_sim::zcash::{Chain, Generator, GeneratorConfig};
use heliostat_store::{Batch, Store};
use heliostat_zcash::{
    audit::{Report, audit, deep},
    chunk::{FULL, IDS, PROOFS, ProofPage, TABLES, key},
    replica::{Options, ZcashReplica},
};
use heliostat_zcash_verifier::{Network, RawBlock, ZcashVerifier};

/// A verified chain in memory, and where it came from.
async fn stored() -> (Arc<dyn Store>, Chain) {
    let options = heliostat_store::Options::default();
    let store = heliostat_store::open("memory:", "regtest", &TABLES, options)
        .await
        .expect("memory can always be opened");
    let chain = Generator::new(GeneratorConfig::new(23, 200))
        .chain()
        .clone();
    let replica = open(&store).await;
    let verifier = ZcashVerifier::new(Network::Regtest);
    let mut tip = replica.tip().await.expect("the store is new");
    for part in chain.blocks.chunks(30) {
        let verified = part.iter().map(|block| {
            let raw = RawBlock {
                bytes: block.raw.clone(),
                described: None,
            };
            let checked = verifier
                .check(block.height, raw)
                .expect("the chain is honest");
            verifier
                .extend(&mut tip, checked)
                .expect("the chain is honest")
        });
        let verified = verified.collect();
        replica
            .commit(None, verified, &tip, true)
            .await
            .expect("memory does not fail");
    }
    (store, chain)
}

async fn open(store: &Arc<dyn Store>) -> ZcashReplica {
    ZcashReplica::open(store.clone(), Network::Regtest, Options::default())
        .await
        .expect("the store is sound enough")
}

async fn report(store: &Arc<dyn Store>) -> Report {
    let replica = open(store).await;
    let mut last = 0;
    let report = audit(&replica, |height, target| {
        assert!(last < height && height <= target);
        last = height;
    });
    report.await.expect("memory can be read")
}

/// Height and rule of each problem.
fn found(report: &Report) -> Vec<(Option<u64>, &str)> {
    let problems = report.problems.iter();
    problems.map(|p| (p.height, p.rule.as_str())).collect()
}

async fn put(store: &Arc<dyn Store>, change: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    change(&mut batch);
    store.commit(batch).await.expect("memory does not fail");
}

#[tokio::test]
async fn a_sound_store_is_clean_and_equals_its_raw_blocks() {
    let (store, chain) = stored().await;
    let report = report(&store).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.first, report.last, report.blocks),
        (Some(0), Some(200), 201)
    );

    let view = open(&store).await.view();
    for block in &chain.blocks {
        let problems = deep(&view, block.height, &block.raw)
            .await
            .expect("it is stored");
        assert_eq!(problems, []);
    }
    let other = deep(&view, 7, &chain.blocks[8].raw)
        .await
        .expect("it is stored");
    assert_eq!(other[0].rule, "deep.hash");
    let mut raw = chain.blocks[9].raw.to_vec();
    let last = raw.len() - 1;
    raw.truncate(last);
    let cut = deep(&view, 9, &raw).await.expect("it is stored");
    assert_eq!(cut[0].rule, "deep.unreadable");
}

#[tokio::test]
async fn a_damaged_blob_is_named_and_the_rest_is_still_checked() {
    let (store, _) = stored().await;
    let snapshot = store.snapshot().await.expect("memory does not fail");
    let blob = snapshot
        .get(FULL, &key(0))
        .await
        .expect("memory does not fail");
    let mut blob = blob.expect("the first chunk begins at 0").to_vec();
    let last = blob.len() - 1;
    blob[last] ^= 1;
    put(&store, |batch| batch.put(FULL, key(0).to_vec(), blob)).await;
    let report = report(&store).await;
    assert_eq!(found(&report)[0], (Some(0), "store.damaged"));
    assert_eq!(report.last, Some(200));
}

#[tokio::test]
async fn a_forged_header_and_a_swapped_txid_are_found_where_they_are() {
    let (store, _) = stored().await;
    let snapshot = store.snapshot().await.expect("memory does not fail");
    let row = snapshot
        .get(PROOFS, &key(64))
        .await
        .expect("memory does not fail");
    let page = ProofPage::decode(row.expect("there are 200 blocks")).expect("it is sound");
    drop(snapshot);
    let write = async |page: &ProofPage| {
        let value = page.encode();
        put(&store, |batch| batch.put(PROOFS, key(64).to_vec(), value)).await;
    };
    // With a valid checksum: only the rules can tell.
    let mut forged = page.clone();
    let mut header = forged.proofs[6].header.to_vec();
    header[101] ^= 1;
    forged.proofs[6].header = header.into();
    write(&forged).await;
    let seen = report(&store).await;
    assert_eq!(found(&seen)[0], (Some(70), "store.header"), "{seen:?}");
    assert!(
        found(&seen)
            .iter()
            .all(|(height, _)| (70..=72).contains(&height.unwrap_or(0)))
    );

    let mut forged = page.clone();
    let mut txids = forged.proofs[10].txids.to_vec();
    txids[3] ^= 1;
    forged.proofs[10].txids = txids.into();
    write(&forged).await;
    let seen = report(&store).await;
    let rules = found(&seen);
    assert!(rules.contains(&(Some(74), "store.txids")), "{rules:?}");
    assert!(
        rules.contains(&(Some(74), "zcash.merkle-root")),
        "{rules:?}"
    );
    assert_eq!(rules.len(), 2, "{rules:?}");

    write(&page).await;
    assert!(report(&store).await.is_clean());
}

#[tokio::test]
async fn a_missing_and_a_surplus_hash_are_found() {
    let (store, chain) = stored().await;
    put(&store, |batch| {
        batch.delete(IDS, chain.blocks[33].hash.to_vec());
    })
    .await;
    assert_eq!(found(&report(&store).await), [(Some(33), "store.ids")]);
    put(&store, |batch| {
        batch.put(IDS, chain.blocks[33].hash.to_vec(), key(33).to_vec());
        batch.put(IDS, vec![9; 32], key(5).to_vec());
    })
    .await;
    assert_eq!(found(&report(&store).await), [(None, "store.ids")]);
}
