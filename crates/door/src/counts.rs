//! What a door counts, for whoever exports it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The address is on the deny list or not on the allow list.
    Network,
    /// Too many connections from one address.
    Connections,
    /// Connections of this address were cut for attacks.
    Penalty,
    /// The memory budget is used up.
    Memory,
    /// The identity is on a deny list or not on the allow list.
    Identity,
    /// No token, or one that does not hold.
    Unauthenticated,
    /// A token that holds, without the scope.
    Forbidden,
    /// Whoever vouches for tokens cannot be asked.
    Unavailable,
    /// Too many requests from one address.
    AddressRate,
    /// Too many requests by one identity.
    IdentityRate,
    /// The request is too large.
    Size,
    /// The request's headers are too large.
    Headers,
}

impl Refused {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Network,
        Self::Connections,
        Self::Penalty,
        Self::Memory,
        Self::Identity,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Unavailable,
        Self::AddressRate,
        Self::IdentityRate,
        Self::Size,
        Self::Headers,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Connections => "connections",
            Self::Penalty => "penalty",
            Self::Memory => "memory",
            Self::Identity => "identity",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::AddressRate => "address_rate",
            Self::IdentityRate => "identity_rate",
            Self::Size => "size",
            Self::Headers => "headers",
        }
    }
}

/// Why a connection was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// It did not say anything.
    Silent,
    /// Its TLS handshake took too long.
    Handshake,
    /// Its headers took too long.
    Headers,
    /// Its request body took too long.
    Body,
    /// It did not read its answer.
    Unread,
    /// It sent frames that do no work.
    Flood,
    /// It had no request for too long.
    Idle,
    /// It outlasted the drain.
    Drain,
    /// The networks were changed and no longer let it in.
    Network,
    /// The lists were changed and no longer let it in.
    Identity,
    /// Its token ended; over HTTP only the answer is cut.
    Expired,
}

impl Cut {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Silent,
        Self::Handshake,
        Self::Headers,
        Self::Body,
        Self::Unread,
        Self::Flood,
        Self::Idle,
        Self::Drain,
        Self::Network,
        Self::Identity,
        Self::Expired,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Handshake => "handshake",
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Unread => "unread",
            Self::Flood => "flood",
            Self::Idle => "idle",
            Self::Drain => "drain",
            Self::Network => "network",
            Self::Identity => "identity",
            Self::Expired => "expired",
        }
    }
}

/// The values of a door's counters at one moment. Everything only grows,
/// except `open`, `memory_used` and `certificate_not_after`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections and requests turned away, by [`Refused::as_str`]; every
    /// reason is present.
    pub refused: BTreeMap<&'static str, u64>,
    /// TLS handshakes that failed, those cut for their slowness not counted.
    pub handshake_failures: u64,
    /// Connections cut, by [`Cut::as_str`]; every reason is present.
    pub cut: BTreeMap<&'static str, u64>,
    /// Certificates, lists and settings taken over from changed files.
    pub reloads: u64,
    /// Changed files that could not be taken over; the old content stays.
    pub reload_failures: u64,
    /// When the served certificate ends, in seconds since 1970.
    pub certificate_not_after: Option<i64>,
    /// Bytes that count against the memory budget now, over every door that
    /// shares it.
    pub memory_used: u64,
    /// The memory budget in bytes.
    pub memory_budget: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) closed: AtomicU64,
    pub(crate) handshake_failures: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    cut: [AtomicU64; Cut::ALL.len()],
}

impl Counters {
    pub(crate) fn refused(&self, reason: Refused) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn cut(&self, reason: Cut) {
        self.cut[reason as usize].fetch_add(1, Relaxed);
    }

    /// Everything the door itself counts.
    pub(crate) fn snapshot(&self) -> Counts {
        // Closed first: a connection that opens in between must not make the
        // difference negative.
        let closed = self.closed.load(Relaxed);
        let accepted = self.accepted.load(Relaxed);
        let refused = Refused::ALL.map(|reason| {
            let count = self.refused[reason as usize].load(Relaxed);
            (reason.as_str(), count)
        });
        let cut = Cut::ALL.map(|reason| {
            let count = self.cut[reason as usize].load(Relaxed);
            (reason.as_str(), count)
        });
        Counts {
            accepted,
            open: accepted.saturating_sub(closed),
            refused: refused.into(),
            handshake_failures: self.handshake_failures.load(Relaxed),
            cut: cut.into(),
            ..Counts::default()
        }
    }
}
