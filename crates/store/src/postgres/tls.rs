//! TLS to the server, asked for in the words that `psql` and libpq know.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | never | |
//! | `prefer` (default) | when the server offers it | not looked at |
//! | `require` | always | not looked at; as `verify-ca` with `sslrootcert` |
//! | `verify-ca` | always | signed by a CA of `sslrootcert` |
//! | `verify-full` | always | and made for the host's name |
//!
//! `sslrootcert` is a PEM file, or `system` for the CAs that the machine
//! trusts, which goes with `verify-full` alone: anyone can have some
//! certificate from a public CA. As in libpq, none of it concerns a Unix
//! socket, where the server never offers TLS. What libpq would silently not
//! do is refused here: `sslrootcert` with a mode that does not look at it,
//! and a `verify-` mode without it.

use std::{borrow::Cow, error::Error as _, io, sync::Arc};

use percent_encoding::percent_decode_str;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The protocol's registered name, which a server asks for that speaks TLS
/// from the first byte (`sslnegotiation=direct`).
const ALPN: &[u8] = b"postgresql";

/// How much of the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// Whom the user trusts to sign certificates.
#[derive(Debug, PartialEq, Eq)]
enum Roots {
    System,
    File(String),
}

/// What an address asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) mode: SslMode,
    check: Check,
    roots: Option<Roots>,
}

/// Takes the options out of an address that this module reads; the rest is
/// for the client library. Errors are words without any part of the address.
pub(super) fn split(url: &str) -> Result<(String, Asked), &'static str> {
    // As the library does: a password may hold an unescaped question mark.
    let host = url.find('@').map_or(0, |at| at + 1);
    let Some(query) = url[host..].find('?').map(|mark| host + mark) else {
        return Ok((url.to_owned(), asked(None, None)?));
    };
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for option in url[query + 1..].split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = || percent_decode_str(value).decode_utf8().map(Cow::into_owned);
        match name {
            "sslmode" => mode = Some(value().map_err(|_| "sslmode is no text")?),
            "sslrootcert" => roots = Some(value().map_err(|_| "sslrootcert is no text")?),
            _ => rest.push(option),
        }
    }
    let mut plain = url[..query].to_owned();
    if !rest.is_empty() {
        plain.push('?');
        plain.push_str(&rest.join("&"));
    }
    Ok((plain, asked(mode.as_deref(), roots)?))
}

fn asked(mode: Option<&str>, roots: Option<String>) -> Result<Asked, &'static str> {
    let roots = roots.filter(|roots| !roots.is_empty());
    let roots = roots.map(|roots| match &roots[..] {
        "system" => Roots::System,
        _ => Roots::File(roots),
    });
    let system = roots == Some(Roots::System);
    let (mode, check) = match mode {
        None if system => (SslMode::Require, Check::ChainAndName),
        Some("verify-full") => (SslMode::Require, Check::ChainAndName),
        Some("verify-ca") => (SslMode::Require, Check::Chain),
        Some("require") if roots.is_some() => (SslMode::Require, Check::Chain),
        Some("require") => (SslMode::Require, Check::Nothing),
        None | Some("prefer") => (SslMode::Prefer, Check::Nothing),
        Some("disable") => (SslMode::Disable, Check::Nothing),
        Some(_) => {
            return Err(
                "sslmode can be disable, prefer, require, verify-ca or verify-full, and not what \
                 is given",
            );
        }
    };
    match (check, &roots) {
        (Check::Nothing, Some(_)) => Err(
            "sslrootcert is given, but this sslmode does not look at certificates; use \
             sslmode=verify-full",
        ),
        (Check::Chain | Check::ChainAndName, None) => Err(
            "sslmode=verify-ca and verify-full need sslrootcert=FILE with the certificate of the \
             CA, or sslrootcert=system with verify-full",
        ),
        (Check::Chain, Some(Roots::System)) => Err(
            "sslrootcert=system goes with sslmode=verify-full alone, since anyone can have some \
             certificate from a public CA",
        ),
        _ => Ok(Asked { mode, check, roots }),
    }
}

impl Asked {
    /// What dials. Reads the file with the CA's certificate; errors are words
    /// that may name it.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = aws_lc_rs::default_provider();
        let known = match &self.roots {
            None => Vec::new(),
            Some(Roots::System) => system(),
            Some(Roots::File(path)) => certificates(path)?,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(known.iter().cloned());
        if self.check != Check::Nothing && roots.is_empty() {
            return Err(match &self.roots {
                Some(Roots::File(path)) => {
                    format!("{path} of sslrootcert holds no certificate in PEM form")
                }
                _ => "this machine trusts no CA; install its ca-certificates, or name a file with \
                      sslrootcert=FILE"
                    .to_owned(),
            });
        }
        let judge = Judge {
            check: self.check,
            roots,
            named: known,
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(MakeRustlsConnect::new(config))
    }
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| format!("{path} of sslrootcert cannot be read: {error}"))
}

/// The CAs this machine trusts. Files among them that cannot be read are told.
fn system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some CAs of this machine cannot be read");
    }
    found.certs
}

/// Decides on the server's certificate.
#[derive(Debug)]
struct Judge {
    check: Check,
    roots: RootCertStore,
    /// The certificates behind `roots`. The server's own may be among them:
    /// that is how a self-signed one is trusted, which by the rules of web
    /// servers could not be a CA and a server's at once.
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.named.contains(end_entity) {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if self.check == Check::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why no protected connection came about, for people; `None` when TLS was
/// not the reason.
pub(super) fn words(error: &tokio_postgres::Error) -> Option<String> {
    let source = error.source()?;
    // Found by its text: the library has no code for it.
    if source.to_string() == "server does not support TLS" {
        return Some(
            "the server offers no TLS, which sslmode asks for; set ssl = on there, or use \
             sslmode=disable on a network you trust"
                .to_owned(),
        );
    }
    let inner = source.downcast_ref::<io::Error>()?.get_ref()?;
    Some(match inner.downcast_ref::<Error>()? {
        // The second of another CA of the same name.
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the server's certificate is not signed by a CA of sslrootcert".to_owned(),
        Error::InvalidCertificate(
            reason @ (CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }),
        ) => format!(
            "the server's certificate is for another host ({reason}); use the name it was made \
             for, or sslmode=verify-ca"
        ),
        reason => format!("no TLS with the server: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(url: &str) -> (SslMode, Check) {
        let (_, asked) = split(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        (asked.mode, asked.check)
    }

    #[test]
    fn each_mode_means_what_it_means_in_libpq() {
        for (options, mode, check) in [
            ("", SslMode::Prefer, Check::Nothing),
            ("?sslmode=prefer", SslMode::Prefer, Check::Nothing),
            ("?sslmode=disable", SslMode::Disable, Check::Nothing),
            ("?sslmode=require", SslMode::Require, Check::Nothing),
            (
                "?sslmode=require&sslrootcert=ca",
                SslMode::Require,
                Check::Chain,
            ),
            (
                "?sslrootcert=ca&sslmode=verify-ca",
                SslMode::Require,
                Check::Chain,
            ),
            (
                "?sslmode=verify-full&sslrootcert=ca",
                SslMode::Require,
                Check::ChainAndName,
            ),
            ("?sslrootcert=system", SslMode::Require, Check::ChainAndName),
        ] {
            let url = format!("postgres://a@b/c{options}");
            assert_eq!(modes(&url), (mode, check), "{url}");
        }
    }

    #[test]
    fn what_would_protect_less_than_it_says_is_refused() {
        for options in [
            "sslmode=allow",
            "sslmode=verify-everything",
            "sslmode=verify-full",
            "sslmode=verify-ca",
            "sslmode=verify-ca&sslrootcert=",
            "sslmode=prefer&sslrootcert=ca",
            "sslrootcert=ca",
            "sslmode=require&sslrootcert=system",
        ] {
            let refused = split(&format!("postgres://a@b/c?{options}"));
            let words = refused.expect_err(options);
            assert!(words.contains("ssl"), "{words}");
        }
    }

    #[test]
    fn the_rest_of_the_address_stays_as_it_is() {
        for (url, rest, roots) in [
            ("postgres://a:x?y@b/c", "postgres://a:x?y@b/c", None),
            (
                "postgres://a:x?sslmode=1@b/c?sslmode=verify-ca&application_name=z&sslrootcert=%2Fca%20file",
                "postgres://a:x?sslmode=1@b/c?application_name=z",
                Some("/ca file"),
            ),
        ] {
            let (plain, asked) = split(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(plain, rest);
            assert_eq!(asked.roots, roots.map(|path| Roots::File(path.to_owned())));
        }
    }
}
