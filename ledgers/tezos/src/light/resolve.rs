//! Which block a request is pinned to: resolved once, when it enters.

use std::sync::Arc;

use heliostat_core::Assurance;
use heliostat_tezos_verifier::{BlockHash, Header};

use super::{Core, HeadPolicy, block::BlockState};
use crate::{
    block_id::BlockId,
    consensus, defaults,
    endpoint::Answer,
    error::ReadError,
    headers::{Head, finality},
};

/// The block a request is pinned to.
#[derive(Clone)]
pub(crate) struct At {
    /// Its hash.
    pub hash: BlockHash,
    /// Its state.
    pub state: Arc<BlockState>,
    /// How the name was resolved.
    naming: Naming,
    /// How often its state's values were given up before.
    given_up: u64,
}

impl At {
    /// A block that is named by its hash.
    pub fn exact(core: &Core, hash: BlockHash) -> Self {
        Self::named(core, hash, Naming::Exact)
    }

    fn named(core: &Core, hash: BlockHash, naming: Naming) -> Self {
        let state = core.blocks.get(&hash);
        Self {
            hash,
            given_up: state.times_given_up(),
            state,
            naming,
        }
    }

    /// The same block, to be read anew.
    pub fn renewed(&self) -> Self {
        Self {
            given_up: self.state.times_given_up(),
            ..self.clone()
        }
    }

    /// Whether what was read since is still what its state's root says.
    pub fn is_current(&self) -> bool {
        self.state.times_given_up() == self.given_up
    }
}

#[derive(Clone, Copy)]
enum Naming {
    /// The client gave the hash itself.
    Exact,
    /// By the followed header chain.
    Chain,
    /// So many endpoints were asked and gave this hash.
    Asked(usize),
    /// By one endpoint.
    Relayed,
}

impl Core {
    /// Resolves a block identifier.
    pub(crate) async fn resolve(self: &Arc<Self>, id: &BlockId) -> Result<At, ReadError> {
        let at = |hash: BlockHash, naming| At::named(self, hash, naming);
        match *id {
            BlockId::Hash(hash, 0) => Ok(at(BlockHash(hash), Naming::Exact)),
            BlockId::Head(back) => {
                let head = self.head().await?;
                if let Some(hash) = self.headers.ancestor(&head.hash, back) {
                    return Ok(at(hash, Naming::Chain));
                }
                let level = i64::from(head.header.level) - i64::from(back);
                let level = u32::try_from(level)
                    .map_err(|_| ReadError::NoBlock(format!("there is no block {id}")))?;
                let (hash, votes) = self.ask_hash(&level.to_string()).await?;
                Ok(at(hash, Naming::Asked(votes)))
            }
            BlockId::Level(level) | BlockId::Genesis(level) => {
                let needed = self.needed;
                let signed = i32::try_from(level).unwrap_or(i32::MAX);
                let known = self.headers.final_at(signed);
                if let Some(hash) = known.or_else(|| self.headers.at(signed, needed)) {
                    return Ok(at(hash, Naming::Chain));
                }
                let (hash, votes) = self.ask_hash(&level.to_string()).await?;
                Ok(at(hash, Naming::Asked(votes)))
            }
            BlockId::Hash(hash, by) => {
                let back = u32::try_from(-by).ok();
                let known = back.and_then(|back| self.headers.ancestor(&BlockHash(hash), back));
                if let Some(hash) = known {
                    return Ok(at(hash, Naming::Exact));
                }
                let (hash, votes) = self.ask_hash(&id.to_string()).await?;
                Ok(at(hash, Naming::Asked(votes)))
            }
            BlockId::Mark(..) => {
                let hash = self.ask_one_hash(&id.to_string()).await?;
                Ok(at(hash, Naming::Relayed))
            }
        }
    }

    /// The head by the operator's policy.
    pub(crate) async fn head(self: &Arc<Self>) -> Result<Head, ReadError> {
        if self.head_policy() == HeadPolicy::Newest {
            return self.newest_head().await;
        }
        if self.finality_is_on() {
            return self.proven_head().await;
        }
        let newest = self.newest_head().await?;
        // One back: the newest block whose successor is known and checked.
        let before = newest.header.predecessor;
        match self.headers.header(&before) {
            Some(header) => Ok(Head {
                hash: before,
                support: self.headers.support(&before),
                header,
            }),
            None => {
                let header = self.fetch_header(&before).await?;
                let support = self.headers.support(&before);
                Ok(Head {
                    hash: before,
                    header,
                    support,
                })
            }
        }
    }

    /// The newest block whose state is proven, whatever the endpoints agree on.
    async fn proven_head(self: &Arc<Self>) -> Result<Head, ReadError> {
        if let Some(head) = self.headers.final_head() {
            return Ok(head);
        }
        self.refresh_heads().await;
        finality::look(self).await;
        self.headers.final_head().ok_or_else(|| {
            let why = self.headers.why_unproven();
            ReadError::Unavailable(format!("no block is proven yet: {why}"))
        })
    }

    /// The newest block that enough endpoints stand behind.
    pub(crate) async fn newest_head(self: &Arc<Self>) -> Result<Head, ReadError> {
        if let Some(head) = self.headers.agreed() {
            return Ok(head);
        }
        self.refresh_heads().await;
        let asked = tokio::time::timeout(defaults::FIRST_HEAD, self.headers.wait_agreed());
        match self.headers.agreed() {
            Some(head) => Ok(head),
            None if self.is_following() => asked.await.map_err(|_| self.no_head()),
            None => Err(self.no_head()),
        }
    }

    fn no_head(&self) -> ReadError {
        let share = self.settings.min_agreement;
        let most = self.headers.most_agreed();
        let words = consensus::shortfall(share, most, self.n());
        let chain = &self.settings.chain;
        ReadError::NoAgreement(format!(
            "Light mode (chain: {chain}, block: head): Consensus cannot be reached for the head. {words}"
        ))
    }

    /// Asks every endpoint for the hash of a block; enough must agree.
    async fn ask_hash(self: &Arc<Self>, id: &str) -> Result<(BlockHash, usize), ReadError> {
        let path = format!("/chains/{}/blocks/{id}/hash", self.settings.chain);
        let (text, votes) = self.agree(&path, "the block's hash").await?;
        Ok((block_hash(&text)?, votes))
    }

    async fn ask_one_hash(self: &Arc<Self>, id: &str) -> Result<BlockHash, ReadError> {
        let path = format!("/chains/{}/blocks/{id}/hash", self.settings.chain);
        let text = self.ask_one(&path, defaults::SHORT_BYTES).await?;
        block_hash(&text)
    }

    /// The header of a block, from memory or from any endpoint; its bytes hash
    /// to the block's hash.
    pub(crate) async fn fetch_header(
        self: &Arc<Self>,
        hash: &BlockHash,
    ) -> Result<Arc<Header>, ReadError> {
        if let Some(header) = self.headers.header(hash) {
            return Ok(header);
        }
        let hash = *hash;
        let answer = self.first(move |core, at| async move { core.header_from(at, &hash).await });
        answer.await.map_err(|misses| {
            let told = &misses.words;
            let words = format!("no endpoint gives the header of block {hash}: {told}");
            match misses.are_absent {
                true => ReadError::NoBlock(words),
                false => ReadError::Unavailable(words),
            }
        })
    }

    /// The grade of a block's place in the chain.
    pub(crate) fn grade_of_place(&self, at: &At) -> Assurance {
        let asked = match at.naming {
            Naming::Exact => return Assurance::Proven,
            Naming::Relayed => return Assurance::Relayed,
            Naming::Asked(votes) => votes,
            Naming::Chain => 0,
        };
        self.grade_of_block(&at.hash, asked)
    }

    /// The grade of a block: proven when it is final, else by how many
    /// endpoints stand behind it, `asked` of which said so when asked.
    pub(crate) fn grade_of_block(&self, hash: &BlockHash, asked: usize) -> Assurance {
        if self.headers.is_final(hash) {
            return Assurance::Proven;
        }
        self.grade_of_votes(self.headers.support(hash).max(asked))
    }

    /// The grade of something that so many endpoints gave. Where a checkpoint
    /// and finality tell what is true, endpoints that are not unanimous count
    /// for nothing: what they agree on may be a lie they share.
    pub(crate) fn grade_of_votes(&self, votes: usize) -> Assurance {
        let n = self.n();
        match self.finality_is_on() && votes < n {
            true => Assurance::Relayed,
            false => Assurance::agreed(votes, n),
        }
    }

    /// How many endpoints stand behind a block that a client named by its
    /// hash: as the followed chain says, else by asking them.
    pub(crate) async fn support_of(self: &Arc<Self>, at: &At) -> Assurance {
        let known = self.grade_of_block(&at.hash, 0);
        if known != Assurance::Relayed || !matches!(at.naming, Naming::Exact) {
            return known.max(match at.naming {
                Naming::Asked(votes) => self.grade_of_votes(votes),
                _ => Assurance::Relayed,
            });
        }
        let text = at.hash.to_string();
        match self.ask_hash(&text).await {
            Ok((hash, votes)) if hash == at.hash => self.grade_of_votes(votes),
            _ => Assurance::Relayed,
        }
    }
}

/// A block hash as a node's JSON gives it.
fn block_hash(json: &[u8]) -> Result<BlockHash, ReadError> {
    let text: String = serde_json::from_slice(json)
        .map_err(|_| ReadError::Unavailable("a block hash is not of the protocol".to_owned()))?;
    text.parse()
        .map_err(|error| ReadError::Unavailable(format!("a block hash cannot be read: {error}")))
}

/// Answers by how many endpoints gave them.
pub(crate) fn tally(answers: &[(usize, Answer)]) -> Vec<(bytes::Bytes, usize)> {
    let mut tally: Vec<(bytes::Bytes, usize)> = Vec::new();
    for (_, answer) in answers {
        let Answer::Value(bytes) = answer else {
            continue;
        };
        let bytes = bytes.slice_ref(bytes.trim_ascii());
        match tally.iter_mut().find(|(other, _)| *other == bytes) {
            Some((_, votes)) => *votes += 1,
            None => tally.push((bytes, 1)),
        }
    }
    tally
}
