//! What an operator can set.

use std::time::Duration;

use heliostat_node::Minimum;
use tokio::sync::watch;

use super::defaults::ADDRESS_SCAN_TIMEOUT;

/// Settings of the service. The default is what lightwalletd does, with the
/// mended behaviour of [`compat_table`](super::compat_table).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address `GetLightdInfo` names for donations; empty for none.
    pub donation_address: String,
    /// Serves `Ping`, which lets a client hold tasks here, each for as long as
    /// it asks up to a minute.
    pub ping_very_insecure: bool,
    /// The lowest grade that is answered, by method name (`GetTreeState`);
    /// below it the method is refused with FAILED_PRECONDITION.
    pub minimum: Minimum,
    /// Longest one address history may take.
    pub address_scan_timeout: Duration,
    /// What health checks answer; without it they answer by how far the
    /// replica is.
    pub ready: Option<watch::Receiver<bool>>,
    /// Where lightwalletd's old behaviour is wanted.
    pub compat: Compat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            donation_address: String::new(),
            ping_very_insecure: false,
            minimum: Minimum::default(),
            address_scan_timeout: ADDRESS_SCAN_TIMEOUT,
            ready: None,
            compat: Compat::default(),
        }
    }
}

/// Switches between lightwalletd's behaviour and a mended one, each an entry
/// of [`compat_table`](super::compat_table).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compat {
    /// `SendTransaction` answers a success with the plain transaction id,
    /// without the double quotes lightwalletd leaves around it.
    pub plain_txid: bool,
    /// A node's refusal of an address query is answered with an empty success,
    /// as lightwalletd does.
    pub ok_on_address_error: bool,
}
