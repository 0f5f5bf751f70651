//! The marks that witnesses leave on our chain.

use std::sync::{Mutex, MutexGuard, PoisonError};

use heliostat_core::Assurance;

use crate::defaults;

/// What the upstreams said of our chain. Shared by the follower, which writes
/// it, and whoever grades answers.
#[derive(Debug, Default)]
pub struct Agreement {
    inner: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    /// By height, ascending, and therefore with falling grades: a mark below
    /// a better one says nothing.
    marks: Vec<Mark>,
    /// Counts the times that marks were cut. What was asked about before a
    /// cut is not marked after it.
    epoch: u64,
    /// A commit that replaces the end of our chain is under way: whoever is
    /// asked now may be compared with either chain, so nothing is marked.
    held: bool,
}

/// `k` of `n` upstreams committed to our chain up to `height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The highest height they committed to.
    pub height: u64,
    /// How many committed, the serving one counted.
    pub k: usize,
    /// Every upstream that is not quarantined, reachable or not.
    pub n: usize,
}

impl Mark {
    fn grade(&self) -> Assurance {
        Assurance::agreed(self.k, self.n)
    }
}

impl Agreement {
    /// How the position we have at `height` is agreed on: `Agreed` or
    /// `Relayed`, never `Proven`.
    pub fn grade(&self, height: u64) -> Assurance {
        let inner = self.lock();
        let first = inner.marks.partition_point(|mark| mark.height < height);
        inner
            .marks
            .get(first)
            .map_or(Assurance::Relayed, Mark::grade)
    }

    /// Every mark, by height.
    pub fn marks(&self) -> Vec<Mark> {
        self.lock().marks.clone()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Our chain above `keep` is about to become another one. Readers see the
    /// new blocks before the follower hears of it, and must not find the marks
    /// of the old ones on them. Until [`rewind`](Self::rewind) or
    /// [`release`](Self::release), nothing is marked.
    pub(crate) fn hold(&self, keep: u64) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.cut(keep);
        inner.held = true;
    }

    /// Our chain above `keep` is another one from now on.
    pub(crate) fn rewind(&self, keep: u64) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.cut(keep);
        inner.held = false;
    }

    /// Our chain was read, and is what it is.
    pub(crate) fn release(&self) {
        self.lock().held = false;
    }

    /// Somebody who committed was caught lying: nothing said so far counts.
    pub(crate) fn forget(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.marks.clear();
    }

    /// Adds what a round of questions found: the height up to which each of
    /// those who answered has our chain, and who is on another branch above.
    /// Nothing is added when the chain was rewound since `epoch`.
    pub(super) fn add(&self, epoch: u64, own: Option<u64>, votes: &[Vote], n: usize) {
        let mut inner = self.lock();
        if inner.epoch != epoch || inner.held {
            return;
        }
        for vote in votes.iter().filter(|vote| vote.forked) {
            inner.cut(vote.height);
        }
        let mut heights: Vec<u64> = votes.iter().map(|vote| vote.height).chain(own).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        for (index, height) in heights.into_iter().enumerate() {
            let k = index + 1;
            inner.put(Mark { height, k, n });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    fn cut(&mut self, keep: u64) {
        for mark in &mut self.marks {
            mark.height = mark.height.min(keep);
        }
        for mark in std::mem::take(&mut self.marks) {
            self.put(mark);
        }
    }

    fn put(&mut self, new: Mark) {
        let covers = |a: &Mark, b: &Mark| a.height >= b.height && a.grade() >= b.grade();
        if self.marks.iter().any(|mark| covers(mark, &new)) {
            return;
        }
        self.marks.retain(|mark| !covers(&new, mark));
        let at = self.marks.partition_point(|mark| mark.height < new.height);
        self.marks.insert(at, new);
        if self.marks.len() > defaults::MARKS {
            self.marks.remove(0);
        }
    }
}

/// What one witness said: it has our chain up to `height`, and above that
/// another branch when `forked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    pub height: u64,
    pub forked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(height: u64, forked: bool) -> Vote {
        Vote { height, forked }
    }

    fn grades<const N: usize>(agreement: &Agreement, heights: [u64; N]) -> [String; N] {
        heights.map(|height| agreement.grade(height).to_string())
    }

    #[test]
    fn a_position_has_the_grade_of_all_who_committed_to_it_or_above() {
        let agreement = Agreement::default();
        assert_eq!(agreement.grade(0), Assurance::Relayed);
        let votes = [vote(100, false), vote(98, false)];
        agreement.add(agreement.epoch(), Some(100), &votes, 4);
        let seen = grades(&agreement, [0, 98, 99, 100, 101]);
        assert_eq!(
            seen,
            [
                "agreed 3/4",
                "agreed 3/4",
                "agreed 2/4",
                "agreed 2/4",
                "relayed"
            ]
        );
        // A later round that fewer answer takes nothing back.
        agreement.add(agreement.epoch(), Some(105), &[vote(105, false)], 4);
        let seen = grades(&agreement, [98, 99, 105]);
        assert_eq!(seen, ["agreed 3/4", "agreed 2/4", "agreed 2/4"]);
    }

    #[test]
    fn a_witness_on_another_branch_lowers_what_it_had_agreed_to() {
        let agreement = Agreement::default();
        let votes = [vote(100, false), vote(100, false)];
        agreement.add(agreement.epoch(), Some(100), &votes, 3);
        let votes = [vote(101, false), vote(97, true)];
        agreement.add(agreement.epoch(), Some(101), &votes, 3);
        let seen = grades(&agreement, [97, 98, 101]);
        assert_eq!(seen, ["agreed 3/3", "agreed 2/3", "agreed 2/3"]);
    }

    #[test]
    fn marks_are_cut_on_a_rewind_and_late_answers_do_not_count() {
        let agreement = Agreement::default();
        let epoch = agreement.epoch();
        agreement.add(epoch, Some(100), &[vote(100, false)], 2);
        agreement.rewind(90);
        agreement.add(epoch, Some(100), &[vote(100, false)], 2);
        assert_eq!(grades(&agreement, [90, 91]), ["agreed 2/2", "relayed"]);
        agreement.forget();
        assert_eq!(grades(&agreement, [0]), ["relayed"]);
    }

    #[test]
    fn nothing_is_marked_while_the_chain_is_being_replaced() {
        let agreement = Agreement::default();
        agreement.add(agreement.epoch(), Some(100), &[vote(100, false)], 2);
        agreement.hold(90);
        assert_eq!(grades(&agreement, [90, 91]), ["agreed 2/2", "relayed"]);
        // Asked after the cut, compared with the chain that goes.
        let epoch = agreement.epoch();
        agreement.add(epoch, Some(100), &[vote(100, false)], 2);
        assert_eq!(grades(&agreement, [91]), ["relayed"]);
        agreement.rewind(90);
        agreement.add(epoch, Some(100), &[vote(100, false)], 2);
        assert_eq!(grades(&agreement, [91]), ["relayed"]);
        agreement.add(agreement.epoch(), Some(95), &[vote(95, false)], 2);
        assert_eq!(grades(&agreement, [95, 96]), ["agreed 2/2", "relayed"]);
        agreement.hold(94);
        agreement.release();
        agreement.add(agreement.epoch(), Some(95), &[vote(95, false)], 2);
        assert_eq!(grades(&agreement, [95]), ["agreed 2/2"]);
    }

    #[test]
    fn one_voice_is_no_mark_worth_a_grade() {
        let agreement = Agreement::default();
        agreement.add(agreement.epoch(), Some(100), &[], 1);
        assert_eq!(agreement.grade(50), Assurance::Relayed);
    }
}
