//! Before a session: is our chain a part of the upstream's, and if not, where
//! do the two part?

use std::sync::Arc;

use heliostat_core::{Fault, Id, Link, Point, Source, Verifier};
use heliostat_store::StoreError;

use super::{
    Shared,
    end::{End, Survey},
    session::Start,
    writer::Rewind,
};
use crate::{
    Replica, ancestor,
    upstream::{Served, Upstream},
};

/// What the last attempts found out about the upstream's branch.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The head of a branch that was read and found lighter, and the link
    /// ours ended at then: it need not be read again.
    pub refused: Option<(Point, Link)>,
    /// A branch that was read and found heavier.
    pub survey: Option<Survey>,
}

/// How far a fork may be looked for, and in what.
struct Fork<T> {
    tip: T,
    ours: Link,
    head: Point,
}

impl<S, V, R> Shared<S, V, R>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
    R: Replica<V>,
{
    /// Asks for the upstream's head and finds where to go on.
    pub(super) async fn prepare(
        &self,
        upstream: &Arc<Upstream<S>>,
        memory: &mut Memory,
    ) -> Result<(Start<V::Tip>, Point), End> {
        let tip = self.replica.tip().await?;
        let link = V::link(&tip);
        self.settle(link);
        let head = self
            .ask_patiently(upstream, "its head", upstream.source().head())
            .await?;
        self.upstreams.report_ok(upstream, Served::Head(head));
        self.tracker.target(head.height);
        let on = |tip| Start {
            tip,
            rewind: None,
            expect: Vec::new(),
        };
        let Some(ours) = link else {
            return Ok((on(tip), head));
        };
        let common = Point {
            height: ours.height.min(head.height),
            ..head
        };
        let (mine, theirs) = self.compare_at(upstream, ours, common, head).await?;
        if mine != theirs {
            let fork = Fork { tip, ours, head };
            return Ok((self.branch(upstream, memory, fork).await?, head));
        }
        if head.height < ours.height {
            let (has, have) = (head.height, ours.height);
            let why = format!("its head is {has}, and this replica already ends at {have}");
            return Err(End::Fault(Fault::Behind(why)));
        }
        if head.height == ours.height {
            self.upstreams.report_ok(upstream, Served::Data);
        }
        Ok((on(tip), head))
    }

    /// Both ids at a height: ours, which is known already when our chain ends
    /// there (also where it was joined and nothing is stored yet), and the
    /// upstream's, which is known already when the height is its head's.
    async fn compare_at(
        &self,
        upstream: &Upstream<S>,
        ours: Link,
        at: Point,
        head: Point,
    ) -> Result<(Id, Id), End> {
        let height = at.height;
        let mine = match height == ours.height {
            true => Some(ours.id),
            false => self.replica.id_at(height).await?,
        };
        let Some(mine) = mine else {
            let why = format!("its head is {height}, below everything this replica keeps");
            return Err(End::Fault(Fault::Behind(why)));
        };
        if height == head.height {
            return Ok((mine, head.id));
        }
        let theirs = upstream.source().id_at(height);
        let theirs = self.ask_patiently(upstream, "an id", theirs).await?;
        Ok((mine, theirs.ok_or(End::Moved)?))
    }

    /// The start of a session on another branch than ours.
    async fn branch(
        &self,
        upstream: &Upstream<S>,
        memory: &mut Memory,
        fork: Fork<V::Tip>,
    ) -> Result<Start<V::Tip>, End> {
        let refused = memory.refused;
        if refused.is_some_and(|(head, ours)| head == fork.head && ours == fork.ours) {
            return Err(End::Fault(lighter(None, fork.head.height)));
        }
        let floor = self.replica.floor().await?.unwrap_or(fork.ours.height);
        let deepest = fork.ours.height.saturating_sub(self.settings.max_rewind);
        let low = floor.max(deepest);
        let high = fork.ours.height.min(fork.head.height);
        let same = |height| async move {
            let mine = self.replica.id_at(height).await?;
            let theirs = upstream.source().id_at(height);
            let theirs = self.ask_patiently(upstream, "an id", theirs).await?;
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => Ok::<_, End>(mine == theirs),
                _ => Err(End::Moved),
            }
        };
        let Some(keep) = ancestor::search(low, high, same).await? else {
            return Err(End::Fault(self.elsewhere(floor, low, high)));
        };
        let tip = self.replica.tip_at(keep).await?;
        let Some(keep) = V::link(&tip).filter(|link| link.height == keep) else {
            let reason = format!("the chain state at height {keep} does not end there");
            let store = "the replica".to_owned();
            return Err(StoreError::Corrupt { store, reason }.into());
        };
        tracing::info!(
            upstream = upstream.name(),
            keep = keep.height,
            from = fork.ours.height,
            head = fork.head.height,
            "fork found"
        );
        let survey = memory.survey.take().filter(|survey| survey.keep == keep);
        // Without a measure there is nothing to beat, and a branch that was
        // weighed before need not be again. Half of either may be worth less
        // than what we have.
        let beat = V::weight(&fork.tip).filter(|_| survey.is_none());
        let whole = beat.is_none();
        Ok(Start {
            tip,
            rewind: Some(Rewind { keep, beat, whole }),
            expect: survey.map_or_else(Vec::new, |survey| survey.ids),
        })
    }

    /// The upstream shares nothing with us that we may go back to.
    fn elsewhere(&self, floor: u64, low: u64, high: u64) -> Fault {
        let deepest = self.settings.max_rewind;
        Fault::Unsupported(match low == floor {
            true => format!(
                "its chain has nothing in common with this replica, from height {floor} on; name an upstream of the same network, or start with an empty store"
            ),
            false => format!(
                "its chain left ours more than {deepest} positions ago (it differs at {high} and at {low}); that is deeper than it follows by itself; if that is the right chain, forget what is stored from height {low} on, and it is read again"
            ),
        })
    }
}

/// The upstream is on a branch that does not win.
pub(super) fn lighter(keep: Option<u64>, height: u64) -> Fault {
    let since = keep.map_or_else(String::new, |keep| format!(", which left ours at {keep},"));
    Fault::Behind(format!(
        "its branch up to {height}{since} is not heavier than this replica's"
    ))
}
