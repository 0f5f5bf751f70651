//! Sockets of addresses that are refused, kept for a moment.
//!
//! An attacker that comes back as soon as it is disconnected would otherwise
//! come back thousands of times a second, and each time cost the system a
//! handshake and us an `accept`. Kept unread, it waits; it costs a descriptor.

use std::{
    collections::VecDeque,
    net::TcpStream,
    sync::{Mutex, PoisonError},
};

use crate::defaults;

/// The sockets and when they came, in milliseconds of the door's clock, oldest
/// first; bounded.
#[derive(Debug, Default)]
pub(crate) struct Parked(Mutex<VecDeque<(u64, TcpStream)>>);

impl Parked {
    /// Keeps a socket that came now, or closes it if there are too many.
    pub(crate) fn park(&self, stream: TcpStream, now: u64) {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parked.len() < defaults::PARKED {
            parked.push_back((now, stream));
        }
    }

    /// Closes what has waited long enough.
    pub(crate) fn release(&self, now: u64) {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = defaults::PARKING.as_millis() as u64;
        let kept = parked.partition_point(|(since, _)| now.saturating_sub(*since) >= time);
        parked.drain(..kept);
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parked.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use super::*;

    /// Two ends of a connection.
    fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).expect("open");
        let (server, _) = listener.accept().expect("a connection");
        client.set_nonblocking(true).expect("open");
        (client, server)
    }

    fn is_open(client: &mut TcpStream) -> bool {
        let read = client.read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    #[test]
    fn sockets_wait_for_their_time_and_as_many_as_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let parked = Parked::default();
        let mut clients = Vec::new();
        for n in 0..=defaults::PARKED {
            let (client, server) = pair(&listener);
            parked.park(server, n as u64);
            clients.push(client);
        }
        let mut beyond = clients.pop().expect("the last");
        assert!(!is_open(&mut beyond) && clients.iter_mut().all(is_open));
        parked.release(defaults::PARKING.as_millis() as u64);
        assert!(!is_open(&mut clients[0]), "the first came at 0");
        assert!(is_open(&mut clients[1]), "the next one after it");
        parked.clear();
        assert!(!clients.iter_mut().any(is_open));
    }
}
