//! `GetLatestBlock`, `GetBlock` and `GetBlockNullifiers`, from the replica.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::{Assurance, Id};
use heliostat_node::Agreement;
use heliostat_zcash_proto::BlockId;
use tonic::Status;

use super::{Service, View, unreadable};
use crate::{
    frames::Projection,
    range::{self, ChainGrade, Which},
    replica::ZcashReplica,
};

impl Service {
    /// Answers `GetLatestBlock`.
    pub(super) async fn latest_block(&self) -> Result<(BlockId, Assurance), Status> {
        let view = self.view();
        let tip = view.tip().ok_or_else(|| super::empty("GetLatestBlock"))?;
        let grade = self
            .block_grade("GetLatestBlock", &view, tip.height)
            .await?;
        let id = BlockId {
            height: tip.height,
            hash: tip.id.0.to_vec().into(),
        };
        Ok((id, grade))
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
        let grade = slab.cap.min((self.chain_grade)(*slab.heights.start()));
        Ok((slab.bytes, grade))
    }

    /// The grade of the block at a height of our chain.
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
        Ok(cap.min((self.chain_grade)(height)))
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
