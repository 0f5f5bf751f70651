//! The command line: what can be asked, and how it ends.
//!
//! Data goes to standard output, words for people to standard error.
//!
//! | module | what it holds |
//! |---|---|
//! | [`zcash`] | the flags of `heliostat zcash` and how they become a configuration |
//! | [`tezos`] | the flags and verbs of `heliostat tezos` |
//! | [`door`] | the flags of every quick start about its listening sockets |
//! | [`aliases`] | lightwalletd's flag names and what each of them does here |
//! | [`show`] | the effective configuration, completions and man pages |
//! | [`exit`] | the exit codes |

pub mod aliases;
pub mod door;
pub mod exit;
pub mod logs;
pub mod show;
pub mod tezos;
pub mod zcash;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, effective::Origins};
use exit::Failure;

/// A verified light node: run it next to nodes you do not trust, and talk to
/// it as if it were the node.
#[derive(Debug, Parser)]
#[command(name = "heliostat", version, propagate_version = true)]
#[command(
    after_help = "Example:\n  heliostat zcash --upstream http://127.0.0.1:8232\n\nExit codes: 0 ok, 1 failure, 2 usage or configuration, 3 not ready."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a Zcash light node without a file
    #[command(
        after_help = "Example:\n  heliostat zcash --upstream http://127.0.0.1:8232 --rpc-cookie-file ~/.cache/zebra/.cookie\n\nlightwalletd's flag names are understood too; docs/configuration.md lists them."
    )]
    Zcash(zcash::ZcashCommand),
    /// Run a Tezos light node without a file, or ask it one thing
    #[command(
        after_help = "Example:\n  heliostat tezos --endpoint http://127.0.0.1:8732 --sources sources.json get balance for tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb\n\nWithout a verb it serves the node's RPC at 127.0.0.1:8742. The flags are those of octez-client where it has them."
    )]
    Tezos(tezos::TezosCommand),
    /// Run every chain of a configuration file
    #[command(after_help = "Example:\n  heliostat run --config heliostat.toml")]
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Validate the configuration and diagnose every upstream
    #[command(
        after_help = "Example:\n  heliostat check --upstream http://127.0.0.1:8232\n\nExit codes: 0 all is in order, 1 something must be mended, 2 usage or configuration, 3 a node is down or syncing."
    )]
    Check {
        /// What to check.
        #[command(flatten)]
        target: Target,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Show what a running process does
    #[command(
        after_help = "Example:\n  heliostat status --json\n\nExit codes: 0 every chain is ready, 1 no Heliostat answers there, 2 usage, 3 it runs and is not ready."
    )]
    Status {
        /// The observe address of the process.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9068")]
        observe: String,
        /// Print the JSON document of /status.
        #[arg(long)]
        json: bool,
        /// Succeed when the process answers at all, ready or not.
        #[arg(long)]
        live: bool,
    },
    /// Watch a running process in the terminal
    #[command(
        after_help = "Example:\n  heliostat top --observe http://127.0.0.1:9068\n\nThe same as a page: open the observe address in a browser."
    )]
    Top {
        /// The observe address of the process.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9068")]
        observe: String,
    },
    /// Prove the replica again from the bytes on disk
    #[command(
        after_help = "Example:\n  heliostat verify --deep --upstream http://127.0.0.1:8232\n\nA running node may go on meanwhile.\n\nExit codes: 0 clean, 1 not clean or not readable, 2 usage or configuration, 3 run it again: the chain was rewound meanwhile, or the node of --deep is down or behind."
    )]
    Verify {
        /// Whose replica.
        #[command(flatten)]
        target: Target,
        /// Also read every block again from the upstream and compare.
        #[arg(long)]
        deep: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Check proofs of lies again, without asking anybody
    #[command(
        after_help = "Example:\n  curl -s http://127.0.0.1:9068/evidence > lies.json\n  heliostat verify-evidence lies.json\n\nExit codes: 0 every proof shows a lie, 1 one does not, 2 the file holds none."
    )]
    VerifyEvidence {
        /// What /evidence sends, or one proof of it.
        file: PathBuf,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print the effective configuration, and where each value comes from
    #[command(
        after_help = "Example:\n  heliostat show-config --config heliostat.toml\n\nPasswords, tokens and keys are not shown."
    )]
    ShowConfig {
        /// What to show.
        #[command(flatten)]
        target: Target,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  heliostat completions bash > ~/.local/share/bash-completion/completions/heliostat"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the program's man page, or write those of all commands
    #[command(after_help = "Example:\n  heliostat man --out ~/.local/share/man/man1")]
    Man {
        /// A folder for one page a command; made if there is none.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show it all on an embedded chain, without a network
    #[command(after_help = "Example:\n  heliostat demo --once")]
    Demo(crate::demo::DemoArgs),
    /// Print the release
    #[command(after_help = "Example:\n  heliostat version")]
    Version,
    /// Print the configuration reference, or the example file
    #[command(hide = true)]
    DocsConfig {
        /// The example file.
        #[arg(long)]
        example: bool,
    },
    /// Print what the methods of the Zcash service are served from
    #[command(hide = true)]
    DocsZcashMethods,
    /// Print what the calls of the Tezos RPC are checked against
    #[command(hide = true)]
    DocsTezosMethods,
}

/// A configuration: a file, or the quick start's own flags.
#[derive(Debug, Args)]
pub struct Target {
    /// The configuration file, instead of the flags below.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The flags of `heliostat zcash`.
    #[command(flatten)]
    pub zcash: zcash::ZcashArgs,
}

impl Target {
    /// Where the values come from that are not defaults.
    fn origins(&self) -> Result<Origins, Failure> {
        match &self.config {
            Some(file) => Ok(Origins::of_file(file)?),
            None => Ok(self.zcash.origins()),
        }
    }

    /// The configuration, with an upstream required or not.
    fn config(self, needs_upstream: bool) -> Result<Config, Failure> {
        match self.config {
            Some(file) => Ok(Config::load(&file)?),
            None => {
                let (config, notes) = self.zcash.into_config()?;
                notes.iter().for_each(|note| eprintln!("note: {note}"));
                match config.validate() {
                    Err(ConfigError::Value { setting, .. })
                        if !needs_upstream && setting.ends_with(".upstream") => {}
                    verdict => verdict?,
                }
                Ok(config)
            }
        }
    }
}

/// Does what was asked; the result is the exit code's reason.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Zcash(command) => {
            let (config, notes) = command.into_config()?;
            config.validate()?;
            crate::run::until_stopped(config, &notes)
        }
        Command::Tezos(command) => crate::tezos::once::run(command),
        Command::Run { config } => crate::run::file(config),
        Command::Check { target, json } => crate::check::run(target.config(true)?, json),
        Command::Status {
            observe,
            json,
            live,
        } => crate::status::run(&observe, json, live),
        Command::Top { observe } => crate::top::run(&observe),
        Command::Verify { target, deep, json } => {
            crate::verify::run(target.config(deep)?, deep, json)
        }
        Command::VerifyEvidence { file, json } => crate::evidence::run(&file, json),
        Command::ShowConfig { target, json } => show::config(target, json),
        Command::Completions { shell } => show::completions(shell),
        Command::Man { out } => show::man(out.as_deref()),
        Command::Demo(args) => crate::run::runtime()?.block_on(crate::demo::run(args)),
        Command::Version => {
            println!("heliostat {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::DocsConfig { example: false } => {
            print!("{}", crate::config::document::reference());
            Ok(())
        }
        Command::DocsConfig { example: true } => {
            print!("{}", crate::config::document::example());
            Ok(())
        }
        Command::DocsZcashMethods => {
            print!("{}", crate::zcash::document::methods());
            Ok(())
        }
        Command::DocsTezosMethods => {
            print!("{}", crate::tezos::document::methods());
            Ok(())
        }
    }
}
