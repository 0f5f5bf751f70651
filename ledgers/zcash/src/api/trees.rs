//! `GetTreeState` and `GetLatestTreeState`: from an upstream, held against our
//! own chain.

use std::sync::{Arc, Mutex, PoisonError};

use heliostat_core::Id;
use heliostat_zcash_proto::{BlockId, TreeState};
use heliostat_zcash_verifier::another_tree_state;
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, Status};

use super::{
    Node, Service,
    defaults::{MAX_TREE_STATE_SKIPS, READ_ATTEMPTS, TREE_STATE_RETRY, TREE_STATES_KEPT},
    lru::Lru,
    transaction::display,
    upstream::Refusal,
};
use crate::rpc::Exchange;

/// The reply to `z_gettreestate`.
#[derive(Deserialize)]
struct Reply {
    height: u64,
    hash: String,
    time: u32,
    #[serde(default)]
    sapling: Pool,
    #[serde(default)]
    orchard: Pool,
    #[serde(default)]
    ironwood: Pool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pool {
    commitments: Commitments,
    #[serde(rename = "skipHash")]
    skip_hash: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Commitments {
    #[serde(rename = "finalState")]
    final_state: String,
}

/// A block hash, and how many upstreams had been convicted by then.
type Key = (Id, usize);

/// Tree states by block hash. A state belongs to its block for ever, so no
/// reorganization makes an entry wrong; one that is on no chain any more, or
/// that may be a liar's, is pushed out in time.
#[derive(Default)]
pub(super) struct TreeStates(Mutex<Lru<Key, TreeState>>);

impl TreeStates {
    fn get(&self, key: &Key) -> Option<TreeState> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).cloned()
    }

    fn put(&self, key: Key, state: TreeState) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(key, state, TREE_STATES_KEPT);
    }
}

/// Which block's state is wanted.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// The block at this height of our chain, or of the upstream's where ours
    /// does not reach.
    Height(u64),
    /// This block, wherever it is.
    Hash(Id),
    /// Our newest block, whichever that is by then.
    Tip,
}

/// What to ask for, and what is known of it.
struct Question {
    /// By height or by hash, as the node is asked.
    by: By,
    /// The block of our chain it is about, when it is on our chain.
    ours: Option<Id>,
}

enum By {
    Height(u64),
    Hash(Id),
}

/// Where a reply comes from.
struct Origin {
    exchange: Exchange,
    from: Arc<Node>,
}

/// The node's code for a block that is not on its chain.
const NOT_THERE: i64 = -8;

/// Why a reply is not the state that is wanted.
enum Unfit {
    /// It is of another chain; asking again may help.
    Fork(String),
    /// Nothing helps.
    Refused(Status),
}

impl Service {
    /// Answers `GetTreeState`. The hash is in display order here, unlike
    /// everywhere else in the protocol.
    pub(super) async fn tree_state(&self, wanted: BlockId) -> Result<TreeState, Status> {
        if wanted.height > 0 {
            return self.state_of(Wanted::Height(wanted.height)).await;
        }
        if wanted.hash.is_empty() {
            return Err(Status::invalid_argument(
                "GetTreeState: must specify a block height or ID (hash)",
            ));
        }
        let mut hash: [u8; 32] = wanted.hash.as_ref().try_into().map_err(|_| {
            Status::invalid_argument(format!(
                "GetTreeState: block hash has invalid length: {}",
                wanted.hash.len()
            ))
        })?;
        hash.reverse();
        self.state_of(Wanted::Hash(Id(hash))).await
    }

    /// Answers `GetLatestTreeState`: the state of our newest block.
    pub(super) async fn latest_tree_state(&self) -> Result<TreeState, Status> {
        self.state_of(Wanted::Tip).await
    }

    async fn state_of(&self, wanted: Wanted) -> Result<TreeState, Status> {
        let mut fork = String::new();
        for attempt in 0..READ_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(TREE_STATE_RETRY).await;
            }
            // Our chain may have moved since the last attempt.
            let question = self.question(wanted).await?;
            let known = match question.by {
                By::Hash(id) => Some(id),
                By::Height(_) => question.ours,
            };
            let known = known.map(|id| (id, self.nodes.convicted()));
            if let Some(state) = known.and_then(|key| self.tree_states.get(&key)) {
                return Ok(state);
            }
            match self.ask_state(&question).await {
                Ok(state) => {
                    if let Some(key) = known {
                        self.tree_states.put(key, state.clone());
                    }
                    return Ok(state);
                }
                Err(Unfit::Fork(words)) => fork = words,
                Err(Unfit::Refused(status)) => return Err(status),
            }
        }
        Err(Status::aborted(format!("GetTreeState: {fork}; try again")))
    }

    async fn question(&self, wanted: Wanted) -> Result<Question, Status> {
        let unreadable = |error| super::unreadable("GetTreeState", &error);
        Ok(match wanted {
            Wanted::Height(height) => {
                let link = self.view().link(height).await.map_err(unreadable)?;
                Question {
                    by: By::Height(height),
                    ours: link.map(|link| link.id),
                }
            }
            Wanted::Hash(id) => {
                let height = self.view().height_of(&id).await.map_err(unreadable)?;
                Question {
                    by: By::Hash(id),
                    ours: height.map(|_| id),
                }
            }
            Wanted::Tip => {
                let id = self.tip("GetLatestTreeState")?.id;
                Question {
                    by: By::Hash(id),
                    ours: Some(id),
                }
            }
        })
    }

    /// One attempt: asks, holds the reply against the question and our chain,
    /// and follows `skipHash`.
    async fn ask_state(&self, question: &Question) -> Result<TreeState, Unfit> {
        let asked = match question.by {
            // The node wants a height as a string.
            By::Height(height) => height.to_string(),
            By::Hash(id) => display(&id.0),
        };
        let (mut reply, from) = self.one_state(&asked, question.ours.is_some()).await?;
        if let Some(id) = question.ours
            && !reply.hash.eq_ignore_ascii_case(&display(&id.0))
        {
            return Err(Unfit::Fork(format!(
                "upstream {} has another block at height {} than this server; one of them is following a reorganization",
                from.name(),
                reply.height
            )));
        }
        for _ in 0..MAX_TREE_STATE_SKIPS {
            if !reply.sapling.commitments.final_state.is_empty()
                || reply.sapling.skip_hash.is_empty()
            {
                break;
            }
            let skip = std::mem::take(&mut reply.sapling.skip_hash);
            let (next, _) = self.one_state(&skip, false).await?;
            if next.height >= reply.height {
                return Err(Unfit::Refused(Status::unavailable(format!(
                    "GetTreeState: upstream {} names a tree state it does not have",
                    from.name()
                ))));
            }
            reply = next;
        }
        if reply.sapling.commitments.final_state.is_empty() {
            return Err(Unfit::Refused(Status::invalid_argument(
                "GetTreeState: z_gettreestate did not return treestate",
            )));
        }
        Ok(TreeState {
            network: self
                .chain_name("GetTreeState")
                .await
                .map_err(Unfit::Refused)?,
            height: reply.height,
            hash: reply.hash,
            time: reply.time,
            sapling_tree: reply.sapling.commitments.final_state,
            orchard_tree: reply.orchard.commitments.final_state,
            ironwood_tree: reply.ironwood.commitments.final_state,
        })
    }

    /// One reply that is one to what was asked. `ours` says that the block is on our chain, so that a node
    /// that does not have it is on another one.
    async fn one_state(&self, asked: &str, ours: bool) -> Result<(Reply, Arc<Node>), Unfit> {
        let answer = match self.nodes.ask("z_gettreestate", json!([asked])).await {
            Ok(answer) => answer,
            Err(Refusal::Node {
                code: NOT_THERE, ..
            }) if ours => {
                return Err(Unfit::Fork(format!(
                    "the upstream does not have block {asked} of this server's chain any more, or not yet"
                )));
            }
            Err(refusal) => {
                let prefix = "GetTreeState: z_gettreestate failed: ";
                return Err(Unfit::Refused(
                    refusal.status(Code::InvalidArgument, prefix),
                ));
            }
        };
        let of = Origin {
            exchange: answer.exchange.clone(),
            from: Arc::clone(&answer.from),
        };
        let reply = answer.read::<Reply>().map_err(|error| {
            Unfit::Refused(Status::invalid_argument(format!(
                "GetTreeState: cannot marshal treestate: {error}"
            )))
        })?;
        self.is_answer_to(asked, &reply, &of)?;
        Ok((reply, of.from))
    }

    /// A reply for another height or hash than the one asked for convicts its
    /// sender, as far as the bytes of both sides prove it. What they do not
    /// prove (such as a block hash that is none) is not passed on either.
    fn is_answer_to(&self, asked: &str, reply: &Reply, of: &Origin) -> Result<(), Unfit> {
        let height = reply.height.to_string();
        if reply.hash.eq_ignore_ascii_case(asked) || height == asked {
            return Ok(());
        }
        let (Exchange { request, reply }, from) = (&of.exchange, &of.from);
        let status = match another_tree_state(request, reply) {
            Some(evidence) => self.nodes.convict("GetTreeState", from, evidence),
            None => Status::unavailable(format!(
                "GetTreeState: upstream {} did not answer what it was asked; try again",
                from.name()
            )),
        };
        Err(Unfit::Refused(status))
    }
}
