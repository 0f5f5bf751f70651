//! What other upstreams say of a mined transaction that its block does not
//! cover whole.
//!
//! From version 5 on a transaction id leaves out the authorizing data
//! (signatures and proofs, ZIP 244). The header does commit to it:
//!
//! ```text
//! hashBlockCommitments = BLAKE2b-256("ZcashBlockCommit",
//!     chain history root ‖ authorizing data root ‖ 32 zero bytes)
//! ```
//!
//! An opening of that hash would prove the data, whoever supplies it, and the
//! authorizing data root can be computed from the raw block. The chain history
//! root is what is missing:
//!
//! - zebrad 7 gives `blockcommitments` in `getblock` and `getblockheader`, but
//!   neither of the two roots (its source says "would be here" for both).
//!   `getblocktemplate` has them only for a block that is not mined yet, on
//!   nodes set up for mining.
//! - Computing it here takes the Merkle mountain range over all blocks since
//!   the last network upgrade (ZIP 221), whose leaves hold the roots of the
//!   note commitment trees: this light node counts those trees' leaves and
//!   does not hash them.
//! - zcashd gives both roots in `getblock`, undocumented. Its opening could be
//!   used, and is not yet: it would prove nothing for those who run zebrad.
//!
//! So nothing here proves the authorizing data, and what is left is to ask
//! around.

use std::sync::Arc;

use futures::future::join_all;
use heliostat_core::Assurance;
use heliostat_node::Role;
use heliostat_zcash_verifier::another_transaction;
use tokio::time::timeout;

use super::{
    Node,
    defaults::{AGREEMENT_CALL, AGREEMENT_CALLS},
    upstream::Nodes,
};

impl Nodes {
    /// How many upstreams give these very bytes for a transaction (`txid` in
    /// internal byte order), `from` counted: `Agreed` or `Relayed`. As
    /// everywhere, `n` is every upstream that is not quarantined. Witnesses
    /// are in it, but not asked: they are asked for ids only.
    pub(super) async fn agreement_on(
        &self,
        txid: &[u8; 32],
        data: &[u8],
        from: &Arc<Node>,
    ) -> Assurance {
        let others = self.all().iter().filter(|node| {
            node.role() == Role::Follow && node.is_usable() && !Arc::ptr_eq(node, from)
        });
        let votes = others
            .take(AGREEMENT_CALLS)
            .map(|node| self.gives(node, txid, data));
        let agreeing = join_all(votes).await.into_iter().filter(|vote| *vote);
        let k = 1 + agreeing.count();
        let n = self.all().iter().filter(|node| !node.is_quarantined());
        Assurance::agreed(k, n.count())
    }

    /// Whether a node has these bytes. Other bytes with the same id are a lie
    /// of one of the two, and nothing tells whose.
    async fn gives(&self, node: &Node, txid: &[u8; 32], data: &[u8]) -> bool {
        let asked = node.source().rpc().raw_transaction(txid);
        let Ok(Ok(theirs)) = timeout(AGREEMENT_CALL, asked).await else {
            return false;
        };
        if theirs == data {
            return true;
        }
        match another_transaction(txid, &theirs) {
            Some(evidence) => drop(self.convict("GetTransaction", node, evidence)),
            // Which transaction a client asked for is nobody else's business.
            None => tracing::warn!(upstream = node.name(), "authorizing data differs"),
        }
        false
    }
}
