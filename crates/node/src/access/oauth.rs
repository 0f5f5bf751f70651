//! Tokens for client credentials (RFC 6749, section 4.4).
//!
//! A token is renewed when four fifths of its life have passed, while the old
//! one still goes with requests. One question at a time goes to the issuer, and
//! after one that failed there is a pause.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use heliostat_core::Fault;
use http::HeaderValue;
use oauth2::{
    ClientId, ClientSecret as Secret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse as _, TokenUrl, basic::BasicClient,
};
use reqwest::{Url, redirect::Policy};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{
    AccessError, AccessOptions, ClientCredentials, ClientSecret, file::first_line,
    file::first_line_later, is_loopback, tls, token::header,
};
use crate::defaults;

/// Who gives tokens.
pub(super) struct Issuer {
    /// Host and port of the token endpoint: what may be shown.
    address: String,
    token_url: TokenUrl,
    client: ClientId,
    secret: ClientSecret,
    scopes: Vec<Scope>,
    audience: Option<String>,
    http: reqwest::Client,
    /// Held while the issuer is asked.
    asking: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    token: Option<Fetched>,
    /// The last failure, and until when nobody is asked again.
    failed: Option<(Fault, Instant)>,
    renewing: Option<AbortOnDropHandle<()>>,
}

#[derive(Clone)]
struct Fetched {
    header: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
}

/// A reply of the issuer that cannot be used. Its words may repeat what we
/// sent, so they are not kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(&'static str);

impl Issuer {
    pub fn open(options: &ClientCredentials) -> Result<Self, AccessError> {
        let wrong = |why: &str| AccessError::Setting(format!("the token endpoint {why}"));
        let url: Url = options
            .token_url
            .parse()
            .map_err(|_| wrong("is no URL; write https://HOST/PATH"))?;
        let clear = url.scheme() == "http" && is_loopback(&url);
        if url.scheme() != "https" && !clear {
            return Err(wrong(
                "has to be https; only on this machine may it be http",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "has credentials in it; set the client's name and secret",
            ));
        }
        if let ClientSecret::File(path) = &options.client_secret {
            first_line(path)?;
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(defaults::ISSUER_TIMEOUT)
            .timeout(defaults::ISSUER_TIMEOUT)
            // A redirect could lead anywhere, with our credentials.
            .redirect(Policy::none())
            .no_proxy();
        let trust = AccessOptions {
            ca_file: options.ca_file.clone(),
            ..AccessOptions::default()
        };
        if let Some(config) = tls::config(&trust)? {
            http = http.tls_backend_preconfigured(config);
        }
        let http = http
            .build()
            .map_err(|_| wrong("cannot be spoken to: no HTTP client"))?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self {
            address: format!("{}://{host}:{port}", url.scheme()),
            token_url: TokenUrl::from_url(url),
            client: ClientId::new(options.client_id.clone()),
            secret: options.client_secret.clone(),
            scopes: options.scopes.iter().cloned().map(Scope::new).collect(),
            audience: options.audience.clone(),
            http,
            asking: tokio::sync::Mutex::default(),
            inner: Mutex::default(),
        })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn client(&self) -> &str {
        &self.client
    }

    /// The token in force; one that is nearly over is renewed behind the
    /// scenes, one that is over is waited for.
    pub async fn header(self: &Arc<Self>) -> Result<HeaderValue, Fault> {
        {
            let mut inner = self.inner();
            let now = Instant::now();
            if let Some(token) = inner.token.clone().filter(|token| now < token.ends_at) {
                let busy = inner
                    .renewing
                    .as_ref()
                    .is_some_and(|task| !task.is_finished());
                if now >= token.renew_at && !busy {
                    // It holds the issuer only while it asks, which is bounded
                    // in time.
                    let (issuer, old) = (Arc::clone(self), token.header.clone());
                    let task = tokio::spawn(async move {
                        let _told_in_an_event = issuer.fetch(Some(&old)).await;
                    });
                    inner.renewing = Some(AbortOnDropHandle::new(task));
                }
                return Ok(token.header);
            }
        }
        self.fetch(None).await
    }

    /// A token other than `used`, which was refused.
    pub async fn another(&self, used: &HeaderValue) -> Option<HeaderValue> {
        let known = self.inner().token.clone();
        if let Some(token) = known.filter(|token| token.header != used) {
            return Some(token.header);
        }
        self.fetch(Some(used)).await.ok()
    }

    /// Asks the issuer, unless somebody else just did: `old` is what is not
    /// wanted any more.
    async fn fetch(&self, old: Option<&HeaderValue>) -> Result<HeaderValue, Fault> {
        let _alone = self.asking.lock().await;
        {
            let inner = self.inner();
            let now = Instant::now();
            let fresh = inner.token.as_ref().filter(|token| now < token.ends_at);
            if let Some(token) = fresh.filter(|token| Some(&token.header) != old) {
                return Ok(token.header.clone());
            }
            if let Some((fault, until)) = &inner.failed
                && now < *until
            {
                return Err(fault.clone());
            }
        }
        let asked = self.ask().await;
        let mut inner = self.inner();
        match asked {
            Ok(token) => {
                let header = token.header.clone();
                inner.token = Some(token);
                inner.failed = None;
                Ok(header)
            }
            Err(fault) => {
                tracing::warn!(issuer = self.address, why = %fault, "token_not_renewed");
                inner.failed = Some((fault.clone(), Instant::now() + defaults::ISSUER_PAUSE));
                Err(fault)
            }
        }
    }

    async fn ask(&self) -> Result<Fetched, Fault> {
        let secret = match &self.secret {
            ClientSecret::Value(secret) => secret.reveal().to_owned(),
            ClientSecret::File(path) => self.read_secret(path.clone()).await?,
        };
        let client = BasicClient::new(self.client.clone())
            .set_client_secret(Secret::new(secret))
            .set_token_uri(self.token_url.clone());
        let mut request = client.exchange_client_credentials();
        for scope in &self.scopes {
            request = request.add_scope(scope.clone());
        }
        if let Some(audience) = &self.audience {
            request = request.add_extra_param("audience", audience);
        }
        let begun = Instant::now();
        let send = |request: HttpRequest| send(self.http.clone(), request);
        let reply = request.request_async(&send).await.map_err(|error| {
            let address = &self.address;
            match error {
                RequestTokenError::ServerResponse(refusal) => Fault::Unsupported(format!(
                    "the issuer {address} gives no token: {}; check client-id, the secret in \
                     client-secret-file, and scopes",
                    printable(refusal.error().as_ref())
                )),
                RequestTokenError::Request(unusable) => {
                    Fault::Unreachable(format!("the issuer {address} {unusable}"))
                }
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                    Fault::Unreachable(format!(
                        "the issuer {address} answers without a token; check token-url, and \
                         whether it knows client {:?} with the secret in client-secret-file",
                        self.client.as_str()
                    ))
                }
            }
        })?;
        let header = header(reply.access_token().secret()).ok_or_else(|| {
            let address = &self.address;
            Fault::Unreachable(format!("the token of {address} cannot stand in a header"))
        })?;
        let life = reply.expires_in().unwrap_or(defaults::TOKEN_LIFE);
        Ok(Fetched {
            header,
            renew_at: begun + renewal(life),
            ends_at: begun + life.min(defaults::TOKEN_LIFE_MOST),
        })
    }

    async fn read_secret(&self, path: PathBuf) -> Result<String, Fault> {
        let line = first_line_later(path).await;
        line.map_err(|error| Fault::Unsupported(format!("the client secret: {error}")))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When in its life a token is renewed.
fn renewal(life: Duration) -> Duration {
    life.min(defaults::TOKEN_LIFE_MOST) * 4 / 5
}

/// An error code as it may be shown.
fn printable(code: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_' || *c == '-';
    code.chars().filter(plain).take(64).collect()
}

/// Sends a request of the library with our client, bounded in bytes.
async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unusable> {
    let (head, body) = request.into_parts();
    let url: Url = head
        .uri
        .to_string()
        .parse()
        .map_err(|_| Unusable("has an address that is no URL"))?;
    let sent = client
        .request(head.method, url)
        .headers(head.headers)
        .body(body)
        .send();
    let mut reply = sent.await.map_err(|error| match error.is_timeout() {
        true => Unusable("does not answer in time"),
        false => Unusable("cannot be reached; is it running, and is its certificate trusted?"),
    })?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = reply.status();
    *response.headers_mut() = std::mem::take(reply.headers_mut());
    while let Some(piece) = reply
        .chunk()
        .await
        .map_err(|_| Unusable("breaks off its answer"))?
    {
        if response.body().len() + piece.len() > defaults::ISSUER_REPLY {
            return Err(Unusable("sends an answer that is too large"));
        }
        response.body_mut().extend_from_slice(&piece);
    }
    Ok(response)
}
