//! A real wallet library through Heliostat: `zcash_client_backend`'s own sync
//! with a `zcash_client_sqlite` database, over tonic, in front of a simulated
//! node. It finds exactly the notes that were planted for it in Sapling,
//! Orchard and Ironwood, and holds the right balance before and after a reorg.

use heliostat_sim::zcash::{Generator, GeneratorConfig, generator::Shielded};
use zcash_protocol::consensus::BlockHeight;

#[path = "wallet/account.rs"]
mod account;
#[path = "wallet/cache.rs"]
mod cache;
#[path = "wallet/service.rs"]
mod service;

use account::Account;
use service::Service;

/// Blocks an unmined transaction of unknown expiry keeps its notes locked in
/// the wallet (zcash_client_sqlite's guess), and one more.
const LOCKED: u64 = 41;

fn trunk(seed: u64, blocks: u64) -> Generator {
    eprintln!("seed {seed}");
    let mut config = GeneratorConfig::new(seed, blocks);
    config.plant_every = 6;
    Generator::new(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_finds_exactly_the_planted_notes_in_every_pool() {
    let chain = trunk(101, 400);
    let service = Service::start(chain.chain().clone()).await;
    let mut account = Account::restore(&chain, &service).await;
    account.sync(&service).await;
    account.holds_what_was_planted(&chain);
    account.agrees_on_the_balance(&chain);
    let plan = chain.plan();
    let balance = plan.balance_at(400);
    assert!(balance.sapling > 0 && balance.orchard > 0 && balance.ironwood > 0);
    assert!(plan.notes.iter().any(|note| note.spent.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_crosses_the_activation_of_orchard_and_of_ironwood() {
    let mut config = GeneratorConfig::new(106, 160);
    config.plant_every = 6;
    config.network.nu5 = Some(BlockHeight::from_u32(50));
    config.network.nu6 = config.network.nu5;
    config.network.nu6_1 = config.network.nu5;
    config.network.nu6_2 = config.network.nu5;
    config.network.nu6_3 = Some(BlockHeight::from_u32(100));
    let chain = Generator::new(config);
    let service = Service::start(chain.chain().clone()).await;
    let mut account = Account::restore(&chain, &service).await;
    account.sync(&service).await;
    account.holds_what_was_planted(&chain);
    account.agrees_on_the_balance(&chain);
    let first = |pool| {
        let mut notes = chain.plan().notes.iter();
        let first = notes.find(|note| note.pool == pool);
        first.map(|note| note.height).expect("every pool has notes")
    };
    assert!(first(Shielded::Sapling) < 50);
    assert!((50..100).contains(&first(Shielded::Orchard)));
    assert!(first(Shielded::Ironwood) >= 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_follows_the_chain_as_it_grows() {
    let mut chain = trunk(102, 150);
    let service = Service::start(chain.chain().clone()).await;
    let mut account = Account::restore(&chain, &service).await;
    account.sync(&service).await;
    account.agrees_on_the_balance(&chain);
    for blocks in [1, 7, 60] {
        chain.extend(blocks);
        service.show(chain.chain().clone()).await;
        account.sync(&service).await;
        account.holds_what_was_planted(&chain);
        account.agrees_on_the_balance(&chain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_holds_the_right_balance_before_and_after_a_reorg() {
    let (mut notes, mut spends) = (0, 0);
    for (seed, depth) in [(103, 1), (104, 9), (105, 25)] {
        let chain = trunk(seed, 200);
        let service = Service::start(chain.chain().clone()).await;
        let mut account = Account::restore(&chain, &service).await;
        account.sync(&service).await;
        account.holds_what_was_planted(&chain);
        account.agrees_on_the_balance(&chain);

        let fork = chain.fork(200 - depth, depth + 3, 1);
        let mut fork = fork.expect("the trunk has the height");
        let orphaned = |height| height > 200 - depth;
        for note in &chain.plan().notes {
            notes += usize::from(orphaned(note.height));
            let spent = note.spent.is_some_and(|spent| orphaned(spent.height));
            spends += usize::from(spent && !orphaned(note.height));
        }
        service.show(fork.chain().clone()).await;
        account.sync(&service).await;
        account.holds_what_was_planted(&fork);

        // What an orphaned transaction spent stays locked for a while: the
        // wallet expects it to be mined again.
        fork.extend(LOCKED);
        service.show(fork.chain().clone()).await;
        account.sync(&service).await;
        account.holds_what_was_planted(&fork);
        account.agrees_on_the_balance(&fork);
    }
    // Notes vanished, and spent ones came back: else this showed too little.
    assert!(notes > 0 && spends > 0, "{notes} notes, {spends} spends");
}
