//! One account of a real wallet.

use heliostat_sim::zcash::{
    Generator,
    generator::{PlantedNote, Shielded, plan::Balance},
};
use rand_pcg::Pcg64Mcg;
use rusqlite::Connection;
use secrecy::SecretVec;
use tempfile::TempDir;
use tonic::transport::Channel;
use zcash_client_backend::{
    data_api::{AccountBirthday, WalletRead, WalletWrite, wallet::ConfirmationsPolicy},
    proto::service::{BlockId, compact_tx_streamer_client::CompactTxStreamerClient},
    sync,
};
use zcash_client_sqlite::{AccountUuid, WalletDb, util::SystemClock, wallet::init::init_wallet_db};
use zcash_protocol::local_consensus::LocalNetwork;

use crate::{cache::MemoryCache, service::Service};

/// Blocks the wallet scans at a time: few, so that ranges and their tree
/// states are asked for often.
const BATCH: u32 = 37;
/// The wallet's first block. It asks for the tree state of the block before,
/// and in `GetTreeState` height 0 means "not given".
const BIRTHDAY: u64 = 2;

/// Received outputs that are mined, with the block that spends each, as the
/// wallet's own tables have them.
const RECEIVED: &str = "
    SELECT received.pool, made.mined_height, made.txid, received.output_index, received.value,
           (SELECT spent.mined_height
              FROM v_received_output_spends spends
              JOIN transactions spent ON spent.id_tx = spends.transaction_id
             WHERE spends.pool = received.pool
               AND spends.received_output_id = received.id_within_pool_table
               AND spent.mined_height IS NOT NULL)
      FROM v_received_outputs received
      JOIN transactions made ON made.id_tx = received.transaction_id
     WHERE made.mined_height IS NOT NULL";

type Database = WalletDb<Connection, LocalNetwork, SystemClock, Pcg64Mcg>;

/// A note as a wallet knows it: pool, height, txid, index, value, height of
/// its spend.
type Note = (Shielded, u64, [u8; 32], u32, u64, Option<u64>);

/// A wallet with one account.
pub struct Account {
    network: LocalNetwork,
    id: AccountUuid,
    database: Database,
    cache: MemoryCache,
    folder: TempDir,
}

impl Account {
    /// Restores the generator's wallet from its seed.
    pub async fn restore(chain: &Generator, service: &Service) -> Self {
        let network = chain.config().network;
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let mut database = WalletDb::for_path(
            folder.path().join("wallet.sqlite"),
            network,
            SystemClock,
            Pcg64Mcg::new(7),
        )
        .expect("a new database opens");
        init_wallet_db(&mut database, None).expect("a new database takes its tables");
        let before = BlockId {
            height: BIRTHDAY - 1,
            hash: Vec::new(),
        };
        let state = client(service).await.get_tree_state(before).await;
        let state = state
            .expect("the service knows the tree state")
            .into_inner();
        let birthday = AccountBirthday::from_treestate(state, None).expect("it can be read");
        let seed = SecretVec::new(chain.wallet().seed().to_vec());
        let (id, _) = database
            .create_account("planted", &seed, &birthday, None)
            .expect("a new database takes an account");
        Self {
            network,
            id,
            database,
            cache: MemoryCache::default(),
            folder,
        }
    }

    /// The library's own synchronization, start to end.
    pub async fn sync(&mut self, service: &Service) {
        let mut client = client(service).await;
        let (cache, database) = (&self.cache, &mut self.database);
        let synced = sync::run(&mut client, &self.network, cache, database, BATCH).await;
        if let Err(error) = synced {
            panic!("the wallet cannot sync: {error}");
        }
    }

    /// The wallet's notes are the planted ones, spends included, and no other.
    pub fn holds_what_was_planted(&self, chain: &Generator) {
        let mut planted: Vec<Note> = chain.plan().notes.iter().map(planted).collect();
        let mut received = self.received();
        planted.sort();
        received.sort();
        assert_eq!(received, planted);
    }

    /// The wallet's own balance, pool by pool, is the planted one, and it
    /// knows all of the chain.
    pub fn agrees_on_the_balance(&self, chain: &Generator) {
        let summary = self.database.get_wallet_summary(ConfirmationsPolicy::MIN);
        let summary = summary.expect("the database answers");
        let summary = summary.expect("a synced wallet has a summary");
        assert_eq!(
            u64::from(u32::from(summary.fully_scanned_height())),
            chain.height()
        );
        let balance = &summary.account_balances()[&self.id];
        let total = |balance: &zcash_client_backend::data_api::Balance| {
            (balance.total() + balance.uneconomic_value()).map(u64::from)
        };
        let [Some(sapling), Some(orchard), Some(ironwood)] = [
            total(balance.sapling_balance()),
            total(balance.orchard_balance()),
            total(balance.ironwood_balance()),
        ] else {
            panic!("more money than there is");
        };
        let held = Balance {
            sapling,
            orchard,
            ironwood,
        };
        assert_eq!(held, chain.plan().balance_at(chain.height()));
    }

    fn received(&self) -> Vec<Note> {
        let path = self.folder.path().join("wallet.sqlite");
        let connection = Connection::open(path).expect("the database opens twice");
        let mut query = connection.prepare(RECEIVED).expect("the tables are there");
        let rows = query.query_map([], |row| {
            let pool = match row.get(0)? {
                2 => Shielded::Sapling,
                3 => Shielded::Orchard,
                4 => Shielded::Ironwood,
                other => panic!("pool {other} is none that was planted in"),
            };
            let (height, txid, index) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((pool, height, txid, index, row.get(4)?, row.get(5)?))
        });
        let rows = rows.expect("the tables can be read");
        rows.map(|row| row.expect("a row has the shape asked for"))
            .collect()
    }
}

fn planted(note: &PlantedNote) -> Note {
    let spent = note.spent.map(|spent| spent.height);
    (
        note.pool,
        note.height,
        note.txid,
        note.index,
        note.value,
        spent,
    )
}

async fn client(service: &Service) -> CompactTxStreamerClient<Channel> {
    CompactTxStreamerClient::new(service.channel().await)
}
