//! Tezos: the cost of a proof, and of reads beside Octez's way of asking.
//!
//! | module | what it holds |
//! |---|---|
//! | [`proofs`] | decoding and verifying the two mainnet proofs |
//! | [`schedule`] | the same reads by Octez's schedule and by Heliostat |
//! | `octez` | Octez's schedule, emulated |
//! | `heliostat` | a light node behind its own REST interface |
//! | `world` | the nodes that both ask, and what is right |
//! | `dead` | what an endpoint costs that is gone |
//! | `report` | the figures as tables |

mod dead;
mod heliostat;
mod octez;
mod proofs;
mod report;
mod schedule;
mod world;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

/// What can be measured.
#[derive(Subcommand)]
pub enum Command {
    /// Decode and verify the two mainnet proofs of the Tezos vectors.
    TezosProofs {
        /// The vector; without it ../shared/vectors/tezos/tezos_mainnet_15181987.json.
        #[arg(long)]
        vector: Option<PathBuf>,
    },
    /// The same reads by Octez's request schedule and by Heliostat.
    TezosSchedule {
        /// What the chain is made from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Comma-separated latencies of the nodes in milliseconds.
        #[arg(long, value_delimiter = ',', default_values_t = [0, 20, 100])]
        latencies: Vec<u64>,
        /// Comma-separated numbers of nodes.
        #[arg(long, value_delimiter = ',', default_values_t = [2, 3, 5],
              value_parser = clap::value_parser!(u8).range(2..=9))]
        nodes: Vec<u8>,
    },
}

/// Measures, and prints tables.
pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::TezosProofs { vector } => proofs::run(vector),
        Command::TezosSchedule {
            seed,
            latencies,
            nodes,
        } => {
            let counts = nodes.into_iter().map(usize::from).collect();
            schedule::run(&schedule::Plan {
                seed,
                latencies,
                counts,
            })
            .await
        }
    }
}
