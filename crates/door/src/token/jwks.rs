//! The issuer's keys, fetched when needed and kept.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    Keys,
    fetch::{Fetcher, endpoint},
};
use crate::{DoorError, counts::Refused, defaults, refusal::Refusal};

/// One public key.
pub(super) struct Key {
    id: Option<String>,
    /// What it may be used with.
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

struct Fetched {
    keys: Vec<Arc<Key>>,
    at: Instant,
}

/// The keys of one issuer.
pub(super) struct Jwks {
    source: Source,
    fetcher: Fetcher,
    pause: Duration,
    current: ArcSwapOption<Fetched>,
    /// When keys were last asked for; held while they are.
    asked: Mutex<Option<Instant>>,
}

enum Source {
    Url(Url),
    Discovery { document: Url, issuer: String },
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Jwks {
    pub(super) fn new(
        keys: Keys,
        issuer: String,
        fetcher: Fetcher,
        pause: Duration,
    ) -> Result<Self, DoorError> {
        let source = match keys {
            Keys::Url(url) => Source::Url(endpoint(&url)?),
            Keys::Discovery => {
                let base = issuer.trim_end_matches('/');
                let document = endpoint(&format!("{base}/.well-known/openid-configuration"))?;
                Source::Discovery { document, issuer }
            }
        };
        Ok(Self {
            source,
            fetcher,
            pause,
            current: ArcSwapOption::empty(),
            asked: Mutex::new(None),
        })
    }

    /// The key a token names, for its algorithm. An unknown name makes the
    /// keys be fetched again, unless they were just now.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<Key>, Refusal> {
        let (found, fresh) = self.look(id, algorithm);
        if let (Some(key), true) = (&found, fresh) {
            return Ok(Arc::clone(key));
        }
        let failed = self.refresh().await.err();
        let (found, _) = self.look(id, algorithm);
        if let Some(key) = found {
            return Ok(key);
        }
        if self.current.load().is_some() {
            return Err(super::refused("the token is signed with an unknown key"));
        }
        let why = failed.unwrap_or("it could not be reached a moment ago");
        let words = format!("the keys of the tokens' issuer are not known: {why}");
        Err(Refusal::new(Refused::Unavailable, words).after(self.pause))
    }

    /// The key, and whether the set it is from is still fresh.
    fn look(&self, id: Option<&str>, algorithm: Algorithm) -> (Option<Arc<Key>>, bool) {
        let current = self.current.load();
        let Some(fetched) = current.as_ref() else {
            return (None, false);
        };
        let age = fetched.at.elapsed();
        if age > defaults::JWKS_STALE {
            return (None, false);
        }
        let mut fitting = fetched.keys.iter().filter(|key| {
            key.algorithms.contains(&algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id))
        });
        // Without a name, only where there is no choice.
        let key = match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(Arc::clone(key)),
            _ => None,
        };
        (key, age < defaults::JWKS_FRESH)
    }

    /// Fetches the keys, at most once a pause; those who come meanwhile wait
    /// for the one who does.
    async fn refresh(&self) -> Result<(), &'static str> {
        let waited = Instant::now();
        let mut asked = self.asked.lock().await;
        // Nobody gets in without any keys: then it is worth asking sooner.
        let pause = match self.current.load().is_some() {
            true => self.pause,
            false => self.pause.min(defaults::ISSUER_TIMEOUT),
        };
        if let Some(last) = *asked
            && (last >= waited || last.elapsed() < pause)
        {
            return Ok(());
        }
        *asked = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                let at = Instant::now();
                self.current.store(Some(Arc::new(Fetched { keys, at })));
                Ok(())
            }
            Err(why) => {
                tracing::warn!(why, "the keys of the tokens' issuer cannot be fetched");
                Err(why)
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Arc<Key>>, &'static str> {
        let limit = defaults::MAX_JWKS;
        let url = match &self.source {
            Source::Url(url) => url.clone(),
            Source::Discovery { document, issuer } => {
                let found: Discovered = self.fetcher.get(document, limit).await?;
                if found.issuer != *issuer {
                    return Err("its discovery document names another issuer");
                }
                let url = endpoint(&found.jwks_uri);
                url.map_err(|_| "its discovery document names no https address for the keys")?
            }
        };
        let set: Set = self.fetcher.get(&url, limit).await?;
        if set.keys.len() > defaults::MAX_KEYS {
            return Err("it has too many keys");
        }
        Ok(set.keys.into_iter().filter_map(Key::read).collect())
    }
}

impl Key {
    /// Reads a public signature key; anything else in a set is not for us.
    fn read(value: Value) -> Option<Arc<Self>> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let common = &jwk.common;
        let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|list| list.contains(&KeyOperations::Verify));
        if !for_signatures || !verifies {
            return None;
        }
        let mut algorithms = algorithms(&jwk.algorithm);
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Arc::new(Self {
            id: common.key_id.clone(),
            algorithms,
            key: DecodingKey::from_jwk(&jwk).ok()?,
        }))
    }
}

/// What a key of this kind can be used with; nothing for shared secrets,
/// which have no place in a public set.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => vec![EdDSA],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
