//! A zebrad of the tester's own, in regtest, on loopback.

use std::{
    env, fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use heliostat_sim::zcash::generator::{Wallet, everything_at};
use heliostat_zcash_proto as proto;
use proto::compact_tx_streamer_client::CompactTxStreamerClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use zcash_keys::{encoding::encode_payment_address_p, keys::UnifiedAddressRequest};

/// Regtest addresses of a known wallet: a unified one, whose Orchard receiver
/// zebrad pays (in an Ironwood action once there is that pool), and a Sapling
/// one.
pub fn shielded_addresses() -> [String; 2] {
    let network = everything_at(1);
    let wallet = Wallet::new(&network, [7; 32]);
    let keys = wallet.key().to_unified_full_viewing_key();
    let (unified, _) = keys
        .default_address(UnifiedAddressRequest::SHIELDED)
        .unwrap();
    let (_, sapling) = keys.sapling().unwrap().default_address();
    let sapling = encode_payment_address_p(&network, &sapling);
    [unified.encode(&network), sapling]
}

/// Where ordinary blocks are mined to.
const TRANSPARENT_ADDRESS: &str = "t27eWDgjFYJGVXmzrXeVjnb5J3uXDM9xH9v";

/// The node and its folder; both go when this is dropped.
pub struct Zebrad {
    child: Child,
    rpc: u16,
    grpc: u16,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Zebrad {
    /// Starts the binary that `HELIOSTAT_ZEBRAD` names; `None` without it.
    /// NU6.3, and with it Ironwood, activates at the height given.
    pub async fn start(ironwood: u64) -> Option<Self> {
        // NU5 to NU6.2 come one block after Canopy where there is room.
        let earlier = ironwood.min(2);
        let binary = env::var_os("HELIOSTAT_ZEBRAD")?;
        let folder = tempfile::tempdir().unwrap();
        let [network, rpc, indexer, grpc] = free_ports();
        let data = folder.path().join("state");
        let config = format!(
            r#"
[network]
network = "Regtest"
listen_addr = "127.0.0.1:{network}"
initial_mainnet_peers = []
initial_testnet_peers = []
cache_dir = false
[network.testnet_parameters.activation_heights]
Canopy = 1
NU5 = {earlier}
NU6 = {earlier}
"NU6.1" = {earlier}
"NU6.2" = {earlier}
"NU6.3" = {ironwood}
[state]
cache_dir = {data:?}
[rpc]
listen_addr = "127.0.0.1:{rpc}"
indexer_listen_addr = "127.0.0.1:{indexer}"
lightwalletd_listen_addr = "127.0.0.1:{grpc}"
enable_cookie_auth = false
[mempool]
debug_enable_at_height = 0
[mining]
miner_address = "{TRANSPARENT_ADDRESS}"
"#
        );
        let path = folder.path().join("zebrad.toml");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(folder.path().join("zebrad.log")).unwrap();
        let child = Command::new(binary)
            .arg("-c")
            .arg(&path)
            .arg("start")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("HELIOSTAT_ZEBRAD names a program that starts");
        let zebrad = Self {
            child,
            rpc,
            grpc,
            http: reqwest::Client::new(),
            _folder: folder,
        };
        for _ in 0..300 {
            if zebrad
                .try_call("getblockchaininfo", json!([]))
                .await
                .is_some()
            {
                return Some(zebrad);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("zebrad did not answer within a minute");
    }

    /// `http://host:port` of its JSON-RPC.
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc)
    }

    /// The result of a call; an error reply fails the test.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params.clone())
            .await
            .unwrap_or_else(|| panic!("{method} {params} failed"))
    }

    async fn try_call(&self, method: &str, params: Value) -> Option<Value> {
        let body = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params});
        let reply = self
            .http
            .post(self.rpc_url())
            .json(&body)
            .send()
            .await
            .ok()?;
        let reply: Value = reply.json().await.ok()?;
        // `invalidateblock` and its like answer null.
        let failed = reply.get("error").is_some_and(|error| !error.is_null());
        (!failed).then(|| reply["result"].clone())
    }

    /// The height of its best chain.
    pub async fn height(&self) -> u64 {
        let info = self.call("getblockchaininfo", json!([])).await;
        info["blocks"].as_u64().unwrap()
    }

    /// The display hash at a height.
    pub async fn hash(&self, height: u64) -> String {
        let hash = self.call("getblockhash", json!([height])).await;
        hash.as_str().unwrap().to_owned()
    }

    /// Compact blocks from zebrad's own light wallet server.
    pub async fn range(&self, from: u64, to: u64) -> Vec<proto::CompactBlock> {
        let address = format!("http://127.0.0.1:{}", self.grpc);
        let mut client = CompactTxStreamerClient::connect(address).await.unwrap();
        let stream = client.get_block_range(super::heliostat::block_range(from, to, vec![]));
        super::heliostat::collect(stream.await.unwrap().into_inner())
            .await
            .unwrap()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Zebrad {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports that were free a moment ago.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}
