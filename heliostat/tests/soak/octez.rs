//! Octez nodes of a chain that goes on: one for every lie, one that fails in
//! every way, and honest ones.

use std::time::Duration;

use heliostat_sim::tezos::{
    Change, Lie, Network, Node, World,
    node::{Fault, Filter},
    world::Settings,
};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// Honest nodes.
const HONEST: usize = 2;
/// All nodes: one of them fails, and there is one for each lie.
pub const NODES: usize = Lie::ALL.len() + 1 + HONEST;
/// The share that has to agree: five nodes, which no lie has here.
const AGREEMENT: f64 = 0.2;
/// Blocks between the checkpoint and the head at first.
const TRUSTED: usize = 4;
/// How long a fault lasts, and how long it takes to the next block.
const MANNER: Duration = Duration::from_secs(2);
/// How many faults are left out at first: answers without end come ten seconds
/// after the start then, and not at the same time as those of the other chain's
/// nodes, which come after twenty.
const LEFT_OUT: usize = 5;
/// The account whose balance is another one in every block.
pub const BUSY: &str = "alice";

pub struct Octez {
    network: Network,
    liars: Vec<Node>,
    moody: Node,
    honest: Vec<Node>,
}

impl Octez {
    pub async fn start() -> Self {
        let network = Network::new(World::new(11, Settings::small()));
        let mut nodes = Node::start_all(&network, NODES).await.unwrap();
        let honest = nodes.split_off(Lie::ALL.len() + 1);
        let moody = nodes.pop().unwrap();
        for (liar, lie) in nodes.iter().zip(Lie::ALL) {
            liar.lie(lie);
        }
        Self {
            network,
            liars: nodes,
            moody,
            honest,
        }
    }

    pub fn network(&self) -> Network {
        self.network.clone()
    }

    /// The chain's table in a configuration. Liars are asked first, then the
    /// moody node.
    pub fn table(&self) -> String {
        let all = self.liars.iter().chain([&self.moody]).chain(&self.honest);
        let urls: Vec<_> = all.map(|node| node.url()).collect();
        let world = self.network.world();
        let (level, hash) = world.checkpoint(TRUSTED);
        let stamp = world.numbers().proof_of_work_threshold;
        format!(
            "[chain.tezos]\nledger = 'tezos'\nlisten = '127.0.0.1:0'\nendpoints = {urls:?}\n\
             min-agreement = {AGREEMENT}\ncheckpoint = '{level}:{hash}'\nhead = 'proven'\n\
             proof-of-work-threshold = {stamp}\ncall-seconds = 2\n"
        )
    }

    /// Goes through all faults for ever, with a new block after each.
    pub fn misbehaving(&self) -> AbortOnDropHandle<()> {
        let (moody, network) = (self.moody.handle(), self.network());
        AbortOnDropHandle::new(tokio::spawn(async move {
            for fault in Fault::all().iter().cycle().skip(LEFT_OUT) {
                moody.fail(fault.clone(), Filter::all());
                sleep(MANNER).await;
                moody.behave();
                bake(&network).await;
            }
        }))
    }

    /// From now on only the liars are still dishonest.
    pub async fn behave(&self) {
        self.moody.behave();
        self.moody.restart(Duration::from_millis(10)).await;
    }
}

/// A block in which the busy account owns as many mutez as the block's level.
async fn bake(network: &Network) {
    let network = network.clone();
    let baked = tokio::task::spawn_blocking(move || {
        let world = network.world();
        let (account, level) = (world.account(BUSY).id, world.head().level + 1);
        network.bake(&[Change::Balance(account, level.unsigned_abs().into())]);
    });
    baked.await.unwrap();
}
