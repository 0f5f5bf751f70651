//! What a node says of itself: getblockchaininfo and getinfo, as zebrad and
//! zcashd give them.

use std::fmt;

use heliostat_core::Id;
use serde::Deserialize;

use crate::defaults;

/// The software of a node, told by its subversion string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `/Zakura:…/`
    Zakura,
    /// `/Zebra:…/`
    Zebra,
    /// `/MagicBean:…/`
    Zcashd,
    /// Anything else: worth a warning, not a refusal.
    Unknown,
}

impl Backend {
    /// Reads a subversion string, in lightwalletd's order.
    pub fn of(subversion: &str) -> Self {
        let known = [
            ("/Zakura:", Self::Zakura),
            ("/Zebra:", Self::Zebra),
            ("/MagicBean:", Self::Zcashd),
        ];
        let found = known.iter().find(|(mark, _)| subversion.contains(mark));
        found.map_or(Self::Unknown, |(_, backend)| *backend)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zakura => "zakura",
            Self::Zebra => "zebrad",
            Self::Zcashd => "zcashd",
            Self::Unknown => "unknown node software",
        })
    }
}

/// A network upgrade a node knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The consensus branch id as eight hex digits, such as `76b809bb`.
    pub branch: String,
    /// Its name, such as `Sapling`.
    pub name: String,
    /// The height it activates at.
    pub height: u64,
    /// `active`, `pending` or `disabled`.
    pub status: String,
}

/// The reply to getblockchaininfo, without what nobody here reads.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainInfo {
    /// `main`, `test` or `regtest`; zebrad says `test` on regtest.
    pub chain: String,
    /// The height of the best block.
    pub blocks: u64,
    /// Its hash, internal byte order.
    pub best: Id,
    /// How high the node believes the chain to be, by the clock.
    pub estimated_height: Option<u64>,
    /// Blocks over estimated height; zebrad says 1 on regtest.
    pub verification_progress: Option<f64>,
    /// The upgrades by height; of those at one height, in the node's order.
    pub upgrades: Vec<Upgrade>,
    /// The consensus branch id at the tip, eight hex digits.
    pub tip_branch: String,
    /// The same for the block after it.
    pub next_branch: String,
}

/// The reply to getinfo, without what nobody here reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Software {
    /// The node's build, such as `v7.0.0`.
    #[serde(default)]
    pub build: String,
    /// The node's subversion, such as `/Zebra:7.0.0/`.
    #[serde(default)]
    pub subversion: String,
}

/// All a node said of itself when it was last asked.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// getblockchaininfo.
    pub chain: ChainInfo,
    /// getinfo.
    pub software: Software,
}

impl NodeInfo {
    /// The software the node runs.
    pub fn backend(&self) -> Backend {
        Backend::of(&self.software.subversion)
    }
}

#[derive(Deserialize)]
struct RawChainInfo {
    #[serde(default)]
    chain: String,
    blocks: u64,
    bestblockhash: String,
    #[serde(default)]
    estimatedheight: Option<u64>,
    #[serde(default)]
    verificationprogress: Option<f64>,
    #[serde(default)]
    upgrades: RawUpgrades,
    #[serde(default)]
    consensus: RawConsensus,
}

/// The upgrades in the order the node lists them in: on regtest most are at
/// the same height.
#[derive(Default)]
struct RawUpgrades(Vec<(String, RawUpgrade)>);

impl<'de> Deserialize<'de> for RawUpgrades {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = RawUpgrades;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of upgrades by branch id")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<RawUpgrades, A::Error> {
                let mut upgrades = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    upgrades.push(entry);
                }
                Ok(RawUpgrades(upgrades))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Deserialize)]
struct RawUpgrade {
    #[serde(default)]
    name: String,
    #[serde(default)]
    activationheight: u64,
    #[serde(default)]
    status: String,
}

#[derive(Default, Deserialize)]
struct RawConsensus {
    #[serde(default)]
    chaintip: String,
    #[serde(default)]
    nextblock: String,
}

impl<'de> Deserialize<'de> for ChainInfo {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawChainInfo::deserialize(deserializer)?;
        let best = parse_display(&raw.bestblockhash);
        let best = best.ok_or_else(|| serde::de::Error::custom("bestblockhash is no hash"))?;
        let upgrade = |(branch, raw): (String, RawUpgrade)| Upgrade {
            branch,
            name: raw.name,
            height: raw.activationheight,
            status: raw.status,
        };
        let mut upgrades: Vec<Upgrade> = raw.upgrades.0.into_iter().map(upgrade).collect();
        upgrades.sort_by_key(|upgrade| upgrade.height);
        Ok(Self {
            chain: raw.chain,
            blocks: raw.blocks,
            best,
            estimated_height: raw.estimatedheight,
            verification_progress: raw.verificationprogress,
            upgrades,
            tip_branch: raw.consensus.chaintip,
            next_branch: raw.consensus.nextblock,
        })
    }
}

impl ChainInfo {
    /// In words, that the node is far below where it believes the chain to be;
    /// `None` when it is not. On regtest a zebrad's estimate means nothing and
    /// its progress is 1.
    pub fn syncing(&self) -> Option<String> {
        let estimated = self.estimated_height?;
        let left = estimated.checked_sub(self.blocks)?;
        let far = left > defaults::SYNCING_BLOCKS;
        let done = self.verification_progress.is_some_and(|part| part >= 1.0);
        (far && !done).then(|| {
            let percent = self.blocks.saturating_mul(100) / estimated.max(1);
            format!(
                "the node is syncing: it is at height {} of about {estimated} ({percent} %)",
                self.blocks
            )
        })
    }

    /// The first upgrade that is still to come, for `LightdInfo`.
    pub fn next_upgrade(&self) -> Option<&Upgrade> {
        self.upgrades
            .iter()
            .find(|upgrade| upgrade.height > self.blocks && upgrade.status == "pending")
    }
}

/// 32 bytes in internal order, the way the node writes them: reversed, in hex.
pub fn display_hex(bytes: &[u8; 32]) -> String {
    let mut turned = *bytes;
    turned.reverse();
    faster_hex::hex_string(&turned)
}

/// Reads a hash the node wrote; `None` when it is not 64 hex digits.
pub fn parse_display(text: &str) -> Option<Id> {
    let mut bytes = [0; 32];
    (text.len() == 64).then_some(())?;
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).ok()?;
    bytes.reverse();
    Some(Id(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_nodes_are_understood_and_neither_needs_every_field() {
        let hash = "00000000000000000000000000000000000000000000000000000000000000ab";
        let least = json!({ "blocks": 7, "bestblockhash": hash });
        let info: ChainInfo = serde_json::from_value(least).unwrap();
        assert_eq!((info.blocks, info.best.0[0], info.best.0[31]), (7, 0xab, 0));
        assert_eq!(info.syncing(), None);
        // zcashd 6: other members beside, progress below 1 even at the tip.
        let zcashd = json!({
            "chain": "main", "blocks": 100, "initial_block_download_complete": true,
            "headers": 100, "bestblockhash": hash, "difficulty": 2.5, "estimatedheight": 101,
            "verificationprogress": 0.999_9, "chainwork": "0000", "pruned": false,
            "softforks": [], "upgrades": {
                "76b809bb": { "name": "Sapling", "activationheight": 50, "status": "active", "info": "" },
                "5ba81b19": { "name": "Overwinter", "activationheight": 40, "status": "active", "info": "" },
                "c2d6d0b4": { "name": "NU5", "activationheight": 200, "status": "pending", "info": "" },
            },
            "consensus": { "chaintip": "76b809bb", "nextblock": "76b809bb" },
        });
        let info: ChainInfo = serde_json::from_value(zcashd).unwrap();
        let names: Vec<_> = info.upgrades.iter().map(|upgrade| &*upgrade.name).collect();
        assert_eq!(names, ["Overwinter", "Sapling", "NU5"]);
        assert_eq!(info.next_upgrade().unwrap().height, 200);
        assert_eq!(info.syncing(), None);
        assert!(
            serde_json::from_value::<ChainInfo>(json!({ "blocks": 7, "bestblockhash": "x" }))
                .is_err()
        );
    }

    #[test]
    fn upgrades_at_one_height_stay_in_the_nodes_order() {
        let reply = r#"{ "blocks": 0, "bestblockhash":
            "0000000000000000000000000000000000000000000000000000000000000000", "upgrades": {
            "c2d6d0b4": { "name": "NU5", "activationheight": 2, "status": "pending" },
            "f5b9230b": { "name": "Heartwood", "activationheight": 1, "status": "pending" },
            "76b809bb": { "name": "Sapling", "activationheight": 1, "status": "pending" } } }"#;
        let info: ChainInfo = serde_json::from_str(reply).unwrap();
        let names: Vec<_> = info.upgrades.iter().map(|upgrade| &*upgrade.name).collect();
        assert_eq!(names, ["Heartwood", "Sapling", "NU5"]);
        assert_eq!(info.next_upgrade().unwrap().name, "Heartwood");
    }

    #[test]
    fn a_syncing_node_is_told_from_a_regtest_one() {
        let info = |blocks: u64, estimated: u64, progress: f64| {
            let hash = "0".repeat(64);
            let reply = json!({
                "blocks": blocks, "bestblockhash": hash, "estimatedheight": estimated,
                "verificationprogress": progress,
            });
            serde_json::from_value::<ChainInfo>(reply).unwrap()
        };
        let words = info(1_000, 3_500_000, 0.000_3).syncing().unwrap();
        assert!(words.contains("1000 of about 3500000"), "{words}");
        // As recorded from a zebrad in regtest.
        assert_eq!(info(116, 6_647_240, 1.0).syncing(), None);
        assert_eq!(info(3_499_990, 3_500_000, 0.999_9).syncing(), None);
    }

    #[test]
    fn software_is_told_by_its_subversion() {
        assert_eq!(Backend::of("/Zebra:7.0.0/"), Backend::Zebra);
        assert_eq!(Backend::of("/MagicBean:6.3.0/"), Backend::Zcashd);
        assert_eq!(Backend::of("/Zakura:1.0/"), Backend::Zakura);
        assert_eq!(Backend::of("/Satoshi:25/"), Backend::Unknown);
    }
}
