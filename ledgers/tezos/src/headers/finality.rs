//! From the checkpoint to the newest block that a quorum of bakers attested.
//!
//! A quorum on the payload of level L makes block L-1 final, because the
//! payload covers the predecessor; the attestations stand in block L+1. Who may
//! attest is read by proof from a state that is proven already. So an endpoint
//! that is heard here need not be believed: with one honest endpoint the newest
//! final block is two behind its head.

mod links;
mod rights;

use std::{cmp::Reverse, sync::Arc, time::Duration};

use heliostat_tezos_verifier::{
    BlockHash, ChainId, Header, OperationHash,
    finality::{Attestation, check_payload, verify_quorum},
};
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::{
    defaults,
    endpoint::Answer,
    light::{Checkpoint, Core, Named, first::Miss},
    links::Capped,
};

use rights::Known;

/// Why nothing newer is final, in words.
type Why = String;

/// What is kept between two looks.
#[derive(Default)]
pub(crate) struct Follower {
    known: Known,
    /// The chain's id that signatures were found good for.
    chain: Option<ChainId>,
    started: bool,
}

/// Follows finality for as long as it is asked to.
pub(crate) async fn run(core: &Arc<Core>) {
    if core.settings.checkpoint.is_none() {
        return;
    }
    let mut moved = core.headers.moved();
    loop {
        moved.mark_unchanged();
        look(core).await;
        if !core.settings.finality && core.finality.lock().await.started {
            return;
        }
        // A head that comes late for some endpoints is looked at again.
        let _ = timeout(LOOK, moved.changed()).await;
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The longest pause between two looks.
const LOOK: Duration = defaults::POLL;

/// Looks once for something newer that is final. Without attestations that is
/// the checkpoint, and what its hash commits to: the blocks before it.
pub(crate) async fn look(core: &Arc<Core>) {
    if core.settings.checkpoint.is_none() {
        return;
    }
    let mut follower = core.finality.lock().await;
    let why = match follower.step(core).await {
        Ok(()) => String::new(),
        Err(why) => why,
    };
    if core.headers.why_unproven() != why {
        tracing::debug!(why, "finality");
    }
    core.headers.set_unproven(why);
}

impl Follower {
    async fn step(&mut self, core: &Arc<Core>) -> Result<(), Why> {
        if !self.started {
            start(core).await?;
            self.started = true;
        }
        if !core.settings.finality {
            return Err("finality is off: attestations are not verified".to_owned());
        }
        let mut heads: Vec<_> = core.headers.heads().into_iter().flatten().collect();
        // Those that are known to descend from what is final come first: a head
        // that nothing connects may lead along thousands of made up headers.
        let newest = core.headers.newest_final();
        let is_loose = |head: &BlockHash| match newest {
            Some(newest) => !core.headers.descends(head, &newest),
            None => true,
        };
        heads.sort_by_cached_key(|(level, head)| (is_loose(head), Reverse(*level), *head));
        heads.dedup();
        let mut why = Err("no endpoint has named a head yet".to_owned());
        for (_, head) in heads {
            match self.advance(core, &head).await {
                Ok(()) => return Ok(()),
                Err(reason) => why = why.or(Err(reason)),
            }
        }
        why
    }

    /// Makes the block two before `head` final, where it can be.
    async fn advance(&mut self, core: &Arc<Core>, head: &BlockHash) -> Result<(), Why> {
        let last = header(core, head).await?;
        let attested = header(core, &last.predecessor).await?;
        if core.headers.is_final(&attested.predecessor) {
            return Ok(());
        }
        let (path, base) = match (core.headers.newest_final(), core.settings.checkpoint) {
            (Some(newest), _) => {
                let floor = header(core, &newest).await?;
                let floor = (newest, floor.level);
                (
                    links::path(core, head, Some(floor.0), floor.1).await?,
                    newest,
                )
            }
            (None, Some(Checkpoint::Root { level, root })) => {
                links::path_to_root(core, head, level, root).await?
            }
            (None, _) => return Err("the checkpoint is lost".to_owned()),
        };
        let age = last
            .timestamp
            .saturating_sub(header(core, &base).await?.timestamp);
        if age > defaults::CHECKPOINT_AGE {
            return Err(format!(
                "head {head} is {} days newer than the newest block that is proven; configure a newer checkpoint",
                age / DAY
            ));
        }
        // Rights reach two cycles ahead: a longer way is taken in steps.
        loop {
            let newest = core.headers.newest_final().unwrap_or(base);
            let level = self.known.reach(core, &newest).await?.min(attested.level);
            let (attested, next) = match level == attested.level {
                true => (attested.hash(), *head),
                false => links::at(&path, level)?,
            };
            self.prove(core, &newest, &attested, &next).await?;
            if level == last.level - 1 {
                return Ok(());
            }
        }
    }

    /// Verifies the quorum on `attested`, whose attestations stand in `next`,
    /// and notes that the block before `attested` is final.
    async fn prove(
        &mut self,
        core: &Arc<Core>,
        newest: &BlockHash,
        attested: &BlockHash,
        next: &BlockHash,
    ) -> Result<(), Why> {
        let header = header(core, attested).await?;
        let rights = self.known.rights(core, newest, header.level).await?;
        let operations = core.operation_hashes_of(attested, &header).await?;
        let vote = check_payload(&header, &operations).map_err(|error| error.to_string())?;
        let chains = match self.chain {
            Some(chain) => vec![chain],
            None => core.chain_ids().await,
        };
        let (level, next) = (header.level, *next);
        let found = core.first(|core, at| {
            let (rights, chains) = (Arc::clone(&rights), chains.clone());
            async move {
                let signed = attestations(&core, at, &next).await?;
                let count = tokio::task::spawn_blocking(move || {
                    let mut why = "no endpoint gives the chain's id".to_owned();
                    for chain in chains {
                        let quorum = verify_quorum(&chain, &rights, &vote, &signed);
                        if quorum.reached() {
                            return Ok(chain);
                        }
                        why = format!("level {level}: {quorum}");
                    }
                    Err(why)
                });
                let counted = count.await;
                counted
                    .map_err(|_| "the count was given up".to_owned())?
                    .map_err(Miss::from)
            }
        });
        let chain = found.await.map_err(|misses| misses.words)?;
        self.chain = Some(chain);
        core.learn_chain(chain, Named::Quorum);
        header_before(core, &header).await?;
        core.headers.set_final(header.predecessor);
        Ok(())
    }
}

/// Takes the checkpoint as final.
async fn start(core: &Arc<Core>) -> Result<(), Why> {
    match core.settings.checkpoint {
        None => Err("no checkpoint is configured".to_owned()),
        Some(Checkpoint::Block { level, hash }) => {
            let header = header(core, &hash).await?;
            if u32::try_from(header.level) != Ok(level) {
                return Err(format!(
                    "the checkpoint {hash} is at level {}, not at {level}; mend the setting",
                    header.level
                ));
            }
            header_before(core, &header).await?;
            core.headers.set_final(hash);
            Ok(())
        }
        // Which block has that state is seen when a head descends from it.
        Some(Checkpoint::Root { .. }) => Ok(()),
    }
}

/// A header from memory or from any endpoint.
async fn header(core: &Arc<Core>, hash: &BlockHash) -> Result<Arc<Header>, Why> {
    let found = core.fetch_header(hash).await;
    found.map_err(|error| error.to_string())
}

async fn header_before(core: &Arc<Core>, of: &Header) -> Result<Arc<Header>, Why> {
    header(core, &of.predecessor).await
}

/// The attestations in a block, as one endpoint lists them.
async fn attestations(
    core: &Arc<Core>,
    at: usize,
    block: &BlockHash,
) -> Result<Vec<Attestation>, Why> {
    let path = format!(
        "/chains/{}/blocks/{block}/operations/0",
        core.settings.chain
    );
    let answer = core.value_from(at, &path, defaults::OPERATIONS_BYTES).await;
    let bytes = answer.map_err(|miss| format!("the attestations: {}", miss.words))?;
    let listed: Capped<Box<RawValue>, { defaults::PASS_OPERATIONS }> =
        serde_json::from_slice(&bytes).map_err(|_| "no list of operations".to_owned())?;
    // One that cannot be read takes nothing from the others.
    let read = listed.0.iter().map(|one| one.get()).filter_map(|one| {
        let is_short = one.len() <= defaults::OPERATION_TEXT;
        let one = is_short.then(|| serde_json::from_str(one).ok())??;
        Attestation::from_json(&one).ok()
    });
    Ok(read.flatten().collect())
}

impl Core {
    /// The hashes of a block's operations, checked against its header.
    async fn operation_hashes_of(
        self: &Arc<Self>,
        block: &BlockHash,
        header: &Arc<Header>,
    ) -> Result<Vec<Vec<OperationHash>>, Why> {
        let path = format!(
            "/chains/{}/blocks/{block}/operation_hashes",
            self.settings.chain
        );
        let all = self.checked_operations(&path, header).await;
        let all = all.map_err(|error| error.to_string())?;
        serde_json::from_slice(&all).map_err(|error| error.to_string())
    }

    /// Every chain id that an endpoint gives. A wrong one only makes
    /// signatures fail.
    async fn chain_ids(self: &Arc<Self>) -> Vec<ChainId> {
        if let Some(id) = self.settings.chain_id {
            return vec![id];
        }
        let path = format!("/chains/{}/chain_id", self.settings.chain);
        let mut ids = Vec::new();
        for at in self.askable() {
            let answer = self
                .endpoint(at)
                .get_json(&path, defaults::SHORT_BYTES)
                .await;
            if let Ok(Answer::Value(json)) = answer
                && let Ok(id) = serde_json::from_slice(&json)
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        ids
    }
}
