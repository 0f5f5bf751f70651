//! `heliostat demo tezos`: three nodes of a generated chain, one of which
//! forges balances; what is read is proven, and the lie is shown with its
//! evidence.
//!
//! | module | what it holds |
//! |---|---|
//! | [`stage`] | a running light node, and a client that asks it |

mod stage;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heliostat_core::Evidence;
use heliostat_observe::Finding;
use heliostat_sim::tezos::{
    Account, Lie, Network, Node, World,
    network::Baking,
    world::{Change, Settings},
};
use heliostat_tezos::evidence::recheck;

use super::{DemoArgs, act, aside, fact, must, ticker};
use crate::{cli::exit::Failure, config::settings::TEZOS_LISTEN};
use stage::{Answer, Stage, ask};

/// Blocks of the chain before the show begins.
const BLOCKS: usize = 12;
/// How far below the head the trusted block lies.
const TRUSTED: usize = 8;
/// The place of the liar among the nodes: the one that is asked first.
const LIAR: usize = 0;
/// An honest one.
const HONEST: usize = 1;
/// What is sent during the show, in mutez.
const AMOUNT: u64 = 25_000_000;
/// The id of the error where too few agree.
const NO_AGREEMENT: &str = "heliostat.no_agreement";
/// The pause between two blocks once everything was shown: mainnet's.
const SPACING: Duration = Duration::from_secs(6);

/// The nodes and the chain behind them.
struct Cast {
    network: Network,
    nodes: Vec<Node>,
}

impl Cast {
    fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url()).collect()
    }

    /// The balance of an account at the head, in mutez.
    fn balance(&self, account: &Account) -> u64 {
        let world = self.network.world();
        world.balance(world.head(), &account.id)
    }
}

/// Shows everything; the stage stays open.
pub async fn show(args: &DemoArgs) -> Result<Show, Failure> {
    let cast = nodes(args.seed).await?;
    let alice = cast.network.world().account("alice").clone();
    hearsay(&cast, &alice).await?;
    let stage = Stage::open(
        &cast,
        args.listen.as_deref().unwrap_or(TEZOS_LISTEN),
        &args.observe,
    )
    .await?;
    proven(&stage, &cast, &alice).await?;
    lie(&stage, &cast).await?;
    refusal(&cast, &alice).await?;
    onwards(&stage, &cast, &alice).await?;
    let baking = cast.network.bake_every(SPACING);
    Ok(Show {
        stage,
        alice,
        _cast: cast,
        _baking: baking,
    })
}

/// The stage with the nodes behind it, which go on answering.
pub struct Show {
    stage: Stage,
    alice: Account,
    _cast: Cast,
    _baking: Baking,
}

impl Show {
    /// What to try while it serves.
    pub fn invite(&self) {
        let (rpc, observe) = (self.stage.rpc(), self.stage.observe());
        let path = format!(
            "/chains/main/blocks/head/context/contracts/{}/balance",
            self.alice.address()
        );
        println!(
            "\nIt goes on serving, a block every {} s: wallets at {rpc}, people at {observe}.\nTry, in another terminal:\n",
            SPACING.as_secs()
        );
        println!("  curl -i {rpc}{path}");
        println!("  cargo run -- status --observe {observe}");
        println!(
            "  curl -s {observe}/evidence > lies.json && cargo run -- verify-evidence lies.json\n"
        );
        println!("Ctrl-C ends it.");
    }

    /// Ends it gracefully.
    pub async fn shutdown(self) -> Result<(), Failure> {
        self.stage.shutdown().await
    }
}

/// A chain that ends now, and the nodes that serve it.
async fn nodes(seed: u64) -> Result<Cast, Failure> {
    act("A Tezos chain from a seed, three nodes, one of them forges balances");
    ticker("generating the chain");
    let started = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0));
    let span = BLOCKS as i64 * i64::try_from(SPACING.as_secs()).unwrap_or(0);
    let settings = Settings {
        begins: now - span,
        ..Settings::blocks(BLOCKS)
    };
    let (accounts, bakers) = (settings.accounts, settings.bakers);
    let world = tokio::task::spawn_blocking(move || World::new(seed, settings));
    let world = world.await.map_err(anyhow::Error::from)?;
    ticker("");
    aside(format_args!(
        "seed {seed}: {BLOCKS} blocks with signed headers, stamps and attestations of {bakers} bakers, {accounts} accounts, in {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let network = Network::new(world);
    let nodes = Node::start_all(&network, 3).await;
    let nodes = nodes.map_err(anyhow::Error::from)?;
    nodes[LIAR].lie(Lie::Root);
    Ok(Cast { network, nodes })
}

/// What somebody hears who asks one node and believes it.
async fn hearsay(cast: &Cast, alice: &Account) -> Result<(), Failure> {
    let truth = cast.balance(alice);
    for (at, node) in cast.nodes.iter().enumerate() {
        let heard = ask(&node.url(), &balance_path("head", alice.address())).await?;
        let heard = mutez(&heard)?;
        must((heard == truth) == (at != LIAR), || {
            format!(
                "only the liar tells another balance: {} says {heard}",
                node.url()
            )
        })?;
        let mark = if at == LIAR { "  ← forged" } else { "" };
        aside(format_args!(
            "{}  says alice has {} ꜩ{mark}",
            node.url(),
            tez(heard)
        ));
    }
    fact("whoever asks only the first node is told a balance that does not exist");
    Ok(())
}

/// Everything read through Heliostat is true and proven.
async fn proven(stage: &Stage, cast: &Cast, alice: &Account) -> Result<(), Failure> {
    act("Read through Heliostat, which trusts one block and no node");
    let (level, hash) = cast.network.world().checkpoint(TRUSTED);
    aside(format_args!("the block it trusts: {level}:{hash}"));
    // The newest header counts the attestations of the one before it, which
    // make the one before that final; that one commits to the state below.
    let newest = cast.network.world().head().header.level - 3;
    let header = "/chains/main/blocks/head/header/shell";
    stage
        .until("the newest block that can be proven", header, |answer| {
            let level = answer.json().ok().and_then(|json| json["level"].as_i64());
            answer.is_proven() && level == Some(newest.into())
        })
        .await?;
    let path = balance_path("head", alice.address());
    let answer = stage.get(&path).await?;
    must(answer.is_proven(), || {
        format!("the balance is proven: {answer:?}")
    })?;
    let (truth, read) = (cast.balance(alice), mutez(&answer)?);
    must(read == truth, || format!("alice has {truth}, not {read}"))?;
    fact(format_args!(
        "alice has {} ꜩ at level {newest}, graded `{}`",
        tez(read),
        answer.grade
    ));
    aside(format_args!(
        "value → proof → root → commit → header {} → attested by two thirds of the bakers → … → the trusted block",
        newest + 1
    ));
    let world = cast.network.world();
    let stranger = stage
        .get(&balance_path("head", world.stranger().to_string()))
        .await?;
    must(mutez(&stranger)? == 0 && stranger.is_proven(), || {
        format!("an account nobody funded has nothing: {stranger:?}")
    })?;
    fact("an account that does not exist has 0 ꜩ: its absence is proven, not assumed");
    let contract = world.contract("counter").address();
    let storage = format!("/chains/main/blocks/head/context/contracts/{contract}/storage");
    let told = ask(&cast.nodes[HONEST].url(), &storage).await?;
    let storage = stage.get(&storage).await?;
    must(
        storage.is_proven() && storage.json()? == told.json()?,
        || format!("a contract's storage is as an honest node prints it: {storage:?}"),
    )?;
    fact("a contract's storage, printed as an honest node prints it, graded `proven`");
    Ok(())
}

/// The liar is convicted by its own bytes, and nobody else is.
async fn lie(stage: &Stage, cast: &Cast) -> Result<(), Failure> {
    act("The lie, with its evidence");
    let finding = stage.finding().await?;
    let liar = cast.nodes[LIAR].url();
    must(finding.upstream == liar, || {
        format!("the finding names the liar, not {}", finding.upstream)
    })?;
    fact(format_args!(
        "{} was caught: {}",
        finding.upstream, finding.rule
    ));
    tell(&finding);
    let status = stage.status().await?;
    for upstream in &status.upstreams {
        let lied = upstream.name == liar;
        must((upstream.state == "wrong") == lied, || {
            format!("only the liar is quarantined: {upstream:?}")
        })?;
    }
    fact("the liar is quarantined; the two honest nodes are not");
    let evidence = stage.evidence().await?;
    for proof in &evidence {
        let verdict = recheck(proof);
        must(verdict.is_ok(), || {
            format!("the evidence convicts: {verdict:?}")
        })?;
        must(recheck(&tampered(proof)).is_err(), || {
            "changed evidence convicts nobody".to_owned()
        })?;
    }
    fact(
        "the evidence convicts again offline, from its own bytes; with one bit changed it does not",
    );
    Ok(())
}

fn tell(finding: &Finding) {
    aside(&finding.words);
    for (name, bytes) in &finding.exhibits {
        aside(format_args!("evidence: {name}, {bytes} bytes"));
    }
}

/// The same with one bit of the answer changed.
fn tampered(proof: &Evidence) -> Evidence {
    let mut changed = proof.clone();
    for exhibit in &mut changed.exhibits {
        if exhibit.name == "root claimed"
            && let Some(last) = exhibit.bytes.last_mut()
        {
            *last ^= 1;
        }
    }
    changed
}

/// Without a trusted block and without agreement there is no answer at all.
async fn refusal(cast: &Cast, alice: &Account) -> Result<(), Failure> {
    act("Octez's own rule: all must agree, or nobody answers");
    let stage = Stage::agreeing(cast).await?;
    let path = balance_path("head", alice.address());
    let refused = |answer: &Answer| {
        let json = answer.json().unwrap_or_default();
        answer.status == 503 && json[0]["id"] == NO_AGREEMENT
    };
    let answer = stage
        .until("a refusal", &path, |answer| {
            answer.status == 200 || refused(answer)
        })
        .await?;
    must(refused(&answer), || {
        format!("three nodes that do not agree give no answer: {answer:?}")
    })?;
    fact(format_args!(
        "with --min-agreement 1.0 and no trusted block the same read is refused: HTTP {}, {NO_AGREEMENT}",
        answer.status
    ));
    aside("a read that cannot be agreed on is an error here, never \"0\"");
    stage.shutdown().await
}

/// The chain goes on, and so do the proofs.
async fn onwards(stage: &Stage, cast: &Cast, alice: &Account) -> Result<(), Failure> {
    act("The chain goes on");
    let bob = cast.network.world().account("bob").clone();
    let before = cast.balance(alice);
    cast.network.bake(&[
        Change::Balance(alice.id, before - AMOUNT),
        Change::Balance(bob.id, cast.balance(&bob) + AMOUNT),
    ]);
    let sent_at = cast.network.world().head().header.level;
    let started = Instant::now();
    // Three more: one commits to the state, one attests it, one attests that.
    for _ in 0..3 {
        cast.network.bake(&[]);
    }
    let path = balance_path("head", alice.address());
    let after = before - AMOUNT;
    let is_new = |answer: &Answer| answer.is_proven() && mutez(answer).ok() == Some(after);
    stage.until("the new balance", &path, is_new).await?;
    let elapsed = started.elapsed().as_millis();
    let bobs = stage.get(&balance_path("head", bob.address())).await?;
    must(
        bobs.is_proven() && mutez(&bobs)? == cast.balance(&bob),
        || format!("bob got it: {bobs:?}"),
    )?;
    fact(format_args!(
        "{} ꜩ moved from alice to bob at level {sent_at}; both new balances were proven {elapsed} ms after the block",
        tez(AMOUNT)
    ));
    Ok(())
}

fn balance_path(block: &str, account: impl std::fmt::Display) -> String {
    format!("/chains/main/blocks/{block}/context/contracts/{account}/balance")
}

/// The amount in an answer.
fn mutez(answer: &Answer) -> Result<u64, Failure> {
    let json = answer.json()?;
    let read = json.as_str().and_then(|text| text.parse().ok());
    read.ok_or_else(|| Failure::failed(format!("{json} is no amount")))
}

/// Millionths of a tez for people.
fn tez(mutez: u64) -> String {
    let (whole, rest) = (mutez / 1_000_000, mutez % 1_000_000);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:06}")
            .trim_end_matches('0')
            .to_owned(),
    }
}
