//! Settled blocks as rows of the database, or as files beside it: what each
//! costs to read.
//!
//! The same chunks lie in one file, in SQLite and, where the machine has one,
//! in PostgreSQL. They are read in the same random order, each into a buffer
//! of its own, off the runtime's threads as a server must, and each is checked
//! against its CRC-32, which a sealed file would carry as well. The three take
//! turns, round by round.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::FileExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use heliostat_store::{Batch, Options, Store, Table, testing::PrivatePostgres};

use crate::machine;

const CHUNKS: Table = Table("chunks");
/// Rounds over all chunks in turn; the best of each counts.
const ROUNDS: usize = 5;
/// Chunks per commit while loading.
const BATCH: u64 = 16;
/// Readers at the same time in the second half of the table.
const READERS: [u64; 2] = [1, 4];

/// Where chunks are read from.
#[derive(Clone)]
enum Place {
    File(Arc<File>),
    Store(Arc<dyn Store>),
}

/// The chunks, made on demand.
#[derive(Clone, Copy)]
struct Chunks {
    count: u64,
    size: usize,
}

impl Chunks {
    /// Bytes that no layer can compress or guess: SplitMix64 from the number.
    fn content(self, number: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size + 8);
        let mut state = number.wrapping_mul(0x2545_f491_4f6c_dd1d);
        while out.len() < self.size {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            out.extend((mixed ^ (mixed >> 31)).to_le_bytes());
        }
        out.truncate(self.size);
        out
    }

    /// The chunk that is read at step `i` of a round: every one once, in an
    /// order that no read-ahead follows. `count` is a power of two.
    fn at(self, i: u64) -> u64 {
        i.wrapping_mul(0x9e37_79b1) % self.count
    }
}

/// Loads `count` chunks (rounded up to a power of two) of `size` bytes
/// everywhere, then reads them.
pub async fn run(count: u64, size: usize) -> Result<()> {
    let chunks = Chunks {
        count: count.next_power_of_two(),
        size,
    };
    let folder = tempfile::tempdir()?;
    let mut checks = Vec::new();
    let path = folder.path().join("chunks");
    let mut file = File::create_new(&path)?;
    for number in 0..chunks.count {
        let content = chunks.content(number);
        checks.push(crc32fast::hash(&content));
        file.write_all(&content)?;
    }
    file.sync_all()?;
    let mut places = vec![("file", Place::File(Arc::new(File::open(&path)?)))];
    let address = format!("sqlite:{}", folder.path().join("store.sqlite").display());
    places.push(("SQLite", Place::Store(load(&address, chunks).await?)));
    let cluster = PrivatePostgres::start_new();
    if let Some(cluster) = &cluster {
        let address = cluster.url("bench");
        places.push(("PostgreSQL", Place::Store(load(&address, chunks).await?)));
    }
    let checks: Arc<[u32]> = checks.into();
    println!("{} chunks of {size} bytes", chunks.count);
    println!("| read from | readers | µs/chunk | MB/s | own CPU µs/chunk | load |");
    println!("|---|---|---|---|---|---|");
    for readers in READERS {
        measure(&places, chunks, readers, &checks).await?;
    }
    Ok(())
}

async fn load(address: &str, chunks: Chunks) -> Result<Arc<dyn Store>> {
    let store = heliostat_store::open(address, "bench", &[CHUNKS], Options::default()).await?;
    let mut number = 0;
    while number < chunks.count {
        let mut batch = Batch::new();
        for number in number..(number + BATCH).min(chunks.count) {
            batch.put(
                CHUNKS,
                number.to_be_bytes().to_vec(),
                chunks.content(number),
            );
        }
        store.commit(batch).await?;
        number += BATCH;
    }
    store.settle().await?;
    Ok(store)
}

async fn measure(
    places: &[(&str, Place)],
    chunks: Chunks,
    readers: u64,
    checks: &Arc<[u32]>,
) -> Result<()> {
    let mut best = vec![(Duration::MAX, Duration::MAX); places.len()];
    for _ in 0..ROUNDS {
        for ((_, place), best) in places.iter().zip(&mut best) {
            let cpu = machine::cpu_time(std::process::id())?;
            let start = Instant::now();
            let tasks: Vec<_> = (0..readers)
                .map(|reader| {
                    let checks = Arc::clone(checks);
                    tokio::spawn(read_all(place.clone(), chunks, reader, readers, checks))
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            let took = start.elapsed();
            let cpu = machine::cpu_time(std::process::id())?.saturating_sub(cpu);
            *best = (best.0.min(took), best.1.min(cpu));
        }
    }
    for ((name, _), (took, cpu)) in places.iter().zip(best) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / chunks.count as f64;
        println!(
            "| {name} | {readers} | {:.0} | {:.0} | {:.0} | {:.2} |",
            each(took),
            chunks.size as f64 / each(took),
            each(cpu),
            machine::load_average()
        );
    }
    Ok(())
}

/// One reader's share of a round.
async fn read_all(
    place: Place,
    chunks: Chunks,
    reader: u64,
    readers: u64,
    checks: Arc<[u32]>,
) -> Result<()> {
    for i in (reader..chunks.count).step_by(readers as usize) {
        let number = chunks.at(i);
        let content = read(&place, chunks, number).await?;
        let known = checks.get(number as usize);
        ensure!(
            known == Some(&crc32fast::hash(&content)),
            "chunk {number} is not what was written"
        );
    }
    Ok(())
}

async fn read(place: &Place, chunks: Chunks, number: u64) -> Result<Bytes> {
    match place {
        Place::File(file) => {
            let file = Arc::clone(file);
            let read = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; chunks.size];
                file.read_exact_at(&mut buffer, number * chunks.size as u64)?;
                std::io::Result::Ok(buffer.into())
            });
            Ok(read.await??)
        }
        Place::Store(store) => store
            .get(CHUNKS, &number.to_be_bytes())
            .await?
            .with_context(|| format!("chunk {number} is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_read_once_in_a_round() {
        let chunks = Chunks { count: 64, size: 8 };
        let mut order: Vec<_> = (0..64).map(|i| chunks.at(i)).collect();
        assert!(order.windows(2).any(|pair| pair[0] + 1 != pair[1]));
        order.sort();
        assert_eq!(order, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn chunks_have_the_size_asked_for_and_differ() {
        let chunks = Chunks { count: 4, size: 13 };
        assert_eq!(chunks.content(1).len(), 13);
        assert_ne!(chunks.content(1), chunks.content(2));
    }
}
