//! What has to be known before there is a follower: the network, and where the
//! chain is joined.

use heliostat_node::State;
use heliostat_zcash::{
    chunk::META,
    replica::{JOIN_ROW, NETWORK_ROW, STATE_ROW},
};
use heliostat_zcash_verifier::{Joined, Network};

use super::{Chain, joint, nodes};
use crate::{
    cli::exit::{Failure, store_failure},
    defaults,
};

impl Chain {
    /// The network: as configured, as stored, or as the first upstream that
    /// answers says.
    pub(super) async fn network(&self) -> Result<Network, Failure> {
        if let Some(name) = self.config.network {
            return Ok(nodes::network(name));
        }
        let stored = self.store.get(META, NETWORK_ROW.as_bytes()).await;
        if let Some(name) = stored.map_err(store_failure)? {
            return stored_network(&name, &self.store_address);
        }
        loop {
            match self.nodes.ask_network().await {
                Ok((network, upstream)) => {
                    tracing::info!(
                        chain = self.name,
                        network = network.name(),
                        upstream,
                        "network taken from the upstream; --network pins it"
                    );
                    return Ok(network);
                }
                Err(why) => self.waiting(why),
            }
            tokio::time::sleep(defaults::NETWORK_PAUSE).await;
        }
    }

    /// The joint with the chain below the checkpoint, when there is one and
    /// the store does not know its own beginning yet.
    pub(super) async fn join(&self, network: Network) -> Result<Option<Joined>, Failure> {
        let Some(checkpoint) = &self.config.checkpoint else {
            return Ok(None);
        };
        // It knows once it was joined or has had a block. To have been opened
        // is not enough: a process can be killed right after that.
        for row in [JOIN_ROW, STATE_ROW] {
            let stored = self.store.get(META, row.as_bytes()).await;
            if stored.map_err(store_failure)?.is_some() {
                return Ok(None);
            }
        }
        loop {
            match joint::fetch(&self.nodes, network, checkpoint).await {
                Ok(joined) => return Ok(Some(joined)),
                Err(why) => self.waiting(why),
            }
            tokio::time::sleep(defaults::NETWORK_PAUSE).await;
        }
    }

    /// Notes what is waited for before there is a follower.
    fn waiting(&self, why: String) {
        let state = State::Waiting(why);
        self.service.waiting(&state.to_string());
        self.progress.send_if_modified(|progress| {
            let news = progress.state != state;
            if news {
                tracing::warn!(chain = self.name, "{state}");
            }
            progress.state = state;
            news
        });
    }
}

/// The network that [`NETWORK_ROW`] names.
pub(crate) fn stored_network(row: &[u8], store: &str) -> Result<Network, Failure> {
    let known = str::from_utf8(row).ok().and_then(Network::by_name);
    known.ok_or_else(|| {
        Failure::failed(format!(
            "the store {store} is of a network this release does not know; use another store"
        ))
    })
}
