//! `GetLightdInfo`, from what the nodes said of themselves when their heads
//! were last asked for.

use std::sync::Arc;

use heliostat_core::Source as _;
use heliostat_zcash_proto::{LightdInfo, PROTOCOL_VERSION};
use tokio::time::timeout;
use tonic::Status;

use super::{
    Service,
    defaults::FACTS_PATIENCE,
    upstream::{NO_UPSTREAM, words},
};
use crate::node_info::NodeInfo;

/// The consensus branch id of the Sapling upgrade.
const SAPLING_BRANCH: &str = "76b809bb";

impl Service {
    /// Answers `GetLightdInfo`.
    pub(super) async fn lightd_info(&self) -> Result<LightdInfo, Status> {
        let tip = self.tip("GetLightdInfo")?;
        let facts = self.facts("GetLightdInfo", tip.height).await?;
        let (chain, software) = (&facts.chain, &facts.software);
        let mut upgrades = chain.upgrades.iter();
        let sapling = upgrades.find(|upgrade| upgrade.branch == SAPLING_BRANCH);
        let next = chain.next_upgrade();
        Ok(LightdInfo {
            version: concat!("v", env!("CARGO_PKG_VERSION")).into(),
            vendor: "Heliostat".into(),
            taddr_support: true,
            chain_name: chain.chain.clone(),
            // Nodes that have no such upgrade had Sapling from the start.
            sapling_activation_height: sapling.map_or(0, |sapling| sapling.height),
            consensus_branch_id: chain.tip_branch.clone(),
            block_height: tip.height,
            git_commit: option_env!("HELIOSTAT_GIT_COMMIT")
                .unwrap_or_default()
                .into(),
            branch: String::new(),
            build_date: String::new(),
            build_user: String::new(),
            estimated_height: chain.estimated_height.unwrap_or(0),
            zcashd_build: software.build.clone(),
            zcashd_subversion: software.subversion.clone(),
            donation_address: self.settings.donation_address.clone(),
            upgrade_name: next.map_or_else(String::new, |next| next.name.clone()),
            upgrade_height: next.map_or(0, |next| next.height),
            lightwallet_protocol_version: PROTOCOL_VERSION.into(),
        })
    }

    /// The chain's name as the node says it (a regtest zebrad says `test`).
    pub(super) async fn chain_name(&self, method: &str) -> Result<String, Status> {
        Ok(self.facts(method, 0).await?.chain.chain.clone())
    }

    /// What a node last said of itself. A follower in this process asks all the
    /// time; where there is none, what is known falls behind `height`, and is
    /// asked for here. What is old is better than nothing.
    async fn facts(&self, method: &str, height: u64) -> Result<Arc<NodeInfo>, Status> {
        let known = self.nodes.info();
        if let Some(facts) = known.as_ref().filter(|facts| facts.chain.blocks >= height) {
            return Ok(Arc::clone(facts));
        }
        let away = match self.nodes.best() {
            None => NO_UPSTREAM.to_owned(),
            Some(node) => match timeout(FACTS_PATIENCE, node.source().head()).await {
                Ok(Ok(_)) => String::new(),
                Ok(Err(fault)) => words(&node, &fault),
                Err(_) => format!("upstream {} does not answer", node.name()),
            },
        };
        let facts = self.nodes.info().or(known);
        facts.ok_or_else(|| Status::unavailable(format!("{method}: {away}")))
    }
}
