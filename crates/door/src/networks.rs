//! Which addresses may connect at all.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net};

use crate::DoorError;

/// The prefix of IPv4 addresses mapped into IPv6 (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

/// Networks that may or may not connect. Deny beats allow; without an allow
/// list everybody may who is not denied. IPv4 addresses mapped into IPv6 are
/// IPv4 addresses, in the lists and on the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

impl Networks {
    /// Reads two lists of networks (`192.0.2.0/24`, `2001:db8::/32`) and
    /// single addresses.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<S: AsRef<str>>(allow: &[S], deny: &[S]) -> Result<Self, DoorError> {
        let read = |list: &[S]| {
            let networks = list.iter().map(|entry| network(entry.as_ref()));
            networks.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            allow: read(allow)?,
            deny: read(deny)?,
        })
    }

    /// Whether `address` may connect.
    pub fn may_enter(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if contains(&self.deny, address) {
            return false;
        }
        self.allow.is_empty() || contains(&self.allow, address)
    }
}

/// Whether one of `networks` has `address`.
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Reads one network or address.
///
/// # Errors
/// It is neither.
pub fn network(entry: &str) -> Result<IpNet, DoorError> {
    let trimmed = entry.trim();
    let network = match IpAddr::from_str(trimmed) {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => IpNet::from_str(trimmed).ok(),
    };
    let network = network.ok_or_else(|| DoorError::Network {
        given: entry.to_owned(),
    })?;
    Ok(canonical(network).trunc())
}

/// A mapped network as the IPv4 network it is.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped: Ipv6Addr = v6.addr();
    let (Some(v4), Some(prefix)) = (mapped.to_ipv4_mapped(), v6.prefix_len().checked_sub(MAPPED))
    else {
        return network;
    };
    Ipv4Net::new(v4, prefix).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(networks: &Networks, address: &str) -> bool {
        networks.may_enter(address.parse().expect("a literal address"))
    }

    #[test]
    fn without_lists_everybody_may_enter() {
        let networks = Networks::default();
        assert!(may(&networks, "192.0.2.1") && may(&networks, "2001:db8::1"));
    }

    #[test]
    fn deny_beats_allow() {
        let networks = Networks::parse(&["192.0.2.0/24", "2001:db8::/32"], &["192.0.2.7"])
            .expect("literal networks");
        assert!(may(&networks, "192.0.2.0") && may(&networks, "192.0.2.255"));
        assert!(!may(&networks, "192.0.2.7"));
        assert!(!may(&networks, "192.0.3.0") && !may(&networks, "192.0.1.255"));
        assert!(may(&networks, "2001:db8:ffff::1") && !may(&networks, "2001:db9::"));
    }

    #[test]
    fn mapped_addresses_are_v4_on_both_sides() {
        let v4 = Networks::parse(&["192.0.2.0/24"], &[]).expect("a literal network");
        assert!(may(&v4, "::ffff:192.0.2.9") && !may(&v4, "::ffff:192.0.3.9"));
        let mapped = Networks::parse(&["::ffff:192.0.2.0/120"], &["::ffff:192.0.2.9"])
            .expect("literal networks");
        assert!(may(&mapped, "192.0.2.8") && may(&mapped, "::ffff:192.0.2.8"));
        assert!(!may(&mapped, "192.0.2.9") && !may(&mapped, "192.0.3.8"));
    }

    #[test]
    fn host_bits_do_not_matter() {
        let networks = Networks::parse(&["192.0.2.77/24"], &[]).expect("a literal network");
        assert!(may(&networks, "192.0.2.1"));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in ["", "192.0.2.0/33", "192.0.2", "2001:db8::/129", "localhost"] {
            let error = Networks::parse(&[wrong], &[]).expect_err("not a network");
            let words = error.to_string();
            assert!(words.contains(&format!("{wrong:?}")), "{words}");
            assert!(words.contains("192.0.2.0/24"), "{words}");
        }
    }
}
