//! `--sync-from-height` and `--redownload`: leaving out what is stored.

use std::sync::Arc;

use heliostat_store::{Batch, Store};
use heliostat_zcash::{
    chunk::{META, TABLES},
    replica::{self, NETWORK_ROW},
};

use crate::{
    cli::exit::{Failure, store_failure},
    defaults,
};

/// Forgets what is stored from `height` on; with 0, everything but the
/// findings.
pub(super) async fn from(store: &Arc<dyn Store>, height: u64) -> Result<(), Failure> {
    let network = store.get(META, NETWORK_ROW.as_bytes()).await;
    let Some(network) = network.map_err(store_failure)? else {
        return Ok(());
    };
    if height == 0 {
        let mut batch = Batch::new();
        for table in TABLES {
            batch.delete_range(table, &[][..], &[0xff; defaults::LONGEST_KEY][..]);
        }
        return store.commit(batch).await.map_err(store_failure);
    }
    let network = String::from_utf8_lossy(&network).into_owned();
    let cache = replica::defaults::CACHE_BYTES;
    let log = replica::BlockLog::open(Arc::clone(store), &network, cache, false)
        .await
        .map_err(store_failure)?;
    let tip = log.view().tip();
    if tip.is_some_and(|tip| tip.height >= height) {
        log.commit(Some(height - 1), Vec::new(), false)
            .await
            .map_err(store_failure)?;
    }
    Ok(())
}
