//! Who reads and sends while the process is killed, and holds it to what it
//! said.

use std::time::Duration;

use heliostat_sim::tezos::{Network, node::Handle, operations};
use tokio::sync::Notify;

use crate::{dice::next, running::balance_path};

/// Accounts that send, in turn: the first four can at once.
const SENDERS: usize = 4;
/// Answers of earlier processes that are asked for again of each new one,
/// beside those of the process before it.
const SAMPLE: usize = 8;
/// One step in so many bakes a block. A process that looks for an operation
/// looks through the newest 16.
const BAKES: u64 = 12;
/// The pause before something is asked for again.
const PAUSE: Duration = Duration::from_millis(10);

/// The process is gone.
#[derive(Debug)]
pub struct Killed;

/// An answer in full.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    receipt: Option<String>,
    body: String,
}

/// An operation that was acknowledged, and how.
struct Acknowledged {
    operation: operations::Operation,
    answer: Answer,
}

/// An operation that was not acknowledged yet.
struct Open {
    operation: operations::Operation,
    from: usize,
    /// Operations all nodes had been sent before it.
    before: u64,
}

/// One client, over all processes.
pub struct Client {
    network: Network,
    nodes: Vec<Handle>,
    http: reqwest::Client,
    chance: u64,
    /// The next counter of each sender.
    counters: Vec<u64>,
    open: Option<Open>,
    acknowledged: Vec<Acknowledged>,
    /// How many of them the process before this one acknowledged, or earlier.
    old: usize,
    /// Right answers to reads.
    pub reads: u64,
    /// Acknowledged operations that were answered again as before.
    pub repeated: u64,
    /// Operations whose process was killed before it acknowledged them.
    pub cut: u64,
}

impl Client {
    pub async fn new(network: &Network, nodes: Vec<Handle>, chance: u64) -> Self {
        let mut this = Self {
            network: network.clone(),
            nodes,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            chance,
            counters: Vec::new(),
            open: None,
            acknowledged: Vec::new(),
            old: 0,
            reads: 0,
            repeated: 0,
            cut: 0,
        };
        for from in 0..SENDERS {
            let address = this.network.world().accounts()[from].address();
            let path = balance_path(&address).replace("/balance", "/counter");
            let url = format!("{}{path}", this.nodes[0].url());
            let text = reqwest::get(url).await.unwrap().text().await.unwrap();
            let counter: u64 = text.trim().trim_matches('"').parse().unwrap();
            this.counters.push(counter + 1);
        }
        this
    }

    /// Goes on with a new process until that is gone. `right` is told once it
    /// answered right what was asked of its predecessors too.
    pub async fn meet(&mut self, url: &str, right: &Notify) -> Killed {
        let met = async {
            self.check(url).await?;
            right.notify_one();
            loop {
                self.read(url).await?;
                self.send(url).await?;
                if next(&mut self.chance).is_multiple_of(BAKES) {
                    self.bake().await;
                }
            }
        };
        let end: Result<std::convert::Infallible, Killed> = met.await;
        self.cut += u64::from(self.open.is_some());
        match end {
            Err(killed) => killed,
        }
    }

    /// A first read, and what was acknowledged before.
    pub async fn check(&mut self, url: &str) -> Result<(), Killed> {
        while !self.read(url).await? {
            tokio::time::sleep(PAUSE).await;
        }
        let all = self.acknowledged.len();
        let newest = self.old..all;
        let older = (0..SAMPLE.min(self.old)).map(|_| next(&mut self.chance) as usize % self.old);
        let older: Vec<_> = older.collect();
        for at in newest.chain(older) {
            self.repeat(url, at).await?;
        }
        self.old = all;
        Ok(())
    }

    /// Everything acknowledged is on the chain once, and answered as before;
    /// how much that is.
    pub async fn settle(&mut self, url: &str) -> usize {
        while self.open.is_some() {
            self.send(url).await.unwrap();
        }
        for at in 0..self.acknowledged.len() {
            self.repeat(url, at).await.unwrap();
        }
        self.bake().await;
        let world = self.network.world();
        let passes = world.blocks().iter().flat_map(|block| &block.operations);
        let baked: Vec<_> = passes.flatten().map(|one| one.hash).collect();
        for one in &self.acknowledged {
            let hash = one.operation.hash;
            let times = baked.iter().filter(|baked| **baked == hash).count();
            assert_eq!(times, 1, "{hash} is that often on the chain");
        }
        self.acknowledged.len()
    }

    /// Reads a balance, of the head or of a block by its hash; whether there
    /// was an answer. One that is wrong ends the test.
    async fn read(&mut self, url: &str) -> Result<bool, Killed> {
        let world = self.network.world();
        let account = &world.accounts()[next(&mut self.chance) as usize % (SENDERS + 1)];
        let path = balance_path(&account.address());
        let (back, exact) = (next(&mut self.chance), next(&mut self.chance));
        let block = &world.blocks()[world.blocks().len() - 1 - back as usize % 3];
        let exact = exact.is_multiple_of(2).then_some(block);
        let path = match exact {
            Some(block) => path.replace("head", &block.hash.to_string()),
            None => path,
        };
        let asked = self.http.get(format!("{url}{path}"));
        let answer = answer(asked).await?;
        if answer.status == 503 {
            return Ok(false);
        }
        // Blocks may have been baked meanwhile.
        let world = self.network.world();
        let truths: Vec<_> = match exact {
            Some(block) => vec![world.balance(block, &account.id)],
            None => {
                let blocks = world.blocks().iter();
                let balances = blocks.map(|block| world.balance(block, &account.id));
                balances.collect()
            }
        };
        let said = answer.body.trim().trim_matches('"').parse::<u64>();
        let is_right = answer.status == 200 && said.is_ok_and(|said| truths.contains(&said));
        assert!(is_right, "{path}: {answer:?}, not of {truths:?}");
        self.reads += 1;
        Ok(true)
    }

    /// Sends the operation that is open, or a new one, once.
    async fn send(&mut self, url: &str) -> Result<(), Killed> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.sign(),
        };
        let open = self.open.insert(open);
        let (hash, from, before) = (open.operation.hash, open.from, open.before);
        let asked = inject(&self.http, url, &open.operation);
        let answer = answer(asked).await?;
        let sent = self.sent() - before;
        assert!(sent <= 1, "{hash} was handed to nodes {sent} times");
        match answer.status {
            200 => {}
            // Nobody can say yet; a client asks again.
            503 => {
                tokio::time::sleep(PAUSE).await;
                return Ok(());
            }
            _ => panic!("{hash} was handed over {sent} times: {answer:?}"),
        }
        assert_eq!(answer.body.trim(), format!("\"{hash}\""));
        assert!(answer.receipt.is_some(), "{answer:?}");
        assert_eq!(sent, 1, "{hash} was acknowledged: {answer:?}");
        self.counters[from] += 1;
        if let Some(Open { operation, .. }) = self.open.take() {
            self.acknowledged.push(Acknowledged { operation, answer });
        }
        Ok(())
    }

    /// Sends an acknowledged operation once more.
    async fn repeat(&mut self, url: &str, at: usize) -> Result<(), Killed> {
        let Acknowledged {
            operation,
            answer: first,
        } = &self.acknowledged[at];
        let before = self.sent();
        let again = answer(inject(&self.http, url, operation)).await?;
        assert_eq!(&again, first, "{}", operation.hash);
        assert_eq!(self.sent(), before, "{} was sent again", operation.hash);
        self.repeated += 1;
        Ok(())
    }

    /// A transfer that nobody has seen.
    fn sign(&mut self) -> Open {
        let world = self.network.world();
        let from = next(&mut self.chance) as usize % SENDERS;
        let (sender, to) = (&world.accounts()[from], world.accounts()[SENDERS].id);
        let amount = 1 + next(&mut self.chance) % 100;
        let counter = self.counters[from];
        let operation = operations::transfer(sender, &to, amount, counter, world.head().hash);
        Open {
            operation,
            from,
            before: self.sent(),
        }
    }

    /// Operations that all nodes were sent.
    fn sent(&self) -> u64 {
        self.nodes.iter().map(|node| node.count("injection")).sum()
    }

    async fn bake(&self) {
        let network = self.network.clone();
        let baked = tokio::task::spawn_blocking(move || network.bake(&[]));
        baked.await.unwrap();
    }
}

fn inject(
    http: &reqwest::Client,
    url: &str,
    operation: &operations::Operation,
) -> reqwest::RequestBuilder {
    http.post(format!("{url}/injection/operation"))
        .header("content-type", "application/json")
        .body(format!("\"{}\"", hex::encode(operation.bytes())))
}

async fn answer(asked: reqwest::RequestBuilder) -> Result<Answer, Killed> {
    let reply = asked.send().await.map_err(|_| Killed)?;
    let status = reply.status().as_u16();
    let receipt = reply.headers().get("heliostat-receipt");
    let receipt = receipt.map(|name| name.to_str().unwrap().to_owned());
    let body = reply.text().await.map_err(|_| Killed)?;
    Ok(Answer {
        status,
        receipt,
        body,
    })
}
