//! `heliostat verify`: proving the replica again from the bytes on disk.
//!
//! What each check proves:
//!
//! | check | proves |
//! |---|---|
//! | header hash, link, proof-of-work, `nBits`, time | the chain is the one that was verified, back to genesis or the join point |
//! | Merkle root over the stored txids | the txids are those of the block |
//! | counted tree sizes | commitments add up from block to block |
//! | checksums of the compact blocks | they are the bytes made when the block was verified (the raw block is not kept, so no hash covers them) |
//! | shielded = filter(full) | both projections say the same |
//! | `ids` | every block is found by its hash, and nothing else is |
//! | row of the chunk | what is served without opening a blob (the tip, grades) is what the blobs say |
//! | grade | no block has a better one than its chain can give |
//! | rows beyond the tip | no block was lost at the end |
//!
//! The content of compact blocks beyond txids and counts rests on checksums;
//! [`deep`] compares it with the raw block read again from a node.

mod block;
mod load;

pub use block::deep;

use heliostat_node::Replica as _;
use heliostat_store::{Direction, Snapshot, Store, StoreError};
use heliostat_zcash_verifier::Tip;
use serde::Serialize;

use self::load::{Loaded, load};
use crate::{
    chunk::{CHUNKS, ChunkInfo, FULL, IDS, PROOFS, RECORDS, SHIELDED, key, page_of},
    replica::{ZcashReplica, state},
    view::{Chunks, Index, corrupt, load_chunks, recent::listed},
};

/// Problems described one by one; more are only counted.
pub const MOST_PROBLEMS: usize = 1000;

/// Rows of `ids` read at a time.
const IDS_AT_ONCE: usize = 4096;

/// Something that is not as it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The block it is about, where there is one.
    pub height: Option<u64>,
    /// A name that does not change between releases: a rule of the verifier
    /// (`zcash.…`), or `store.…` for what lies beside the header.
    pub rule: String,
    /// In one sentence.
    pub words: String,
}

impl Problem {
    fn at(height: u64, rule: &str, words: impl Into<String>) -> Self {
        Self {
            height: Some(height),
            rule: rule.to_owned(),
            words: words.into(),
        }
    }
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The first height looked at.
    pub first: Option<u64>,
    /// The last height looked at.
    pub last: Option<u64>,
    /// Blocks looked at.
    pub blocks: u64,
    /// Blocks whose tree sizes are a node's word, because their transactions
    /// could not be read in full; they are `relayed`.
    pub on_word: u64,
    /// The first [`MOST_PROBLEMS`] problems.
    pub problems: Vec<Problem>,
    /// All problems.
    pub problem_count: u64,
    /// The chain was rewound below what had been looked at: run it again.
    pub interrupted: bool,
}

impl Report {
    /// Whether all of the replica was looked at and nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problem_count == 0 && !self.interrupted
    }

    fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

/// Looks at every block of a replica, past all caches. `progress` is told the
/// height reached and the last one, once per chunk. The writer may go on; what
/// it adds meanwhile is looked at too.
///
/// Damage is in the report; an error means the store could not be read at all.
pub async fn audit(
    replica: &ZcashReplica,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let store = &replica.shared().store;
    let start = current(&*store.snapshot().await?).await?;
    let Some(floor) = start.floor() else {
        return Ok(report);
    };
    report.first = Some(floor);
    let mut next = floor;
    let mut tip = Some(replica.root()?);
    loop {
        let snapshot = store.snapshot().await?;
        let state = state::read(&*snapshot).await?.unwrap_or_default();
        if next > floor && state.touched(start.epoch, next - 1) {
            report.interrupted = true;
            break;
        }
        let Some(info) = chunk_at(&*snapshot, next).await? else {
            break;
        };
        let loaded = load(&*snapshot, info).await?;
        drop(snapshot);
        let checked = check(loaded, tip, next).await;
        checked
            .problems
            .into_iter()
            .for_each(|problem| report.add(problem));
        let end = checked.end;
        report.on_word += checked.on_word;
        report.blocks += end - next + 1;
        report.last = Some(end);
        progress(end, start.tip().map_or(end, |tip| tip.height.max(end)));
        next = end + 1;
        tip = match checked.tip {
            Some(tip) => Some(tip),
            // Behind the damage the thread is taken up again, if it can be.
            None => replica.tip_at(end).await.ok(),
        };
    }
    if !report.interrupted {
        surplus_ids(&**store, &mut report).await?;
        beyond_the_tip(&**store, &mut report).await?;
    }
    Ok(report)
}

/// The index as the store has it.
async fn current(snapshot: &dyn Snapshot) -> Result<Index, StoreError> {
    let chunks = load_chunks(snapshot, &Chunks::default()).await?;
    let state = state::read(snapshot).await?.unwrap_or_default();
    Ok(Index { chunks, ..state })
}

/// The chunk that holds a height.
async fn chunk_at(snapshot: &dyn Snapshot, height: u64) -> Result<Option<ChunkInfo>, StoreError> {
    let mut above = key(height).to_vec();
    above.push(0);
    let rows = snapshot
        .range(CHUNKS, Vec::new()..above, Direction::Backward, 1)
        .await?;
    let Some((key, value)) = rows.first() else {
        return Ok(None);
    };
    let chunk = ChunkInfo::decode(key, value).map_err(corrupt)?;
    Ok(Some(chunk).filter(|chunk| chunk.holds(height)))
}

/// What checking a chunk gave.
struct Checked {
    /// The last block looked at.
    end: u64,
    /// The verifier's tip after it; `None` when it was lost on the way.
    tip: Option<Tip>,
    problems: Vec<Problem>,
    on_word: u64,
}

/// Checks the blocks of a chunk from `next` on, off the runtime: the proof of
/// work alone takes longer than anything else may hold a thread.
async fn check(loaded: Loaded, tip: Option<Tip>, next: u64) -> Checked {
    tokio::task::spawn_blocking(move || check_now(loaded, tip, next))
        .await
        .expect("checking does not panic, and is never aborted because nobody holds its handle")
}

/// Stops at the block where the tip is lost, so that the next call goes on
/// behind it.
fn check_now(loaded: Loaded, tip: Option<Tip>, next: u64) -> Checked {
    let end = loaded.info.last.height;
    let mut checked = Checked {
        end,
        tip,
        problems: loaded.damage,
        on_word: 0,
    };
    let Some(stored) = loaded.stored else {
        checked.tip = None;
        return checked;
    };
    if checked.tip.is_none() {
        let words = format!("blocks {next} to {end} cannot be tied to what lies below");
        checked
            .problems
            .push(Problem::at(next, "store.chain", words));
    }
    for height in next..=end {
        let index = (height - loaded.info.first) as usize;
        if loaded.ids.get(index) != Some(&Some(height)) {
            let words = "its hash does not lead to it";
            checked
                .problems
                .push(Problem::at(height, "store.ids", words));
        }
        let proof = loaded.pages.iter().find_map(|page| page.get(height));
        let seen = block::look(&stored, index, height, proof, checked.tip.as_mut());
        checked.problems.extend(seen.problems);
        checked.on_word += u64::from(seen.on_word);
        if seen.lost && checked.tip.take().is_some() {
            checked.end = height;
            break;
        }
    }
    checked
}

/// The first height, and the one after the last.
fn bounds(index: &Index) -> (u64, u64) {
    let end = index.tip().map_or(0, |tip| tip.height + 1);
    (index.floor().unwrap_or(0), end)
}

/// A store that lost rows of its index ends lower than what else it has.
async fn beyond_the_tip(store: &dyn Store, report: &mut Report) -> Result<(), StoreError> {
    let snapshot = store.snapshot().await?;
    let (_, end) = bounds(&current(&*snapshot).await?);
    for table in [FULL, SHIELDED, RECORDS, PROOFS] {
        // Rows below are known to be there; of proofs, the page that holds the
        // newest block, too.
        let next = match table {
            PROOFS => page_of(end + crate::replica::defaults::PROOF_PAGE - 1),
            _ => end,
        };
        let range = key(next).to_vec()..vec![0xff; 9];
        let rows = snapshot.range(table, range, Direction::Forward, 1).await?;
        if !rows.is_empty() {
            report.add(Problem {
                height: None,
                rule: "store.beyond-tip".into(),
                words: format!("there are rows of {} beyond the last block", table.0),
            });
        }
    }
    Ok(())
}

/// Every block's id is known to be there; whatever is more is too much. A
/// long list takes longer than a snapshot may live, so it is read page by
/// page. Ids come before it is counted how many there should be, so those of
/// blocks that are added meanwhile are not too much.
async fn surplus_ids(store: &dyn Store, report: &mut Report) -> Result<(), StoreError> {
    let begun = current(&*store.snapshot().await?).await?.epoch;
    let mut from = Vec::new();
    let mut rows = 0u64;
    loop {
        let snapshot = store.snapshot().await?;
        let page = snapshot
            .range(IDS, from..vec![0xff; 33], Direction::Forward, IDS_AT_ONCE)
            .await?;
        rows += page.len() as u64;
        let Some((last, _)) = page.last() else {
            break;
        };
        from = last.to_vec();
        from.push(0);
    }
    let snapshot = store.snapshot().await?;
    let index = current(&*snapshot).await?;
    let (floor, end) = bounds(&index);
    let (epoch, blocks) = (
        index.epoch,
        listed(&*snapshot, end).await?.saturating_sub(floor),
    );
    if epoch != begun {
        // Ids of blocks that are gone by now may have been counted.
        report.interrupted = true;
    } else if rows > blocks {
        report.add(Problem {
            height: None,
            rule: "store.ids".into(),
            words: format!("{rows} block hashes are listed for {blocks} blocks"),
        });
    }
    Ok(())
}
