//! What the handlers share: the subject, one status for several live pages,
//! and the task that takes samples.

use std::{
    sync::{Arc, Mutex, OnceLock, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Metrics, Status, Subject,
    defaults::{SAMPLE, SHARED_STATUS, SUBSCRIBERS},
    history::{History, Sample},
    metrics::{locked, process},
};

/// One observed process. It ends with the last router, and takes its task
/// along.
pub(crate) struct Live {
    subject: Arc<dyn Subject>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: CancellationToken,
    history: Mutex<History>,
    shared: tokio::sync::Mutex<Option<(Instant, Arc<Status>)>>,
    subscribers: Arc<Semaphore>,
    sampling: OnceLock<AbortOnDropHandle<()>>,
}

impl Live {
    /// Begins to take samples; must be called within a runtime.
    pub(crate) fn begin(
        subject: Arc<dyn Subject>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let live = Arc::new(Self {
            subject,
            metrics,
            stop: stop.clone(),
            history: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
            subscribers: Arc::new(Semaphore::new(SUBSCRIBERS)),
            sampling: OnceLock::new(),
        });
        // Weak: the subject holds stores open, and must be gone when the
        // routers are.
        let samples = sample(Arc::downgrade(&live));
        let task = tokio::spawn(async move {
            stop.run_until_cancelled(samples).await;
        });
        let _first = live.sampling.set(AbortOnDropHandle::new(task));
        live
    }

    /// The status now.
    pub(crate) async fn status(&self) -> Status {
        full_status(&*self.subject).await
    }

    /// A status that is not older than [`SHARED_STATUS`]; who asks at the same
    /// time gets the same one.
    pub(crate) async fn shared_status(&self) -> Arc<Status> {
        let mut shared = self.shared.lock().await;
        if let Some((at, status)) = &*shared
            && at.elapsed() < SHARED_STATUS
        {
            return Arc::clone(status);
        }
        let status = Arc::new(self.status().await);
        *shared = Some((Instant::now(), Arc::clone(&status)));
        status
    }

    pub(crate) async fn evidence(&self) -> serde_json::Value {
        self.subject.evidence().await
    }

    /// The samples from `number` on.
    pub(crate) fn samples(&self, number: u64) -> Vec<Sample> {
        locked(&self.history).from(number)
    }

    /// A place among the live pages, if one is free.
    pub(crate) fn subscribe(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.subscribers).try_acquire_owned().ok()
    }
}

/// What the subject says, and what the system says of the process.
pub(crate) async fn full_status(subject: &dyn Subject) -> Status {
    let mut status = subject.status().await;
    status.process = process::read();
    status
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Takes samples for as long as somebody holds `live`.
async fn sample(live: Weak<Live>) {
    let mut ticks = time::interval(SAMPLE);
    // A process that slept has nothing to make up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let Some(live) = live.upgrade() else { return };
        let status = live.shared_status().await;
        let seconds = last.elapsed().as_secs_f64();
        last = Instant::now();
        locked(&live.history).take(&status, &live.metrics, now(), seconds);
    }
}
