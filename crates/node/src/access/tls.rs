//! Pinned authorities, and our certificate.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{
    AccessError, AccessOptions,
    file::{Stamp, read, stamps},
};
use crate::defaults;

/// The configuration of connections, if anything about them is special.
pub(super) fn config(options: &AccessOptions) -> Result<Option<ClientConfig>, AccessError> {
    let shown = match (&options.client_certificate, &options.client_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Shown::open(certificate, key)?),
        (Some(_), None) => return Err(half("client certificate", "private key")),
        (None, Some(_)) => return Err(half("client key", "certificate")),
    };
    if shown.is_none() && options.ca_file.is_none() {
        return Ok(None);
    }
    let roots = match &options.ca_file {
        Some(path) => pinned(path)?,
        None => of_the_machine()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| AccessError::Setting(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let mut config = match shown {
        Some(shown) => {
            let mut config = builder.with_client_cert_resolver(Arc::new(shown));
            // A session taken up again would go on with the old certificate.
            config.resumption = Resumption::disabled();
            config
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

fn half(there: &str, missing: &str) -> AccessError {
    AccessError::Setting(format!("a {there} is set without its {missing}; set both"))
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// The authorities of a file, and no others.
fn pinned(path: &Path) -> Result<RootCertStore, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| AccessError::file(path, format!("is no authority: {error}")))?;
    }
    Ok(roots)
}

fn of_the_machine() -> Result<RootCertStore, AccessError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(AccessError::Setting(
            "this machine has no certificates of authorities; install them, or name a CA file"
                .to_owned(),
        )),
        false => Ok(roots),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found
        .map_err(|error| AccessError::file(path, format!("cannot be read as PEM: {error}")))?;
    match found.is_empty() {
        true => Err(AccessError::file(
            path,
            "has no certificate in it; it needs PEM, BEGIN CERTIFICATE",
        )),
        false => Ok(found),
    }
}

/// Our certificate. It is looked at again, at most every
/// [`ACCESS_LOOK`](defaults::ACCESS_LOOK), when a connection is made; files
/// that cannot be used leave the one in force there.
#[derive(Debug)]
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    now: ArcSwap<CertifiedKey>,
    looked: Mutex<(Instant, Vec<Option<Stamp>>)>,
}

impl Shown {
    fn open(certificate: &Path, key: &Path) -> Result<Self, AccessError> {
        let before = stamps(&[certificate, key]);
        Ok(Self {
            now: ArcSwap::from_pointee(pair(certificate, key)?),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            looked: Mutex::new((Instant::now(), before)),
        })
    }

    /// Takes over files that were written anew.
    fn look(&self) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.0.elapsed() < defaults::ACCESS_LOOK {
            return;
        }
        let stamps = stamps(&[&self.certificate, &self.key]);
        looked.0 = Instant::now();
        if looked.1 == stamps {
            return;
        }
        looked.1 = stamps;
        match pair(&self.certificate, &self.key) {
            Ok(pair) => {
                self.now.store(Arc::new(pair));
                tracing::info!("client_certificate_reloaded");
            }
            Err(error) => tracing::error!(%error, "client_certificate_not_reloaded"),
        }
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.look();
        Some(self.now.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A certificate and its key, which have to belong together.
fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, AccessError> {
    let chain = certificates(certificate)?;
    let pem = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| AccessError::file(key, "has no private key in it; it needs PEM"))?;
    let private = provider()
        .key_provider
        .load_private_key(private)
        .map_err(|error| AccessError::file(key, format!("cannot be used: {error}")))?;
    let pair = CertifiedKey::new(chain, private);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(_) => Err(AccessError::file(
            key,
            format!(
                "is not the key of the certificate in {}",
                certificate.display()
            ),
        )),
    }
}
