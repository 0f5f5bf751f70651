//! Authorities and certificates for tests.

use std::{path::Path, sync::Arc};

use heliostat_door::{ClientAuth, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate and its key.
pub struct Made {
    pub params: CertificateParams,
    pub der: CertificateDer<'static>,
    pub pem: String,
    pub key: KeyPair,
}

impl Made {
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// What an authority's certificate says.
pub fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What a good certificate for `localhost` and 127.0.0.1 says.
pub fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    params
}

pub fn server(name: &str) -> CertificateParams {
    leaf(name, ExtendedKeyUsagePurpose::ServerAuth)
}

pub fn client(name: &str) -> CertificateParams {
    leaf(name, ExtendedKeyUsagePurpose::ClientAuth)
}

pub fn self_signed(params: CertificateParams) -> Made {
    let key = KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("a certificate");
    Made {
        der: made.der().clone(),
        pem: made.pem(),
        params,
        key,
    }
}

pub fn signed_by(issuer: &Made, params: CertificateParams) -> Made {
    let key = KeyPair::generate().expect("a key");
    let signer = Issuer::from_params(&issuer.params, &issuer.key);
    let made = params.signed_by(&key, &signer).expect("a certificate");
    Made {
        der: made.der().clone(),
        pem: made.pem(),
        params,
        key,
    }
}

/// Writes certificate, key and client CA, and names them.
pub fn files(
    folder: &Path,
    server: &Made,
    client_ca: Option<&str>,
    client_auth: ClientAuth,
) -> TlsFiles {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    TlsFiles {
        certificate: write("server.pem", &server.pem),
        key: write("server.key", &server.key.serialize_pem()),
        client_ca: client_ca.map(|pem| write("clients.pem", pem)),
        client_auth,
    }
}

/// A client that trusts `ca`, shows `chain` if there is one, and speaks
/// HTTP/1.1.
pub fn connector(
    ca: &Made,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> tokio_rustls::TlsConnector {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der.clone()).expect("an authority");
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = provider.key_provider.load_private_key(key);
            // Whether the two belong together is for the server to find out.
            let shown = rustls::sign::CertifiedKey::new(chain, key.expect("a key"));
            builder.with_client_cert_resolver(Arc::new(Shows(Arc::new(shown))))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

/// Shows its certificate whatever the server asks for.
#[derive(Debug)]
struct Shows(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shows {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
