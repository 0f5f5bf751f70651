//! How `octez-client --mode light` (25.1) asks its endpoints, emulated: the
//! same requests in the same order, each proof verified, the same vote. It is
//! an emulation, not the program.
//!
//! Once per process: `/version`. Once per block, of the main endpoint, one
//! after the other: the hash, the shell header, the resulting context hash,
//! the protocols. Then per key that is not below one read before: one endpoint
//! is asked for the whole proof, then all others at the same time for one with
//! holes, and their roots must be the same. `contracts/index/<i>/…` and
//! `v1/…` are read as a whole, and every block needs `v1`.
//!
//! Left out, in Octez's favour: the keys that a block's environment looks for
//! in vain (each asks every endpoint for a full proof), and Octez's own time.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use heliostat_tezos_context::{ContextHash, Key, Limits, Lookup, Tree, proof};
use heliostat_tezos_protocol::{cursor::Cursor, zarith};

use super::world::Reading;

/// The encoding of proofs that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// What a node sends to `--media-type any`, the default: it prefers JSON.
    Json,
    /// `--media-type binary`
    Binary,
}

/// One process of octez-client.
pub struct Process {
    client: reqwest::Client,
    urls: Vec<String>,
    media: Media,
    block: Option<Pinned>,
}

/// A block's environment.
struct Pinned {
    /// As it was asked for: resolved once per process.
    name: String,
    hash: String,
    /// What was read as a whole.
    covered: HashSet<Key>,
    known: Option<Tree>,
}

impl Process {
    /// A process that has just begun.
    pub async fn start(urls: &[String], media: Media) -> Result<Self> {
        let process = Self {
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(10))
                .build()?,
            urls: urls.to_vec(),
            media,
            block: None,
        };
        process.get(0, "/version", Media::Json).await?;
        Ok(process)
    }

    /// An account's balance at a block (`head`, or a hash), in mutez.
    pub async fn balance(&mut self, block: &str, account: &Reading) -> Result<u64> {
        let bytes = self.value(block, account, "balance").await?;
        let mut cursor = Cursor::new("balance", &bytes);
        let value = zarith::read_n(&mut cursor)?;
        u64::try_from(value)
            .ok()
            .context("a balance beyond 64 bits")
    }

    /// An account's counter at a block.
    pub async fn counter(&mut self, block: &str, account: &Reading) -> Result<i64> {
        let bytes = self.value(block, account, "counter").await?;
        let mut cursor = Cursor::new("counter", &bytes);
        let value = zarith::read_z(&mut cursor)?;
        i64::try_from(value)
            .ok()
            .context("a counter beyond 64 bits")
    }

    async fn value(&mut self, block: &str, account: &Reading, file: &str) -> Result<Bytes> {
        self.open(block).await?;
        let parent: Key = format!("contracts/index/{}", account.id.index()).parse()?;
        self.cover(&parent).await?;
        let pinned = self.block.as_ref().context("no block is open")?;
        let tree = pinned.known.as_ref().context("nothing was read")?;
        match tree.find_key(&parent.join(file)?) {
            Lookup::Contents(bytes) => Ok(bytes),
            other => bail!("{file} of {}: {other:?}", account.address),
        }
    }

    /// Makes a block's environment, if it is not the one in use.
    async fn open(&mut self, block: &str) -> Result<()> {
        if self.block.as_ref().is_some_and(|open| open.name == block) {
            return Ok(());
        }
        let blocks = "/chains/main/blocks";
        let hash = self
            .get(0, &format!("{blocks}/{block}/hash"), Media::Json)
            .await?;
        let hash: String = serde_json::from_slice(&hash.context("no such block")?)?;
        for tail in ["header/shell", "resulting_context_hash", "protocols"] {
            self.get(0, &format!("{blocks}/{hash}/{tail}"), Media::Json)
                .await?;
        }
        self.block = Some(Pinned {
            name: block.to_owned(),
            hash,
            covered: HashSet::new(),
            known: None,
        });
        self.cover(&"v1".parse()?).await
    }

    /// Reads a key as a whole, unless it was.
    async fn cover(&mut self, key: &Key) -> Result<()> {
        let pinned = self.block.as_ref().context("no block is open")?;
        if pinned.covered.contains(key) {
            return Ok(());
        }
        let path = format!(
            "/chains/main/blocks/{}/context/merkle_tree_v2/{key}",
            pinned.hash
        );
        let mut data = None;
        for at in 0..self.urls.len() {
            let full = self.proof(at, &format!("{path}?holey=no")).await;
            if let Ok((root, tree)) = full
                && !matches!(tree.find_key(key), Lookup::Absent | Lookup::Blinded)
            {
                data = Some((at, root, tree));
                break;
            }
        }
        let (from, root, tree) = data.with_context(|| format!("nobody has {key}"))?;
        let others = (0..self.urls.len()).filter(|at| *at != from);
        let holey = format!("{path}?holey=yes");
        let votes = try_join_all(others.map(|at| self.proof(at, &holey))).await?;
        ensure!(
            votes.iter().all(|(other, _)| *other == root),
            "no consensus on {key}"
        );
        let pinned = self.block.as_mut().context("no block is open")?;
        pinned.covered.insert(key.clone());
        pinned.known = Some(match pinned.known.take() {
            Some(known) => known.merge(&tree)?,
            None => tree,
        });
        Ok(())
    }

    async fn proof(&self, at: usize, path: &str) -> Result<(ContextHash, Tree)> {
        let bytes = self.get(at, path, self.media).await?;
        let bytes = bytes.context("404")?;
        let limits = Limits::default();
        let proof = match self.media {
            Media::Json => proof::json::read(&bytes, &limits)?,
            Media::Binary => proof::binary::read_answer(&bytes, &limits)?,
        };
        let verified = proof.context("null")?.verify()?;
        Ok((verified.root, verified.tree))
    }

    async fn get(&self, at: usize, path: &str, media: Media) -> Result<Option<Bytes>> {
        let accept = match media {
            Media::Json => "application/json",
            Media::Binary => "application/octet-stream",
        };
        let url = format!("{}{path}", self.urls[at]);
        let request = self.client.get(url).header("accept", accept);
        let response = request.send().await?;
        match response.status().as_u16() {
            200 => Ok(Some(response.bytes().await?)),
            404 => Ok(None),
            other => bail!("{path}: status {other}"),
        }
    }
}
