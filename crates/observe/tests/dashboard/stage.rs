//! A subject that says what a test wants, served on a socket.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::Router;
use futures::{FutureExt, future::BoxFuture};
use heliostat_observe::{
    ChainStatus, Disagreement, DoorStatus, Finding, Head, Status, StoreStatus, Subject,
    UpstreamStatus,
    history::{ChainSample, Sample},
    router_until,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Markup that would run, wherever it became part of a page.
pub const MARKUP: &str =
    "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\"><b>bold</b>";

/// The subject; tests change both as they like.
#[derive(Default)]
pub struct Told {
    pub chains: Mutex<BTreeMap<String, ChainStatus>>,
    pub evidence: Mutex<Vec<Value>>,
}

impl Subject for Told {
    fn status(&self) -> BoxFuture<'_, Status> {
        let chains = self.chains.lock().expect("no test panicked").clone();
        let mut status = Status::of("1.2.3", 90_061, chains);
        status.doors.insert("alpha".into(), door());
        futures::future::ready(status).boxed()
    }

    fn evidence(&self) -> BoxFuture<'_, Value> {
        let all = self.evidence.lock().expect("no test panicked").clone();
        futures::future::ready(all.into()).boxed()
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

fn door() -> DoorStatus {
    DoorStatus {
        listen: "127.0.0.1:9067".into(),
        accepted: 18_250,
        open: 37,
        refused: BTreeMap::from([("network".into(), 3), ("rate".into(), 120)]),
        cut: BTreeMap::from([("slow-header".into(), 2)]),
        certificate_not_after: Some(now() as i64 + 86_400 * 40),
        ..DoorStatus::default()
    }
}

/// A chain with something of everything; `said` is what upstreams say.
pub fn chain(said: &str) -> ChainStatus {
    let upstream = |name: &str, role: &str, state: &str, why: &str| UpstreamStatus {
        name: name.to_owned(),
        role: role.to_owned(),
        state: state.to_owned(),
        why: why.to_owned(),
        height: (state != "unreachable").then_some(2_900_007),
    };
    ChainStatus {
        ledger: "zcash".into(),
        network: "main".into(),
        listen: "127.0.0.1:9067".into(),
        state: "following".into(),
        not_ready: Vec::new(),
        local_height: Some(2_900_001),
        target_height: Some(2_900_007),
        head: Some(Head {
            height: 2_900_001,
            id: "0000000000c1f2a0".repeat(4),
            time: now() - 33,
            age_seconds: 33,
            assurance: "proven".into(),
        }),
        blocks_per_second: Some(212.5),
        rewinds: 2,
        connections: 37,
        connections_accepted: 18_250,
        upstreams: vec![
            upstream("http://10.0.0.5:8232", "follow", "ok", ""),
            upstream("http://10.0.0.6:8232", "witness", "behind", said),
            upstream("http://10.0.0.7:8232", "witness", "unreachable", "refused"),
            upstream("http://liar.example:8232", "witness", "wrong", said),
        ],
        findings: (0..3).map(|nth| finding(nth, said)).collect(),
        disagreements: vec![Disagreement {
            height: 2_899_990,
            ours: "00".repeat(32),
            upstream: "http://10.0.0.6:8232".into(),
            theirs: "ff".repeat(32),
        }],
        store: StoreStatus {
            address: "sqlite:/var/lib/heliostat/alpha.sqlite".into(),
            bytes: 3_456_789_012,
            error: None,
        },
        outbox: [("included", 41), ("taken", 2), ("unknown", 1)]
            .map(|(state, count)| (state.to_owned(), count))
            .into(),
    }
}

fn finding(nth: u64, said: &str) -> Finding {
    Finding {
        upstream: "http://liar.example:8232".into(),
        rule: "zcash.merkle-root".into(),
        words: format!("the transactions do not hash to the header's root: {said}"),
        height: Some(2_899_000 + nth),
        exhibits: vec![("as sent".into(), 160), ("as checked".into(), 32)],
    }
}

/// The evidence of [`chain`]'s findings, both sides.
pub fn evidence(chain: &str, said: &str) -> Vec<Value> {
    let both = |nth: u64| {
        let sent = format!("{{\"merkleroot\":\"{said}\",\"number\":{nth}}}");
        let checked: Vec<u8> = (0..80).map(|byte| byte * 3).collect();
        json!({
            "chain": chain, "upstream": "http://liar.example:8232", "at": 1_790_000_000,
            "evidence": {
                "rule": "zcash.merkle-root", "words": said, "height": 2_899_000 + nth,
                "exhibits": [
                    { "name": format!("as sent {said}"), "bytes": hex(sent.as_bytes()) },
                    { "name": "as checked", "bytes": hex(&checked) },
                ],
            },
        })
    };
    (0..3).map(both).collect()
}

/// The one event of a page that has seen an hour of `chains`, the first of
/// which was busy and had its troubles.
pub fn hour(status: Value, chains: &[&str]) -> Value {
    let sample = |number: u64| {
        let busy = |first: bool| {
            let wave = ((number as f64 / 23.0).sin() + 1.2) * 60.0;
            let gone = (120..150).contains(&number);
            let answers = if first && !gone { wave as u64 } else { 0 };
            ChainSample {
                height: Some(2_900_000 + number / 8),
                head_age: Some(number * 10 % 75),
                store_bytes: 3_456_789_012,
                proven: answers * 8,
                agreed: answers,
                relayed: answers / 3,
                ungraded: answers / 9,
                failed: if number % 97 < 4 { answers / 2 } else { 0 },
                bytes: answers * 70_000,
                p50: (answers > 0).then_some(0.002),
                p99: (answers > 0).then_some(0.004 + (number % 31) as f64 / 400.0),
            }
        };
        Sample {
            number,
            at: now() - 3_590 + number * 10,
            seconds: 10.0,
            chains: chains
                .iter()
                .enumerate()
                .map(|(nth, &name)| (name.to_owned(), busy(nth == 0)))
                .collect(),
        }
    };
    json!({
        "at": now(), "uptime_seconds": 90_061, "status": status,
        "process": { "resident_bytes": 148_897_792, "open_fds": 71, "max_fds": 1_048_576 },
        "samples": (0..360).map(sample).collect::<Vec<_>>(),
    })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A served subject.
pub struct Stage {
    pub told: Arc<Told>,
    pub address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Stage {
    /// Serves these chains.
    pub async fn set(chains: &[(&str, ChainStatus)]) -> Self {
        Self::set_behind(chains, |router| router).await
    }

    /// The same, with something put before the router.
    pub async fn set_behind(
        chains: &[(&str, ChainStatus)],
        before: impl FnOnce(Router) -> Router,
    ) -> Self {
        let told = Arc::new(Told::default());
        for (name, chain) in chains {
            let mut all = told.chains.lock().expect("no test panicked");
            all.insert((*name).to_owned(), chain.clone());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stop = CancellationToken::new();
        let router = before(router_until(told.clone(), Arc::default(), stop.clone()));
        let until = stop.clone();
        let serving = tokio::spawn(async move {
            let server = axum::serve(listener, router);
            let server = server.with_graceful_shutdown(until.cancelled_owned());
            server.await.expect("it serves");
        });
        Self {
            told,
            address,
            stop,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn change(&self, name: &str, change: impl FnOnce(&mut ChainStatus)) {
        let mut chains = self.told.chains.lock().expect("no test panicked");
        change(chains.get_mut(name).expect("it was set"));
    }

    /// Stops serving; returns when everything has ended.
    pub async fn strike(self) {
        self.stop.cancel();
        self.serving.await.expect("the server ends");
    }
}
