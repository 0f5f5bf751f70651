//! What goes wrong with answers on their way, whatever they say.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// One way for an answer to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An HTTP status with an empty body.
    Status(u16),
    /// 200 with nothing in it, as some gateways answer what they block.
    Empty,
    /// `null`.
    Null,
    /// A page instead of an answer.
    Garbage,
    /// Half an answer, then the connection closes.
    Truncated,
    /// Half an answer, then the node goes away with all its connections and
    /// comes back on the same port.
    RestartMidAnswer {
        /// How long nobody listens.
        down: Duration,
    },
    /// An answer that goes on for so many bytes; made while it is sent.
    Huge(u64),
    /// An answer that trickles.
    Drip {
        /// Bytes at a time.
        bytes: usize,
        /// The pause between two of them.
        every: Duration,
    },
    /// The answer comes late.
    Slow(Duration),
    /// The answer never comes.
    Hang,
    /// The connection is reset instead of an answer.
    Reset,
}

/// How long a node is away in [`Fault::all`].
const AWAY: Duration = Duration::from_millis(50);
/// How late an answer is in [`Fault::all`].
const LATE: Duration = Duration::from_millis(200);
/// How long a huge answer is in [`Fault::all`]: more than anybody should read.
const HUGE: u64 = 1 << 30;

impl Fault {
    /// One of each, for tests that go through them. Those that a client can
    /// only wait out come last: [`Fault::Hang`].
    pub fn all() -> Vec<Self> {
        let statuses = [401, 403, 404, 500, 503].map(Self::Status);
        let others = [
            Self::Empty,
            Self::Null,
            Self::Garbage,
            Self::Truncated,
            Self::RestartMidAnswer { down: AWAY },
            Self::Huge(HUGE),
            Self::Drip {
                bytes: 512,
                every: Duration::from_millis(1),
            },
            Self::Slow(LATE),
            Self::Reset,
            Self::Hang,
        ];
        statuses.into_iter().chain(others).collect()
    }
}

/// Which requests a fault meets. The default: all of them, always.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these calls ([`super::call`]); all when empty.
    pub calls: Vec<&'static str>,
    /// Only so many requests.
    pub times: Option<usize>,
}

impl Filter {
    /// Every request.
    pub fn all() -> Self {
        Self::default()
    }

    /// Requests of one call.
    pub fn call(name: &'static str) -> Self {
        Self {
            calls: vec![name],
            ..Self::default()
        }
    }

    /// Of those, only the first few.
    pub fn times(self, times: usize) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }
}

/// The faults that a node has at the moment.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<(Fault, Filter)>>);

impl Faults {
    pub fn add(&self, fault: Fault, filter: Filter) {
        self.lock().push((fault, filter));
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What goes wrong with one request.
    pub fn plan(&self, call: &str) -> Vec<Fault> {
        let mut plan = Vec::new();
        for (fault, filter) in self.lock().iter_mut() {
            if !filter.calls.is_empty() && !filter.calls.contains(&call) {
                continue;
            }
            match &mut filter.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => (),
            }
            plan.push(fault.clone());
        }
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Fault, Filter)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
