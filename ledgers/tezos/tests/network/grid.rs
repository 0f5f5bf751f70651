//! Every lie, told by any number of nodes but one, alone or together.

use std::collections::BTreeSet;

use axum::body::Body;
use heliostat_sim::tezos::{
    Lie,
    contracts::{BIG_MAP, key_text},
};
use heliostat_tezos::HeadPolicy;
use tower::ServiceExt as _;

use super::*;

/// The most nodes.
const MOST: usize = 7;

/// Questions about one block.
const PER_BLOCK: usize = 8;

/// A question and everything that is a true answer.
struct Question {
    path: String,
    truths: BTreeSet<String>,
}

fn question(path: String, truths: impl IntoIterator<Item = String>) -> Question {
    Question {
        path,
        truths: truths.into_iter().collect(),
    }
}

/// What is asked, with what is true.
fn questions(world: &World) -> Vec<Question> {
    let mut all = Vec::new();
    let blocks = world.blocks();
    let alice = world.account("alice").id;
    let map = format!("context/big_maps/{BIG_MAP}/{}", key_text(&alice));
    for block in [&blocks[blocks.len() - 1], &blocks[blocks.len() - 4]] {
        let at = |tail: &str| format!("/chains/main/blocks/{}/{tail}", block.hash);
        let balance = format!("context/contracts/{alice}/balance");
        all.push(question(at(&balance), [true_balance(world, block, &alice)]));
        let stranger = format!("context/contracts/{}/balance", world.stranger());
        all.push(question(at(&stranger), [quoted(0)]));
        all.push(question(at(&map), [r#"{"int":"1000"}"#.to_owned()]));
        let raw = quoted(block.header.raw_hex());
        all.push(question(at("header/raw"), [raw]));
        let hashes = serde_json::json!(block.operation_hashes()).to_string();
        all.push(question(at("operation_hashes"), [hashes]));
        let (own, next) = (block.protocol, block.next_protocol);
        let protocols = format!(r#"{{"protocol":"{own}","next_protocol":"{next}"}}"#);
        all.push(question(at("protocols"), [protocols]));
        let context = quoted(world.commit(block));
        all.push(question(at("resulting_context_hash"), [context]));
        let level = format!("/chains/main/blocks/{}/hash", block.level);
        all.push(question(level, [quoted(block.hash)]));
    }
    let hashes = blocks.iter().map(|block| quoted(block.hash));
    all.push(question("/chains/main/blocks/head/hash".into(), hashes));
    let head = format!("/chains/main/blocks/head/context/contracts/{alice}/balance");
    let balances = blocks
        .iter()
        .map(|block| true_balance(world, block, &alice));
    all.push(question(head, balances));
    all.push(question(
        "/chains/main/chain_id".into(),
        [quoted(world.chain_id())],
    ));
    all
}

async fn ask(light: &Light, path: &str) -> Got {
    let request = http::Request::get(path).body(Body::empty());
    let request = request.expect("a sound path");
    let response = light.router().oneshot(request).await;
    let response = response.expect("a router always answers");
    let status = response.status().as_u16();
    let grade = response.headers().get(Assurance::FIELD).map(|grade| {
        let text = grade.to_str().expect("a grade is plain text");
        text.parse().expect("a grade")
    });
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await;
    Got {
        status,
        grade,
        reason: None,
        body: body.expect("a short answer").to_vec(),
    }
}

fn start(settings: Settings) -> Light {
    Light::start(settings, Findings::in_memory()).expect("the settings are sound")
}

/// One case of the grid: some nodes, the last of them honest.
struct Case<'a> {
    nodes: &'a [Node],
    liars: usize,
    lie: Lie,
    together: bool,
}

impl Case<'_> {
    fn prepare(&self) {
        for (at, node) in self.nodes.iter().enumerate() {
            node.behave();
            // Liars come first, where they are asked first.
            match (at < self.liars, self.together) {
                (true, true) => node.collude(self.lie),
                (true, false) => node.lie(self.lie),
                (false, _) => {}
            }
        }
    }

    fn words(&self) -> String {
        let (n, liars, lie, together) = (self.nodes.len(), self.liars, self.lie, self.together);
        format!("{liars} of {n} say {lie:?}, together: {together}")
    }

    /// Honest nodes are never convicted; evidence holds.
    fn convictions_hold(&self, light: &Light) {
        for finding in light.upstreams().findings() {
            let liars = &self.nodes[..self.liars];
            let is_liar = liars.iter().any(|liar| liar.url() == finding.upstream);
            assert!(is_liar, "{}: {finding:?}", self.words());
            assert_eq!(evidence::recheck(&finding.evidence), Ok(()), "{finding:?}");
        }
    }

    /// Everybody must agree: what is vouched for is true.
    async fn unanimous(&self, asked: &[Question]) {
        self.prepare();
        let light = start(settings(self.nodes));
        for Question { path, truths } in asked {
            let got = ask(&light, path).await;
            assert!(
                !got.is_vouched() || truths.contains(got.text().trim()),
                "{}: {path}: {got:?}",
                self.words()
            );
            if self.liars == 0 && got.status != 200 {
                panic!("{}: {path}: {}", self.words(), got.text());
            }
        }
        self.convictions_hold(&light);
    }

    /// A block is trusted: what is vouched for is true, though few must agree;
    /// and one honest node is enough to go on from there.
    async fn trusting_a_block(&self, world: &World, asked: &[Question]) {
        self.prepare();
        let settings = Settings {
            min_agreement: 0.3,
            head: HeadPolicy::Proven,
            ..trusting(settings(self.nodes), world, 5)
        };
        let light = start(settings);
        light.refresh().await;
        for Question { path, truths } in asked {
            let got = ask(&light, path).await;
            let is_true = truths.contains(got.text().trim());
            assert!(
                !got.is_vouched() || is_true,
                "{}: {path}: {got:?}",
                self.words()
            );
            if path.contains("/head/") {
                assert!(is_true, "{}: {path}: {}", self.words(), got.text());
                assert_eq!(got.grade, Some(Assurance::Proven), "{}", self.words());
            }
        }
        self.convictions_hold(&light);
    }

    /// Few must agree and nothing is trusted: a grade never counts more nodes
    /// than said so.
    async fn below_one(&self, share: f64, asked: &[Question]) {
        self.prepare();
        let settings = Settings {
            min_agreement: share,
            ..settings(self.nodes)
        };
        let light = start(settings);
        for Question { path, truths } in asked {
            let got = ask(&light, path).await;
            let most = match truths.contains(got.text().trim()) {
                true => self.nodes.len(),
                false => self.liars,
            };
            match got.grade {
                Some(Assurance::Agreed { k, .. }) => {
                    assert!(usize::from(k) <= most, "{}: {path}: {got:?}", self.words());
                }
                Some(Assurance::Proven) => panic!("{}: {path}: {got:?}", self.words()),
                _ => {}
            }
        }
        self.convictions_hold(&light);
    }
}

/// Goes through the grid for these numbers of nodes.
async fn grid(sizes: std::ops::RangeInclusive<usize>) {
    let begun = std::time::Instant::now();
    let (network, nodes) = network(Made::small(), MOST).await;
    let world = network.world();
    let asked = questions(&world);
    let mut cases = 0;
    for n in sizes {
        for lie in Lie::ALL {
            for liars in 0..n {
                // Alone, a liar says the same either way.
                for together in [false, true].into_iter().take(liars.clamp(1, 2)) {
                    let nodes = &nodes[..n];
                    let case = Case {
                        nodes,
                        liars,
                        lie,
                        together,
                    };
                    case.unanimous(&asked).await;
                    case.trusting_a_block(&world, &asked).await;
                    let share = [0.01, 0.34, 0.5, 0.51, 0.67, 0.9][cases % 6];
                    case.below_one(share, &asked[..PER_BLOCK]).await;
                    cases += 1;
                    if liars == 0 && lie != Lie::ALL[0] {
                        // Nobody lies: the lie does not matter.
                        break;
                    }
                }
            }
        }
    }
    eprintln!("{cases} cases in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_vouched_for_among_two_to_four_nodes() {
    grid(2..=4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_vouched_for_among_five_or_six_nodes() {
    grid(5..=6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_vouched_for_among_seven_nodes() {
    grid(7..=7).await;
}
