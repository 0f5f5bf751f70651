//! Checking positions on a thread that may block, and getting those read that
//! this release cannot read.

use std::sync::Arc;

use heliostat_core::{Fault, Reject, Source, Verifier};
use tokio::time::timeout;

use super::pipeline::{Block, Checks, Stop, Why};
use crate::{
    defaults,
    upstream::{Role, Upstream, Upstreams},
};

/// A verifier panicked. That is a defect of ours; the process goes on.
pub(super) fn defect(height: u64, error: &tokio::task::JoinError) -> Stop {
    tracing::error!(height, %error, "verifier failed");
    let why = format!("this release fails on a position near {height} ({error}); please report it");
    Stop {
        height,
        why: Why::Fault(Fault::Unsupported(why)),
    }
}

/// The outcome of checking one position.
enum Piece<C> {
    Good(Block<C>),
    /// To be described by the upstream.
    Opaque(String),
}

/// Checks consecutive positions on one blocking thread, and asks the upstream
/// to describe those that this release cannot read.
pub(super) async fn check<S, V>(
    describer: Describer<S>,
    verifier: Arc<V>,
    from: u64,
    raws: Vec<(usize, V::Raw)>,
) -> Checks<V::Checked>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
{
    let mut blocks = Vec::with_capacity(raws.len());
    let (pieces, mut stop) = check_here(&verifier, from, raws).await;
    for (height, piece) in (from..).zip(pieces) {
        let why = match piece {
            Piece::Good(block) => {
                blocks.push(block);
                continue;
            }
            Piece::Opaque(why) => why,
        };
        if let Some(block) = describer.elsewhere(&verifier, height).await {
            blocks.push(block);
            continue;
        }
        match describer.describe(&verifier, height, why).await {
            Ok(block) => blocks.push(block),
            Err(end) => {
                stop = Some(end);
                break;
            }
        }
    }
    Checks { blocks, stop }
}

async fn check_here<V: Verifier>(
    verifier: &Arc<V>,
    from: u64,
    raws: Vec<(usize, V::Raw)>,
) -> (Vec<Piece<V::Checked>>, Option<Stop>) {
    let verifier = Arc::clone(verifier);
    let check = move || {
        let mut pieces = Vec::with_capacity(raws.len());
        for (height, (size, raw)) in (from..).zip(raws) {
            match verifier.check(height, raw) {
                Ok(checked) => pieces.push(Piece::Good(Block { checked, size })),
                Err(Reject::Opaque(why)) => pieces.push(Piece::Opaque(why)),
                Err(reject) => {
                    let why = Why::Reject(reject);
                    return (pieces, Some(Stop { height, why }));
                }
            }
        }
        (pieces, None)
    };
    let checked = tokio::task::spawn_blocking(check).await;
    checked.unwrap_or_else(|error| (Vec::new(), Some(defect(from, &error))))
}

/// Asks the upstream for what cannot be read here.
pub(super) struct Describer<S> {
    pub(super) upstreams: Arc<Upstreams<S>>,
    pub(super) upstream: Arc<Upstream<S>>,
}

impl<S: Source> Describer<S> {
    /// The same position from another upstream, if that can be read. Whoever
    /// makes a position unreadable could hide a part of it, and lower the
    /// grade of all that follows; it takes an honest rival to tell.
    async fn elsewhere<V: Verifier<Raw = S::Raw>>(
        &self,
        verifier: &Arc<V>,
        height: u64,
    ) -> Option<Block<V::Checked>> {
        let others = self.upstreams.all().iter().filter(|one| {
            one.role() == Role::Follow && one.is_usable() && !Arc::ptr_eq(one, &self.upstream)
        });
        for other in others.take(defaults::SECOND_READINGS) {
            let reading = self.read_of(verifier, other, height);
            let Ok(Some(block)) = timeout(defaults::SECOND_READING, reading).await else {
                continue;
            };
            tracing::warn!(
                upstream = self.upstream.name(),
                other = other.name(),
                height,
                "position cannot be read, but can as another upstream gives it"
            );
            return Some(block);
        }
        None
    }

    /// What `other` has at `height`, when it is the same position.
    async fn read_of<V: Verifier<Raw = S::Raw>>(
        &self,
        verifier: &Arc<V>,
        other: &Upstream<S>,
        height: u64,
    ) -> Option<Block<V::Checked>> {
        let ours = self.upstream.source().id_at(height).await.ok()??;
        if other.source().id_at(height).await.ok()?? != ours {
            return None;
        }
        let raw = other.source().fetch(height).await.ok()?;
        let size = V::size(&raw);
        match check_here(verifier, height, vec![(size, raw)])
            .await
            .0
            .pop()
        {
            Some(Piece::Good(block)) => Some(block),
            _ => None,
        }
    }

    async fn describe<V: Verifier<Raw = S::Raw>>(
        &self,
        verifier: &Arc<V>,
        height: u64,
        why: String,
    ) -> Result<Block<V::Checked>, Stop> {
        let upstream = &*self.upstream;
        // What follows is graded lower for good, so the first one has to be
        // found in the log.
        tracing::info!(
            upstream = upstream.name(),
            height,
            why,
            "position described by upstream"
        );
        let question = upstream.source().describe(height);
        let what = format!("a description of position {height}");
        let described = self.upstreams.ask_for(upstream, height, &what, question);
        let raw = described.await.map_err(|fault| Stop {
            height,
            why: Why::Fault(fault),
        })?;
        let size = V::size(&raw);
        let (mut pieces, stop) = check_here(verifier, height, vec![(size, raw)]).await;
        match (pieces.pop(), stop) {
            (Some(Piece::Good(block)), None) => Ok(block),
            (_, Some(stop)) => Err(stop),
            _ => {
                let why =
                    format!("position {height} cannot be read even as it describes it: {why}");
                let why = Why::Fault(Fault::Unsupported(why));
                Err(Stop { height, why })
            }
        }
    }
}
