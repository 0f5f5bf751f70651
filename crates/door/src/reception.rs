//! Where sockets are accepted: who is let in, and what ends when the door is
//! told to stop.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    connection::{Ends, Entered, Guest, Held},
    counts::Refused,
    defaults,
    house::House,
    limits::places::Taken,
    refusal::Refusal,
};

/// Listens at the first of these addresses that can be listened at.
pub(crate) fn listen(candidates: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut failed = io::ErrorKind::AddrNotAvailable.into();
    for address in candidates {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A port of a process that has just ended can be had again.
        socket.set_reuseaddr(true)?;
        match socket
            .bind(*address)
            .and_then(|()| socket.listen(defaults::BACKLOG))
        {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Hands everybody who is let in to `serve`, until `stop`, then drains. Every
/// connection has ended when this returns.
pub(crate) async fn receive<F>(
    house: &Arc<House>,
    listener: TcpListener,
    stop: CancellationToken,
    serve: impl Fn(Guest, Ends) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let _sweeping = AbortOnDropHandle::new(tokio::spawn(Arc::clone(house).sweep()));
    let looking = tokio::spawn(Arc::clone(house).look_after_files());
    let _looking = AbortOnDropHandle::new(looking);
    let courtesies = Arc::new(Semaphore::new(defaults::COURTESIES));
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    // Also ends what is open when this future is dropped instead of stopped.
    let ending = Ending(house, &cut);

    loop {
        let accepted = async {
            let place = house.places.take().await;
            (accept(house, &listener).await, place)
        };
        let ((stream, address), taken) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let gone = CancellationToken::new();
        let entry = Entry {
            stream,
            address,
            taken,
            gone: gone.clone(),
        };
        let Some(guest) = entry.admit(house, &courtesies, &tasks) else {
            continue;
        };
        let ends = Ends {
            stop: stop.clone(),
            cut: cut.clone(),
            gone,
        };
        tasks.spawn(serve(guest, ends));
    }

    drop(listener);
    house.parked.clear();
    house.stop();
    tasks.close();
    let drain = house.rules().drain;
    if time::timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(
            open = house.counters.snapshot().open,
            "connections cut after the drain time"
        );
        drop(ending);
        tasks.wait().await;
    }
}

/// Cuts every connection when dropped.
struct Ending<'a>(&'a House, &'a CancellationToken);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.1.cancel();
        self.0.cut();
        self.0.parked.clear();
    }
}

/// A socket that was just accepted.
struct Entry {
    stream: TcpStream,
    address: SocketAddr,
    taken: Taken,
    gone: CancellationToken,
}

impl Entry {
    /// Lets it in, or closes it.
    fn admit(
        self,
        house: &House,
        courtesies: &Arc<Semaphore>,
        tasks: &TaskTracker,
    ) -> Option<Guest> {
        let ip = self.address.ip().to_canonical();
        let rules = house.rules();
        let Some(account) = house.memory.admit(rules.limits.connection_buffer) else {
            house.counters.refused(Refused::Memory);
            return None;
        };
        let mut unwelcome = None;
        let mut courtesy = None;
        let mut place = None;
        if !house.is_exempt(ip) {
            let limit = rules.limits.connections_per_address;
            place = house.addresses.enter(ip, limit);
            if place.is_none() {
                house.counters.refused(Refused::Connections);
                courtesy = Some(Arc::clone(courtesies).try_acquire_owned().ok()?);
                unwelcome = Some(Refusal::new(
                    Refused::Connections,
                    "too many connections from this address; close some, or send requests over one",
                ));
            }
        }
        Some(Guest {
            stream: self.stream,
            address: SocketAddr::new(ip, self.address.port()),
            account,
            unwelcome,
            held: Held {
                _open: Entered::new(&house.counters),
                _place_in_all: self.taken,
                _courtesy: courtesy,
                _place: place,
                _task: tasks.token(),
                _gone: self.gone.drop_guard(),
            },
        })
    }
}

/// The next connection of an address that is not turned away; others end here,
/// before they cost a place or a task. Errors of `accept` belong to a connection that is
/// already gone, or mean that file descriptors ran out: neither ends the
/// listener.
async fn accept(house: &House, listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                match house.turns_away(address.ip().to_canonical()) {
                    None => {}
                    Some(Refused::Penalty) => {
                        // Reset when it is closed, so that the system does not
                        // remember it either.
                        let _ = stream.set_zero_linger();
                        if let Ok(stream) = stream.into_std() {
                            house.parked.park(stream, house.clock.now());
                        }
                        continue;
                    }
                    Some(_) => continue,
                }
                // Without it a small answer can wait 40 ms for the peer's
                // acknowledgement. A socket that refuses it is already dead,
                // which the first read reports.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                time::sleep(defaults::ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_sends_small_answers_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let house = House::new(crate::Options::default());
        let (client, (stream, _)) =
            tokio::join!(TcpStream::connect(address), accept(&house, &listener));
        let client = client.expect("the listener is open");
        assert!(!client.nodelay().expect("it is open"), "not by default");
        assert!(stream.nodelay().expect("it is open"));
    }
}
