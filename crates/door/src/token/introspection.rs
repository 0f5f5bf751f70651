//! Opaque tokens: their issuer is asked (RFC 7662), and its answer is kept
//! for a moment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{
    Introspection, Secret,
    claims::Claims,
    fetch::{Fetcher, endpoint},
    refused,
};
use crate::{DoorError, counts::Refused, defaults, refusal::Refusal};

/// Asks one endpoint.
pub(super) struct Introspector {
    url: Url,
    authorization: Secret,
    fetcher: Fetcher,
    /// By the token's digest: what is in memory gives no access. `None` is a
    /// token that is not active.
    known: Mutex<HashMap<[u8; 32], Known>>,
    asking: Semaphore,
}

#[derive(Clone)]
struct Known {
    claims: Option<Claims>,
    until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    active: bool,
    #[serde(flatten)]
    claims: Claims,
}

impl Introspector {
    pub(super) fn new(setting: Introspection, fetcher: Fetcher) -> Result<Self, DoorError> {
        // RFC 6749, section 2.3.1.
        let id = utf8_percent_encode(&setting.client_id, NON_ALPHANUMERIC);
        let secret = utf8_percent_encode(setting.client_secret.reveal(), NON_ALPHANUMERIC);
        let pair = STANDARD.encode(format!("{id}:{secret}"));
        Ok(Self {
            url: endpoint(&setting.url)?,
            authorization: Secret::new(format!("Basic {pair}")),
            fetcher,
            known: Mutex::default(),
            asking: Semaphore::new(defaults::INTROSPECTIONS),
        })
    }

    /// The claims of an active token. They are not checked yet.
    pub(super) async fn ask(&self, token: &str) -> Result<Claims, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let claims = match self.known(&digest) {
            Some(known) => known.claims,
            None => self.fetch(token, digest).await?,
        };
        claims.ok_or_else(|| refused("the token is not active"))
    }

    fn known(&self, digest: &[u8; 32]) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(digest)?;
        (found.until > Instant::now()).then(|| found.clone())
    }

    async fn fetch(&self, token: &str, digest: [u8; 32]) -> Result<Option<Claims>, Refusal> {
        let _turn = self.asking.acquire().await;
        if let Some(known) = self.known(&digest) {
            return Ok(known.claims);
        }
        let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
        let form = format!("token={token}&token_type_hint=access_token");
        let basic = self.authorization.reveal();
        let answer = self
            .fetcher
            .post(&self.url, basic, form, defaults::MAX_INTROSPECTION);
        let answer: Answer = answer.await.map_err(|why| {
            tracing::warn!(why, "the tokens' issuer cannot be asked");
            let words = format!("the tokens' issuer cannot be asked: {why}");
            Refusal::new(Refused::Unavailable, words).after(Duration::from_secs(1))
        })?;
        let (claims, keep) = match answer.active {
            true => (Some(answer.claims), defaults::ACTIVE_KEPT),
            false => (None, defaults::INACTIVE_KEPT),
        };
        self.keep(digest, claims.clone(), keep);
        Ok(claims)
    }

    fn keep(&self, digest: [u8; 32], claims: Option<Claims>, keep: Duration) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= defaults::MAX_INTROSPECTED {
            known.retain(|_, known| known.until > now);
        }
        if known.len() < defaults::MAX_INTROSPECTED {
            let until = now + keep;
            known.insert(digest, Known { claims, until });
        }
    }
}
