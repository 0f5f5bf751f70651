//! What a peer may cost us. Each field's default and its reason are in
//! [`defaults`].

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;

use crate::defaults;

pub mod addresses;
pub mod memory;
pub(crate) mod parked;
pub(crate) mod penalties;
pub(crate) mod places;
pub mod rates;

/// Requests a second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// `None` where either is zero.
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }
}

/// The limits of one door; all on by default.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections open at once from one address (/64 for IPv6).
    pub connections_per_address: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a new connection may stay silent, and the headers of a
    /// request may take.
    pub header_timeout: Duration,
    /// How long `min_progress` bytes of a request body may take.
    pub body_timeout: Duration,
    /// How long a client may take to read `min_progress` bytes of an answer.
    pub unread_timeout: Duration,
    /// How long an HTTP/1 connection may wait for its next request.
    pub idle_timeout: Duration,
    /// Bytes that count as progress in a request body or an answer.
    pub min_progress: u64,
    /// The largest request body in bytes.
    pub max_request: u64,
    /// Bytes of answers queued on one connection.
    pub connection_buffer: u64,
    /// HTTP/2 frames that do no work a client may send ahead of what it is
    /// owed.
    pub control_frames: u32,
    /// Requests from one address (/64 for IPv6).
    pub address_rate: Option<Rate>,
    /// Requests by one identity (certificate or token).
    pub identity_rate: Option<Rate>,
    /// How long an address (/64 for IPv6) is refused at most after connections
    /// of it were cut for floods, or many for slowness; zero for not at all.
    pub longest_penalty: Duration,
    /// Networks without a limit per address: proxies that carry everybody's
    /// requests. Loopback, by default.
    pub exempt: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address: defaults::MAX_CONNECTIONS_PER_ADDRESS,
            streams: defaults::MAX_STREAMS,
            handshake_timeout: defaults::HANDSHAKE_TIMEOUT,
            header_timeout: defaults::HEADER_TIMEOUT,
            body_timeout: defaults::BODY_TIMEOUT,
            unread_timeout: defaults::UNREAD_TIMEOUT,
            idle_timeout: defaults::IDLE_TIMEOUT,
            min_progress: defaults::MIN_PROGRESS,
            max_request: defaults::MAX_REQUEST,
            connection_buffer: defaults::CONNECTION_BUFFER,
            control_frames: defaults::CONTROL_FRAMES,
            address_rate: Rate::new(defaults::ADDRESS_RATE, defaults::ADDRESS_BURST),
            identity_rate: Rate::new(defaults::IDENTITY_RATE, defaults::IDENTITY_BURST),
            longest_penalty: defaults::LONGEST_PENALTY,
            exempt: loopback(),
        }
    }
}

impl Limits {
    /// How often connections are looked at, so that the shortest time-out is
    /// kept to an eighth.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = self
            .handshake_timeout
            .min(self.header_timeout)
            .min(self.body_timeout)
            .min(self.unread_timeout)
            .min(self.idle_timeout);
        (shortest / 8).clamp(Duration::from_millis(10), defaults::TICK)
    }
}

/// `127.0.0.0/8` and `::1`.
fn loopback() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"]
        .map(|net| net.parse().expect("a literal network parses"))
        .to_vec()
}
