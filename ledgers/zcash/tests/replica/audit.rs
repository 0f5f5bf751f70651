//! `heliostat verify` on sound and on damaged stores.

use std::sync::Arc;

use heliostat_core::{Assurance, Link, Verifier as _};
use heliostat_node::Replica as _;
use heliostat_sim::zcash::{Chain, Generator, GeneratorConfig};
use heliostat_store::{Batch, Store};
use heliostat_zcash::{
    audit::{Report, audit, deep},
    chunk::{CHUNKS, ChunkInfo, FULL, IDS, META, PROOFS, ProofPage, TABLES, key},
    replica::{Options, ZcashReplica},
};
use heliostat_zcash_verifier::{Joined, Network, RawBlock, ZcashVerifier, scan};

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
    // The right header over other transactions: a lie of the node, and no
    // damage of the store.
    let mut raw = chain.blocks[9].raw.to_vec();
    let last = raw.len() - 1;
    let root = scan(&raw).expect("the chain is honest").merkle_root;
    let mut flipped = (0..last).rev().map(|at| {
        let mut raw = raw.clone();
        raw[at] ^= 1;
        raw
    });
    let lie = flipped.find(|raw| scan(raw).is_ok_and(|block| block.merkle_root != root));
    let lie = deep(&view, 9, &lie.expect("ids cover most bytes")).await;
    assert_eq!(lie.expect("it is stored")[0].rule, "deep.merkle-root");
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
    // All are listed.
    put(&store, |batch| {
        for block in &chain.blocks {
            batch.put(IDS, block.hash.to_vec(), key(block.height).to_vec());
        }
        batch.put(META, &b"ids"[..], 201_u64.to_le_bytes().to_vec());
    })
    .await;
    assert!(report(&store).await.is_clean());
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

/// The rows that are read to open a store and to grade have no checksum.
#[tokio::test]
async fn what_the_row_of_a_chunk_says_is_held_against_its_blocks() {
    let (store, _) = stored().await;
    let snapshot = store.snapshot().await.expect("memory does not fail");
    let row = snapshot.get(CHUNKS, &key(0)).await;
    let row = row
        .expect("memory does not fail")
        .expect("chunk 0 is there");
    drop(snapshot);
    let info = ChunkInfo::decode(&key(0), &row).expect("it is sound");
    assert_eq!(info.cap, Assurance::Proven);
    let forged = [
        ChunkInfo {
            cap: Assurance::Relayed,
            ..info.clone()
        },
        ChunkInfo {
            bare: !info.bare,
            ..info.clone()
        },
        ChunkInfo {
            last: Link {
                time: 5,
                ..info.last
            },
            ..info.clone()
        },
    ];
    for forged in forged {
        put(&store, |batch| {
            batch.put(CHUNKS, key(0).to_vec(), forged.encode());
        })
        .await;
        let seen = report(&store).await;
        assert_eq!(found(&seen), [(Some(0), "store.chunk")], "{seen:?}");
    }
    put(&store, |batch| {
        batch.put(CHUNKS, key(0).to_vec(), info.encode());
    })
    .await;
    assert!(report(&store).await.is_clean());
}

#[tokio::test]
async fn a_grade_that_the_chain_cannot_give_is_found() {
    let (store, chain) = stored().await;
    // As if the chain had been joined at a block with sizes on a node's word,
    // which is what `rooted` and `sizes_vouched` would say.
    let replica = open(&store).await;
    let tip = replica.tip_at(99).await.expect("it is stored");
    let join = Joined {
        network: Network::Regtest,
        height: 99,
        headers: vec![
            replica
                .view()
                .proof(99)
                .await
                .expect("it is stored")
                .expect("it is stored")
                .header,
        ],
        sizes: tip.sizes(),
        rooted: true,
        sizes_vouched: false,
    };
    let new: Arc<dyn Store> = heliostat_store::open(
        "memory:",
        "regtest",
        &TABLES,
        heliostat_store::Options::default(),
    )
    .await
    .expect("memory can always be opened");
    let options = Options {
        join: Some(join),
        ..Options::default()
    };
    let joined = ZcashReplica::open(new.clone(), Network::Regtest, options).await;
    let joined = joined.expect("the store is new");
    let verifier = ZcashVerifier::new(Network::Regtest);
    let mut tip = joined.tip().await.expect("it is joined");
    let mut verified = Vec::new();
    for block in &chain.blocks[100..130] {
        let raw = RawBlock {
            bytes: block.raw.clone(),
            described: None,
        };
        let checked = verifier.check(block.height, raw).expect("honest");
        verified.push(verifier.extend(&mut tip, checked).expect("honest"));
    }
    assert!(verified.iter().all(|block| block.cap == Assurance::Relayed));
    verified[17].cap = Assurance::Proven;
    joined
        .commit(None, verified, &tip, true)
        .await
        .expect("memory does not fail");
    let seen = report(&new).await;
    assert_eq!(found(&seen), [(Some(117), "store.grade")], "{seen:?}");
}

#[tokio::test]
async fn a_store_that_lost_its_newest_blocks_is_not_clean() {
    let (store, _) = stored().await;
    put(&store, |batch| {
        let last = [key(150).to_vec(), vec![0xff; 9]];
        let [from, to] = last;
        batch.delete_range(CHUNKS, from, to);
    })
    .await;
    let seen = report(&store).await;
    assert!(!seen.problems.is_empty(), "{seen:?}");
    assert!(
        found(&seen)
            .iter()
            .all(|(_, rule)| *rule == "store.beyond-tip"),
        "{seen:?}"
    );
}
