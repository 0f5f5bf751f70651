//! Random histories of commits, rewinds and restarts against a plain vector.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use heliostat_core::{Assurance, Id};
use heliostat_store::{Store, testing::PrivatePostgres};
use heliostat_zcash::{
    chunk::TABLES,
    replica::{BlockLog, NewBlock},
    view::{ReadError, View},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError},
};

use crate::blocks::{Chance, any_projection, frames, run};

/// The naive replica.
struct Model {
    first: u64,
    blocks: Vec<NewBlock>,
    /// Blocks that were rewound.
    gone: Vec<NewBlock>,
    /// Makes each branch different.
    branch: u64,
}

impl Model {
    fn end(&self) -> (u64, Id) {
        match self.blocks.last() {
            Some(block) => (block.link.height + 1, block.link.id),
            None => (self.first, Id([0xaa; 32])),
        }
    }

    fn at(&self, height: u64) -> Option<&NewBlock> {
        self.blocks.get(height.checked_sub(self.first)? as usize)
    }

    /// A rewind (sometimes) and new blocks (mostly), applied to both.
    async fn commit(&mut self, log: &BlockLog, chance: &mut Chance) -> Result<(), TestCaseError> {
        self.branch += 1;
        let keep = match (chance.below(4), self.blocks.last()) {
            (0, Some(tip)) => {
                let depth = match chance.below(3) {
                    0 => chance.below(3),
                    1 => chance.below(60),
                    _ => chance.below(self.blocks.len() as u64 + 2),
                };
                let keep = tip.link.height.saturating_sub(depth);
                let left = (keep + 1).saturating_sub(self.first) as usize;
                let left = left.min(self.blocks.len());
                self.gone.extend(self.blocks.drain(left..));
                Some(keep)
            }
            _ => None,
        };
        let (next, parent) = self.end();
        let count = match chance.below(4) {
            0 => chance.below(2),
            1 => 1,
            2 => chance.below(40),
            _ => chance.below(500),
        };
        let blocks = run(self.branch, next, parent, count, chance.below(6));
        self.blocks.extend(blocks.iter().cloned());
        let caught_up = chance.below(2) == 0;
        log.commit(keep, blocks, caught_up)
            .await
            .map_err(|error| TestCaseError::fail(error.to_string()))
    }

    async fn compare(&self, view: &View, chance: &mut Chance) -> Result<(), TestCaseError> {
        let failed = |error: ReadError| TestCaseError::fail(error.to_string());
        let tip = self.blocks.last().map(|block| block.link);
        prop_assert_eq!(view.tip(), tip);
        prop_assert_eq!(view.floor(), tip.map(|_| self.first));
        for _ in 0..10 {
            let height =
                (self.first + chance.below(self.blocks.len() as u64 + 4)).saturating_sub(2);
            let block = self.at(height);
            let link = view.link(height).await.map_err(failed)?;
            prop_assert_eq!(link, block.map(|block| block.link));
            let txids = view.txids(height).await.map_err(failed)?;
            prop_assert_eq!(txids.as_ref(), block.map(|block| &block.txids));
            let cap = view.cap(height).await.map_err(failed)?;
            prop_assert_eq!(cap, block.map(|block| block.cap));
            if let Some(block) = block {
                let height_of = view.height_of(&block.link.id).await.map_err(failed)?;
                prop_assert_eq!(height_of, Some(height));
            }
            if !self.gone.is_empty() {
                let gone = &self.gone[chance.below(self.gone.len() as u64) as usize];
                prop_assert_eq!(view.height_of(&gone.link.id).await.map_err(failed)?, None);
            }
            self.compare_range(view, chance).await?;
        }
        Ok(())
    }

    /// A random range in a random projection; ends may lie outside.
    async fn compare_range(&self, view: &View, chance: &mut Chance) -> Result<(), TestCaseError> {
        let span = self.blocks.len() as u64 + 3;
        let (start, end) = (
            self.first + chance.below(span),
            self.first + chance.below(span),
        );
        let projection = any_projection(chance);
        let heights: Vec<u64> = match start <= end {
            true => (start..=end).collect(),
            false => (end..=start).rev().collect(),
        };
        let there: Vec<_> = heights
            .iter()
            .map_while(|height| self.at(*height))
            .collect();
        let expected = frames(there.iter().copied(), projection);

        let mut stream = view.frames(start, end, projection);
        let (mut got, mut count, mut lowest) = (Vec::new(), 0, Assurance::Proven);
        let outcome = loop {
            match stream.next().await {
                Ok(Some(slab)) => {
                    got.extend_from_slice(&slab.bytes);
                    count += slab.heights.end() - slab.heights.start() + 1;
                    lowest = lowest.min(slab.cap);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        prop_assert!(got == expected, "{start}..{end} {projection:?}");
        prop_assert_eq!(count, there.len() as u64);
        let cap = there.iter().map(|block| block.cap).min();
        prop_assert_eq!(lowest, cap.unwrap_or(Assurance::Proven));
        let missing = heights.get(there.len()).copied();
        match outcome {
            None => prop_assert_eq!(missing, None),
            Some(ReadError::Missing(height)) => prop_assert_eq!(missing, Some(height)),
            Some(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    }
}

async fn history(seed: u64, store: Arc<dyn Store>, steps: u64) -> Result<(), TestCaseError> {
    let mut chance = Chance::new(seed);
    let open = async |chance: &mut Chance| {
        // Now and then so small that nearly every read goes to the store.
        let cache = 10_000 << (4 * chance.below(3));
        BlockLog::open(store.clone(), "regtest", cache, false)
            .await
            .map_err(|error| TestCaseError::fail(error.to_string()))
    };
    let mut model = Model {
        first: [0, 5, 1_000_000][chance.below(3) as usize],
        blocks: Vec::new(),
        gone: Vec::new(),
        branch: seed << 16,
    };
    let mut log = open(&mut chance).await?;
    for _ in 0..steps {
        let pinned = (log.view(), model.blocks.len());
        model.commit(&log, &mut chance).await?;
        model.compare(&log.view(), &mut chance).await?;
        // An older view still answers, with one chain or not at all.
        if let Some(tip) = pinned.0.tip() {
            match pinned.0.link(tip.height).await {
                Ok(link) => prop_assert_eq!(link, Some(tip)),
                Err(error) => prop_assert!(matches!(error, ReadError::Reorged), "{}", error),
            }
        }
        if chance.below(4) == 0 {
            log = open(&mut chance).await?;
            model.compare(&log.view(), &mut chance).await?;
        }
    }
    Ok(())
}

fn play(cases: u32, steps: u64, store: impl Fn() -> (Option<tempfile::TempDir>, String)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    proptest!(Config::with_cases(cases), |(seed: u64)| {
        let (_directory, address) = store();
        runtime.block_on(async {
            let options = heliostat_store::Options::default();
            let store = heliostat_store::open(&address, "regtest", &TABLES, options);
            let store = store.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
            history(seed, store, steps).await
        })?;
    });
}

#[test]
fn any_history_reads_like_a_plain_vector_in_memory() {
    play(40, 25, || (None, "memory:".into()));
}

#[test]
fn any_history_reads_like_a_plain_vector_on_sqlite() {
    play(6, 20, || {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("chain.sqlite");
        let address = format!("sqlite:{}", path.display());
        (Some(directory), address)
    });
}

#[test]
fn any_history_reads_like_a_plain_vector_on_postgresql() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let count = AtomicU32::new(0);
    play(4, 15, || {
        let name = format!("chain{}", count.fetch_add(1, Ordering::Relaxed));
        (None, server.url(&name))
    });
}
