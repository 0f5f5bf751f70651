//! The chain's id: what the operator says, a quorum of bakers signs for, or
//! enough endpoints agree on.

use std::sync::{Arc, MutexGuard, PoisonError};

use heliostat_core::Assurance;
use heliostat_tezos_verifier::{BlockHash, ChainId};

use super::Core;
use crate::error::ReadError;

/// Who gave the chain's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// So many endpoints, when all were asked.
    By(usize),
    /// A quorum of bakers, whose signatures are good for no other chain.
    Quorum,
}

impl Core {
    /// The chain's id: the operator's, else as enough endpoints give it.
    pub(crate) async fn chain_id(self: &Arc<Self>) -> Result<(ChainId, Assurance), ReadError> {
        if let Some(id) = self.settings.chain_id {
            return Ok((id, Assurance::Proven));
        }
        let _alone = self.asking_chain.lock().await;
        if let Some((id, by)) = self.known_chain() {
            return Ok((id, self.grade_of_name(by)));
        }
        let path = format!("/chains/{}/chain_id", self.settings.chain);
        let (json, votes) = self.agree(&path, "the chain's id").await?;
        let id = serde_json::from_slice(&json).map_err(|error| {
            ReadError::Unavailable(format!("the chain's id cannot be read: {error}"))
        })?;
        // A quorum may have told it meanwhile, which is more.
        let (id, by) = self.learn_chain(id, Named::By(votes));
        Ok((id, self.grade_of_name(by)))
    }

    fn grade_of_name(&self, by: Named) -> Assurance {
        match by {
            Named::Quorum => Assurance::Proven,
            Named::By(votes) => self.grade_of_votes(votes),
        }
    }

    /// Whether a block is known to be the chain's first one, whose hash is
    /// chosen and not computed: the chain's id is made from it.
    pub(crate) fn is_genesis(&self, hash: &BlockHash) -> bool {
        let asked = self.known_chain().map(|(id, _)| id);
        let id = self.settings.chain_id.or(asked);
        id.is_some_and(|id| id == ChainId::of_genesis(hash))
    }

    /// Whether a block is the chain's first one, and nobody knew because the
    /// chain's id had not been asked for.
    pub(crate) async fn turns_out_genesis(self: &Arc<Self>, hash: &BlockHash) -> bool {
        let is_news = self.settings.chain_id.is_none() && self.known_chain().is_none();
        is_news && self.chain_id().await.is_ok() && self.is_genesis(hash)
    }

    fn named(&self) -> MutexGuard<'_, Option<(ChainId, Named)>> {
        self.chain_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what endpoints said, of which one was caught lying: those who
    /// are left are asked again.
    pub(super) fn forget_votes_for_chain(&self) {
        self.named().take_if(|(_, by)| *by != Named::Quorum);
    }

    /// The chain's id and who gave it, once somebody has.
    fn known_chain(&self) -> Option<(ChainId, Named)> {
        *self.named()
    }

    /// Takes a chain id; a quorum's stands above what endpoints say. What is
    /// known then.
    pub(crate) fn learn_chain(&self, id: ChainId, by: Named) -> (ChainId, Named) {
        let mut named = self.named();
        match *named {
            Some(known @ (_, Named::Quorum)) => known,
            _ => *named.insert((id, by)),
        }
    }
}
