//! Requests to the issuer, of bounded size and time.

use std::{path::Path, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, Url, redirect::Policy};
use serde::de::DeserializeOwned;
use tokio::time;

use crate::{DoorError, files};

/// The client of one issuer.
#[derive(Clone)]
pub(super) struct Fetcher {
    direct: Client,
    proxied: Client,
    timeout: Duration,
}

impl Fetcher {
    /// With `ca`, only servers it vouches for are spoken to.
    pub(super) fn new(ca: Option<&Path>, timeout: Duration) -> Result<Self, DoorError> {
        let authorities = match ca {
            None => None,
            Some(path) => Some(authorities(path)?),
        };
        let build = |proxied: bool| {
            // A redirect could lead anywhere, with our credentials.
            let mut builder = Client::builder().redirect(Policy::none()).timeout(timeout);
            if !proxied {
                builder = builder.no_proxy();
            }
            if let Some(authorities) = &authorities {
                builder = builder.tls_certs_only(authorities.clone());
            }
            builder.build().map_err(|error| DoorError::Tokens {
                reason: format!("no HTTP client: {error}"),
            })
        };
        Ok(Self {
            direct: build(false)?,
            proxied: build(true)?,
            timeout,
        })
    }

    /// The client for `url`: this machine is not reached through a proxy.
    fn client(&self, url: &Url) -> &Client {
        match is_loopback(url) {
            true => &self.direct,
            false => &self.proxied,
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: &Url,
        limit: usize,
    ) -> Result<T, &'static str> {
        self.send(self.client(url).get(url.clone()), limit).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        authorization: &str,
        form: String,
        limit: usize,
    ) -> Result<T, &'static str> {
        let request = self
            .client(url)
            .post(url.clone())
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(request, limit).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<T, &'static str> {
        let fetch = async {
            let request = request.header("accept", "application/json");
            let reply = request.send().await;
            // Its words may have the address with a query in them.
            let mut reply = reply.map_err(|_| "it cannot be reached")?;
            if !reply.status().is_success() {
                return Err("it answers with an error");
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = reply.chunk().await.map_err(|_| "its answer breaks off")? {
                if bytes.len() + chunk.len() > limit {
                    return Err("its answer is too large");
                }
                bytes.extend_from_slice(&chunk);
            }
            serde_json::from_slice(&bytes).map_err(|_| "its answer makes no sense")
        };
        let answer = time::timeout(self.timeout, fetch).await;
        answer.unwrap_or(Err("it takes too long"))
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, DoorError> {
    let pem = files::read(path)?;
    let broken = |reason: String| DoorError::File {
        path: path.to_owned(),
        reason,
    };
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| broken(error.to_string()))?;
    if found.is_empty() {
        let reason = "there is no certificate in it; it needs PEM, BEGIN CERTIFICATE";
        return Err(broken(reason.to_owned()));
    }
    Ok(found)
}

/// Reads the URL of an issuer's endpoint.
///
/// # Errors
/// It is none, or would be spoken to in the clear over the network.
pub(super) fn endpoint(text: &str) -> Result<Url, DoorError> {
    let wrong = |reason: String| DoorError::Tokens {
        reason: format!("{text:?} {reason}"),
    };
    let url = Url::parse(text).map_err(|error| wrong(format!("is no URL: {error}")))?;
    let clear = url.scheme() == "http" && is_loopback(&url);
    if url.scheme() != "https" && !clear {
        let reason = "has to be https; only on this machine may it be http";
        return Err(wrong(reason.to_owned()));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
