//! Verified blocks: the chain state the verifier gets back is the one it left.

use std::sync::Arc;

use heliostat_core::{Reject, Verifier as _};
use heliostat_node::Replica as _;
use heliostat_sim::zcash::{Chain, Generator, GeneratorConfig};
use heliostat_store::Store;
use heliostat_zcash::{
    chunk::TABLES,
    replica::{Options, ZcashReplica},
};
use heliostat_zcash_verifier::{Network, RawBlock, Tip, Verified, ZcashVerifier};

async fn memory() -> Arc<dyn Store> {
    let options = heliostat_store::Options::default();
    heliostat_store::open("memory:", "regtest", &TABLES, options)
        .await
        .expect("memory can always be opened")
}

async fn open(store: Arc<dyn Store>) -> ZcashReplica {
    ZcashReplica::open(store, Network::Regtest, Options::default())
        .await
        .expect("the store is sound")
}

/// Verifies what a chain has above a tip.
fn verify(chain: &Chain, tip: &mut Tip) -> Result<Vec<Verified>, Reject> {
    let verifier = ZcashVerifier::new(Network::Regtest);
    let next = tip.next_height();
    let blocks = chain.blocks.iter().filter(|block| block.height >= next);
    let checked = blocks.map(|block| {
        let raw = RawBlock {
            bytes: block.raw.clone(),
            described: None,
        };
        let checked = verifier.check(block.height, raw)?;
        verifier.extend(tip, checked)
    });
    checked.collect()
}

fn same(a: &Tip, b: &Tip) {
    assert_eq!(a.link(), b.link());
    assert_eq!(a.sizes(), b.sizes());
    assert_eq!(a.work(), b.work());
    assert_eq!(a.cap(), b.cap());
}

#[tokio::test]
async fn the_chain_state_survives_restarts_and_rewinds() {
    let generator = Generator::new(GeneratorConfig::new(11, 150));
    let store = memory().await;
    let replica = open(store.clone()).await;
    let mut tip = replica.tip().await.expect("the store is new");
    same(&tip, &Tip::genesis(Network::Regtest));
    let blocks = verify(generator.chain(), &mut tip).expect("the chain is honest");
    replica
        .commit(None, blocks, &tip, false)
        .await
        .expect("memory does not fail");
    drop(replica);

    let replica = open(store).await;
    same(&tip, &replica.tip().await.expect("the store is sound"));
    assert_eq!(replica.floor().await.expect("the store is sound"), Some(0));

    // The chain goes on from a tip in the middle, on a branch.
    let fork = generator.fork(120, 40, 5).expect("the height exists");
    let mut tip = replica.tip_at(120).await.expect("it is stored");
    let branch = verify(fork.chain(), &mut tip).expect("the branch is honest");
    assert_eq!(branch.len(), 40);
    replica
        .commit(Some(120), branch, &tip, true)
        .await
        .expect("memory does not fail");
    same(&tip, &replica.tip().await.expect("the store is sound"));
    for block in &fork.chain().blocks {
        let id = replica
            .id_at(block.height)
            .await
            .expect("the store is sound");
        assert_eq!(id.map(|id| id.0), Some(block.hash));
        let txids = replica
            .view()
            .txids(block.height)
            .await
            .expect("the store is sound");
        assert_eq!(txids.as_ref(), Some(&block.txids));
    }
}
