//! A toy ledger: blocks of a parent hash, a weight and a payload; a node that
//! serves them and can be told to misbehave; and (in `replica`) a replica in
//! memory.

#[path = "toy/replica.rs"]
pub mod replica;

pub use replica::MapReplica;

use std::{
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use heliostat_core::{Evidence, Exhibit, Fault, Id, Link, Point, Reject, Source, Verifier};
use tokio::{sync::watch, time::sleep};

/// Everything a toy node says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub link: Link,
    pub weight: u64,
    pub payload: Vec<u8>,
    /// The verifier cannot read it unless the node describes it.
    pub opaque: bool,
}

impl Block {
    pub fn new(parent: Option<&Block>, weight: u64, payload: Vec<u8>) -> Self {
        let height = parent.map_or(0, |parent| parent.link.height + 1);
        let parent = parent.map_or(Id::default(), |parent| parent.link.id);
        let link = Link {
            height,
            id: Id::default(),
            parent,
            time: 1_000_000 + height * 75,
        };
        let mut block = Self {
            link,
            weight,
            payload,
            opaque: false,
        };
        block.link.id = block.hash();
        block
    }

    fn hash(&self) -> Id {
        let mut id = Id::default();
        for (salt, part) in id.0.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            hasher.write_usize(salt);
            hasher.write_u64(self.link.height);
            hasher.write(&self.link.parent.0);
            hasher.write_u64(self.weight);
            hasher.write(&self.payload);
            part.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        id
    }
}

/// `count` more blocks of weight 1 on top of `chain`; `salt` makes branches
/// differ.
pub fn grow(chain: &mut Vec<Block>, count: usize, salt: u8) {
    for _ in 0..count {
        let next = Block::new(chain.last(), 1, vec![salt; 100]);
        chain.push(next);
    }
}

/// A chain of `count` blocks.
pub fn chain(count: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    grow(&mut blocks, count, 0);
    blocks
}

/// `base` without its last `depth` blocks, and `count` others instead.
pub fn forked(base: &[Block], depth: usize, count: usize, salt: u8) -> Vec<Block> {
    let mut blocks = base[..base.len() - depth].to_vec();
    grow(&mut blocks, count, salt);
    blocks
}

/// The toy rules.
pub struct Rules;

/// Where a toy chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    pub link: Option<Link>,
    /// `None` in a ledger without a measure.
    pub weight: Option<u128>,
}

fn wrong(rule: &str, block: &Block) -> Reject {
    Reject::Wrong(Evidence {
        rule: rule.to_owned(),
        words: format!("block {} is not what it says", block.link.height),
        height: Some(block.link.height),
        exhibits: vec![Exhibit::new("payload as sent", block.payload.as_slice())],
    })
}

impl Verifier for Rules {
    type Raw = Block;
    type Checked = Block;
    type Tip = Tip;
    type Item = Block;

    fn size(raw: &Block) -> usize {
        raw.payload.len()
    }

    fn check(&self, height: u64, raw: Block) -> Result<Block, Reject> {
        if raw.opaque {
            return Err(Reject::Opaque("new version".to_owned()));
        }
        if raw.link.height != height {
            return Err(wrong("toy.height", &raw));
        }
        if raw.link.id != raw.hash() {
            return Err(wrong("toy.id", &raw));
        }
        Ok(raw)
    }

    fn extend(&self, tip: &mut Tip, block: Block) -> Result<Block, Reject> {
        if block.link.parent != tip.link.map_or(Id::default(), |link| link.id) {
            let parent = block.link.parent;
            return Err(Reject::Unlinked { parent });
        }
        tip.link = Some(block.link);
        tip.weight = tip.weight.map(|weight| weight + u128::from(block.weight));
        Ok(block)
    }

    fn link(tip: &Tip) -> Option<Link> {
        tip.link
    }

    fn next_height(tip: &Tip) -> u64 {
        tip.link.map_or(0, |link| link.height + 1)
    }

    fn weight(tip: &Tip) -> Option<u128> {
        tip.weight
    }
}

/// What a node does next.
#[derive(Default)]
pub struct Script {
    pub blocks: Vec<Block>,
    /// Refuses every question.
    pub down: bool,
    /// Never answers.
    pub hangs: bool,
    /// Never gives a block from this height on.
    pub hangs_from: Option<u64>,
    /// Never describes a block.
    pub describes_never: bool,
    /// Before every answer.
    pub delay: Duration,
    /// Names a head that much too high.
    pub boast: u64,
    /// Sends a payload that does not hash to its id from this height on.
    pub lies_from: Option<u64>,
    /// Called before a block is given out, and may change everything.
    #[allow(clippy::type_complexity)]
    pub before_fetch: Option<Box<dyn FnMut(u64, &mut Script) + Send>>,
    /// Questions answered: head, id, fetch, describe.
    pub heads: usize,
    pub ids: usize,
    pub fetched: usize,
    pub fetched_bytes: usize,
    pub described: usize,
}

/// A toy node; what it gives out is set by its [`Script`].
pub struct Node {
    script: Mutex<Script>,
    changed: watch::Sender<u64>,
}

impl Node {
    pub fn new(blocks: Vec<Block>) -> Arc<Self> {
        let script = Script {
            blocks,
            ..Script::default()
        };
        Arc::new(Self {
            script: Mutex::new(script),
            changed: watch::Sender::new(0),
        })
    }

    /// Reads or changes the script without telling anybody.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script
            .lock()
            .expect("no test panics while it holds it")
    }

    /// From now on it has these blocks.
    pub fn set(&self, blocks: Vec<Block>) {
        self.script().blocks = blocks;
        self.changed.send_modify(|version| *version += 1);
    }

    pub fn blocks(&self) -> Vec<Block> {
        self.script().blocks.clone()
    }

    async fn answer<T>(
        &self,
        read: impl FnOnce(&mut Script) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (delay, hangs) = {
            let script = self.script();
            (script.delay, script.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let mut script = self.script();
        if script.down {
            return Err(Fault::Unreachable("connection refused".to_owned()));
        }
        read(&mut script)
    }
}

/// A handle on a node.
#[derive(Clone)]
pub struct Toy(pub Arc<Node>);

impl Source for Toy {
    type Raw = Block;

    async fn head(&self) -> Result<Point, Fault> {
        let head = self.0.answer(|script| {
            script.heads += 1;
            let behind = || Fault::Behind("it has no blocks yet".to_owned());
            let mut point = script.blocks.last().ok_or_else(behind)?.link.point();
            if script.boast > 0 {
                point.height += script.boast;
                point.id = Id([0xee; 32]);
            }
            Ok(point)
        });
        head.await
    }

    async fn id_at(&self, height: u64) -> Result<Option<Id>, Fault> {
        let id = self.0.answer(|script| {
            script.ids += 1;
            let block = script.blocks.get(height as usize);
            Ok(block.map(|block| block.link.id))
        });
        id.await
    }

    async fn fetch(&self, height: u64) -> Result<Block, Fault> {
        let hangs_from = self.0.script().hangs_from;
        if hangs_from.is_some_and(|from| from <= height) {
            std::future::pending::<()>().await;
        }
        let block = self.0.answer(|script| {
            if let Some(mut hook) = script.before_fetch.take() {
                hook(height, script);
                script.before_fetch.get_or_insert(hook);
            }
            let missing = || Fault::Behind(format!("it has no block {height}"));
            let mut block = script
                .blocks
                .get(height as usize)
                .ok_or_else(missing)?
                .clone();
            script.fetched += 1;
            script.fetched_bytes += block.payload.len();
            if script.lies_from.is_some_and(|from| from <= height) {
                block.payload = b"a lie".to_vec();
            }
            Ok(block)
        });
        block.await
    }

    async fn describe(&self, height: u64) -> Result<Block, Fault> {
        if self.0.script().describes_never {
            std::future::pending::<()>().await;
        }
        let block = self.0.answer(|script| {
            script.described += 1;
            let mut block = script.blocks[height as usize].clone();
            block.opaque = false;
            Ok(block)
        });
        block.await
    }

    async fn watch(&self, _seen: Point) {
        let mut changed = self.0.changed.subscribe();
        let _ = changed.changed().await;
    }

    fn show(id: &Id) -> String {
        format!("{id:?}")[..16].to_owned()
    }
}
