//! The generated Tezos chain and the nodes that serve it: what they say fits
//! together, every lie is one, and every fault is noticed.

mod ask;
mod faults;
mod lies;
mod node;
mod sending;
mod vectors;
mod world;

use ask::Client;
use heliostat_sim::tezos::{Network, Node, World, world::Settings};

/// A chain of few accounts and bakers.
fn small(seed: u64) -> Network {
    Network::new(World::new(seed, Settings::small()))
}

/// A node of a network, and somebody who asks it.
async fn node(network: &Network) -> (Node, Client) {
    let node = Node::start(network).await.expect("loopback has ports");
    let client = Client::new(node.url());
    (node, client)
}
