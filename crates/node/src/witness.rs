//! The witness check: what the other upstreams say of our chain.
//!
//! Positions are linked by hash, so whoever has our id at a height has
//! committed to everything below it too. One question per witness therefore
//! marks the whole chain up to the height it answered for.

mod agreement;

use std::{collections::HashMap, sync::Arc};

use heliostat_core::{Fault, Id, Link, Source, Verifier};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use agreement::Vote;
pub use agreement::{Agreement, Mark};

use crate::{
    Replica, ancestor, defaults,
    findings::Disagreement,
    follower::Shared,
    upstream::{Served, Upstream},
};

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
            // What the round is about, not what there is when it ends: the
            // chain may have been read, or grown, in between.
            let seen = self.shared.feed.tip();
            let settled = self.round(seen).await;
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

    /// One round about the chain that ends at `ours`; `true` when everybody that
    /// could be asked has that position.
    async fn round(&mut self, ours: Option<Link>) -> bool {
        let upstreams = &self.shared.upstreams;
        let epoch = self.shared.agreement.epoch();
        let serving = upstreams.serving().filter(|one| !one.is_quarantined());
        let serving = serving.map(|serving| serving.name().to_owned());
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
                self.upstreams.report(&upstream, &fault);
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
