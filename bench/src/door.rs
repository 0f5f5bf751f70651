//! What the door costs: the same service in the same process, behind a bare
//! HTTP server, behind the door, and behind the door with TLS. They take turns
//! and each turn of one lies between two of the others, so that what else the
//! machine does hits all three.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use serde::Serialize;
use tokio::{net::TcpStream, sync::Barrier};
use tokio_rustls::TlsConnector;

use crate::{client::Connection, host::Host, machine};

/// What to do.
pub struct Plan {
    /// The chain's seed.
    pub seed: u64,
    /// Its newest height.
    pub blocks: u64,
    /// What its blocks are made of.
    pub mix: String,
    /// Turns of each entrance.
    pub rounds: usize,
    /// Seconds of each turn.
    pub seconds: f64,
    /// Print JSON.
    pub json: bool,
}

/// The three entrances, in the order of the tables.
const ENTRANCES: [&str; 3] = ["bare", "door", "door + TLS"];

/// How blocks are asked for.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    connections: usize,
    /// Blocks of a request; all of them without it.
    span: Option<u64>,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "one stream",
        connections: 1,
        span: None,
    },
    Shape {
        name: "8 streams",
        connections: 8,
        span: None,
    },
    Shape {
        name: "64 x 100 blocks",
        connections: 64,
        span: Some(100),
    },
];

/// One entrance in one shape, over all turns.
#[derive(Clone, Debug, Serialize)]
struct Line {
    shape: &'static str,
    entrance: &'static str,
    /// The median.
    megabytes_per_second: f64,
    server_cpu_ms_per_gigabyte: f64,
    /// The median over the rounds of this rate to the bare server's in the
    /// same round.
    rate_to_bare: f64,
    /// The server's CPU time for the same bytes.
    cpu_to_bare: f64,
    load_average: f64,
}

/// Runs the plan and prints its table.
pub async fn run(plan: Plan) -> Result<()> {
    let host = Host::start(plan.seed, plan.blocks, &plan.mix)?;
    let connector = connector(&host.entrances.certificate)?;
    if !plan.json {
        println!("| shape | entrance | MB/s | CPU ms/GB | rate to bare | CPU to bare | load |");
        println!("|---|---|---|---|---|---|---|");
    }
    for shape in SHAPES {
        let mut turns: [Vec<Turn>; 3] = Default::default();
        // The first round warms caches up and is not counted.
        for round in 0..=plan.rounds {
            for step in 0..3 {
                let which = (step + round) % 3;
                let turn = turn(&host, &connector, which, shape, plan.seconds).await?;
                if round > 0 {
                    turns[which].push(turn);
                }
            }
        }
        for which in 0..3 {
            let line = line(shape.name, which, &turns);
            if plan.json {
                println!("{}", serde_json::to_string(&line)?);
                continue;
            }
            println!(
                "| {} | {} | {:.0} | {:.0} | {:.3} | {:.3} | {:.1} |",
                line.shape,
                line.entrance,
                line.megabytes_per_second,
                line.server_cpu_ms_per_gigabyte,
                line.rate_to_bare,
                line.cpu_to_bare,
                line.load_average
            );
        }
    }
    Ok(())
}

/// What one turn brought.
#[derive(Clone, Copy)]
struct Turn {
    /// MB (10^6 bytes) of messages per second.
    rate: f64,
    /// Message bytes.
    bytes: u64,
    /// Server CPU.
    cpu: Duration,
}

/// Server CPU in ms per GB of messages, over all turns: the kernel counts in
/// ticks of 10 ms, of which one turn has too few.
fn cpu(turns: &[Turn]) -> f64 {
    let cpu: Duration = turns.iter().map(|turn| turn.cpu).sum();
    let bytes: u64 = turns.iter().map(|turn| turn.bytes).sum();
    cpu.as_secs_f64() * 1e3 / (bytes as f64 / 1e9)
}

fn line(shape: &'static str, which: usize, turns: &[Vec<Turn>; 3]) -> Line {
    let (own, bare) = (&turns[which], &turns[0]);
    let rates = own.iter().map(|turn| turn.rate).collect();
    let pairs = own.iter().zip(bare);
    let to_bare = pairs.map(|(own, bare)| own.rate / bare.rate).collect();
    Line {
        shape,
        entrance: ENTRANCES[which],
        megabytes_per_second: median(rates),
        server_cpu_ms_per_gigabyte: cpu(own),
        rate_to_bare: median(to_bare),
        cpu_to_bare: cpu(own) / cpu(bare),
        load_average: machine::load_average(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A client that trusts this certificate alone and speaks HTTP/2.
fn connector(certificate: &[u8]) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn open(host: &Host, connector: &TlsConnector, which: usize) -> Result<Connection> {
    let entrances = &host.entrances;
    let address = [&entrances.bare, &entrances.door, &entrances.tls][which];
    if which < 2 {
        return Connection::open(&format!("http://{address}")).await;
    }
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").context("a name")?;
    Connection::over(connector.connect(name, tcp).await?, address).await
}

async fn turn(
    host: &Host,
    connector: &TlsConnector,
    which: usize,
    shape: Shape,
    seconds: f64,
) -> Result<Turn> {
    let barrier = Arc::new(Barrier::new(shape.connections + 1));
    let mut workers = Vec::new();
    for worker in 0..shape.connections {
        let connection = open(host, connector, which).await?;
        let work = work(
            connection,
            worker as u64,
            shape.span,
            host.entrances.tip,
            Duration::from_secs_f64(seconds),
            Arc::clone(&barrier),
        );
        workers.push(tokio::spawn(work));
    }
    let cpu_before = machine::cpu_time(host.pid())?;
    barrier.wait().await;
    let start = Instant::now();
    let mut bytes = 0;
    for worker in workers {
        bytes += worker.await??;
    }
    let took = start.elapsed().as_secs_f64();
    let cpu = machine::cpu_time(host.pid())?.saturating_sub(cpu_before);
    Ok(Turn {
        rate: bytes as f64 / 1e6 / took,
        bytes,
        cpu,
    })
}

/// One connection's share: the message bytes it received.
async fn work(
    mut connection: Connection,
    worker: u64,
    span: Option<u64>,
    tip: u64,
    least: Duration,
    barrier: Arc<Barrier>,
) -> Result<u64> {
    barrier.wait().await;
    let start = Instant::now();
    let (mut bytes, mut asked) = (0, 0);
    while start.elapsed() < least {
        let (from, to) = match span {
            None => (1, tip),
            Some(span) => {
                // Spread over the chain, the same for every entrance.
                let spread = (worker * 7_919 + asked * 104_729) % tip.saturating_sub(span).max(1);
                (spread + 1, (spread + span).min(tip))
            }
        };
        let tally = connection.range("GetBlockRange", from, to, &[]).await?;
        bytes += tally.bytes;
        asked += 1;
    }
    Ok(bytes)
}
