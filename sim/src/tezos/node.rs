//! A simulated octez-node: the REST interface over HTTP on loopback, serving a
//! [`Network`]'s chain truthfully, or not.
//!
//! Paths, shapes and statuses are those of Octez 25 as far as Heliostat and
//! the usual clients ask for them: what a state says is read from the node's
//! own tree, proofs are made from it.
//!
//! | module | what it holds |
//! |---|---|
//! | `blocks` | blocks, headers, operations |
//! | `faults` | [`Fault`], [`Filter`]: what goes wrong on the way, and for whom |
//! | `heads` | the stream of heads |
//! | `lies` | [`Lie`]: everything that can be said against the truth |
//! | `manner` | [`Manner`]: how honest nodes differ |
//! | `posts` | injection, simulation, forging |
//! | `reply`, `request` | an answer; a request taken apart |
//! | `route` | which path is which call |
//! | `server` | one request, from the connection to its answer |
//! | `state` | proofs and values of a block's state |
//! | `view` | what the node takes for the truth |

mod blocks;
mod faults;
mod heads;
mod lies;
mod manner;
mod posts;
mod reply;
mod request;
mod route;
mod server;
mod state;
mod view;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

pub use faults::{Fault, Filter};
pub use lies::{Lie, Plot};
pub use manner::{Allows, Manner, Proofs};
pub use request::call;

use super::Network;
use crate::{Served, wire};

/// A running node. It stops when this is dropped; its controls are those of
/// [`Handle`].
pub type Node = Served<Handle>;

impl Node {
    /// Starts an honest node on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub async fn start(network: &Network) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = server::Shared::new(listener.local_addr()?, network.clone());
        let shared = Arc::new(shared);
        let answering = shared.clone();
        let answer = move |request, reset| server::respond(answering.clone(), request, reset);
        let task = tokio::spawn(wire::run(shared.switch.clone(), listener, answer));
        Ok(Self::new(Handle { shared }, task))
    }

    /// Several of them.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub async fn start_all(network: &Network, count: usize) -> io::Result<Vec<Self>> {
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(Self::start(network).await?);
        }
        Ok(nodes)
    }
}

/// The controls of a node.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<server::Shared>,
}

impl Handle {
    /// Where the node listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.switch.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The network it belongs to.
    pub fn network(&self) -> &Network {
        &self.shared.network
    }

    /// Lies from now on, each node in its own way.
    pub fn lie(&self, lie: Lie) {
        self.shared.set_lie(Some((lie, self.shared.own_plot)));
    }

    /// Lies as all others do that were told so: they say the same.
    pub fn collude(&self, lie: Lie) {
        self.shared.set_lie(Some((lie, lies::TOGETHER)));
    }

    /// What it lies about, and with whom.
    pub fn lies(&self) -> Option<(Lie, Plot)> {
        self.shared.lie()
    }

    /// Something goes wrong with the answers that the filter names. Several
    /// faults add up.
    pub fn fail(&self, fault: Fault, filter: Filter) {
        self.shared.faults.add(fault, filter);
    }

    /// Neither lies nor fails any more; its manner stays.
    pub fn behave(&self) {
        self.shared.set_lie(None);
        self.shared.faults.clear();
    }

    /// Changes how it is, within what is honest.
    pub fn set(&self, change: impl FnOnce(&mut Manner)) {
        self.shared.set_manner(change);
    }

    /// How it is.
    pub fn manner(&self) -> Manner {
        self.shared.manner()
    }

    /// Requests that came in.
    pub fn requests(&self) -> u64 {
        self.shared.requests(None)
    }

    /// Requests of one call ([`call`]).
    pub fn count(&self, call: &str) -> u64 {
        self.shared.requests(Some(call))
    }

    /// Bytes of the answers' bodies that were sent.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes()
    }

    /// Sets all counters to zero and forgets the log.
    pub fn reset_counts(&self) {
        self.shared.reset_counts();
    }

    /// The newest requests, oldest first, such as `GET /version`; forgets
    /// them.
    pub fn take_log(&self) -> Vec<String> {
        self.shared.take_log()
    }

    /// Closes the listener and every connection: dead, until it resumes.
    pub async fn stop(&self) {
        self.shared.switch.go_down(None);
        self.shared.switch.until(false).await;
    }

    /// Listens again, on the same port.
    pub async fn resume(&self) {
        self.shared.switch.go_up();
        self.shared.switch.until(true).await;
    }

    /// Goes away for a while and comes back on the same port.
    pub async fn restart(&self, down: Duration) {
        self.stop().await;
        tokio::time::sleep(down).await;
        self.resume().await;
    }
}
