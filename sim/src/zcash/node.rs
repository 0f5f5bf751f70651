//! A simulated zebrad: JSON-RPC over HTTP on loopback, serving a [`Chain`]
//! truthfully, or not.
//!
//! Replies and errors have the shapes of zebrad 7.0.0 (recorded, and compared
//! in `tests/zcash_node.rs`). What it says is computed from the chain's raw
//! bytes by code of its own, not by the product's.
//!
//! | module | what it holds |
//! |---|---|
//! | `access` | [`Access`]: who may call |
//! | `addresses` | transparent addresses and their index |
//! | `blocks` | getblock, getblockheader, pool values |
//! | `faults` | [`Misbehaviour`] and [`Filter`]: what goes wrong, and for whom |
//! | `frame` | the JSON-RPC frame |
//! | `layout` | where things stand in a transaction |
//! | `methods` | the methods |
//! | `profile` | [`Profile`]: what the node says of itself |
//! | `server` | one request, from the connection to its reply |
//! | `state` | chain, mempool, and what is computed from them |
//! | `transactions` | getrawtransaction, getrawmempool, sendrawtransaction |
//! | `trees` | z_gettreestate, z_getsubtreesbyindex |

mod access;
mod addresses;
mod blocks;
mod faults;
mod frame;
mod layout;
mod methods;
mod profile;
mod server;
mod state;
mod transactions;
mod trees;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::net::TcpListener;

pub use access::{Access, Refusal};
pub use faults::{Filter, Misbehaviour};
pub use profile::{Profile, Upgrade};

use self::state::{State, reversed};
use super::chain::{Block, Chain};
use crate::{Served, wire};

/// The byte range of every transaction of a serialized block; `None` where the
/// block cannot be taken apart.
pub fn transaction_ranges(block: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    layout::ranges(block)
}

/// A running node. It stops when this is dropped; its controls are those of
/// [`Handle`].
pub type Node = Served<Handle>;

impl Node {
    /// Starts a node with the default profile (regtest) on a free port of
    /// 127.0.0.1.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub async fn start(chain: Chain) -> io::Result<Self> {
        Self::start_as(Profile::default(), chain).await
    }

    /// The same with a profile of the caller's.
    pub async fn start_as(profile: Profile, chain: Chain) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = server::Shared::new(address, State::of(chain), profile);
        let shared = Arc::new(shared);
        let answering = shared.clone();
        let answer = move |request, reset| server::respond(answering.clone(), request, reset);
        let task = tokio::spawn(wire::run(shared.switch.clone(), listener, answer));
        Ok(Self::new(Handle { shared }, task))
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

    /// The same as a URL without credentials.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.switch.address)
    }

    /// Replaces the best chain: a reorg of whatever depth. Blocks of the old
    /// one stay known by hash, as on a real node.
    pub fn set_chain(&self, chain: Chain) {
        self.write().set_chain(chain);
    }

    /// Appends blocks to the best chain.
    pub fn extend(&self, blocks: impl IntoIterator<Item = Arc<Block>>) {
        self.write().extend(blocks);
    }

    /// The best chain.
    pub fn chain(&self) -> Chain {
        self.read().chain.clone()
    }

    /// Puts a transaction into the mempool under an id (internal byte order).
    pub fn mempool_add(&self, txid: [u8; 32], raw: impl Into<Bytes>) {
        self.write().mempool.insert(reversed(&txid), raw.into());
    }

    /// Empties the mempool.
    pub fn mempool_clear(&self) {
        self.write().mempool.clear();
    }

    /// The ids in the mempool, in internal byte order.
    pub fn mempool(&self) -> Vec<[u8; 32]> {
        self.read().mempool.keys().map(reversed).collect()
    }

    /// Misbehaves from now on towards the requests the filter names. Several
    /// misbehaviours add up.
    pub fn misbehave(&self, what: Misbehaviour, filter: Filter) {
        self.shared.faults.add(what, filter);
    }

    /// Is honest again.
    pub fn behave(&self) {
        self.shared.faults.clear();
    }

    /// Asks callers for credentials, or lets everybody in.
    pub fn set_access(&self, access: Option<Access>) {
        let lock = self.shared.access.write();
        *lock.unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// Says it is still syncing: `estimatedheight` and `verificationprogress`.
    pub fn set_syncing(&self, syncing: Option<(u64, f64)>) {
        let lock = self.shared.syncing.write();
        *lock.unwrap_or_else(PoisonError::into_inner) = syncing;
    }

    /// How often a method was called; 0 for one the node does not know.
    pub fn count(&self, method: &str) -> u64 {
        self.shared.count(Some(method))
    }

    /// How many calls came in.
    pub fn total(&self) -> u64 {
        self.shared.count(None)
    }

    /// Sets all counters to zero.
    pub fn reset_counts(&self) {
        self.shared.reset_counts();
    }

    /// Closes the listener and every connection; the data stays.
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

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        let lock = self.shared.state.read();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        let lock = self.shared.state.write();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}
