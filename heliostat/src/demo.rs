//! `heliostat demo`: the main job on an embedded default, on loopback and
//! without a network. Everything it prints was checked a moment before;
//! whatever turns out untrue ends it with exit code 1.
//!
//! | module | what it shows |
//! |---|---|
//! | [`mainnet`] | recorded mainnet blocks with their real proof-of-work |
//! | [`liar`] | a generated chain: the sync, a lie with its evidence, a reorg |
//! | [`client`] | a wallet's view of the served chain |
//! | [`tezos`] | the show of Tezos |

mod client;
mod liar;
mod mainnet;
mod tezos;

use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

use clap::Args;
use heliostat_observe::{ChainStatus, Status};

use crate::{
    cli::exit::Failure,
    config::Config,
    node::{self, RunningNode},
    run::Signals,
};

/// The seed of the chain that is generated when none is given.
const SEED: u64 = 2026;
/// How long any one step may take before the demo gives up.
const STEP_LIMIT: Duration = Duration::from_secs(50);

/// The flags of `heliostat demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which ledger to show
    #[arg(default_value = "zcash", value_parser = ["zcash", "tezos"])]
    pub ledger: String,
    /// Show everything once, then exit instead of serving on
    #[arg(long)]
    pub once: bool,
    /// What the chain is generated from
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
    /// How many blocks are generated (zcash)
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=200_000))]
    pub blocks: u64,
    /// Where the generated chain is served [default: 127.0.0.1:9067, or 8742 for tezos]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Where metrics, health and status are served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9068")]
    pub observe: String,
}

/// Shows everything, then serves until a signal unless `--once`.
///
/// # Errors
/// Whatever was not as the demo claims.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let mut signals = Signals::install()?;
    tokio::select! {
        shown = show(&args) => shown,
        () = signals.next() => Ok(()),
    }
}

/// The acts one after the other; without `--once` this ends only on failure.
async fn show(args: &DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let true_after = || {
        let seconds = started.elapsed().as_secs_f64();
        println!("\nAll of it was true, {seconds:.1} s after the start.");
    };
    if args.ledger == "tezos" {
        let show = tezos::show(args).await?;
        true_after();
        if args.once {
            return show.shutdown().await;
        }
        show.invite();
        return std::future::pending().await;
    }
    mainnet::show().await?;
    let show = liar::show(args).await?;
    true_after();
    if args.once {
        return show.shutdown().await;
    }
    show.invite();
    std::future::pending().await
}

/// A heading.
fn act(title: &str) {
    println!("\n── {title} ──");
}

/// Something that was just checked.
fn fact(words: impl std::fmt::Display) {
    println!("  ✓ {words}");
}

/// Something worth saying that is no check.
fn aside(words: impl std::fmt::Display) {
    println!("    {words}");
}

/// Fails the demo when a claim does not hold.
fn must(holds: bool, claim: impl FnOnce() -> String) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure::failed(format!("this was not true: {}", claim()))),
    }
}

/// A running node and the name of its only chain.
struct Stage {
    node: RunningNode,
}

impl Stage {
    /// Starts Heliostat on a memory store in front of `upstreams`.
    async fn open(
        network: &str,
        listen: &str,
        observe: &str,
        upstreams: &[String],
    ) -> Result<Self, Failure> {
        let mut text = format!(
            "[store]\naddress = 'memory:'\n[observe]\nlisten = '{observe}'\n\
             [chain.zcash]\nledger = 'zcash'\nnetwork = '{network}'\nlisten = '{listen}'\n"
        );
        for url in upstreams {
            text.push_str(&format!("[[chain.zcash.upstream]]\nurl = '{url}'\n"));
        }
        let node = node::start(Config::parse(&text, "the demo's configuration")?).await?;
        Ok(Self { node })
    }

    /// Where wallets connect.
    fn grpc(&self) -> String {
        format!("http://{}", self.node.grpc_addr())
    }

    /// What `heliostat status` would say.
    async fn status(&self) -> Status {
        self.node.status().await
    }

    /// The status of the chain once `ready` says so; meanwhile the height is
    /// shown on a terminal.
    async fn until(
        &self,
        what: &str,
        ready: impl Fn(&ChainStatus) -> bool,
    ) -> Result<ChainStatus, Failure> {
        let started = Instant::now();
        let mut last = ChainStatus::default();
        while started.elapsed() < STEP_LIMIT {
            if let Some(chain) = self.status().await.chains.remove("zcash") {
                if ready(&chain) {
                    ticker("");
                    return Ok(chain);
                }
                ticker(&format!(
                    "{what}: height {} of {}, {:.0} blocks/s",
                    chain.local_height.unwrap_or(0),
                    chain.target_height.unwrap_or(0),
                    chain.blocks_per_second.unwrap_or(0.0)
                ));
                last = chain;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        ticker("");
        Err(Failure::failed(format!(
            "{what} took longer than {} s; the chain says: {} {:?}",
            STEP_LIMIT.as_secs(),
            last.state,
            last.not_ready
        )))
    }

    /// What to try while it serves.
    fn invite(&self, tip: u64) {
        let (grpc, observe) = (self.node.grpc_addr(), self.node.observe_addr());
        println!(
            "\nIt goes on serving: wallets at {grpc} (plaintext), people at http://{observe}.\nTry, in another terminal:\n"
        );
        println!("  cargo run --release -- status --observe http://{observe}");
        println!(
            "  cargo run --release -p bench -- range --server http://{grpc} --from 1 --to {tip}\n"
        );
        println!("Ctrl-C ends it.");
    }
}

/// A line on the terminal that the next one replaces; nothing elsewhere.
fn ticker(words: &str) {
    let mut out = stderr();
    if out.is_terminal() {
        // A terminal that cannot be written to is nobody's loss.
        let _ = write!(out, "\r\x1b[2K{words}");
        let _ = out.flush();
    }
}
