//! Times the generator: `cargo run --release -p heliostat-sim --example
//! generate -- [SEED] [BLOCKS] [tiny|typical|transparent|shielded]`.

use std::time::Instant;

use heliostat_sim::zcash::{Generator, GeneratorConfig, Mix};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        let argument = arguments.next();
        argument.map_or(default, |text| text.parse().unwrap_or(default))
    };
    let (seed, blocks) = (number(1), number(20_000));
    let mut config = GeneratorConfig::new(seed, blocks);
    config.mix = match arguments.next().as_deref() {
        Some("tiny") => Mix::TINY,
        Some("transparent") => Mix::TRANSPARENT_HEAVY,
        Some("shielded") => Mix::SHIELDED_HEAVY,
        _ => Mix::TYPICAL,
    };
    let start = Instant::now();
    let generator = Generator::new(config);
    let spent = start.elapsed();
    let chain = generator.chain();
    let bytes: usize = chain.blocks.iter().map(|block| block.raw.len()).sum();
    let txs: usize = chain.blocks.iter().map(|block| block.txids.len()).sum();
    println!("seed {seed}: {blocks} blocks, {txs} transactions, {bytes} bytes in {spent:.2?}");
    if let Some(trees) = chain.tip().and_then(|tip| tip.trees.as_ref()) {
        println!(
            "leaves: {} Sapling, {} Orchard, {} Ironwood",
            trees.sapling.size, trees.orchard.size, trees.ironwood.size
        );
    }
    let balance = generator.plan().balance_at(blocks);
    println!(
        "{} notes planted, balance {balance:?}",
        generator.plan().notes.len()
    );
}
