//! HTTP: connections, and bounds on what comes back.

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use heliostat_node::{
    Access, Room,
    room::TooLarge,
    unanswered::{Unanswered, innermost},
};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use super::Limits;
use crate::{defaults, error::Error};

/// A reply: its HTTP status and its whole body.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No connection.
    Connect(String),
    /// The connection ended before anything came back.
    Closed(String),
    /// HTTP 401 or 403.
    Refused(u16),
    /// The connection ended within the reply.
    Broken(String),
    /// The reply stalled.
    Silent,
    /// The reply exceeds this cap.
    TooLarge(usize),
}

/// How requests get to the node.
pub(super) enum Transport {
    Plain(Box<Client<HttpConnector, Full<Bytes>>>, Uri),
    Tls(reqwest::Client, reqwest::Url),
}

impl Transport {
    /// `url` has no credentials in it.
    pub fn new(url: reqwest::Url, limits: &Limits, access: &Access) -> Result<Self, Error> {
        if url.scheme() == "https" {
            let client = access
                .client(reqwest::Client::builder())
                .connect_timeout(limits.connect)
                .tcp_nodelay(true)
                .pool_idle_timeout(defaults::POOL_IDLE)
                .pool_max_idle_per_host(limits.in_flight)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build();
            let why = |error: reqwest::Error| error.without_url().to_string();
            let client = client.map_err(|error| Error::Client { why: why(error) })?;
            return Ok(Self::Tls(client, url));
        }
        let uri = url.as_str().parse().map_err(|_| Error::Address {
            why: "it is no URI".to_owned(),
        })?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits.connect));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(defaults::POOL_IDLE)
            .pool_max_idle_per_host(limits.in_flight)
            .http1_max_buf_size(defaults::READ_BUFFER)
            .build(connector);
        Ok(Self::Plain(Box::new(client), uri))
    }

    /// Sends a request and reads the reply, which may have `cap` bytes and may
    /// not fall silent for longer than `idle`.
    pub async fn post(
        &self,
        body: Bytes,
        login: Option<&HeaderValue>,
        cap: usize,
        idle: Duration,
        room: &Room,
    ) -> Result<Reply, Trouble> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        match self {
            Self::Plain(client, uri) => {
                let mut request = Request::post(uri.clone());
                if let Some(headers) = request.headers_mut() {
                    headers.insert(header::CONTENT_TYPE, JSON);
                    headers.extend(login.map(|login| (header::AUTHORIZATION, login.clone())));
                }
                let request = request.body(Full::new(body));
                let request = request.expect("the request is sound because its parts are");
                let response = client.request(request).await;
                let response = response
                    .map_err(|error| Trouble::from(Unanswered::of(&error, error.is_connect())))?;
                read(response, cap, idle, room).await
            }
            Self::Tls(client, url) => {
                let mut request = client.post(url.clone()).header(header::CONTENT_TYPE, JSON);
                if let Some(login) = login {
                    request = request.header(header::AUTHORIZATION, login);
                }
                let response = request.body(body).send().await;
                let response =
                    response.map_err(|error| Trouble::from(Unanswered::of_reqwest(error)))?;
                read(Response::<reqwest::Body>::from(response), cap, idle, room).await
            }
        }
    }
}

impl From<Unanswered> for Trouble {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::NotSent(words) => Self::Connect(words),
            Unanswered::Lost(words) => Self::Closed(words),
        }
    }
}

impl From<TooLarge> for Trouble {
    fn from(TooLarge(cap): TooLarge) -> Self {
        Self::TooLarge(cap)
    }
}

async fn read<B>(
    response: Response<B>,
    cap: usize,
    idle: Duration,
    room: &Room,
) -> Result<Reply, Trouble>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: StdError + 'static,
{
    let status = response.status();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(Trouble::Refused(status.as_u16()));
    }
    let mut body = response.into_body();
    let mut answer = room.answer(cap, body.size_hint().exact())?;
    loop {
        let frame = match timeout(idle, body.frame()).await {
            Err(_) => return Err(Trouble::Silent),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Trouble::Broken(innermost(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(data) = frame.into_data() {
            answer.take(data).await?;
        }
    }
    let body = answer.whole();
    Ok(Reply { status, body })
}
