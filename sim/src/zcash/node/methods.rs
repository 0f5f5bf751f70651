//! The methods, one function each, over one view of the node's data.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    addresses, blocks,
    faults::Lies,
    profile::Profile,
    state::{Hash, State, reversed, show},
    transactions, trees,
};
use crate::zcash::chain::Block;
use std::sync::Arc;

/// Every method the node knows, in the order of its counters.
pub(super) const METHODS: [&str; 17] = [
    "getblock",
    "getbestblockhash",
    "getblockhash",
    "getblockchaininfo",
    "getinfo",
    "getblockcount",
    "getblockheader",
    "getrawmempool",
    "getrawtransaction",
    "sendrawtransaction",
    "z_gettreestate",
    "z_getsubtreesbyindex",
    "getaddresstxids",
    "getaddressbalance",
    "getaddressutxos",
    "getdifficulty",
    "ping",
];

/// An error object of a reply.
#[derive(Debug)]
pub(super) struct Failure {
    pub code: i64,
    pub message: String,
    pub data: Option<String>,
}

impl Failure {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// What zebrad says of parameters it cannot read.
    pub fn params(data: &str) -> Self {
        Self {
            data: Some(data.to_owned()),
            ..Self::new(-1, "Invalid params")
        }
    }
}

/// What a method answers: a value, or raw bytes that go out as a hex string.
pub(super) enum Answer {
    Value(Value),
    Hex(Bytes),
}

/// The node's data as one request sees it: possibly with an older tip, or
/// another chain altogether.
pub(super) struct View<'a> {
    pub state: &'a State,
    pub profile: &'a Profile,
    pub lies: &'a Lies,
    /// `estimatedheight` and `verificationprogress` of a node that syncs.
    pub syncing: Option<(u64, f64)>,
}

/// What a block is asked for by.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Hash(Hash),
    Height(u64),
}

impl View<'_> {
    /// The newest block of the view.
    pub fn tip(&self) -> Option<&Arc<Block>> {
        self.state.chain.blocks.get(self.top())
    }

    /// The index of the tip in the chain.
    pub fn top(&self) -> usize {
        let count = self.state.chain.blocks.len();
        count.saturating_sub(1).saturating_sub(self.lies.stale)
    }

    /// The height of the tip; 0 when there is none.
    pub fn tip_height(&self) -> u64 {
        self.tip().map_or(0, |block| block.height)
    }

    /// A block of the best chain, not above the tip.
    pub fn at(&self, height: u64) -> Option<&Arc<Block>> {
        let block = self.state.chain.at(height)?;
        (height <= self.tip_height()).then_some(block)
    }

    /// The block a key names.
    pub fn find(&self, key: Key) -> Option<&Arc<Block>> {
        match key {
            Key::Height(height) => self.at(height),
            Key::Hash(hash) => self.state.block(&hash),
        }
    }

    /// Reads a height (negative ones count from the tip) or a hash.
    pub fn key(&self, params: &[Value]) -> Result<Key, Failure> {
        let text = match params.first() {
            None => return Err(Failure::params("No more params")),
            Some(Value::String(text)) => text,
            Some(other) => {
                let words = format!(
                    "invalid type: integer `{other}`, expected a string at line 1 column 1"
                );
                return Err(Failure::params(&words));
            }
        };
        if let Some(hash) = parse_hash(text) {
            return Ok(Key::Hash(hash));
        }
        let height = match text.parse::<i64>() {
            Ok(height) if height < 0 => i64::try_from(self.tip_height())
                .ok()
                .and_then(|tip| (tip + 1).checked_add(height)),
            Ok(height) => Some(height),
            Err(_) => None,
        };
        let height = height.and_then(|height| u64::try_from(height).ok());
        height.map(Key::Height).ok_or_else(|| {
            let words = "parse error: could not convert the input string to a hash or height";
            Failure::new(-8, words)
        })
    }

    /// Answers one call.
    pub fn answer(&self, method: &str, params: &[Value]) -> Result<Answer, Failure> {
        let object = params.first().unwrap_or(&Value::Null);
        let value = match method {
            "getblock" => return blocks::block(self, params),
            "getblockheader" => return blocks::header(self, params),
            "getbestblockhash" => json!(show(&self.best()?.hash)),
            "getblockhash" => self.block_hash(params)?,
            "getblockcount" => json!(self.best()?.height),
            "getblockchaininfo" => self.blockchain_info()?,
            "getinfo" => self.info(),
            "getdifficulty" => json!(1.0),
            "ping" => Value::Null,
            "getrawmempool" => transactions::mempool(self),
            "getrawtransaction" => return transactions::transaction(self, params),
            "z_gettreestate" => trees::state(self, params)?,
            "z_getsubtreesbyindex" => trees::subtrees(self, params)?,
            "getaddresstxids" => addresses::txids(self, object)?,
            "getaddressbalance" => addresses::balance(self, object)?,
            "getaddressutxos" => addresses::utxos(self, object)?,
            _ => return Err(Failure::new(-32601, "Method not found")),
        };
        Ok(Answer::Value(value))
    }

    fn best(&self) -> Result<&Arc<Block>, Failure> {
        self.tip()
            .ok_or_else(|| Failure::new(-1, "No blocks in state"))
    }

    /// The hash at height 0: the lie about it, the chain's own, or the
    /// profile's where the chain begins later.
    pub fn genesis(&self) -> Option<Hash> {
        let own = self.state.chain.at(0).map(|block| block.hash);
        self.lies.genesis.or(own).or(self.profile.genesis)
    }

    fn block_hash(&self, params: &[Value]) -> Result<Value, Failure> {
        let index = params.first().and_then(Value::as_i64);
        let Some(index) = index else {
            return Err(Failure::params("No more params"));
        };
        let tip = self.best()?.height;
        let height = match u64::try_from(index) {
            Ok(height) => height,
            Err(_) => (tip + 1)
                .checked_sub(index.unsigned_abs())
                .ok_or_else(|| Failure::new(-1, "Provided index is not valid"))?,
        };
        if height > tip {
            let words = "Provided index is greater than the current tip";
            return Err(Failure::new(-1, words));
        }
        let hash = match height {
            0 => self.genesis(),
            _ => self.at(height).map(|block| block.hash),
        };
        let hash = hash.ok_or_else(|| Failure::new(-8, "Block not found"))?;
        Ok(json!(show(&hash)))
    }

    fn blockchain_info(&self) -> Result<Value, Failure> {
        let tip = self.best()?;
        let height = tip.height;
        let (estimated, progress) = self.syncing.unwrap_or((height, 1.0));
        let pools = self.state.pools(self.top());
        Ok(json!({
            "chain": self.lies.chain.as_ref().unwrap_or(&self.profile.chain),
            "blocks": height,
            "headers": height,
            "difficulty": 1.0,
            "verificationprogress": progress,
            "chainwork": 0,
            "pruned": false,
            "size_on_disk": 0,
            "commitments": 0,
            "bestblockhash": show(&tip.hash),
            "estimatedheight": estimated,
            "chainSupply": blocks::supply(&pools),
            "valuePools": blocks::value_pools(&pools, None),
            "upgrades": self.profile.upgrades(height),
            "consensus": self.profile.consensus(height),
        }))
    }

    fn info(&self) -> Value {
        json!({
            "version": self.profile.version,
            "build": self.profile.build,
            "subversion": self.profile.subversion,
            "protocolversion": 170_190,
            "blocks": self.tip_height(),
            "connections": 0,
            "difficulty": 1.0,
            "testnet": self.profile.chain != "main",
            "paytxfee": 0.0,
            "relayfee": 1e-6,
            "errors": "",
            "errorstimestamp": 0,
        })
    }
}

/// A hash written in display order, in internal order.
pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    (text.len() == 64).then_some(())?;
    faster_hex::hex_decode(text.as_bytes(), &mut hash).ok()?;
    Some(reversed(&hash))
}
