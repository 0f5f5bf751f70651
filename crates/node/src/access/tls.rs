//! Pinned authorities, and our certificate: both as their files are now.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{AccessError, AccessOptions, file::read, watched::Watched};

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
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| AccessError::Setting(format!("TLS cannot be set up: {error}")))?;
    let builder = match &options.ca_file {
        Some(path) => {
            // Not dangerous: it checks as the usual one does, against the
            // authorities that are in the file now.
            let pinned = Arc::new(Pinned::open(path)?);
            builder.dangerous().with_custom_certificate_verifier(pinned)
        }
        None => builder.with_root_certificates(of_the_machine()?),
    };
    let mut config = match shown {
        Some(shown) => builder.with_client_cert_resolver(Arc::new(shown)),
        None => builder.with_no_client_auth(),
    };
    // A session taken up again would go on with the old certificate, or with
    // an authority that is no longer trusted.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

fn half(there: &str, missing: &str) -> AccessError {
    AccessError::Setting(format!("a {there} is set without its {missing}; set both"))
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// Checks servers by the authorities of a file, and no others.
fn pinned(path: &Path) -> Result<Arc<WebPkiServerVerifier>, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| AccessError::file(path, format!("is no authority: {error}")))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .build()
        .map_err(|error| AccessError::file(path, format!("is no authority: {error}")))
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

/// The authorities of a file, and no others, as the file is now.
#[derive(Debug)]
struct Pinned(Watched<WebPkiServerVerifier>);

impl Pinned {
    fn open(path: &Path) -> Result<Self, AccessError> {
        let read = |paths: &[PathBuf]| pinned(&paths[0]);
        Watched::open("authorities", vec![path.to_owned()], read).map(Self)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.0.get();
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.get().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.get().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.get().supported_verify_schemes()
    }
}

/// Our certificate, as its files are now.
#[derive(Debug)]
struct Shown(Watched<CertifiedKey>);

impl Shown {
    fn open(certificate: &Path, key: &Path) -> Result<Self, AccessError> {
        let read = |paths: &[PathBuf]| pair(&paths[0], &paths[1]).map(Arc::new);
        let paths = vec![certificate.to_owned(), key.to_owned()];
        Watched::open("client certificate", paths, read).map(Self)
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.get())
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
