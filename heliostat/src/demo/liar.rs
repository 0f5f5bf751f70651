//! The second act: a chain from a seed, an upstream that lies, a reorg.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use heliostat_observe::ChainStatus;
use heliostat_sim::zcash::{Filter, Generator, GeneratorConfig, Handle, Misbehaviour, Node};

use super::{DemoArgs, Stage, act, aside, client, fact, must, ticker};
use crate::{cli::exit::Failure, config::settings};

/// How many blocks the reorg takes back, and how many replace them.
const REORG: (u64, u64) = (6, 9);

/// Two honest upstreams and one that lies.
struct Cast {
    honest: [Node; 2],
    liar: Node,
}

impl Cast {
    fn urls(&self) -> Vec<String> {
        let nodes = [&self.liar, &self.honest[0], &self.honest[1]];
        nodes.map(|node| node.handle().url()).to_vec()
    }

    fn honest(&self) -> [Handle; 2] {
        self.honest.each_ref().map(Node::handle)
    }
}

/// Generates, syncs past the lie, follows the reorg; the stage stays open.
pub async fn show(args: &DemoArgs) -> Result<Show, Failure> {
    act("A chain from a seed, three upstreams, one of them lies");
    let chain = generate(args).await?;
    let tip = chain.height();
    let lie_at = tip * 3 / 5;
    let start = async || {
        Node::start(chain.chain().clone())
            .await
            .map_err(anyhow::Error::from)
    };
    let cast = Cast {
        honest: [start().await?, start().await?],
        liar: start().await?,
    };
    cast.liar.handle().misbehave(
        Misbehaviour::WrongMerkleRoot,
        Filter::method("getblock").at(lie_at..=lie_at),
    );
    let listen = args.listen.as_deref().unwrap_or(settings::ZCASH_LISTEN);
    let stage = Stage::open("regtest", listen, &args.observe, &cast.urls()).await?;
    sync(&stage, tip).await?;
    lie(&stage, &cast, lie_at).await?;
    wallet(&stage, &chain, tip).await?;
    reorg(&stage, &cast, &chain, args.seed).await?;
    Ok(Show {
        stage,
        _cast: cast,
        tip: tip - REORG.0 + REORG.1,
    })
}

/// The stage with the upstreams behind it, which go on answering.
pub struct Show {
    stage: Stage,
    _cast: Cast,
    tip: u64,
}

impl Show {
    /// See [`Stage::invite`].
    pub fn invite(&self) {
        self.stage.invite(self.tip);
    }

    /// Ends it gracefully.
    pub async fn shutdown(self) -> Result<(), Failure> {
        self.stage.node.shutdown().await
    }
}

async fn generate(args: &DemoArgs) -> Result<Generator, Failure> {
    ticker("generating the chain");
    let started = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let config = GeneratorConfig::new(args.seed, args.blocks).ending_at(now);
    let generator = tokio::task::spawn_blocking(|| Generator::new(config))
        .await
        .map_err(anyhow::Error::from)?;
    ticker("");
    aside(format_args!(
        "seed {}: {} blocks of regtest rules in {:.1} s (regtest has no proof-of-work)",
        args.seed,
        generator.height(),
        started.elapsed().as_secs_f64()
    ));
    Ok(generator)
}

async fn sync(stage: &Stage, tip: u64) -> Result<(), Failure> {
    let started = Instant::now();
    let at_tip = |chain: &ChainStatus| chain.local_height == Some(tip);
    stage.until("sync", at_tip).await?;
    let seconds = started.elapsed().as_secs_f64();
    fact(format_args!(
        "synced {tip} blocks in {seconds:.1} s ({:.0} blocks/s)",
        tip as f64 / seconds
    ));
    Ok(())
}

/// The liar is convicted by its own bytes, and nobody else is.
async fn lie(stage: &Stage, cast: &Cast, lie_at: u64) -> Result<(), Failure> {
    let graded = |chain: &ChainStatus| {
        let head = chain.head.as_ref();
        head.is_some_and(|head| head.assurance == "agreed 2/2")
    };
    let chain = stage.until("agreement of the honest", graded).await?;
    let liar = cast.liar.handle().url();
    must(chain.findings.len() == 1, || {
        format!("one lie is one finding, not {}", chain.findings.len())
    })?;
    let finding = &chain.findings[0];
    must(
        finding
            .upstream
            .contains(liar.trim_start_matches("http://"))
            && finding.height == Some(lie_at),
        || format!("the finding names the liar and height {lie_at}: {finding:?}"),
    )?;
    fact(format_args!(
        "the lie at height {lie_at} was caught: {}",
        finding.rule
    ));
    aside(&finding.words);
    for (name, bytes) in &finding.exhibits {
        aside(format_args!("evidence: {name}, {bytes} bytes"));
    }
    for upstream in &chain.upstreams {
        let lied = upstream.name == finding.upstream;
        must((upstream.state == "wrong") == lied, || {
            format!("only the liar is quarantined: {upstream:?}")
        })?;
    }
    fact("the liar is quarantined; the sync went on with the next upstream");
    fact("both honest upstreams committed to our head: `agreed 2/2`");
    Ok(())
}

/// A wallet's view of the whole chain.
async fn wallet(stage: &Stage, chain: &Generator, tip: u64) -> Result<(), Failure> {
    let (blocks, assurance) = client::range(&stage.grpc(), 1, tip).await?;
    client::must_link(&blocks)?;
    must(blocks.len() as u64 == tip, || {
        "every block is served".into()
    })?;
    must(assurance == "agreed 2/2", || {
        format!("the whole range is agreed, not {assurance:?}")
    })?;
    let planted = &chain.plan().notes;
    for note in planted {
        must(client::holds(&blocks, note), || {
            format!("the note planted at {} is served", note.height)
        })?;
    }
    fact(format_args!(
        "GetBlockRange 1 to {tip}: one linked chain with the {} notes planted for a known wallet",
        planted.len()
    ));
    Ok(())
}

/// The upstreams change their mind about the last blocks.
async fn reorg(stage: &Stage, cast: &Cast, chain: &Generator, seed: u64) -> Result<(), Failure> {
    let (back, forward) = REORG;
    let tip = chain.height();
    let fork = chain.fork(tip - back, forward, seed + 1);
    let fork = fork.map_err(anyhow::Error::from)?;
    let orphan = chain.chain().tip().map(|block| block.hash);
    let started = Instant::now();
    for node in cast.honest() {
        node.set_chain(fork.chain().clone());
    }
    let new_tip = tip - back + forward;
    let on_it = |chain: &ChainStatus| chain.local_height == Some(new_tip);
    let status = stage.until("reorg", on_it).await?;
    let milliseconds = started.elapsed().as_millis();
    must(status.rewinds == 1, || {
        format!("one rewind, not {}", status.rewinds)
    })?;
    let (blocks, _) = client::range(&stage.grpc(), 1, new_tip).await?;
    client::must_link(&blocks)?;
    let served = blocks.last().map(|block| block.hash.to_vec());
    let expected = fork.chain().tip().map(|block| block.hash.to_vec());
    must(served == expected, || "the new branch is served".into())?;
    must(
        blocks
            .iter()
            .all(|block| Some(&block.hash[..]) != orphan.as_ref().map(|id| &id[..])),
        || "nothing of the old branch is served".into(),
    )?;
    fact(format_args!(
        "a reorg of {back} blocks was followed within {milliseconds} ms: height {new_tip}, one linked chain"
    ));
    Ok(())
}
