//! What a certificate file has to be, in words.

use std::time::SystemTime;

use x509_parser::{
    certificate::{Validity, X509Certificate},
    prelude::FromDer,
};

/// Looks at the certificate we would serve and gives the end of its time, in
/// seconds since 1970.
///
/// # Errors
/// No client could accept it now; with a hint.
pub(super) fn server(der: &[u8]) -> Result<i64, String> {
    let certificate = read(der)?;
    in_time(certificate.validity())?;
    if let Ok(Some(usage)) = certificate.extended_key_usage()
        && !usage.value.server_auth
        && !usage.value.any
    {
        return Err(
            "it is not made for servers: its extended key usage lacks serverAuth; ask for a server certificate"
                .to_owned(),
        );
    }
    Ok(certificate.validity().not_after.timestamp())
}

/// Looks at an authority of client certificates.
///
/// # Errors
/// It can vouch for nobody; with a hint.
pub(super) fn authority(der: &[u8]) -> Result<(), String> {
    let certificate = read(der)?;
    in_time(certificate.validity())?;
    if !certificate.is_ca() {
        let subject = certificate.subject();
        return Err(format!(
            "{subject} is no authority: it lacks CA:TRUE; give the certificate of who signs the clients'"
        ));
    }
    Ok(())
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("bytes follow a certificate".to_owned()),
        Err(error) => Err(format!("a certificate makes no sense: {error}")),
    }
}

fn in_time(validity: &Validity) -> Result<(), String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    });
    if validity.not_after.timestamp() < now {
        let ended = validity.not_after;
        return Err(format!("it expired at {ended}; renew it"));
    }
    if validity.not_before.timestamp() > now {
        let begins = validity.not_before;
        return Err(format!(
            "it is not valid before {begins}; is this machine's clock right?"
        ));
    }
    Ok(())
}
