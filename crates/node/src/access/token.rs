//! The bearer token.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use heliostat_core::Fault;
use http::HeaderValue;
use tokio::{sync::Mutex, time::Instant};

use super::{
    AccessError, Bearer,
    file::{Stamp, first_line, first_line_later, stamps},
    oauth::Issuer,
};
use crate::defaults;

/// A token from wherever it comes.
pub(super) enum Token {
    Value(HeaderValue),
    File(Filed),
    Fetched(Arc<Issuer>),
}

/// A token in a file.
pub(super) struct Filed {
    path: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    header: HeaderValue,
    stamp: Vec<Option<Stamp>>,
    looked: Instant,
}

impl Token {
    pub fn open(bearer: &Bearer) -> Result<Self, AccessError> {
        Ok(match bearer {
            Bearer::Value(secret) => Self::Value(header(secret.reveal()).ok_or_else(|| {
                AccessError::Setting("the bearer token cannot stand in a header".to_owned())
            })?),
            Bearer::File(path) => {
                let stamp = stamps(std::slice::from_ref(path));
                let known = Known {
                    header: of_line(path, &first_line(path)?)?,
                    stamp,
                    looked: Instant::now(),
                };
                Self::File(Filed {
                    path: path.clone(),
                    known: Mutex::new(known),
                })
            }
            Bearer::Client(credentials) => Self::Fetched(Arc::new(Issuer::open(credentials)?)),
        })
    }

    pub async fn header(&self) -> Result<HeaderValue, Fault> {
        match self {
            Self::Value(header) => Ok(header.clone()),
            Self::File(file) => Ok(file.header(false).await),
            Self::Fetched(issuer) => issuer.header().await,
        }
    }

    pub async fn renewed(&self, used: &HeaderValue) -> Option<HeaderValue> {
        let now = match self {
            Self::Value(_) => return None,
            Self::File(file) => file.header(true).await,
            Self::Fetched(issuer) => issuer.another(used).await?,
        };
        (now != used).then_some(now)
    }

    pub fn hint(&self) -> String {
        match self {
            Self::Value(_) => "check the bearer token".to_owned(),
            Self::File(file) => {
                format!("check the bearer token in {}", file.path.display())
            }
            Self::Fetched(issuer) => format!(
                "check which scopes and audience {} gives to client {}",
                issuer.address(),
                issuer.client()
            ),
        }
    }
}

impl Filed {
    /// The token; the file is looked at again now and then, or at once. One
    /// that cannot be used any more leaves the old token in force.
    async fn header(&self, at_once: bool) -> HeaderValue {
        let mut known = self.known.lock().await;
        if !at_once && known.looked.elapsed() < defaults::ACCESS_LOOK {
            return known.header.clone();
        }
        known.looked = Instant::now();
        let path = self.path.clone();
        let stamp = tokio::task::spawn_blocking(move || stamps(&[path])).await;
        let stamp = stamp.unwrap_or_default();
        if stamp == known.stamp {
            return known.header.clone();
        }
        known.stamp = stamp;
        let line = first_line_later(self.path.clone()).await;
        match line.and_then(|line| of_line(&self.path, &line)) {
            Ok(header) => known.header = header,
            Err(error) => tracing::error!(%error, "bearer_token_not_reloaded"),
        }
        known.header.clone()
    }
}

fn of_line(path: &Path, line: &str) -> Result<HeaderValue, AccessError> {
    header(line)
        .ok_or_else(|| AccessError::file(path, "has a first line that cannot stand in a header"))
}

/// A token as a header's value, which does not show itself.
pub(super) fn header(token: &str) -> Option<HeaderValue> {
    let sound = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .ok()
        .filter(|_| sound)?;
    value.set_sensitive(true);
    Some(value)
}
