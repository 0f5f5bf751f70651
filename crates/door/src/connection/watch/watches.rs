//! All connections of a door, and the sweep that cuts those that wait too
//! long.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering::Relaxed},
};

use super::{Entrant, Watch};
use crate::{counts::Cut, limits::Limits};

/// All connections of a door.
#[derive(Default)]
pub(crate) struct Watches(Mutex<Vec<Weak<Watch>>>);

impl Watches {
    pub(crate) fn add(&self, watch: &Arc<Watch>) {
        let watches = self.0.lock();
        let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
        watches.push(Arc::downgrade(watch));
    }

    /// Lets every connection look at what has become of its door.
    pub(crate) fn wake(&self) {
        let watches = self.0.lock();
        let watches = watches.unwrap_or_else(PoisonError::into_inner);
        for watch in watches.iter().filter_map(Weak::upgrade) {
            watch.task.wake();
        }
    }

    /// Cuts the connections of addresses that may no longer connect.
    pub(crate) fn expel(&self, may_enter: impl Fn(IpAddr) -> bool) {
        let watches = self.0.lock();
        let watches = watches.unwrap_or_else(PoisonError::into_inner);
        for watch in watches.iter().filter_map(Weak::upgrade) {
            if !may_enter(watch.address) {
                watch.cut(Cut::Network);
            }
        }
    }

    /// Cuts what waited too long at `now` (milliseconds of the door's clock),
    /// what its token no longer covers at `unix` (seconds since 1970), and who
    /// is no longer known; `generation` is that of the lists.
    pub(crate) fn sweep(
        &self,
        now: u64,
        unix: u64,
        limits: &Limits,
        generation: u64,
        knows: impl Fn(&Entrant) -> bool,
    ) {
        let watches = self.0.lock();
        let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
        watches.retain(|watch| {
            let Some(watch) = watch.upgrade() else {
                return false;
            };
            if watch.is_cut() {
                return true;
            }
            if let Some(reason) = watch.overdue(now, unix, limits) {
                watch.cut(reason);
            } else if watch.is_to_be_looked_up(generation)
                && watch.entrant.get().is_some_and(|entrant| !knows(entrant))
            {
                watch.cut(Cut::Identity);
            } else if watch.in_lobby.load(Relaxed) && watch.owed_since.load(Relaxed) == 0 {
                watch.task.wake();
            }
            true
        });
    }
}
