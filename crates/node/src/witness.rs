//! The witness check: what the other upstreams say of our chain.
//!
//! Positions are linked by hash, so whoever has our id at a height has
//! committed to everything below it too. One question per witness therefore
//! marks the whole chain up to the height it answered for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use heliostat_core::{Assurance, Fault, Id, Link, Source, Verifier};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    Replica, ancestor, defaults,
    findings::Disagreement,
    follower::Shared,
    upstream::{Served, Upstream},
};

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

    /// Our chain above `keep` is another one from now on.
    pub(crate) fn rewind(&self, keep: u64) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.cut(keep);
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
    fn add(&self, epoch: u64, own: Option<u64>, votes: &[Vote], n: usize) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
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
struct Vote {
    height: u64,
    forked: bool,
}

/// Asks the other upstreams, round by round.
pub(crate) struct Witness<S: Source, V: Verifier, R> {
    shared: Arc<Shared<S, V, R>>,
    /// The fork each upstream was on in the last round. One that is still
    /// there in the next is a disagreement, and not merely a late reorg.
    suspects: HashMap<String, Disagreement>,
}

impl<S, V, R> Witness<S, V, R>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
    R: Replica<V>,
{
    pub fn new(shared: Arc<Shared<S, V, R>>) -> Self {
        Self {
            shared,
            suspects: HashMap::new(),
        }
    }

    /// Asks whenever the chain grew or changed, and at intervals.
    pub async fn run(mut self) {
        let mut progress = self.shared.tracker.subscribe();
        loop {
            let settled = self.round().await;
            let seen = progress.borrow_and_update().local;
            let pause = match settled {
                true => defaults::WITNESS_INTERVAL,
                false => defaults::WITNESS_RETRY,
            };
            let next = Instant::now() + pause;
            sleep(defaults::WITNESS_GAP).await;
            let news = async {
                let news = progress
                    .wait_for(|now| now.local != seen && now.state == crate::State::Following);
                // It fails when the follower is gone, and this task with it.
                if news.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = news => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// One round; `true` when everybody that could be asked has our newest
    /// position.
    async fn round(&mut self) -> bool {
        let upstreams = &self.shared.upstreams;
        let epoch = self.shared.agreement.epoch();
        let ours = self.shared.feed.tip();
        let serving = upstreams.serving().map(|serving| serving.name().to_owned());
        let own = ours.filter(|_| serving.is_some()).map(|link| link.height);
        let trusted = || upstreams.all().iter().filter(|one| !one.is_quarantined());
        let n = trusted().count();
        let mut asked = JoinSet::new();
        for one in trusted().filter(|one| Some(one.name()) != serving.as_deref() && one.is_usable())
        {
            asked.spawn(Arc::clone(&self.shared).ask_witness(Arc::clone(one), ours));
        }
        let mut votes = Vec::new();
        let mut suspects = HashMap::new();
        while let Some(answer) = asked.join_next().await {
            let Ok(Some((vote, fork))) = answer else {
                continue;
            };
            votes.push(vote);
            if let Some(fork) = fork {
                suspects.insert(fork.upstream.clone(), fork);
            }
        }
        if self.shared.agreement.epoch() != epoch {
            return false;
        }
        self.shared.agreement.add(epoch, own, &votes, n);
        for (name, fork) in &suspects {
            if self.suspects.get(name) == Some(fork) {
                upstreams.disagree(fork.clone());
            }
        }
        self.suspects = suspects;
        if let Err(error) = upstreams.persist().await {
            tracing::debug!(%error, "findings not stored yet");
        }
        votes
            .iter()
            .all(|vote| Some(vote.height) == ours.map(|link| link.height))
    }
}

impl<S, V, R> Shared<S, V, R>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
    R: Replica<V>,
{
    /// Asks one upstream for its head, and for its id at our newest height or
    /// at its own when it is behind. `None` when it does not say.
    async fn ask_witness(
        self: Arc<Self>,
        upstream: Arc<Upstream<S>>,
        ours: Option<Link>,
    ) -> Option<(Vote, Option<Disagreement>)> {
        let answer = timeout(defaults::WITNESS_CALL, self.compare(&upstream, ours)).await;
        let late = || {
            let seconds = defaults::WITNESS_CALL.as_secs();
            Err(Fault::Unreachable(format!("no answer within {seconds} s")))
        };
        match answer.unwrap_or_else(|_| late()) {
            Ok(vote) => vote,
            Err(fault) => {
                self.report(&upstream, &fault);
                None
            }
        }
    }

    async fn compare(
        &self,
        upstream: &Upstream<S>,
        ours: Option<Link>,
    ) -> Result<Option<(Vote, Option<Disagreement>)>, Fault> {
        let head = upstream.source().head().await?;
        self.upstreams.report_ok(upstream, Served::Head(head));
        let Some(ours) = ours else {
            return Ok(None);
        };
        let height = ours.height.min(head.height);
        match self.both(upstream, height).await? {
            None => Ok(None),
            Some((mine, theirs)) if mine == theirs => {
                self.upstreams.report_ok(upstream, Served::Data);
                let forked = false;
                Ok(Some((Vote { height, forked }, None)))
            }
            Some(_) => self.parting(upstream, height).await,
        }
    }

    /// Both ids at a height: ours and the upstream's. `None` when either is
    /// not there (any more), or our store cannot be read: then there is
    /// nothing to compare.
    pub(crate) async fn both(
        &self,
        upstream: &Upstream<S>,
        height: u64,
    ) -> Result<Option<(Id, Id)>, Fault> {
        let Ok(Some(mine)) = self.replica.id_at(height).await else {
            return Ok(None);
        };
        let theirs = upstream.source().id_at(height).await?;
        Ok(theirs.map(|theirs| (mine, theirs)))
    }

    /// Where a witness that differs at `height` leaves our chain.
    async fn parting(
        &self,
        upstream: &Upstream<S>,
        height: u64,
    ) -> Result<Option<(Vote, Option<Disagreement>)>, Fault> {
        let Ok(Some(floor)) = self.replica.floor().await else {
            return Ok(None);
        };
        // `Err(None)`: it moved under our questions.
        let same = |at| async move {
            match self.both(upstream, at).await {
                Ok(Some((mine, theirs))) => Ok(mine == theirs),
                Ok(None) => Err(None),
                Err(fault) => Err(Some(fault)),
            }
        };
        let parted = match ancestor::search(floor, height, same).await {
            Ok(Some(parted)) => parted,
            Ok(None) => {
                let why = format!(
                    "it shares no position with us from height {floor} on; is it on another network?"
                );
                return Err(Fault::Unsupported(why));
            }
            Err(None) => return Ok(None),
            Err(Some(fault)) => return Err(fault),
        };
        let fork = self.fork(upstream, parted + 1).await?;
        let vote = Vote {
            height: parted,
            forked: true,
        };
        Ok(fork.map(|fork| (vote, Some(fork))))
    }

    /// The record of a fork that begins at `height`.
    pub(crate) async fn fork(
        &self,
        upstream: &Upstream<S>,
        height: u64,
    ) -> Result<Option<Disagreement>, Fault> {
        let both = self.both(upstream, height).await?;
        Ok(both
            .filter(|(mine, theirs)| mine != theirs)
            .map(|(mine, theirs)| Disagreement {
                height,
                ours: S::show(&mine),
                theirs: S::show(&theirs),
                upstream: upstream.name().to_owned(),
                at: 0,
            }))
    }
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
    fn one_voice_is_no_mark_worth_a_grade() {
        let agreement = Agreement::default();
        agreement.add(agreement.epoch(), Some(100), &[], 1);
        assert_eq!(agreement.grade(50), Assurance::Relayed);
    }
}
