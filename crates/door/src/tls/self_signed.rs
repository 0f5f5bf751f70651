//! A certificate made on the spot.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::DoorError;

/// A certificate for `names`, and its key.
pub(super) fn generate(
    names: &[String],
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), DoorError> {
    let failed = |error: rcgen::Error| DoorError::SelfSigned {
        reason: error.to_string(),
    };
    let mut params = CertificateParams::new(names).map_err(failed)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "heliostat, self-signed");
    params.distinguished_name = name;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), key.into()))
}
