//! The files of the door, and whoever vouches for tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use heliostat_door::{Options, Plaintext, Refused, Tokens};

use super::{Found, Verdict};
use crate::{
    config::{ConfigError, DoorConfig, door::tls::ClientAuthName},
    defaults::CERTIFICATE_SOON,
    status::duration,
};

/// Looks at everything `config` names, and gives a door's options with what
/// could be used.
///
/// # Errors
/// A value that makes no sense, which no file can mend.
pub(super) async fn look(
    config: &DoorConfig,
    found: &mut Vec<Found>,
) -> Result<Options, ConfigError> {
    let mut usable = config.clone();
    let named = config.tls.is_on();
    if config.tls.cert.is_some() {
        match config.tls.open() {
            Ok(tls) => found.extend(tls.map(|tls| certificate(config, tls.not_after()))),
            Err(error) => {
                found.push(Found::broken(error));
                // Its ports are looked at all the same.
                usable.tls = Default::default();
                usable.access.allow_identities = None;
                usable.access.deny_identities = None;
            }
        }
    }
    if config.access.has_lists() {
        match config.access.identities() {
            Ok(_) => found.push(Found::new(
                "door.access",
                Verdict::Ok,
                "the lists of identities can be read",
            )),
            Err(error) => {
                found.push(Found::broken(error));
                usable.access.allow_identities = None;
                usable.access.deny_identities = None;
            }
        }
    }
    if config.auth.is_on() {
        match config.auth.open() {
            Ok(None) => {}
            Ok(Some(tokens)) => issuers(config, &tokens, found).await,
            Err(error) => {
                found.push(Found::broken(error));
                usable.auth = Default::default();
            }
        }
    }
    let mut options = usable.open()?;
    if named {
        // What is wrong with the certificate was said already.
        options.plaintext = Plaintext::Anywhere;
    }
    Ok(options)
}

/// What is said of a certificate and a key that go together; one that ended
/// cannot be opened.
fn certificate(config: &DoorConfig, not_after: i64) -> Found {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    let left = u64::try_from(not_after).unwrap_or(0).saturating_sub(now);
    let clients = match config.tls.client_auth {
        ClientAuthName::Off => "clients need no certificate",
        ClientAuthName::Optional => "clients may show a certificate",
        ClientAuthName::Required => "clients have to show a certificate",
    };
    let renew = match left < CERTIFICATE_SOON.as_secs() {
        true => "; renew it now",
        false => "",
    };
    Found::new(
        "door.tls",
        Verdict::Ok,
        format!(
            "the key is that of the certificate, which ends in {}{renew}; {clients}",
            duration(left)
        ),
    )
}

/// Asks whoever vouches for tokens about one that nobody gave out: an answer
/// that it does not hold shows that they can be asked.
async fn issuers(config: &DoorConfig, tokens: &Tokens, found: &mut Vec<Found>) {
    let auth = &config.auth;
    let keys = match (&auth.jwks_url, auth.discovery) {
        (Some(url), _) => Some(("door.auth.jwks-url", url)),
        (None, true) => auth.issuer.as_ref().map(|url| ("door.auth.discovery", url)),
        (None, false) => None,
    };
    let algorithm = auth.algorithms.first().map_or("RS256", String::as_str);
    let header = format!(r#"{{"alg":"{algorithm}","kid":"heliostat-check"}}"#);
    let signed = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
    let opaque = auth.introspection_url.as_ref();
    let opaque = opaque.map(|url| ("door.auth.introspection-url", url));
    for (asked, token) in [(keys, signed), (opaque, "heliostat-check".to_owned())] {
        let Some((setting, url)) = asked else {
            continue;
        };
        let (verdict, words) = match tokens.authorize(&token).await {
            Err(refusal) if refusal.reason == Refused::Unavailable => {
                (Verdict::Failed, refusal.words.into_owned())
            }
            _ => (Verdict::Ok, "answers".to_owned()),
        };
        found.push(Found::new(format!("{setting} {url}"), verdict, words));
    }
}
