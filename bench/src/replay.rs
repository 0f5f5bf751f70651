//! The replay upstream: a simulated zebrad over a generated chain. On standard
//! input, `extend` adds a block and `count` tells how many `getblock` calls
//! came.

use std::{
    env,
    io::{BufRead as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use heliostat_sim::zcash::{
    Node,
    generator::{Generator, GeneratorConfig, Mix},
};
use tokio::io::{AsyncBufReadExt, stdin};

use crate::servers::end;

/// The block mixes that can be replayed.
pub const MIXES: [&str; 4] = ["tiny", "typical", "transparent", "shielded"];

/// Serves on a free port, which it prints, until the process is stopped.
pub async fn serve(seed: u64, blocks: u64, mix: &str) -> Result<()> {
    let config = config(seed, blocks, mix);
    let mut generator = tokio::task::spawn_blocking(|| Generator::new(config)).await?;
    let node = Node::start(generator.chain().clone()).await?;
    println!("serving {}", node.address());
    let mut lines = tokio::io::BufReader::new(stdin()).lines();
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

/// What the chain is made from; `mix` is one of [`MIXES`].
pub fn config(seed: u64, blocks: u64, mix: &str) -> GeneratorConfig {
    let mut config = GeneratorConfig::new(seed, blocks);
    config.mix = match mix {
        "typical" => Mix::TYPICAL,
        "transparent" => Mix::TRANSPARENT_HEAVY,
        "shielded" => Mix::SHIELDED_HEAVY,
        _ => Mix::TINY,
    };
    config
}

/// The replay upstream in a process of its own.
pub struct Replay {
    child: Child,
    commands: ChildStdin,
    words: std::io::BufReader<ChildStdout>,
    /// Where it answers JSON-RPC.
    pub port: u16,
    /// Its newest block.
    pub tip: u64,
}

impl Replay {
    /// Starts `bench replay` and waits until it serves.
    pub fn start(seed: u64, blocks: u64, mix: &str) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["replay", "--mix", mix])
            .args(["--seed", &seed.to_string()])
            .args(["--blocks", &blocks.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().context("stdin is piped")?;
        let words = std::io::BufReader::new(child.stdout.take().context("stdout is piped")?);
        let mut replay = Self {
            child,
            commands,
            words,
            port: 0,
            tip: blocks,
        };
        let ready = replay.line()?;
        replay.port = ready
            .strip_prefix("serving 127.0.0.1:")
            .and_then(|port| port.parse().ok())
            .with_context(|| format!("the replay upstream said {ready:?}"))?;
        Ok(replay)
    }

    /// Adds a block, and returns when the upstream serves it.
    pub fn extend(&mut self) -> Result<()> {
        writeln!(self.commands, "extend")?;
        self.line()?;
        self.tip += 1;
        Ok(())
    }

    /// How many `getblock` calls came so far.
    pub fn calls(&mut self) -> Result<u64> {
        writeln!(self.commands, "count")?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.words.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the replay upstream ended");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
