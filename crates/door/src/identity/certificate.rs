//! What a client's certificate says about it.

use std::{collections::BTreeSet, net::IpAddr};

use sha2::{Digest, Sha256};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, oid_registry::OID_X509_COMMON_NAME,
    prelude::FromDer,
};

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER encoding.
    pub fingerprint: [u8; 32],
    /// Its subject's common names and its alternative names (DNS, e-mail,
    /// URI, IP), in lower case.
    pub names: BTreeSet<String>,
}

impl Certificate {
    /// Reads a certificate; names that cannot be read are left out.
    pub fn from_der(der: &[u8]) -> Self {
        let names = match X509Certificate::from_der(der) {
            Ok((_, certificate)) => names(&certificate),
            Err(_) => BTreeSet::new(),
        };
        Self {
            fingerprint: Sha256::digest(der).into(),
            names,
        }
    }

    /// What rates and logs know it by.
    pub(crate) fn key(&self) -> String {
        hex::encode(self.fingerprint)
    }
}

fn names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let common = certificate.subject().iter_by_oid(&OID_X509_COMMON_NAME);
    let mut names: BTreeSet<_> = common
        .filter_map(|name| name.as_str().ok())
        .map(str::to_lowercase)
        .collect();
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else {
        return names;
    };
    for name in &alternative.value.general_names {
        match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                names.insert(name.to_lowercase());
            }
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                if let Ok(address) = v4.or(v6) {
                    names.insert(address.to_canonical().to_string());
                }
            }
            _ => {}
        }
    }
    names
}
