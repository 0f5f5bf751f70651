//! `GetLightdInfo`, and the node's facts it is made from.

use std::collections::HashMap;

use heliostat_zcash_proto::{LightdInfo, PROTOCOL_VERSION};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};
use tonic::{Code, Status};

use super::{Service, defaults::NODE_FACTS_MAX_AGE, upstream::Refusal};

/// The consensus branch id of the Sapling upgrade.
const SAPLING_BRANCH: &str = "76b809bb";

/// What is read of `getblockchaininfo`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ChainInfo {
    chain: String,
    upgrades: HashMap<String, Upgrade>,
    consensus: Consensus,
    estimatedheight: u64,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Upgrade {
    name: String,
    activationheight: u64,
    status: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Consensus {
    chaintip: String,
}

/// What is read of `getinfo`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct NodeInfo {
    build: String,
    subversion: String,
}

#[derive(Clone)]
struct Facts {
    chain: ChainInfo,
    node: NodeInfo,
    read: Instant,
}

/// The node's facts, as last read.
#[derive(Default)]
pub(super) struct NodeFacts(Mutex<Option<Facts>>);

impl Service {
    /// Answers `GetLightdInfo`.
    pub(super) async fn lightd_info(&self) -> Result<LightdInfo, Status> {
        let Facts { chain, node, .. } = self.facts("GetLightdInfo").await?;
        let upgrade = next_upgrade(&chain);
        let sapling = chain.upgrades.get(SAPLING_BRANCH);
        Ok(LightdInfo {
            version: concat!("v", env!("CARGO_PKG_VERSION")).into(),
            vendor: "Heliostat".into(),
            taddr_support: true,
            // Regtest has no entry when Sapling is active from the start.
            sapling_activation_height: sapling.map_or(0, |sapling| sapling.activationheight),
            consensus_branch_id: chain.consensus.chaintip.clone(),
            block_height: self.tip("GetLightdInfo")?.height,
            estimated_height: chain.estimatedheight,
            zcashd_build: node.build,
            zcashd_subversion: node.subversion,
            donation_address: self.settings.donation_address.clone(),
            upgrade_name: upgrade.name,
            upgrade_height: upgrade.activationheight,
            lightwallet_protocol_version: PROTOCOL_VERSION.into(),
            chain_name: chain.chain,
            git_commit: option_env!("HELIOSTAT_GIT_COMMIT")
                .unwrap_or_default()
                .into(),
            branch: String::new(),
            build_date: String::new(),
            build_user: String::new(),
        })
    }

    /// The chain's name as the node says it (a regtest zebrad says `test`).
    pub(super) async fn chain_name(&self, method: &str) -> Result<String, Status> {
        Ok(self.facts(method).await?.chain.chain)
    }

    /// The node's facts: from memory, and read again when they are old. Old
    /// ones serve when no upstream answers.
    async fn facts(&self, method: &str) -> Result<Facts, Status> {
        let mut kept = self.facts.0.lock().await;
        if let Some(facts) = &*kept
            && facts.read.elapsed() < NODE_FACTS_MAX_AGE
        {
            return Ok(facts.clone());
        }
        match (self.read_facts().await, &mut *kept) {
            (Ok(facts), kept) => Ok(kept.insert(facts).clone()),
            (Err(_), Some(old)) => {
                // Not again at once: a node that is down answers slowly.
                old.read = Instant::now();
                Ok(old.clone())
            }
            (Err(refusal), None) => {
                Err(refusal.status(Code::Internal, &format!("{method} failed: ")))
            }
        }
    }

    async fn read_facts(&self) -> Result<Facts, Refusal> {
        let unreadable = |error: serde_json::Error| Refusal::Down(error.to_string());
        let node = self.nodes.ask("getinfo", json!([])).await?;
        let chain = self.nodes.ask("getblockchaininfo", json!([])).await?;
        Ok(Facts {
            node: node.read().map_err(unreadable)?,
            chain: chain.read().map_err(unreadable)?,
            read: Instant::now(),
        })
    }
}

/// The pending upgrade that comes first; empty and 0 when none is scheduled.
fn next_upgrade(chain: &ChainInfo) -> Upgrade {
    let pending = chain
        .upgrades
        .values()
        .filter(|upgrade| upgrade.status == "pending");
    pending
        .min_by_key(|upgrade| upgrade.activationheight)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_upgrade_is_the_pending_one_that_comes_first() {
        let chain = json!({
            "chain": "main",
            "upgrades": {
                "76b809bb": { "name": "Sapling", "activationheight": 419200, "status": "active" },
                "00000002": { "name": "Later", "activationheight": 900, "status": "pending" },
                "00000001": { "name": "Next", "activationheight": 800, "status": "pending" },
                "00000003": { "name": "Off", "activationheight": 1, "status": "disabled" },
            },
        });
        let chain: ChainInfo = serde_json::from_value(chain).expect("written for this");
        let next = next_upgrade(&chain);
        assert_eq!((next.name.as_str(), next.activationheight), ("Next", 800));
        assert_eq!(next_upgrade(&ChainInfo::default()).name, "");
    }
}
