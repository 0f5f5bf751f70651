//! The binary's insides: command line, configuration and the wiring of the
//! parts. They are a library so that tests and the demo can start a node in
//! their own process.
//!
//! ```no_run
//! # async fn demo() -> Result<(), heliostat::cli::exit::Failure> {
//! let config = heliostat::config::Config::parse(
//!     "[store]\naddress = 'memory:'\n[chain.zcash]\nledger = 'zcash'\n\
//!      [[chain.zcash.upstream]]\nurl = 'http://127.0.0.1:18232'",
//!     "an example",
//! )?;
//! let node = heliostat::node::start(config).await?;
//! println!("gRPC at {}", node.grpc_addr());
//! node.shutdown().await
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the commands, their flags and exit codes |
//! | [`config`] | the configuration file, and the documents made from it |
//! | [`node`] | [`node::start`]: every chain of a configuration, running |
//! | [`zcash`] | one Zcash chain: store, replica, upstreams, follower, API |
//! | [`tezos`] | one Tezos chain: light core, API; its one-shot verbs |
//! | [`run`] | the quick starts and `run`: a node until a signal |
//! | [`reload`] | SIGHUP: what is taken over without a restart |
//! | [`doors`] | the listening sockets of a process |
//! | [`telemetry`] | what is sent to a collector |
//! | `report` | what the status document says alike of every ledger |
//! | [`address`] | addresses as they may be shown |
//! | [`progress`] | the initial sync, drawn on a terminal or logged |
//! | [`check`], [`status`], [`verify`] | the commands of these names |
//! | [`evidence`] | proofs of lies, checked again |
//! | [`top`] | the dashboard in a terminal |
//! | [`demo`] | the main job on an embedded default |
//! | [`defaults`] | every limit and time-out, with its reason |

pub mod address;
pub mod check;
pub mod cli;
pub mod config;
pub mod defaults;
pub mod demo;
pub mod doors;
pub mod evidence;
pub mod node;
pub mod progress;
pub mod reload;
mod report;
pub mod run;
pub mod status;
pub mod telemetry;
pub mod tezos;
pub mod top;
pub mod verify;
pub mod zcash;
