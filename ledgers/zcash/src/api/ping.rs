//! `Ping`, a load test aid.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use heliostat_zcash_proto::PingResponse;
use tonic::Status;

use super::defaults::MAX_PING;

/// How many pings are being answered.
#[derive(Debug, Default)]
pub(super) struct Pings(AtomicI64);

impl Pings {
    /// Waits for the microseconds asked for, [`MAX_PING`] at most, and tells
    /// how many were being answered when it began and when it ended.
    pub(super) async fn answer(
        &self,
        enabled: bool,
        interval_us: i64,
    ) -> Result<PingResponse, Status> {
        if !enabled {
            return Err(Status::failed_precondition(
                "Ping not enabled, start Heliostat with --ping-very-insecure",
            ));
        }
        let one = Counted::new(&self.0);
        let wait = Duration::from_micros(u64::try_from(interval_us).unwrap_or(0));
        tokio::time::sleep(wait.min(MAX_PING)).await;
        let entry = one.entry;
        Ok(PingResponse {
            entry,
            exit: one.leave(),
        })
    }
}

/// Keeps the count right when a client goes away while it waits.
struct Counted<'a> {
    count: &'a AtomicI64,
    entry: i64,
    left: bool,
}

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicI64) -> Self {
        let entry = count.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            count,
            entry,
            left: false,
        }
    }

    fn leave(mut self) -> i64 {
        self.left = true;
        self.count.fetch_sub(1, Ordering::Relaxed) - 1
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
