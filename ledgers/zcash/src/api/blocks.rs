//! `GetLatestBlock`, `GetBlock` and `GetBlockNullifiers`, from the replica.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::{Assurance, Id};
use heliostat_node::Agreement;
use heliostat_zcash_proto::BlockId;
use tonic::Status;

use super::{Service, View, defaults::READ_ATTEMPTS, unreadable};
use crate::{
    frames::Projection,
    range::{self, ChainGrade, Which},
    replica::ZcashReplica,
    view::ReadError,
};

impl Service {
    /// Answers `GetLatestBlock`.
    pub(super) async fn latest_block(&self) -> Result<(BlockId, Assurance), Status> {
        let mut tries = 1..READ_ATTEMPTS;
        loop {
            let view = self.view();
            let tip = view.tip().ok_or_else(|| super::empty("GetLatestBlock"))?;
            let graded = self.block_grade("GetLatestBlock", &view, tip.height).await;
            let grade = match graded {
                // There is a newer one.
                Err(_) if view.touched(tip.height) && tries.next().is_some() => continue,
                graded => graded?,
            };
            let id = BlockId {
                height: tip.height,
                hash: tip.id.0.to_vec().into(),
            };
            return Ok((id, grade));
        }
    }

    /// Answers `GetBlock` and `GetBlockNullifiers`, which differ in the
    /// projection, with the frame that is sent. A hash wins over a height, as
    /// the more specific one.
    pub(super) async fn block(
        &self,
        method: &str,
        wanted: BlockId,
        projection: Projection,
    ) -> Result<(Bytes, Assurance), Status> {
        let view = self.view();
        let which = if wanted.hash.is_empty() {
            if wanted.height == 0 {
                return Err(Status::invalid_argument(if method == "GetBlock" {
                    "GetBlock: request for unspecified identifier"
                } else {
                    "GetBlockNullifiers: must specify a block height"
                }));
            }
            Which::Height(wanted.height)
        } else {
            Which::Id(id(method, &wanted.hash)?)
        };
        let slab = range::block(&view, which, projection).await?;
        let height = *slab.heights.start();
        let grade = slab.cap.min((self.chain_grade)(height));
        let standing = still_of_our_chain(&view, height);
        standing.map_err(|error| range::failure(error, &view))?;
        Ok((slab.bytes, grade))
    }

    /// The grade of the block that `view` has at a height.
    pub(super) async fn block_grade(
        &self,
        method: &str,
        view: &View,
        height: u64,
    ) -> Result<Assurance, Status> {
        let cap = view
            .cap(height)
            .await
            .map_err(|error| unreadable(method, &error))?;
        let cap = cap.unwrap_or(Assurance::Relayed);
        let grade = cap.min((self.chain_grade)(height));
        let standing = still_of_our_chain(view, height);
        standing.map_err(|error| unreadable(method, &error))?;
        Ok(grade)
    }
}

/// To be asked after a grade of the chain was taken: what upstreams say of a
/// height is about the block that is there now, and the view may be older.
fn still_of_our_chain(view: &View, height: u64) -> Result<(), ReadError> {
    match view.touched(height) {
        true => Err(ReadError::Reorged),
        false => Ok(()),
    }
}

/// What the chain itself is good for at a height: its proof-of-work, and on a
/// network without one what the upstreams agree on.
pub(super) fn chain_grade(replica: &ZcashReplica, agreement: &Arc<Agreement>) -> ChainGrade {
    if replica.network().has_proof_of_work() {
        return Arc::new(|_| Assurance::Proven);
    }
    let agreement = Arc::clone(agreement);
    Arc::new(move |height| agreement.grade(height))
}

fn id(method: &str, hash: &[u8]) -> Result<Id, Status> {
    let id: [u8; 32] = hash.try_into().map_err(|_| {
        Status::invalid_argument(format!(
            "{method}: block hash has invalid length: {}",
            hash.len()
        ))
    })?;
    Ok(Id(id))
}
