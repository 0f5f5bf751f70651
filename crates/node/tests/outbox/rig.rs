//! An outbox, and upstreams that do as they are told.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock},
};

use bytes::Bytes;
use heliostat_node::{
    Clock, Outbox,
    outbox::{Carrier, Delivery, Policy, Seen, Sent, TABLE, Write},
};
use heliostat_store::{Direction, Options, Store, open};
use tokio::sync::Notify;

/// What an upstream does with a write.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Take(&'static str),
    Refuse(&'static str),
    Stay(&'static str),
    Lose(&'static str),
    /// Never answers.
    Hang,
}

#[derive(Default)]
struct Script {
    ways: Vec<String>,
    answers: HashMap<String, VecDeque<Answer>>,
    gates: HashMap<String, (Arc<Notify>, Answer)>,
    seen: HashMap<Vec<u8>, Seen>,
    calls: Vec<String>,
    looks: usize,
    states: Vec<String>,
}

/// The upstreams.
#[derive(Default)]
pub struct Toy {
    script: Mutex<Script>,
    /// Where receipts have to stand before anything is sent.
    store: OnceLock<Arc<dyn Store>>,
}

impl Toy {
    pub fn ways(&self, ways: &[&str]) {
        self.script.lock().unwrap().ways = ways.iter().map(|&way| way.to_owned()).collect();
    }

    pub fn answers(&self, way: &str, answers: impl IntoIterator<Item = Answer>) {
        let mut script = self.script.lock().unwrap();
        script
            .answers
            .insert(way.to_owned(), answers.into_iter().collect());
    }

    /// The answer comes when this is notified.
    pub fn gate(&self, way: &str, answer: Answer) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        let mut script = self.script.lock().unwrap();
        script
            .gates
            .insert(way.to_owned(), (Arc::clone(&gate), answer));
        gate
    }

    pub fn sees(&self, write: &str, seen: Seen) {
        let mut script = self.script.lock().unwrap();
        script.seen.insert(write.as_bytes().to_vec(), seen);
    }

    /// Every call, as `WAY WRITE`.
    pub fn calls(&self) -> Vec<String> {
        self.script.lock().unwrap().calls.clone()
    }

    pub fn looks(&self) -> usize {
        self.script.lock().unwrap().looks
    }

    /// The states that stood in the store when an upstream was first called.
    pub fn states_seen(&self) -> Vec<String> {
        self.script.lock().unwrap().states.clone()
    }
}

impl Carrier for Toy {
    fn ways(&self) -> Vec<String> {
        self.script.lock().unwrap().ways.clone()
    }

    async fn submit(&self, way: &str, write: &Write) -> Sent {
        let store = self
            .store
            .get()
            .filter(|_| self.script.lock().unwrap().calls.is_empty());
        if let Some(store) = store {
            let states = receipts(store).await;
            self.script.lock().unwrap().states = states;
        }
        let (gate, answer) = {
            let mut script = self.script.lock().unwrap();
            let name = String::from_utf8_lossy(&write.payload).into_owned();
            script.calls.push(format!("{way} {name}"));
            let gate = script.gates.get(way).cloned();
            let answers = script.answers.get_mut(way);
            let answer = answers.and_then(|all| match all.len() {
                0 | 1 => all.front().copied(),
                _ => all.pop_front(),
            });
            (gate, answer.unwrap_or(Answer::Take("taken")))
        };
        let answer = match gate {
            None => answer,
            Some((gate, answer)) => {
                gate.notified().await;
                answer
            }
        };
        match answer {
            Answer::Take(reply) => taken(reply),
            Answer::Refuse(reply) => Sent::Refused(reply.into()),
            Answer::Stay(words) => Sent::NotSent(words.to_owned()),
            Answer::Lose(words) => Sent::Unknown(words.to_owned()),
            Answer::Hang => std::future::pending().await,
        }
    }

    async fn seen(&self, id: &[u8]) -> Seen {
        let mut script = self.script.lock().unwrap();
        script.looks += 1;
        script.seen.get(id).cloned().unwrap_or(Seen::No)
    }
}

pub struct Rig {
    pub store: Arc<dyn Store>,
    pub carrier: Arc<Toy>,
    pub outbox: Arc<Outbox<Toy>>,
    policy: Policy,
}

impl Rig {
    pub async fn in_memory(policy: Policy) -> Self {
        Self::new(open_at("memory:").await, policy).await
    }

    pub async fn new(store: Arc<dyn Store>, policy: Policy) -> Self {
        let carrier = Arc::new(Toy::default());
        let _first = carrier.store.set(Arc::clone(&store));
        Self::over(store, carrier, policy, 1_000_000).await
    }

    async fn over(store: Arc<dyn Store>, carrier: Arc<Toy>, policy: Policy, time: u64) -> Self {
        let clock: Clock = Arc::new(move || time);
        let opened = Outbox::open(Arc::clone(&store), Arc::clone(&carrier), policy, &clock);
        let outbox = Arc::new(opened.await.unwrap());
        Self {
            store,
            carrier,
            outbox,
            policy,
        }
    }

    /// Another outbox over the same store and the same upstreams.
    pub async fn restarted(self) -> Self {
        self.restarted_at(1_000_000).await
    }

    /// The same while the machine's clock says so.
    pub async fn restarted_at(self, time: u64) -> Self {
        self.outbox.close().await;
        Self::over(self.store, self.carrier, self.policy, time).await
    }

    /// The same under another policy.
    pub async fn restarted_with(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self.restarted().await
    }

    pub async fn submit(&self, name: &str) -> Delivery {
        self.outbox.submit(write(name)).await.unwrap()
    }

    pub fn count(&self, state: &str) -> u64 {
        self.outbox.counts()[state]
    }

    /// All receipts kept.
    pub fn kept(&self) -> u64 {
        self.outbox.counts().values().sum()
    }
}

pub async fn open_at(address: &str) -> Arc<dyn Store> {
    let opened = open(address, "outbox", &[TABLE], Options::default()).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

/// A write that is its own id.
pub fn write(name: &str) -> Write {
    let payload = Bytes::copy_from_slice(name.as_bytes());
    Write {
        id: Some(payload.clone()),
        payload,
    }
}

pub fn taken(reply: &'static str) -> Sent {
    Sent::Taken(reply.into())
}

/// The states of all receipts in a store, read past the outbox.
pub async fn receipts(store: &Arc<dyn Store>) -> Vec<String> {
    let snapshot = store.snapshot().await.unwrap();
    let range = vec![b'r']..vec![b's'];
    let rows = snapshot.range(TABLE, range, Direction::Forward, 1_000);
    let state = |value: &[u8]| {
        let json: serde_json::Value = serde_json::from_slice(value).unwrap();
        match &json["state"] {
            serde_json::Value::String(word) => word.to_lowercase(),
            other => other
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .to_lowercase(),
        }
    };
    let rows = rows.await.unwrap();
    rows.iter().map(|(_, value)| state(value)).collect()
}
