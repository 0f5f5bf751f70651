//! `GetSubtreeRoots`: roots from an upstream, block hashes from our chain.

use std::sync::{Arc, Mutex, PoisonError};

use heliostat_core::{Id, Source as _};
use heliostat_zcash_proto::{GetSubtreeRootsArg, ShieldedProtocol, SubtreeRoot};
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, Status};

use super::{
    Service, View,
    defaults::{MAX_SUBTREES, SUBTREE_LISTS_KEPT},
    lru::Lru,
    upstream::words,
};

/// The reply to `z_getsubtreesbyindex`.
#[derive(Deserialize)]
struct Reply {
    subtrees: Vec<Subtree>,
}

#[derive(Deserialize)]
struct Subtree {
    root: String,
    end_height: u64,
}

/// A question, the tip it was answered at, and how many upstreams had been
/// convicted by then.
type Key = (Id, i32, u32, u32, usize);

/// Lists of roots by question and tip: within one block's time every wallet
/// asks the same.
#[derive(Default)]
pub(super) struct SubtreeLists(Mutex<Lru<Key, Arc<[SubtreeRoot]>>>);

impl SubtreeLists {
    fn get(&self, key: &Key) -> Option<Arc<[SubtreeRoot]>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).cloned()
    }

    fn put(&self, key: Key, roots: Arc<[SubtreeRoot]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(key, roots, SUBTREE_LISTS_KEPT);
    }
}

impl Service {
    /// Answers `GetSubtreeRoots`.
    pub(super) async fn subtree_roots(
        &self,
        wanted: GetSubtreeRootsArg,
    ) -> Result<Arc<[SubtreeRoot]>, Status> {
        let protocol = ShieldedProtocol::try_from(wanted.shielded_protocol)
            .map_err(|_| Status::unknown("unrecognized shielded protocol"))?;
        let view = self.view();
        let key = view.tip().map(|tip| {
            let (start, max) = (wanted.start_index, wanted.max_entries);
            (
                tip.id,
                wanted.shielded_protocol,
                start,
                max,
                self.nodes.convicted(),
            )
        });
        if let Some(roots) = key.and_then(|key| self.subtrees.get(&key)) {
            return Ok(roots);
        }
        let mut params = vec![json!(protocol.as_str_name()), json!(wanted.start_index)];
        if wanted.max_entries > 0 {
            params.push(json!(wanted.max_entries));
        }
        let asked = self.nodes.ask("z_getsubtreesbyindex", params.into()).await;
        let answer = asked.map_err(|refusal| {
            let prefix = "GetSubtreeRoots: z_getsubtreesbyindex, error: ";
            refusal.status(Code::InvalidArgument, prefix)
        })?;
        let reply = answer.read::<Reply>().map_err(|error| {
            Status::unknown(format!(
                "GetSubtreeRoots: failed to unmarshal z_getsubtreesbyindex reply, error: {error}"
            ))
        })?;
        if reply.subtrees.len() > MAX_SUBTREES {
            return Err(Status::unavailable(format!(
                "GetSubtreeRoots: the upstream sent {} subtree roots, more than a tree has",
                reply.subtrees.len()
            )));
        }
        let mut roots = Vec::with_capacity(reply.subtrees.len());
        for subtree in reply.subtrees {
            roots.push(self.subtree_root(&view, subtree).await?);
        }
        let roots: Arc<[SubtreeRoot]> = roots.into();
        if let Some(key) = key {
            self.subtrees.put(key, Arc::clone(&roots));
        }
        Ok(roots)
    }

    async fn subtree_root(&self, view: &View, subtree: Subtree) -> Result<SubtreeRoot, Status> {
        let root = hex::decode(&subtree.root).map_err(|error| {
            Status::internal(format!(
                "GetSubtreeRoots: failed to decode subtree.Root {}, error: {error}",
                subtree.root
            ))
        })?;
        let mut hash = self.completing_hash(view, subtree.end_height).await?.0;
        // The one hash that goes out in display order.
        hash.reverse();
        Ok(SubtreeRoot {
            root_hash: root.into(),
            completing_block_hash: hash.to_vec().into(),
            completing_block_height: subtree.end_height,
        })
    }

    /// The id of the block that completes a subtree: ours, and the upstream's
    /// where our chain does not reach (joined above it, or still syncing).
    async fn completing_hash(&self, view: &View, height: u64) -> Result<Id, Status> {
        let ours = view.link(height).await;
        let ours = ours.map_err(|error| super::unreadable("GetSubtreeRoots", &error))?;
        if let Some(link) = ours {
            return Ok(link.id);
        }
        let newer = || {
            // lightwalletd wraps the block lookup's own status in its text.
            Status::internal(format!(
                "rpc error: code = OutOfRange desc = GetBlock: block {height} is newer than the latest block"
            ))
        };
        let upstream = self.nodes.best().ok_or_else(|| {
            Status::unavailable(format!("GetSubtreeRoots: {}", super::upstream::NO_UPSTREAM))
        })?;
        match upstream.source().id_at(height).await {
            Ok(id) => id.ok_or_else(newer),
            Err(fault) => {
                let words = words(&upstream, &fault);
                Err(Status::unavailable(format!("GetSubtreeRoots: {words}")))
            }
        }
    }
}
