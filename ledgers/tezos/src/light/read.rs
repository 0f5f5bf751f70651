//! Reading keys of a pinned block: what is verified already is answered from
//! memory, the rest is grouped into as few proofs as pays, each fetched once
//! for everybody who waits for it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt as _, future::join_all};
use heliostat_tezos_context::{Key, Lookup, Tree, v1};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Core,
    block::{BlockState, Flight},
    fetch,
};
use crate::{consensus, defaults, endpoint::proofs::Question, error::ReadError};

/// What a block's state says of a key: verified, also where nothing is there.
#[derive(Clone, Debug)]
pub enum Found {
    /// These bytes.
    Value(Bytes),
    /// A directory; parts of it may be blinded.
    Directory(Tree),
    /// Nothing, and the pinned root says so.
    Absent,
}

/// One proof to be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    /// What is asked for.
    pub key: Key,
    /// What it is asked for; read one by one where `key` as a whole is too
    /// large.
    pub instead: Vec<Key>,
    /// The most bytes of the answer.
    pub cap: usize,
}

impl Want {
    fn exact(key: Key) -> Self {
        Self {
            key,
            instead: Vec::new(),
            cap: defaults::PROOF_BYTES,
        }
    }
}

/// How often a read looks again at what is missing: once for a parent that
/// proved too large, once for a block that was refuted meanwhile.
const ROUNDS: usize = 4;

impl Core {
    /// Reads keys of one block, in their order.
    pub(crate) async fn read(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        keys: &[Key],
    ) -> Result<Vec<Found>, ReadError> {
        if keys.len() > defaults::KEYS_PER_REQUEST {
            return Err(ReadError::TooLarge(format!(
                "the request needs more than {} keys",
                defaults::KEYS_PER_REQUEST
            )));
        }
        for _ in 0..ROUNDS {
            let missing: Vec<Key> = keys
                .iter()
                .filter(|key| matches!(state.find(key), Lookup::Blinded))
                .cloned()
                .collect();
            if missing.is_empty() {
                break;
            }
            if self.wait_for_first(state, &missing).await {
                continue;
            }
            let wants = self.wants(state, &missing);
            let flights = wants.into_iter().map(|want| self.flight(state, want));
            for result in join_all(flights).await {
                result?;
            }
        }
        keys.iter().map(|key| self.found(state, key)).collect()
    }

    /// Reads anything of a block's state: every proof shows the root directory,
    /// and pins the root.
    pub(crate) async fn show_root(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
    ) -> Result<(), ReadError> {
        let any = Key::new([b"version"]).expect("one step is a key because it is not empty");
        self.read(state, &[any]).await.map(drop)
    }

    /// Reads a whole directory or value.
    pub(crate) async fn read_whole(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        key: &Key,
        cap: usize,
    ) -> Result<Found, ReadError> {
        for _ in 0..2 {
            match state.find(key) {
                Lookup::Contents(bytes) => return Ok(Found::Value(bytes)),
                Lookup::Absent => return Ok(Found::Absent),
                Lookup::Directory(tree) if tree.is_complete() => {
                    return Ok(Found::Directory(tree));
                }
                Lookup::Directory(_) | Lookup::Blinded => {}
            }
            let want = Want {
                cap,
                ..Want::exact(key.clone())
            };
            self.flight(state, want).await?;
        }
        self.found(state, key)
    }

    /// A `merkle_tree` (v1) answer as text, made of what the first endpoint
    /// shows whose answer has the directory `data` of the pinned root. It is
    /// made anew, because such an answer may be one for another key.
    pub(crate) async fn read_v1(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        key: &Key,
        holey: bool,
    ) -> Result<Bytes, ReadError> {
        // Pins the root, if nothing else.
        self.read(state, std::slice::from_ref(key)).await?;
        let question = Question {
            chain: &self.settings.chain,
            block: &state.text,
            key,
            holey,
            cap: defaults::DIRECTORY_BYTES,
        };
        let mut trouble = Vec::new();
        for at in self.askable() {
            let name = self.endpoint(at).name();
            match self.endpoint(at).prove_v1(question).await {
                Ok(proved) if state.is_data(&proved.root) => {
                    let made = v1::produce_below(&proved.tree, key, holey).ok();
                    match made.and_then(|made| v1::write(&made)) {
                        Some(text) => return Ok(text.into()),
                        None => trouble.push(format!("{name}: it does not show the key")),
                    }
                }
                Ok(_) => trouble.push(format!("{name}: not the pinned root")),
                Err(error) => {
                    trouble.push(format!("{name}: {}", error.words()));
                    self.note(at, error);
                }
            }
        }
        Err(ReadError::Unavailable(format!(
            "no endpoint gives merkle_tree of {key}: {}",
            trouble.join("; ")
        )))
    }

    fn found(&self, state: &BlockState, key: &Key) -> Result<Found, ReadError> {
        match state.find(key) {
            Lookup::Contents(bytes) => Ok(Found::Value(bytes)),
            Lookup::Directory(tree) => Ok(Found::Directory(tree)),
            Lookup::Absent => Ok(Found::Absent),
            Lookup::Blinded => Err(ReadError::NoAgreement(consensus::nobody(
                &self.settings.chain,
                &state.text,
                self.n(),
                &key.to_string(),
            ))),
        }
    }

    /// Nothing is known of this block yet, but an older block knows the keys:
    /// they probably did not change. The first proof of the block then shows
    /// it, so it is waited for instead of asking for each key at once.
    async fn wait_for_first(&self, state: &Arc<BlockState>, missing: &[Key]) -> bool {
        if !state.is_empty() {
            return false;
        }
        let first = self.flights(state).values().next().cloned();
        let (Some(first), Some(older)) = (first, self.blocks.older(&state.hash)) else {
            return false;
        };
        let knows = |key: &Key| !matches!(older.find(key), Lookup::Blinded);
        if !missing.iter().any(knows) {
            return false;
        }
        // Its failure is its own asker's; ours is found out by asking.
        first.await.is_ok()
    }

    /// The proofs to ask for: an account as a whole, where that is likely
    /// smaller than its parts one by one.
    fn wants(&self, state: &BlockState, missing: &[Key]) -> Vec<Want> {
        let mut parents: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        let mut wants = Vec::new();
        for key in missing {
            match parent(key) {
                Some(parent) => parents.entry(parent).or_default().push(key.clone()),
                None => wants.push(Want::exact(key.clone())),
            }
        }
        for (parent, keys) in parents {
            let pays = keys.len() > 1 || is_small(&parent);
            let is_open = matches!(state.find(&parent), Lookup::Blinded);
            if pays && (is_open || keys.len() > 1) && !self.is_large(&parent) {
                wants.push(Want {
                    cap: match keys.len() {
                        1 => defaults::ACCOUNT_BYTES,
                        _ => defaults::PROOF_BYTES,
                    },
                    key: parent,
                    instead: keys,
                });
            } else {
                wants.extend(keys.into_iter().map(Want::exact));
            }
        }
        wants
    }

    fn flights<'a>(
        &self,
        state: &'a BlockState,
    ) -> std::sync::MutexGuard<'a, std::collections::HashMap<Key, Flight>> {
        let flights = state.flights.lock();
        flights.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The proof that is being fetched for a key, or begins to be.
    fn flight(self: &Arc<Self>, state: &Arc<BlockState>, want: Want) -> Flight {
        let mut flights = self.flights(state);
        if let Some(flight) = flights.get(&want.key) {
            return flight.clone();
        }
        let key = want.key.clone();
        let (core, block) = (Arc::clone(self), Arc::clone(state));
        let task = tokio::spawn(async move {
            let key = want.key.clone();
            let result = fetch::fetch(&core, &block, want).await;
            core.flights(&block).remove(&key);
            result
        });
        let task = AbortOnDropHandle::new(task);
        let ended = || Err(ReadError::Unavailable("the read was given up".to_owned()));
        let flight = async move { task.await.unwrap_or_else(|_| ended()) }
            .boxed()
            .shared();
        flights.insert(key, flight.clone());
        flight
    }
}

/// The directory that is worth reading as a whole for a key in it.
fn parent(key: &Key) -> Option<Key> {
    let steps = key.steps();
    let take = match steps.first().map(Vec::as_slice) {
        Some(b"contracts") if steps.len() > 3 && steps[1] == b"index" => 3,
        Some(b"v1") if steps.len() > 1 => 1,
        _ => return None,
    };
    Key::new(&steps[..take]).ok()
}

/// Whether a parent is small as a rule: an implicit account (its index begins
/// with 00; a delegate's may be large, and is then read in parts), and `v1`.
fn is_small(parent: &Key) -> bool {
    match parent.steps() {
        [_, _, index] => index.starts_with(b"00"),
        _ => true,
    }
}
