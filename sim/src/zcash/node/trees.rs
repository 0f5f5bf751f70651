//! Note commitment trees: z_gettreestate and z_getsubtreesbyindex.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use incrementalmerkletree::Hashable;
use orchard::tree::MerkleHashOrchard;
use serde_json::{Value, json};
use zcash_primitives::merkle_tree::{HashSer, read_commitment_tree};

use super::{
    methods::{Failure, View},
    state::show,
};
use crate::zcash::chain::{Block, Pool};

/// Roots that are remembered: one takes about a millisecond to compute, and
/// most blocks leave most trees as they are.
const MAX_CACHED_ROOTS: usize = 4096;

/// Roots as the node shows them; `None` while the pool is not active.
pub(super) struct Roots {
    pub sapling: Option<String>,
    pub orchard: Option<String>,
}

/// The roots after a block.
pub(super) fn roots(block: &Block) -> Roots {
    let trees = block.trees.as_ref();
    Roots {
        sapling: trees.and_then(|trees| root(&trees.sapling, Hasher::Pedersen)),
        orchard: trees.and_then(|trees| root(&trees.orchard, Hasher::Sinsemilla)),
    }
}

/// How a pool hashes its tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Hasher {
    Pedersen,
    Sinsemilla,
}

type Cache = Mutex<HashMap<(Hasher, Arc<[u8]>), Option<String>>>;

/// The root of a serialized tree, in the order the node shows it in: Sapling's
/// reversed, Orchard's and Ironwood's as they are.
fn root(pool: &Pool, hasher: Hasher) -> Option<String> {
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    let key = (hasher, pool.state.clone());
    let cached = |cache: &Cache| {
        let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(&key).cloned()
    };
    if let Some(root) = cached(&CACHE) {
        return root;
    }
    let root = match hasher {
        Hasher::Pedersen => hash::<sapling_crypto::Node>(&pool.state).map(|root| show(&root)),
        Hasher::Sinsemilla => {
            hash::<MerkleHashOrchard>(&pool.state).map(|root| faster_hex::hex_string(&root))
        }
    };
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= MAX_CACHED_ROOTS {
        cache.clear();
    }
    cache.insert(key, root.clone());
    root
}

fn hash<Node: Hashable + HashSer + Clone>(state: &[u8]) -> Option<[u8; 32]> {
    let tree = read_commitment_tree::<Node, _, 32>(state).ok()?;
    let mut root = Vec::with_capacity(32);
    tree.root().write(&mut root).ok()?;
    root.try_into().ok()
}

/// The `trees` object of a verbose block: pools without notes are left out.
pub(super) fn sizes(view: &View<'_>, block: &Block) -> Value {
    let mut object = json!({});
    let Some(trees) = &block.trees else {
        return object;
    };
    let pools = [
        ("sapling", &trees.sapling),
        ("orchard", &trees.orchard),
        ("ironwood", &trees.ironwood),
    ];
    for (name, pool) in pools {
        let size = pool.size + u32::from(view.lies.tree_sizes);
        if size > 0 {
            object[name] = json!({ "size": size });
        }
    }
    object
}

/// `z_gettreestate`
pub(super) fn state(view: &View<'_>, params: &[Value]) -> Result<Value, Failure> {
    let key = view.key(params)?;
    let block = view.find(key).ok_or_else(|| {
        let words = "the requested block is not in the main chain";
        Failure::new(-8, words)
    })?;
    let commitments = |pool: Option<&Pool>, hasher: Hasher| {
        let active = pool.filter(|pool| !pool.state.is_empty());
        let Some(pool) = active else {
            return json!({ "commitments": {} });
        };
        let mut state = pool.state.to_vec();
        if view.lies.tree_states {
            // Another left leaf, or one where there was none.
            match state.get_mut(1).filter(|_| pool.size > 0) {
                Some(byte) => *byte ^= 1,
                None => state = [&[1][..], &[7; 31], &[0; 3]].concat(),
            }
        }
        let state = faster_hex::hex_string(&state);
        json!({ "commitments": { "finalRoot": root(pool, hasher), "finalState": state } })
    };
    let trees = block.trees.as_ref();
    let mut object = json!({
        "hash": show(&block.hash),
        "height": block.height,
        "time": block.time,
        "sapling": commitments(trees.map(|trees| &trees.sapling), Hasher::Pedersen),
        "orchard": commitments(trees.map(|trees| &trees.orchard), Hasher::Sinsemilla),
    });
    let ironwood = trees.map(|trees| &trees.ironwood);
    if ironwood.is_some_and(|pool| !pool.state.is_empty()) {
        object["ironwood"] = commitments(ironwood, Hasher::Sinsemilla);
    }
    Ok(object)
}

/// `z_getsubtreesbyindex`
pub(super) fn subtrees(view: &View<'_>, params: &[Value]) -> Result<Value, Failure> {
    let name = params.first().and_then(Value::as_str).unwrap_or_default();
    let start = params.get(1).and_then(Value::as_u64);
    let start = start.ok_or_else(|| Failure::params("No more params"))?;
    let limit = params.get(2).and_then(Value::as_u64).unwrap_or(u64::MAX);
    let pool = |block: &'_ Block| -> Option<Pool> {
        let trees = block.trees.as_ref()?;
        Some(match name {
            "sapling" => trees.sapling.clone(),
            "orchard" => trees.orchard.clone(),
            _ => trees.ironwood.clone(),
        })
    };
    if !["sapling", "orchard", "ironwood"].contains(&name) {
        let words = r#"invalid pool name, must be one of: ["sapling", "orchard", "ironwood"]"#;
        return Err(Failure::new(-1, words));
    }
    let blocks = &view.state.chain.blocks;
    let until = blocks.len().min(view.top() + 1);
    let mut found = Vec::new();
    for block in &blocks[..until] {
        for root in pool(block).into_iter().flat_map(|pool| pool.completed) {
            let root = faster_hex::hex_string(&root);
            found.push(json!({ "root": root, "end_height": block.height }));
        }
    }
    let skip = usize::try_from(start).unwrap_or(usize::MAX);
    let take = usize::try_from(limit).unwrap_or(usize::MAX);
    let listed: Vec<Value> = found.into_iter().skip(skip).take(take).collect();
    Ok(json!({ "pool": name, "start_index": start, "subtrees": listed }))
}
