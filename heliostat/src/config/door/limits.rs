//! `[door.limits]`: what a peer may cost us.

use std::time::Duration;

use heliostat_door::{Limits, Rate, defaults, networks};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// What a peer may cost us; the meanings are [`Limits`]'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(
    missing_docs,
    reason = "each is documented as a setting and in the door"
)]
pub struct LimitsConfig {
    pub connections_per_address: usize,
    pub streams_per_connection: u32,
    pub handshake_seconds: u64,
    pub header_seconds: u64,
    pub body_seconds: u64,
    pub unread_seconds: u64,
    pub idle_seconds: u64,
    pub progress_bytes: u64,
    pub request_bytes: u64,
    pub connection_buffer_bytes: u64,
    pub control_frames: u32,
    pub address_rate: u32,
    pub address_burst: u32,
    pub identity_rate: u32,
    pub identity_burst: u32,
    pub longest_penalty_seconds: u64,
    pub exempt_networks: Vec<String>,
    pub memory_bytes: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections_per_address: defaults::MAX_CONNECTIONS_PER_ADDRESS,
            streams_per_connection: defaults::MAX_STREAMS,
            handshake_seconds: defaults::HANDSHAKE_TIMEOUT.as_secs(),
            header_seconds: defaults::HEADER_TIMEOUT.as_secs(),
            body_seconds: defaults::BODY_TIMEOUT.as_secs(),
            unread_seconds: defaults::UNREAD_TIMEOUT.as_secs(),
            idle_seconds: defaults::IDLE_TIMEOUT.as_secs(),
            progress_bytes: defaults::MIN_PROGRESS,
            request_bytes: defaults::MAX_REQUEST,
            connection_buffer_bytes: defaults::CONNECTION_BUFFER,
            control_frames: defaults::CONTROL_FRAMES,
            address_rate: defaults::ADDRESS_RATE,
            address_burst: defaults::ADDRESS_BURST,
            identity_rate: defaults::IDENTITY_RATE,
            identity_burst: defaults::IDENTITY_BURST,
            longest_penalty_seconds: defaults::LONGEST_PENALTY.as_secs(),
            exempt_networks: Limits::default()
                .exempt
                .iter()
                .map(ToString::to_string)
                .collect(),
            memory_bytes: defaults::MEMORY,
        }
    }
}

impl LimitsConfig {
    /// The same for the door itself.
    ///
    /// # Errors
    /// A limit that would let nobody in, or an entry that is no network.
    pub fn limits(&self) -> Result<Limits, ConfigError> {
        for (key, value) in [
            (
                "connections-per-address",
                self.connections_per_address as u64,
            ),
            ("streams-per-connection", self.streams_per_connection.into()),
            ("handshake-seconds", self.handshake_seconds),
            ("header-seconds", self.header_seconds),
            ("body-seconds", self.body_seconds),
            ("unread-seconds", self.unread_seconds),
            ("idle-seconds", self.idle_seconds),
            ("request-bytes", self.request_bytes),
            ("connection-buffer-bytes", self.connection_buffer_bytes),
            ("control-frames", self.control_frames.into()),
            ("memory-bytes", self.memory_bytes),
        ] {
            if value == 0 {
                return Err(ConfigError::value(
                    format!("door.limits.{key}"),
                    "0 lets nobody in",
                ));
            }
        }
        let rate = |key: &str, per_second: u32, burst: u32| match (per_second, burst) {
            (0, _) => Ok(None),
            (_, 0) => Err(ConfigError::value(
                format!("door.limits.{key}-burst"),
                format!("0 lets nobody in; write {key}-rate = 0 for no limit"),
            )),
            _ => Ok(Rate::new(per_second, burst)),
        };
        let exempt = self
            .exempt_networks
            .iter()
            .map(|entry| networks::network(entry));
        let exempt = exempt.collect::<Result<_, _>>().map_err(|error| {
            ConfigError::value("door.limits.exempt-networks", error.to_string())
        })?;
        Ok(Limits {
            connections_per_address: self.connections_per_address,
            streams: self.streams_per_connection,
            handshake_timeout: Duration::from_secs(self.handshake_seconds),
            header_timeout: Duration::from_secs(self.header_seconds),
            body_timeout: Duration::from_secs(self.body_seconds),
            unread_timeout: Duration::from_secs(self.unread_seconds),
            idle_timeout: Duration::from_secs(self.idle_seconds),
            min_progress: self.progress_bytes,
            max_request: self.request_bytes,
            connection_buffer: self.connection_buffer_bytes,
            control_frames: self.control_frames,
            address_rate: rate("address", self.address_rate, self.address_burst)?,
            identity_rate: rate("identity", self.identity_rate, self.identity_burst)?,
            longest_penalty: Duration::from_secs(self.longest_penalty_seconds),
            exempt,
        })
    }
}
