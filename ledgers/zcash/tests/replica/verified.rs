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
use heliostat_zcash_verifier::{
    Joined, Network, RawBlock, Tip, TreeSizes, Verified, ZcashVerifier,
};

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

#[tokio::test]
async fn a_joined_chain_knows_its_joint_empty_filled_and_rewound() {
    let generator = Generator::new(GeneratorConfig::new(11, 40));
    let blocks = &generator.chain().blocks;
    let joint = &blocks[30];
    let counted = verify(
        &generator.chain().up_to(30),
        &mut Tip::genesis(Network::Regtest),
    );
    let counted = counted.expect("the chain is honest");
    let last = counted.last().expect("there are blocks below the joint");
    let joined = Joined {
        network: Network::Regtest,
        height: 30,
        headers: vec![last.header.clone()],
        sizes: last.sizes,
        rooted: true,
        sizes_vouched: true,
    };
    assert_ne!(
        joined.sizes,
        TreeSizes::default(),
        "the sizes say something"
    );
    let store = memory().await;
    let options = Options {
        join: Some(joined),
        ..Options::default()
    };
    let replica = ZcashReplica::open(store.clone(), Network::Regtest, options)
        .await
        .expect("the store is new");
    at_joint(&replica, joint.hash).await;
    assert_eq!(replica.view().floor(), None, "nothing is stored");

    let mut tip = replica.tip().await.expect("the store is new");
    let above = verify(generator.chain(), &mut tip).expect("the chain is honest");
    assert_eq!(above.len(), 10);
    let stored = replica.commit(None, above, &tip, true).await;
    stored.expect("memory does not fail");
    drop(replica);

    let replica = open(store.clone()).await;
    same(&tip, &replica.tip().await.expect("the store is sound"));
    at_joint(&replica, joint.hash).await;
    let view = replica.view();
    assert_eq!(view.floor(), Some(31), "the joint itself is not served");
    assert!(view.link(30).await.expect("the store is sound").is_none());

    // A branch from the joint on leaves nothing of what was stored.
    let fork = generator.fork(30, 15, 5).expect("the height exists");
    let mut tip = replica.tip_at(30).await.expect("the joint is known");
    let branch = verify(fork.chain(), &mut tip).expect("the branch is honest");
    assert_eq!(branch.len(), 15);
    let stored = replica.commit(Some(30), branch, &tip, true).await;
    stored.expect("memory does not fail");
    let replica = open(store).await;
    same(&tip, &replica.tip().await.expect("the store is sound"));
    at_joint(&replica, joint.hash).await;
    let report = heliostat_zcash::audit::audit(&replica, |_, _| ()).await;
    let report = report.expect("the store can be read");
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!((report.first, report.blocks), (Some(31), 15));
}

/// The follower finds the joint wherever it looks for it.
async fn at_joint(replica: &ZcashReplica, hash: [u8; 32]) {
    let floor = replica.floor().await.expect("the store is sound");
    assert_eq!(floor, Some(30));
    let id = replica.id_at(30).await.expect("the store is sound");
    assert_eq!(id.map(|id| id.0), Some(hash));
    let below = replica.id_at(29).await.expect("the store is sound");
    assert_eq!(below, None);
    let tip = replica.tip_at(30).await.expect("the joint is known");
    assert_eq!(tip.link().map(|link| link.id.0), Some(hash));
}
