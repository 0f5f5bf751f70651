//! The replay upstream: a simulated zebrad over a generated chain. On standard
//! input, `extend` adds a block and `count` tells how many `getblock` calls
//! came.

use anyhow::Result;
use heliostat_sim::zcash::{
    Node,
    generator::{Generator, GeneratorConfig, Mix},
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// The block mixes that can be replayed.
pub const MIXES: [&str; 4] = ["tiny", "typical", "transparent", "shielded"];

/// Serves on a free port, which it prints, until the process is stopped.
pub async fn serve(seed: u64, blocks: u64, mix: &str) -> Result<()> {
    let mut config = GeneratorConfig::new(seed, blocks);
    config.mix = match mix {
        "typical" => Mix::TYPICAL,
        "transparent" => Mix::TRANSPARENT_HEAVY,
        "shielded" => Mix::SHIELDED_HEAVY,
        _ => Mix::TINY,
    };
    let mut generator = tokio::task::spawn_blocking(|| Generator::new(config)).await?;
    let node = Node::start(generator.chain().clone()).await?;
    println!("serving {}", node.address());
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.trim() {
            "extend" => {
                generator.extend(1);
                node.set_chain(generator.chain().clone());
                println!("extended");
            }
            "count" => println!("{}", node.count("getblock")),
            other => eprintln!("{other:?} is not a command; write extend or count"),
        }
    }
    // Without a terminal or a pipe on standard input: serve until stopped.
    std::future::pending().await
}
