//! Recordings of a real zebrad, turned into chains.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    chain::{Block, Chain, Pool, Trees},
    node::{Profile, Upgrade},
};

/// zebrad 7.0.0 in regtest, every upgrade up to NU6.3 at height 1, heights 0
/// to 116. Mined by the node itself, with Ironwood coinbases.
pub const REGTEST_NU6_3_AT_1: &[u8] =
    include_bytes!("../../data/zebrad7_regtest_nu63_at_1.jsonl.gz");

/// The same with NU5 to NU6.2 at height 2 and NU6.3 at height 110, heights 0
/// to 260 of a longer chain: Sapling, Orchard and Ironwood coinbases.
pub const REGTEST_NU6_3_AT_110: &[u8] =
    include_bytes!("../../data/zebrad7_regtest_nu63_at_110.jsonl.gz");

/// One recorded call and its reply.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Vec<Value>,
    /// The whole reply object.
    pub reply: Value,
}

/// A recording: what was asked and answered, in the order of the file.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Every exchange.
    pub exchanges: Vec<Exchange>,
}

fn broken(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.into())
}

impl Recording {
    /// Reads a gzipped recording of one JSON object a line.
    ///
    /// # Errors
    ///
    /// The data is not gzip, or a line is not an exchange.
    pub fn read(gzip: impl Read) -> io::Result<Self> {
        let lines = BufReader::new(flate2::read::GzDecoder::new(gzip)).lines();
        let exchange = |line: io::Result<String>| Ok(serde_json::from_str(&line?)?);
        let exchanges = lines.map(exchange).collect::<io::Result<_>>()?;
        Ok(Self { exchanges })
    }

    /// The result of the one call with these parameters.
    pub fn result(&self, method: &str, params: &[Value]) -> Option<&Value> {
        let same = |exchange: &&Exchange| exchange.method == method && exchange.params == params;
        self.exchanges
            .iter()
            .find(same)
            .map(|it| &it.reply["result"])
    }

    /// The blocks that were recorded raw and verbose, with their tree states.
    ///
    /// # Errors
    ///
    /// A block lacks one of its three replies, or they do not fit together.
    pub fn chain(&self) -> io::Result<Chain> {
        let mut raw = HashMap::new();
        let mut verbose = HashMap::new();
        let mut trees = HashMap::new();
        for Exchange {
            method,
            params,
            reply,
        } in &self.exchanges
        {
            let height = params.first().and_then(Value::as_str);
            let height: Option<u64> = height.and_then(|height| height.parse().ok());
            let (Some(height), result) = (height, &reply["result"]) else {
                continue;
            };
            if result.is_null() {
                continue;
            }
            match (&**method, params.get(1).and_then(Value::as_u64)) {
                ("getblock", Some(0)) => raw.insert(height, result),
                ("getblock", Some(1)) => verbose.insert(height, result),
                ("z_gettreestate", None) => trees.insert(height, result),
                _ => None,
            };
        }
        let mut heights: Vec<u64> = raw.keys().copied().collect();
        heights.sort_unstable();
        let lacks = |height: &u64| broken(format!("block {height} was recorded in part"));
        let block = |height: &u64| {
            let replies = (raw.get(height), verbose.get(height), trees.get(height));
            let (Some(raw), Some(verbose), Some(trees)) = replies else {
                return Err(lacks(height));
            };
            read_block(*height, raw, verbose, trees).map(Arc::new)
        };
        let blocks = heights.iter().map(block).collect::<io::Result<_>>()?;
        Ok(Chain { blocks })
    }

    /// What the recorded node said of itself.
    ///
    /// # Errors
    ///
    /// getinfo or getblockchaininfo was not recorded.
    pub fn profile(&self) -> io::Result<Profile> {
        let recorded = |method: &str| {
            let result = self.result(method, &[]);
            result.ok_or_else(|| broken(format!("{method} was not recorded")))
        };
        let (chain, info) = (recorded("getblockchaininfo")?, recorded("getinfo")?);
        let upgrade = |(branch, upgrade): (&String, &Value)| Upgrade {
            branch: branch.clone(),
            name: text(&upgrade["name"]),
            height: upgrade["activationheight"].as_u64().unwrap_or(u64::MAX),
        };
        let upgrades = chain["upgrades"].as_object();
        let upgrades = upgrades.into_iter().flatten().map(upgrade);
        let mut upgrades: Vec<Upgrade> = upgrades.collect();
        let order = |branch: &str| {
            Profile::default()
                .upgrades
                .iter()
                .position(|u| u.branch == branch)
        };
        upgrades.sort_by_key(|upgrade| (upgrade.height, order(&upgrade.branch)));
        Ok(Profile {
            chain: text(&chain["chain"]),
            upgrades,
            build: text(&info["build"]),
            subversion: text(&info["subversion"]),
            version: info["version"].as_u64().unwrap_or_default(),
            genesis: None,
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A hash written in display order.
fn hash(value: &Value) -> io::Result<[u8; 32]> {
    let bytes = hex::decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    let mut hash: [u8; 32] = bytes
        .try_into()
        .map_err(|_| broken(format!("{value} is no hash")))?;
    hash.reverse();
    Ok(hash)
}

fn read_block(height: u64, raw: &Value, verbose: &Value, trees: &Value) -> io::Result<Block> {
    let raw = hex::decode(raw.as_str().unwrap_or_default());
    let raw = raw.map_err(|error| broken(format!("block {height}: {error}")))?;
    let txids = verbose["tx"].as_array().into_iter().flatten();
    let txids = txids.map(hash).collect::<io::Result<Vec<_>>>()?;
    let txs = super::node::transaction_ranges(&raw)
        .filter(|ranges| ranges.len() == txids.len())
        .ok_or_else(|| broken(format!("block {height} cannot be taken apart")))?;
    let pool = |name: &str| -> io::Result<Pool> {
        let state = trees[name]["commitments"]["finalState"].as_str();
        let state = hex::decode(state.unwrap_or_default());
        let state = state.map_err(|error| broken(format!("tree at {height}: {error}")))?;
        let size = verbose["trees"][name]["size"].as_u64().unwrap_or_default();
        Ok(Pool {
            size: u32::try_from(size).map_err(io::Error::other)?,
            state: state.into(),
            completed: Vec::new(),
        })
    };
    Ok(Block {
        height,
        hash: hash(&verbose["hash"])?,
        prev: hash(&verbose["previousblockhash"])?,
        time: verbose["time"]
            .as_u64()
            .and_then(|time| u32::try_from(time).ok())
            .ok_or_else(|| broken(format!("block {height} has no time")))?,
        raw: raw.into(),
        txids,
        txs,
        trees: Some(Trees {
            sapling: pool("sapling")?,
            orchard: pool("orchard")?,
            ironwood: pool("ironwood")?,
        }),
    })
}
