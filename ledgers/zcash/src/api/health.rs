//! `grpc.health.v1`: whether a load balancer should send wallets here.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use heliostat_node::{Progress, State};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health,
};

use super::{SERVICE, defaults::HEALTH_SLACK, grade::Graded};

/// Answers what the operator's own readiness says where that is known, else
/// from the follower's progress; no task of its own.
#[derive(Clone)]
pub(super) struct Readiness {
    progress: watch::Receiver<Progress>,
    ready: Option<watch::Receiver<bool>>,
}

impl Readiness {
    pub(super) fn new(
        progress: watch::Receiver<Progress>,
        ready: Option<watch::Receiver<bool>>,
    ) -> Arc<Self> {
        Arc::new(Self { progress, ready })
    }

    /// The status now; what [`changed`](Self::changed) waits for begins here.
    fn status(&mut self) -> ServingStatus {
        let serving = match &mut self.ready {
            Some(ready) => *ready.borrow_and_update(),
            None => is_serving(&self.progress.borrow_and_update()),
        };
        match serving {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// Returns when the status may be another one; nothing when it never will.
    async fn changed(&mut self) -> Option<()> {
        let changed = match &mut self.ready {
            Some(ready) => ready.changed().await,
            None => self.progress.changed().await,
        };
        changed.ok()
    }
}

/// Wallets are served well when there is a chain, its head is not old, and it
/// is at or next to the upstream's head: fetching the newest block or two is
/// no outage.
pub fn is_serving(progress: &Progress) -> bool {
    let near = match progress.state {
        State::Following => true,
        State::Syncing => progress
            .missing()
            .is_some_and(|missing| missing <= HEALTH_SLACK),
        State::Waiting(_) | State::Store(_) | State::Stopped => false,
    };
    near && progress.local.is_some() && !progress.stale
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status as i32,
    }
}

/// The whole server, by the empty name, and the one service have one health.
fn is_known(service: &str) -> bool {
    service.is_empty() || service == SERVICE
}

#[tonic::async_trait]
impl Health for Readiness {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("service not registered"));
        }
        Ok(Response::new(response(self.clone().status())))
    }

    type WatchStream = Graded<HealthCheckResponse>;

    /// The present status, and each change of it. A service nobody knows has
    /// the status that says so, as the health protocol wants it.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !is_known(&request.get_ref().service) {
            let unknown = Ok(response(ServingStatus::ServiceUnknown));
            let forever = stream::once(async { unknown }).chain(stream::pending());
            return Ok(Response::new(forever.boxed()));
        }
        let start = (self.clone(), None);
        let changes = stream::unfold(start, |(mut readiness, last)| async move {
            loop {
                let now = readiness.status();
                if last != Some(now) {
                    return Some((Ok(response(now)), (readiness, Some(now))));
                }
                readiness.changed().await?;
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
