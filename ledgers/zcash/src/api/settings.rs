//! What an operator can set.

use std::collections::BTreeMap;

use heliostat_core::Assurance;

/// Settings of the service. The default is what lightwalletd does, with the
/// mended behaviour of [`compat_table`](super::compat_table).
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The address `GetLightdInfo` names for donations; empty for none.
    pub donation_address: String,
    /// Serves `Ping`, which lets a client hold tasks here for as long as it
    /// likes.
    pub ping_very_insecure: bool,
    /// The lowest grade that is answered, by method name (`GetTreeState`);
    /// below it the method is refused with FAILED_PRECONDITION.
    pub minimum: BTreeMap<String, Assurance>,
    /// Where lightwalletd's old behaviour is wanted.
    pub compat: Compat,
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
