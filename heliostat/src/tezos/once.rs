//! The verbs of `heliostat tezos`: one answer in the manner of
//! `octez-client`, the data on standard output, how it was checked on standard
//! error.

use heliostat_node::Findings;
use heliostat_tezos::{
    Light, Mode,
    client::{self, Fatal, Printed},
};
use heliostat_tezos_protocol::Protocol;

use crate::{
    cli::{
        exit::Failure,
        show,
        tezos::{Balance, Get, Rpc, TezosCommand, Verb, at},
    },
    config::{ChainConfig, Config},
    run,
};

/// Does what `heliostat tezos` was asked: a verb, or the daemon.
///
/// # Errors
/// A usage error (2), or no answer (1).
pub fn run(command: TezosCommand) -> Result<(), Failure> {
    let TezosCommand { args, verb } = command;
    if let Some(Verb::List(_)) = verb {
        for protocol in Protocol::ALL {
            println!("{}", protocol.hash());
        }
        return Ok(());
    }
    let (block, protocol) = (args.block.clone(), args.protocol.clone());
    let origins = args.origins();
    let (config, notes) = args.into_config()?;
    config.validate()?;
    match verb {
        None => run::until_stopped(config, &notes),
        Some(Verb::Check { json }) => crate::check::run(config, json),
        Some(Verb::Verify { json }) => crate::verify::run(config, false, json),
        Some(Verb::ShowConfig { json }) => show::effective(&config, &origins, None, json),
        Some(verb) => {
            for note in &notes {
                eprintln!("Warning: {note}");
            }
            run::runtime()?.block_on(answer(&config, &verb, &block, protocol.as_deref()))
        }
    }
}

/// One answer, printed.
async fn answer(
    config: &Config,
    verb: &Verb,
    block: &str,
    protocol: Option<&str>,
) -> Result<(), Failure> {
    let light = light(config)?;
    if config.chain.values().any(needs_heads) {
        light.refresh().await;
    }
    let answered = async {
        if let Some(wanted) = protocol {
            is_of(&light, block, wanted).await?;
        }
        match verb {
            Verb::Rpc(Rpc::Get { path }) => client::rpc_get(&light, path).await,
            Verb::Get(Get::Balance(Balance::For { address })) => {
                client::balance(&light, address, block).await
            }
            Verb::List(_) | Verb::Check { .. } | Verb::Verify { .. } | Verb::ShowConfig { .. } => {
                unreachable!("these ask no light core")
            }
        }
    };
    let answered = answered.await;
    troubles(&light);
    match answered {
        Ok(Printed { text, assurance }) => {
            println!("{text}");
            if let Some(grade) = assurance {
                eprintln!("heliostat-assurance: {grade}");
            }
            Ok(())
        }
        Err(fatal) => {
            eprint!("{fatal}");
            Err(Failure::Said)
        }
    }
}

/// The light core of the only chain of a quick start.
fn light(config: &Config) -> Result<Light, Failure> {
    let tezos = config.chain.values().find_map(|chain| match chain {
        ChainConfig::Tezos(tezos) => Some(tezos),
        ChainConfig::Zcash(_) => None,
    });
    let tezos = tezos.expect("a quick start of Tezos makes one chain, of Tezos");
    let settings = tezos.settings(&at())?;
    Light::start(settings, Findings::in_memory()).map_err(|error| Failure::usage(error.to_string()))
}

/// Whether answers depend on what the endpoints' heads are.
fn needs_heads(chain: &ChainConfig) -> bool {
    match chain {
        ChainConfig::Tezos(tezos) => Mode::from(tezos.mode) != Mode::Client,
        ChainConfig::Zcash(_) => false,
    }
}

/// `--protocol`: the state after a block belongs to the block's next protocol.
async fn is_of(light: &Light, block: &str, wanted: &str) -> Result<(), Fatal> {
    let path = format!("/chains/{}/blocks/{block}/protocols", light.chain());
    let printed = client::rpc_get(light, &path).await?;
    let protocols: serde_json::Value =
        serde_json::from_str(&printed.text).map_err(|error| Fatal::Other(error.to_string()))?;
    let next = protocols["next_protocol"].as_str().unwrap_or_default();
    if next == wanted {
        return Ok(());
    }
    Err(Fatal::Other(format!(
        "Protocol passed to the proxy ({wanted}) and protocol of the node ({next}) differ."
    )))
}

/// What was found out about endpoints while they were asked.
fn troubles(light: &Light) {
    let upstreams = light.upstreams();
    for lie in upstreams.findings() {
        let evidence = &lie.evidence;
        eprintln!(
            "LIE  {}: {} [{}]",
            lie.upstream, evidence.words, evidence.rule
        );
    }
    for fork in upstreams.disagreements() {
        eprintln!(
            "Warning: at level {} {} has {}, the others {}",
            fork.height, fork.upstream, fork.theirs, fork.ours
        );
    }
    for status in upstreams.status() {
        if let Some(trouble) = status.trouble {
            eprintln!("Warning: {}: {}", status.name, trouble.words);
        }
    }
}
