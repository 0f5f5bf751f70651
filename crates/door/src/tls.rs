//! TLS: certificates from files, taken over when they change.

use std::{fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};

use crate::{
    DoorError,
    files::{Files, Reloads},
};

mod check;
mod self_signed;

/// What clients may speak, in our order of preference.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    Off,
    /// One is asked for, and has to be good if it is shown.
    Optional,
    /// Nobody gets in without a good one.
    Required,
}

/// Where certificate and key are; all files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then its intermediates.
    pub certificate: PathBuf,
    /// The certificate's private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
    /// The authorities of client certificates; needed unless `client_auth` is
    /// off.
    pub client_ca: Option<PathBuf>,
    /// Whether clients have to show a certificate.
    pub client_auth: ClientAuth,
}

/// TLS as the files say now. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    /// The paths; none for a certificate of our own making.
    source: Option<(TlsFiles, Files)>,
    current: ArcSwap<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    not_after: i64,
    /// The served certificate, for whoever wants to pin it.
    certificate: CertificateDer<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.0.source.as_ref().map(|(files, _)| files))
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense, the key is another
    /// certificate's, or the certificate is not one that clients could accept
    /// now: expired, not yet valid, or not for servers.
    pub fn load(files: TlsFiles) -> Result<Self, DoorError> {
        let ca = files.client_ca.iter();
        let paths = [&files.certificate, &files.key].into_iter().chain(ca);
        let watched = Files::new(paths.cloned().collect());
        let read = watched.read()?;
        let current = Current::from_files(&files, &read)?;
        Ok(Self(Arc::new(Inner {
            source: Some((files, watched)),
            current: ArcSwap::from_pointee(current),
        })))
    }

    /// A certificate made on the spot, for `names` (host names or addresses).
    /// No client can know whether it is ours: for trials only.
    ///
    /// # Errors
    /// A name is none.
    pub fn self_signed(names: &[String]) -> Result<Self, DoorError> {
        let (certificate, key) = self_signed::generate(names)?;
        let not_after =
            check::server(&certificate).map_err(|reason| DoorError::SelfSigned { reason })?;
        let config = config(None, vec![certificate.clone()], key).map_err(|error| {
            DoorError::SelfSigned {
                reason: error.to_string(),
            }
        })?;
        Ok(Self(Arc::new(Inner {
            source: None,
            current: ArcSwap::from_pointee(Current {
                config,
                not_after,
                certificate,
            }),
        })))
    }

    /// When the served certificate ends, in seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.0.current.load().not_after
    }

    /// The served certificate in DER.
    pub fn certificate(&self) -> Vec<u8> {
        self.0.current.load().certificate.to_vec()
    }

    /// Takes over changed files; `force` reads unchanged ones too. True if
    /// they were taken over. Connections that are open keep what they began
    /// with.
    ///
    /// # Errors
    /// A file is broken, see [`load`](Self::load); what was served stays.
    pub fn reload(&self, force: bool) -> Result<bool, DoorError> {
        let Some((files, watched)) = &self.0.source else {
            return Ok(false);
        };
        watched.reload(force, |read| {
            let current = Current::from_files(files, read)?;
            self.0.current.store(Arc::new(current));
            Ok(())
        })
    }

    /// How often changed files were, or could not be, taken over.
    pub fn reloads(&self) -> Reloads {
        let source = self.0.source.as_ref();
        source.map_or_else(Reloads::default, |(_, files)| files.reloads())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.load().config)
    }
}

impl Current {
    /// `read` has certificate, key and, if there is one, client CA.
    fn from_files(files: &TlsFiles, read: &[Vec<u8>]) -> Result<Self, DoorError> {
        let broken = |path: &PathBuf, reason: String| DoorError::File {
            path: path.clone(),
            reason,
        };
        let in_certificate = |reason| broken(&files.certificate, reason);
        let in_key = |reason| broken(&files.key, reason);
        let chain = certificates(&read[0]).map_err(in_certificate)?;
        let certificate = chain[0].clone();
        let not_after = check::server(&certificate).map_err(in_certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read[1]).map_err(|error| {
            in_key(format!(
                "there is no private key in it ({error}); it needs a PEM block such as BEGIN PRIVATE KEY, without a passphrase"
            ))
        })?;
        let clients = match (files.client_auth, &files.client_ca) {
            (ClientAuth::Off, _) => None,
            (_, None) => {
                return Err(in_certificate(
                    "client certificates are asked for without a client CA; name its file"
                        .to_owned(),
                ));
            }
            (auth, Some(path)) => {
                let roots = roots(&read[2]).map_err(|reason| broken(path, reason))?;
                Some((roots, auth == ClientAuth::Optional))
            }
        };
        let config = config(clients, chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => in_key(format!(
                "it is not the key of the certificate in {}; give the key the certificate was made with",
                files.certificate.display()
            )),
            other => in_key(other.to_string()),
        })?;
        Ok(Self {
            config,
            not_after,
            certificate,
        })
    }
}

/// At least one certificate, the server's own first.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| format!("it is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in it; it needs PEM, BEGIN CERTIFICATE".to_owned());
    }
    Ok(chain)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        check::authority(&certificate)?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("an authority makes no sense: {error}"))?;
    }
    Ok(roots)
}

/// `clients` are the authorities of client certificates, and whether clients
/// may do without one.
fn config(
    clients: Option<(RootCertStore, bool)>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let asks = clients.is_some();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some((roots, optional)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier = verifier.build();
            let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    if asks {
        // A resumed session would bring back a certificate without a look at
        // whether it has expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}
