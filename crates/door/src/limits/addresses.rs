//! How many connections an address has.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// What counts as one address: an IPv4 address, mapped into IPv6 or not, or
/// an IPv6 /64. A subscriber gets at least a /64 and can use any address in
/// it.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// Open connections by [`subscriber`]. Bounded by the connections in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Addresses {
    /// Takes a place, unless `limit` are taken.
    pub(crate) fn enter(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let key = subscriber(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= limit {
            if *count == 0 {
                open.remove(&key);
            }
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place {
            addresses: self.clone(),
            key,
        })
    }
}

/// One connection's place, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Addresses,
    key: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let open = self.addresses.0.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a literal address")
    }

    #[test]
    fn a_mapped_address_is_the_v4_address() {
        assert_eq!(subscriber(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
    }

    #[test]
    fn a_v6_network_of_64_bits_is_one_address() {
        let one = subscriber(ip("2001:db8:0:1::1"));
        assert_eq!(one, subscriber(ip("2001:db8:0:1:ffff::2")));
        assert_ne!(one, subscriber(ip("2001:db8:0:2::1")));
    }

    #[test]
    fn places_come_back_and_leave_nothing_behind() {
        let addresses = Addresses::default();
        let first = addresses.enter(ip("192.0.2.1"), 2).expect("the first");
        let second = addresses.enter(ip("192.0.2.1"), 2).expect("at the limit");
        assert!(addresses.enter(ip("192.0.2.1"), 2).is_none(), "one beyond");
        assert!(addresses.enter(ip("192.0.2.2"), 2).is_some(), "another's");
        drop(first);
        assert!(addresses.enter(ip("192.0.2.1"), 2).is_some());
        drop(second);
        assert!(addresses.enter(ip("192.0.2.1"), 0).is_none());
        assert!(addresses.0.lock().expect("not poisoned").is_empty());
    }
}
