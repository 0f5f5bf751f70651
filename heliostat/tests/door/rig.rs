//! A process with a door, its certificates and its clients.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::Engine as _;
use heliostat_sim::zcash::Node;
use heliostat_store::testing::Authority;
use heliostat_zcash_proto::{ChainSpec, compact_tx_streamer_client::CompactTxStreamerClient};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::{
    Code, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::running::{Process, chain};

/// The newest height of the chain that is served.
pub const HEIGHT: u64 = 12;

/// A folder with certificates and a configuration, and the node behind it.
pub struct Rig {
    pub folder: TempDir,
    pub servers: Authority,
    pub clients: Authority,
    node: Node,
}

/// A certificate and its key in PEM form.
pub type Pair = (String, String);

impl Rig {
    /// `server.pem`, `server.key` and `clients.pem` are in the folder.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new(), Authority::new());
        let rig = Self {
            node: Node::start(chain(HEIGHT).chain().clone()).await.unwrap(),
            folder,
            servers,
            clients,
        };
        rig.certify(&rig.servers.sign("localhost"));
        fs::write(rig.path("clients.pem"), rig.clients.pem()).unwrap();
        rig
    }

    /// Where the node behind it is asked.
    pub fn node_url(&self) -> String {
        self.node.handle().url().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another certificate into the server's files.
    pub fn certify(&self, (certificate, key): &Pair) {
        fs::write(self.path("server.pem"), certificate).unwrap();
        fs::write(self.path("server.key"), key).unwrap();
    }

    /// Writes a configuration with `more` in it.
    pub fn configure(&self, more: &str) -> PathBuf {
        let text = format!(
            "{more}\n[store]\naddress = 'memory:'\n[chain.zcash]\nledger = 'zcash'\n\
             listen = '127.0.0.1:0'\n[[chain.zcash.upstream]]\nurl = '{}'\n",
            self.node.handle().url(),
        );
        let file = self.path("heliostat.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// Starts a process with the configuration, and waits until it serves.
    pub async fn start(&self, more: &str) -> Process {
        let process = Process::run(&self.configure(more));
        process.until("ready", |status| status.ready).await;
        process
    }

    /// The lines of `[door.tls]` for the files of the folder.
    pub fn tls(&self, more: &str) -> String {
        let folder = self.folder.path().display();
        format!("[door.tls]\ncert = '{folder}/server.pem'\nkey = '{folder}/server.key'\n{more}\n")
    }

    /// The same with a certificate of each client.
    pub fn mutual(&self, auth: &str) -> String {
        let ca = self.path("clients.pem").display().to_string();
        self.tls(&format!("client-ca = '{ca}'\nclient-auth = '{auth}'"))
    }

    /// A client that trusts the server's authority and shows `pair`.
    pub async fn client(
        &self,
        process: &Process,
        pair: Option<&Pair>,
    ) -> Result<CompactTxStreamerClient<Channel>, tonic::transport::Error> {
        trusting(&self.servers.pem(), process, pair).await
    }

    /// What a client with `pair` gets for the newest height.
    pub async fn ask(&self, process: &Process, pair: Option<&Pair>) -> Result<u64, Denied> {
        let client = self.client(process, pair).await;
        let mut client = client.map_err(|_| Denied::Handshake)?;
        newest(&mut client).await.map_err(Denied::of)
    }
}

/// The first lines of every configuration: a chosen port, logs to read.
pub const OBSERVE: &str = "[observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\n";

/// Why somebody got nothing.
#[derive(Debug, PartialEq)]
pub enum Denied {
    /// There is no connection.
    Handshake,
    /// A refusal in gRPC's words.
    Refused(Code, String),
}

impl Denied {
    fn of(status: Status) -> Self {
        // With TLS 1.3 a client learns after its handshake that its
        // certificate is not taken.
        let torn = std::error::Error::source(&status).is_some();
        match torn {
            true => Self::Handshake,
            false => Self::Refused(status.code(), status.message().to_owned()),
        }
    }

    pub fn words(&self) -> &str {
        match self {
            Self::Handshake => "",
            Self::Refused(_, words) => words,
        }
    }

    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Handshake => None,
            Self::Refused(code, _) => Some(*code),
        }
    }
}

/// The newest height.
pub async fn newest(client: &mut CompactTxStreamerClient<Channel>) -> Result<u64, Status> {
    let latest = client.get_latest_block(ChainSpec {}).await;
    latest.map(|latest| latest.into_inner().height)
}

/// A client that trusts `authority`.
pub async fn trusting(
    authority: &str,
    process: &Process,
    pair: Option<&Pair>,
) -> Result<CompactTxStreamerClient<Channel>, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name("localhost");
    if let Some((certificate, key)) = pair {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let address = process.grpc.replace("http://", "https://");
    let endpoint = Endpoint::from_shared(address)?.tls_config(tls)?;
    endpoint.connect().await.map(CompactTxStreamerClient::new)
}

/// The SHA-256 fingerprint of a certificate in PEM form, in hex.
pub fn fingerprint(pem: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap();
    hex::encode(Sha256::digest(der))
}

/// Writes a file in one go, as tools that renew certificates do.
pub fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}
