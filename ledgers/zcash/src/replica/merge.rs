//! Which chunks at the tip become one.
//!
//! At the tip each commit brings a block or two, and a chunk for each would
//! make readers hop. Small chunks fall into classes by weight, each eight
//! times the one before; [`MERGE_WIDTH`] of one class become one of the next.
//! So a block is rewritten about once per class, and there are never many
//! small chunks. In bulk, where commits bring more than the last chunk holds,
//! that chunk is taken along.

use super::defaults::{CHUNK_BYTES, MERGE_WIDTH, SMALL_CHUNKS};

/// A chunk of at least this weight is never rewritten by a merge. Half of a
/// full one, so that a chunk which lost its end to a rewind is not touched
/// again and again.
pub const SETTLED: u64 = CHUNK_BYTES / 2;

/// Upper bounds of the classes of small chunks; the last one ends at
/// [`SETTLED`].
const CLASSES: [u64; 4] = [
    CHUNK_BYTES / 512,
    CHUNK_BYTES / 64,
    CHUNK_BYTES / 8,
    SETTLED - 1,
];

fn class(weight: u64) -> usize {
    CLASSES.partition_point(|bound| *bound < weight)
}

/// How many chunks at the end are to be written anew together with what a
/// commit brings. `tail` gives the weights of chunks from the last one
/// backwards, `new` is the weight of what comes.
pub fn absorbed(tail: impl Iterator<Item = u64>, new: u64) -> usize {
    let small: Vec<u64> = tail.take_while(|weight| *weight < SETTLED).collect();
    if small.len() >= SMALL_CHUNKS {
        return small.len();
    }
    let mut bulk = 0;
    let mut total = new;
    while let Some(weight) = small.get(bulk).filter(|weight| *weight * 2 <= total) {
        total += weight;
        bulk += 1;
    }
    piled_up(&small, class(new)).max(bulk)
}

/// The longest run of small chunks in which the greatest class is complete.
fn piled_up(small: &[u64], new: usize) -> usize {
    for level in (new..CLASSES.len()).rev() {
        let run = small.iter().take_while(|weight| class(**weight) <= level);
        let run = run.count();
        let alike = small[..run].iter().filter(|w| class(**w) == level);
        if alike.count() + usize::from(new == level) >= MERGE_WIDTH {
            return run;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits weights one by one; gives the chunks and all weight written.
    fn play(commits: impl Iterator<Item = u64>) -> (Vec<u64>, u64, usize) {
        let (mut chunks, mut written, mut most) = (Vec::new(), 0, 0);
        for new in commits {
            let n = absorbed(chunks.iter().rev().copied(), new);
            let mut total = new + chunks.drain(chunks.len() - n..).sum::<u64>();
            written += total;
            while total > CHUNK_BYTES {
                chunks.push(CHUNK_BYTES);
                total -= CHUNK_BYTES;
            }
            chunks.push(total);
            let small = chunks.iter().filter(|weight| **weight < SETTLED).count();
            most = most.max(small);
        }
        (chunks, written, most)
    }

    #[test]
    fn single_blocks_are_rewritten_a_few_times_only() {
        for size in [128, 700, 5_000, 40_000] {
            let commits = 20_000;
            let (_, written, most) = play((0..commits).map(|_| size));
            let amplification = written as f64 / (size * commits) as f64;
            assert!(amplification < 6.0, "{size}: {amplification}");
            assert!(most <= SMALL_CHUNKS, "{size}: {most} small chunks");
        }
    }

    #[test]
    fn bulk_commits_leave_few_small_chunks() {
        for size in [30_000, 200_000, 300_000, 3_000_000] {
            let commits = 400;
            let (chunks, written, most) = play((0..commits).map(|_| size));
            assert!(written < 3 * size * commits, "{size}: {written}");
            assert!(most <= 2 * MERGE_WIDTH, "{size}: {most} small chunks");
            let full = (size * commits / CHUNK_BYTES) as usize;
            assert!(chunks.len() < 3 * full + 20, "{size}: {}", chunks.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_order_of_sizes_piles_up_small_chunks(
            sizes in proptest::collection::vec(1u64..2 * CHUNK_BYTES, 1..400),
            shifts in proptest::collection::vec(0u32..16, 400),
        ) {
            let commits = sizes.iter().zip(shifts).map(|(size, shift)| (size >> shift).max(1));
            let (_, _, most) = play(commits);
            proptest::prop_assert!(most <= 2 * SMALL_CHUNKS, "{} small chunks", most);
        }
    }
}
