//! Attackers at the door, and a good client meanwhile. Server, attackers and
//! client are processes of their own. Attackers run with the lowest priority:
//! those of real life bring their own processors. Each of them, and the good
//! client, has an address of its own (Linux takes all of 127.0.0.0/8 for
//! loopback), of which none is exempt from the door's limits.

// The attackers are those of the door's own test, which has some more.
#[allow(dead_code, reason = "the test uses the rest")]
#[path = "../../crates/door/tests/siege/attacks.rs"]
mod attacks;

use std::{
    env,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use attacks::{Flood, Target};
use serde::{Deserialize, Serialize};
use tokio::net::TcpSocket;

use crate::{
    client::Connection,
    host::{Host, Tally},
    load::percentile_ms,
    machine,
    servers::end,
};

/// Blocks of each of the good client's requests.
const SPAN: u64 = 20;
/// The good client's pause between two requests.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the good client is measured before anybody attacks.
const BASELINE: Duration = Duration::from_secs(10);
/// The good client's address.
const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);
/// Attackers in each network of 256 addresses.
const NEIGHBOURS: usize = 250;
/// The second byte of the first attack's addresses; each attack has its own,
/// so that nobody is punished for the one before.
const ATTACKERS: usize = 16;
/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Every attack, by name.
pub const ATTACKS: [&str; 9] = [
    "slow-headers",
    "slow-body",
    "late-body",
    "silent",
    "unread",
    "rapid-reset",
    "continuation",
    "settings",
    "ping",
];

/// What to do.
pub struct Plan {
    /// The chain's seed.
    pub seed: u64,
    /// Its newest height.
    pub blocks: u64,
    /// What its blocks are made of.
    pub mix: String,
    /// Slow attackers at the same time.
    pub sockets: usize,
    /// Flooding attackers at the same time.
    pub floods: usize,
    /// How long each attack lasts.
    pub seconds: f64,
    /// Which; all without it.
    pub attacks: Vec<String>,
}

/// What became of the attackers of one kind.
#[derive(Debug, Serialize, Deserialize)]
struct Ends {
    /// How often an attacker was disconnected, or not even let in.
    ended: usize,
    /// How often one found the door shut or was cut while it began.
    failed: usize,
    /// How often one was still connected when time was up.
    left: usize,
    /// From its connection to its end, in seconds; nothing where none was cut.
    p50: Option<f64>,
    p99: Option<f64>,
    longest: Option<f64>,
}

/// Runs the plan and prints its table.
pub async fn run(plan: Plan) -> Result<()> {
    let host = Host::start(plan.seed, plan.blocks, &plan.mix)?;
    let door = host.entrances.door.clone();
    let names = match plan.attacks.is_empty() {
        true => ATTACKS.map(str::to_owned).to_vec(),
        false => plan.attacks,
    };
    println!(
        "| attack | attackers | connections | cut | refused | left | p50 s | p99 s | longest s | good answers | good p99 ms before | during | ratio | memory before MiB | growth MiB | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for name in names {
        let count = match name.as_str() {
            "slow-headers" | "slow-body" | "late-body" | "silent" => plan.sockets,
            _ => plan.floods,
        };
        let before = good_client(&host, Until::Over(BASELINE)).await?;
        let memory = Arc::new(Mutex::new(Memory::at(host.pid())?));
        let earlier = counted(&host)?;
        let mut attackers = Attackers::start(&door, &name, count, plan.seconds)?;
        let over = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(host.pid(), Arc::clone(&memory), Arc::clone(&over)));
        let ends = {
            let over = Arc::clone(&over);
            tokio::task::spawn_blocking(move || {
                let ends = attackers.end();
                over.store(true, Relaxed);
                ends
            })
        };
        let during = good_client(&host, Until::Set(Arc::clone(&over))).await?;
        let ends = ends.await??;
        watching.await??;
        let tally = counted(&host)?.since(&earlier);
        let memory = memory.lock().expect("nobody panics while holding it");
        let p99 = |times: &[Duration]| percentile_ms(times, 99);
        println!(
            "| {name} | {count} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} |",
            ends.ended + ends.failed,
            tally.cut,
            tally.refused,
            ends.left,
            shown(ends.p50),
            shown(ends.p99),
            shown(ends.longest),
            during.len(),
            p99(&before),
            p99(&during),
            p99(&during) / p99(&before),
            memory.before,
            memory.highest - memory.before,
            machine::load_average()
        );
    }
    Ok(())
}

fn shown(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"))
}

/// Resident memory in MiB.
struct Memory {
    before: f64,
    highest: f64,
}

impl Memory {
    fn at(pid: u32) -> Result<Self> {
        let now = machine::memory_mib(pid)?;
        Ok(Self {
            before: now,
            highest: now,
        })
    }
}

async fn watch(pid: u32, memory: Arc<Mutex<Memory>>, over: Arc<AtomicBool>) -> Result<()> {
    while !over.load(Relaxed) {
        let now = machine::memory_mib(pid)?;
        if let Ok(mut memory) = memory.lock() {
            memory.highest = memory.highest.max(now);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// What the door has counted so far.
fn counted(host: &Host) -> Result<Tally> {
    let mut stream = TcpStream::connect(&host.entrances.bare)?;
    stream.write_all(b"GET /tally HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    serde_json::from_str(body).with_context(|| format!("the host said {body:?}"))
}

/// A connection of the good client.
async fn connect(door: &str) -> Result<Connection> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((GOOD, 0).into())?;
    let stream = socket.connect(door.parse()?).await?;
    stream.set_nodelay(true)?;
    Connection::over(stream, door).await
}

/// How long the good client goes on.
enum Until {
    Over(Duration),
    Set(Arc<AtomicBool>),
}

/// A client that asks for a few blocks again and again, half of the time on a
/// new connection, and checks them. Any failure fails the run. The times of
/// its requests, sorted.
async fn good_client(host: &Host, until: Until) -> Result<Vec<Duration>> {
    let door = &host.entrances.door;
    let start = Instant::now();
    let mut times = Vec::new();
    let mut connection = connect(door).await?;
    let mut asked = 0;
    loop {
        let over = match &until {
            Until::Over(time) => start.elapsed() >= *time,
            Until::Set(over) => over.load(Relaxed),
        };
        if over {
            break;
        }
        let from = 1 + (asked * 104_729) % host.entrances.tip.saturating_sub(SPAN).max(1);
        asked += 1;
        let began = Instant::now();
        if asked % 2 == 0 {
            connection = connect(door).await?;
        }
        let range = connection.range("GetBlockRange", from, from + SPAN - 1, &[]);
        let tally = range.await.context("a good request failed")?;
        ensure!(tally.blocks == SPAN, "{} blocks came", tally.blocks);
        times.push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    times.sort();
    Ok(times)
}

/// Attackers as a process of their own.
struct Attackers(Child);

impl Attackers {
    fn start(address: &str, name: &str, count: usize, seconds: f64) -> Result<Self> {
        let child = Command::new("nice")
            .args(["-n", "19"])
            .arg(env::current_exe()?)
            .args(["attack", "--address", address, "--name", name])
            .args(["--count", &count.to_string()])
            .args(["--seconds", &seconds.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start nice")?;
        Ok(Self(child))
    }

    /// Waits for their report.
    fn end(&mut self) -> Result<Ends> {
        let output = self.0.stdout.take().context("stdout is piped")?;
        let ends = std::io::read_to_string(output)?;
        serde_json::from_str(&ends).with_context(|| format!("the attackers said {ends:?}"))
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// `count` attackers for so many seconds, each at once again when it is
/// disconnected; prints what became of them.
pub async fn attack(address: SocketAddr, name: String, count: usize, seconds: f64) -> Result<()> {
    ensure!(
        ATTACKS.contains(&name.as_str()),
        "{name:?} is no attack; choose one of {}",
        ATTACKS.join(", ")
    );
    // An attacker that finds the door shut panics; that is counted.
    std::panic::set_hook(Box::new(|_| {}));
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let attackers: Vec<_> = (0..count)
        .map(|n| tokio::spawn(again_and_again(address, name.clone(), n, until)))
        .collect();
    let (mut times, mut failed, mut left) = (Vec::new(), 0, 0);
    for attacker in attackers {
        let outcome = attacker.await?;
        times.extend(outcome.times);
        failed += outcome.failed;
        left += usize::from(outcome.left);
    }
    times.sort();
    let seconds = |percent| {
        let milliseconds = percentile_ms(&times, percent);
        milliseconds.is_finite().then_some(milliseconds / 1e3)
    };
    let ends = Ends {
        ended: times.len(),
        failed,
        left,
        p50: seconds(50),
        p99: seconds(99),
        longest: seconds(100),
    };
    println!("{}", serde_json::to_string(&ends)?);
    Ok(())
}

/// What became of one attacker.
#[derive(Default)]
struct Outcome {
    times: Vec<Duration>,
    failed: usize,
    left: bool,
}

async fn again_and_again(address: SocketAddr, name: String, n: usize, until: Instant) -> Outcome {
    let mut outcome = Outcome::default();
    let attack = ATTACKS.iter().position(|attack| *attack == name);
    let from = [
        127,
        ATTACKERS + attack.unwrap_or(ATTACKS.len()),
        n / NEIGHBOURS,
        n % NEIGHBOURS + 1,
    ];
    let from = Ipv4Addr::from(from.map(|byte| byte as u8));
    let target = Target {
        from: IpAddr::V4(from),
        door: address,
    };
    while Instant::now() < until {
        let name = name.clone();
        let mut once = tokio::spawn(async move { one(target, &name, n).await });
        let time = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(time, &mut once).await {
            Ok(Ok(Ok(time))) => outcome.times.push(time),
            Ok(_) => outcome.failed += 1,
            Err(_) => {
                once.abort();
                outcome.left = true;
            }
        }
    }
    outcome
}

/// How long one attacker had its connection.
async fn one(target: Target, name: &str, n: usize) -> Result<Duration> {
    let over_http2 = n.is_multiple_of(2);
    let stream = attacks::connect(target).await;
    let connected = Instant::now();
    match name {
        "slow-headers" => attacks::slow_headers(stream, over_http2).await,
        "slow-body" => attacks::slow_body(stream, over_http2, b"").await,
        "late-body" => attacks::slow_body(stream, over_http2, attacks::LATE).await,
        "silent" => attacks::silent(stream).await,
        "unread" => attacks::unread(stream, over_http2).await,
        "rapid-reset" => attacks::flood(stream, Flood::RapidReset).await,
        "continuation" => attacks::flood(stream, Flood::Continuation).await,
        "settings" => attacks::flood(stream, Flood::Settings).await,
        "ping" => attacks::flood(stream, Flood::Ping).await,
        other => bail!("{other:?} is no attack"),
    }
    Ok(connected.elapsed())
}
