//! HTTP/1.1 servers with and without TLS, and authorities.

use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.0).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    /// A client's certificate and key, PEM.
    pub fn client(&self, name: &str) -> (String, String) {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// One request as it came: head and body.
pub type Request = (String, String);
/// What is answered: a status line's code, and a JSON or text body.
pub type Answer = Arc<dyn Fn(&Request) -> (u16, String) + Send + Sync>;

pub struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    peers: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// Behind TLS as `localhost`; with `clients`, only for those.
    pub async fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        Self::named(authority, "localhost", clients).await
    }

    pub async fn named(authority: &Authority, name: &str, clients: Option<&Authority>) -> Self {
        let answer: Answer = Arc::new(|_| (200, "hello".to_owned()));
        let acceptor = acceptor(authority, name, clients);
        Self::serve(Some(acceptor), answer).await
    }

    /// Behind TLS as `localhost`, with answers of its own.
    pub async fn answering(authority: &Authority, answer: Answer) -> Self {
        Self::serve(Some(acceptor(authority, "localhost", None)), answer).await
    }

    /// Without TLS.
    pub async fn plain(answer: Answer) -> Self {
        Self::serve(None, answer).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let peers: Arc<Mutex<Vec<String>>> = Arc::default();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let (log, names) = (Arc::clone(&requests), Arc::clone(&peers));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
                let (log, names) = (Arc::clone(&log), Arc::clone(&names));
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else {
                        return talk(stream, &log, &answer).await;
                    };
                    // Who does not trust us goes away here.
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return None;
                    };
                    if let Some(chain) = stream.get_ref().1.peer_certificates() {
                        names.lock().unwrap().push(name_in(&chain[0]));
                    }
                    talk(stream, &log, &answer).await
                });
            }
        });
        Self {
            url: format!("{scheme}://localhost:{port}"),
            requests,
            peers,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The names in the certificates that clients showed.
    pub fn peers(&self) -> Vec<String> {
        self.peers.lock().unwrap().clone()
    }
}

fn acceptor(authority: &Authority, name: &str, clients: Option<&Authority>) -> TlsAcceptor {
    let (certificate, key) = authority.sign(name, ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(clients.pem().as_bytes()).unwrap();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The first of the test's names that stands in a certificate.
fn name_in(certificate: &[u8]) -> String {
    let known = ["first", "second"];
    let found = known.iter().find(|name| {
        certificate
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    });
    (*found.unwrap()).to_owned()
}

/// Reads requests and answers them until the client goes.
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<Request>>,
    answer: &Answer,
) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            more(&mut stream, &mut bytes).await?;
        };
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
        while bytes.len() < end + length {
            more(&mut stream, &mut bytes).await?;
        }
        // The case of what is secret matters.
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let body = String::from_utf8(bytes[end..end + length].to_vec()).unwrap();
        bytes.drain(..end + length);
        let request = (head, body);
        let (status, reply) = answer(&request);
        log.lock().unwrap().push(request);
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            reply.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(reply.as_bytes()).await.ok()?;
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 4096];
    match stream.read(&mut piece).await {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            bytes.extend_from_slice(&piece[..count]);
            Some(())
        }
    }
}
