//! `heliostat verify`: proves the replica again from the bytes on disk, and
//! with `--deep` compares it with the blocks of a node.

use std::{collections::BTreeMap, io::IsTerminal as _, sync::Arc};

use futures::{StreamExt as _, stream};
use heliostat_core::Fault;
use heliostat_store::{Options as StoreOptions, StoreError};
use heliostat_zcash::{
    audit::{self, Problem, Report},
    chunk::META,
    replica::{self, NETWORK_ROW, ZcashReplica},
    view::{ReadError, View},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::{
    address::without_credentials,
    cli::exit::{Failure, store_failure},
    config::{ChainConfig, Config, ZcashConfig},
    defaults, evidence,
    run::runtime,
    tezos,
    zcash::{
        self,
        nodes::{Node, Nodes, explained},
    },
};

/// Height and pace on one line.
const BAR: &str = "{prefix} {bar:30} {pos}/{len} {per_sec}, {eta} left";

/// What was found of one chain.
#[derive(Debug, Serialize)]
struct Verified {
    store: String,
    network: &'static str,
    #[serde(flatten)]
    report: Report,
    deep: Option<Deep>,
}

/// What the comparison with a node's blocks found.
#[derive(Debug, Default, Serialize)]
struct Deep {
    upstream: String,
    blocks: u64,
    problems: Vec<Problem>,
    problem_count: u64,
    interrupted: bool,
}

impl Verified {
    fn is_clean(&self) -> bool {
        let deep = self.deep.as_ref();
        self.report.is_clean() && deep.is_none_or(|deep| deep.problem_count == 0)
    }

    /// Problems there are, apart from having been interrupted.
    fn problems(&self) -> u64 {
        let deep = self.deep.as_ref().map_or(0, |deep| deep.problem_count);
        self.report.problem_count + deep
    }

    fn interrupted(&self) -> bool {
        self.report.interrupted || self.deep.as_ref().is_some_and(|deep| deep.interrupted)
    }
}

/// Verifies every chain's store, and prints what was found.
///
/// # Errors
/// Something is not as it was verified, or a store cannot be read (1); the
/// chain was rewound meanwhile, or (`deep`) the node is down or behind (3).
pub fn run(config: Config, deep: bool, json: bool) -> Result<(), Failure> {
    let mut found = BTreeMap::new();
    let mut kept = BTreeMap::new();
    runtime()?.block_on(async {
        for (name, chain) in &config.chain {
            let address = config.store_address(name)?;
            match chain {
                ChainConfig::Zcash(chain) => {
                    found.insert(name.clone(), verify(name, chain, &address, deep).await?);
                }
                ChainConfig::Tezos(_) => {
                    let tables = tezos::tables();
                    kept.insert(name, evidence::stored(name, &address, &tables).await?);
                }
            }
        }
        Ok::<_, Failure>(())
    })?;
    if json {
        let chains = found.iter().map(|(name, found)| (name, json!(found)));
        let kept = kept.iter().map(|(name, kept)| (*name, json!(kept)));
        let all: BTreeMap<_, _> = chains.chain(kept).collect();
        let text = serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?;
        println!("{text}");
    } else {
        found.iter().for_each(|(name, found)| print(name, found));
        kept.iter().for_each(|(name, kept)| kept.print(name));
    }
    let problems: u64 = found.values().map(Verified::problems).sum::<u64>()
        + kept.values().map(evidence::Kept::broken).sum::<u64>();
    if problems > 0 {
        return Err(Failure::failed(format!(
            "{problems} problems; the store is not what was verified: move it away and start again, the chain is synced anew"
        )));
    }
    match found.values().any(Verified::interrupted) {
        true => Err(Failure::NotReady(
            "the chain was rewound meanwhile; run it again".to_owned(),
        )),
        false => Ok(()),
    }
}

async fn verify(
    name: &str,
    config: &ZcashConfig,
    address: &str,
    deep: bool,
) -> Result<Verified, Failure> {
    let shown = without_credentials(address);
    let options = StoreOptions::read_only();
    let store = heliostat_store::open(address, name, &zcash::tables(), options)
        .await
        .map_err(unopened)?;
    let stored = store.get(META, NETWORK_ROW.as_bytes()).await;
    let Some(stored) = stored.map_err(store_failure)? else {
        return Err(Failure::failed(format!(
            "{shown} holds no Zcash chain; name the store of the node with --store or --config"
        )));
    };
    let network = zcash::stored_network(&stored, &shown)?;
    let options = replica::Options {
        read_only: true,
        ..replica::Options::default()
    };
    let replica = ZcashReplica::open(Arc::clone(&store), network, options)
        .await
        .map_err(store_failure)?;
    let bar = bar(name);
    let report = audit::audit(&replica, |height, last| {
        bar.set_length(last);
        bar.set_position(height);
    })
    .await
    .map_err(store_failure)?;
    let deep = match deep {
        true => {
            bar.reset();
            let nodes = Nodes::new(name, config)?;
            let node = nodes.followed().next().ok_or_else(|| {
                Failure::usage("--deep reads the blocks from a node; name one with --upstream URL")
            })?;
            let source = node.source(Some(network));
            source
                .network()
                .await
                .map_err(|fault| unasked(node.name(), "", &fault))?;
            Some(compare(&replica.view(), node, &bar).await?)
        }
        false => None,
    };
    bar.finish_and_clear();
    Ok(Verified {
        store: shown,
        network: network.name(),
        report,
        deep,
    })
}

/// Reads every block again from a node, and compares.
async fn compare(view: &View, node: &Node, bar: &ProgressBar) -> Result<Deep, Failure> {
    let mut found = Deep {
        upstream: node.name().to_owned(),
        ..Deep::default()
    };
    let (Some(floor), Some(tip)) = (view.floor(), view.tip()) else {
        return Ok(found);
    };
    bar.set_length(tip.height);
    let fetched = stream::iter(floor..=tip.height)
        .map(|height| async move { (height, node.rpc().raw_block(height).await) })
        .buffered(defaults::DEEP_FETCHES);
    let mut fetched = std::pin::pin!(fetched);
    while let Some((height, raw)) = fetched.next().await {
        let raw = raw.map_err(|error| {
            let what = format!(", asked for block {height},");
            unasked(node.name(), &what, &Fault::from(error))
        })?;
        match audit::deep(view, height, &raw).await {
            Ok(problems) => {
                found.problem_count += problems.len() as u64;
                let room = audit::MOST_PROBLEMS.saturating_sub(found.problems.len());
                found.problems.extend(problems.into_iter().take(room));
            }
            Err(ReadError::Reorged | ReadError::Missing(_)) => {
                found.interrupted = true;
                break;
            }
            Err(ReadError::Store(error)) => return Err(store_failure(error)),
        }
        found.blocks += 1;
        bar.set_position(height);
    }
    Ok(found)
}

/// The store cannot be opened. Whoever has nothing to verify there has
/// probably named another one than the node's, or none.
fn unopened(error: StoreError) -> Failure {
    match error {
        StoreError::Unavailable { .. } => Failure::failed(format!(
            "{error}; name the store of the node with --store or --config"
        )),
        other => store_failure(other),
    }
}

/// The node cannot be asked: for now, or until somebody does something.
fn unasked(node: &str, what: &str, fault: &Fault) -> Failure {
    let words = format!("{node}{what} is {}", explained(node, fault));
    match fault {
        Fault::Unreachable(_) | Fault::Behind(_) => Failure::NotReady(words),
        Fault::Unsupported(_) | Fault::Wrong(_) => Failure::failed(words),
    }
}

fn bar(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(BAR);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(name.to_owned())
}

fn print(name: &str, found: &Verified) {
    let report = &found.report;
    let verdict = match (found.is_clean(), found.interrupted()) {
        (true, _) => "clean",
        (false, true) if found.problems() == 0 => "interrupted",
        (false, _) => "NOT CLEAN",
    };
    let heights = match (report.first, report.last) {
        (Some(first), Some(last)) => format!("blocks {first} to {last}"),
        _ => "no blocks".to_owned(),
    };
    println!(
        "{name}: {verdict}, {heights} of {} in {}",
        found.network, found.store
    );
    if report.on_word > 0 {
        let count = report.on_word;
        println!("  {count} blocks could not be read in full and rest on a node's word");
    }
    if let Some(deep) = &found.deep {
        println!("  {} blocks compared with {}", deep.blocks, deep.upstream);
    }
    let deep = found.deep.iter().flat_map(|deep| &deep.problems);
    for problem in report.problems.iter().chain(deep) {
        let at = problem
            .height
            .map_or_else(String::new, |height| format!("block {height}: "));
        println!("  {at}{} [{}]", problem.words, problem.rule);
    }
    let described =
        report.problems.len() + found.deep.as_ref().map_or(0, |deep| deep.problems.len());
    let more = found.problems() - described as u64;
    if more > 0 {
        println!("  and {more} more");
    }
}
