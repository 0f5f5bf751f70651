//! A node behind TLS that wants to see a certificate and a token, and whoever
//! gives such tokens.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Extension, Form, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use heliostat_door::{ClientAuth, Door, Options, Peer, Tls, TlsFiles};
use heliostat_store::testing::Authority;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Whom it lets in, and who came.
#[derive(Default)]
struct Seen {
    /// The token it wants.
    wanted: Mutex<String>,
    /// The names in the certificates it was shown with a good token.
    names: Mutex<Vec<String>>,
    /// The tokens that were good.
    tokens: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Behind {
    node: String,
    client: reqwest::Client,
    seen: Arc<Seen>,
}

/// A node's address that is `https`, with everything passed on to a node.
pub struct Guarded {
    pub url: String,
    seen: Arc<Seen>,
    _folder: TempDir,
    _stop: DropGuard,
}

impl Guarded {
    /// In front of `node`, with a certificate by `servers`, for clients with
    /// one by `clients` and with `token`.
    pub async fn start(node: &str, servers: &Authority, clients: &Authority, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (certificate, key) = servers.sign("localhost");
        std::fs::write(path("node.pem"), certificate).unwrap();
        std::fs::write(path("node.key"), key).unwrap();
        std::fs::write(path("clients.pem"), clients.pem()).unwrap();
        let tls = Tls::load(TlsFiles {
            certificate: path("node.pem"),
            key: path("node.key"),
            client_ca: Some(path("clients.pem")),
            client_auth: ClientAuth::Required,
        });
        let options = Options {
            tls: Some(tls.unwrap()),
            ..Options::default()
        };
        let door = Door::bind("127.0.0.1:0", options).await.unwrap();
        let seen = Arc::new(Seen::default());
        token.clone_into(&mut seen.wanted.lock().unwrap());
        let behind = Behind {
            node: node.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            seen: Arc::clone(&seen),
        };
        let url = format!("https://localhost:{}", door.local_addr().port());
        let router = Router::new().fallback(pass).with_state(behind);
        let stop = CancellationToken::new();
        tokio::spawn(door.serve(router, stop.clone()));
        Self {
            url,
            seen,
            _folder: folder,
            _stop: stop.drop_guard(),
        }
    }

    /// Wants another token from now on.
    pub fn want(&self, token: &str) {
        token.clone_into(&mut self.seen.wanted.lock().unwrap());
    }

    /// The names of those who were let in.
    pub fn names(&self) -> Vec<String> {
        self.seen.names.lock().unwrap().clone()
    }

    /// Waits until somebody came with this token.
    pub async fn until_seen(&self, token: &str) {
        while !self
            .seen
            .tokens
            .lock()
            .unwrap()
            .iter()
            .any(|seen| seen == token)
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// Passes a question on for those who may ask.
async fn pass(
    State(behind): State<Behind>,
    Extension(peer): Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let wanted = behind.seen.wanted.lock().unwrap().clone();
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if shown != Some(&wanted) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let names = peer
        .certificate
        .iter()
        .flat_map(|shown| shown.names.clone());
    behind.seen.names.lock().unwrap().extend(names);
    behind.seen.tokens.lock().unwrap().push(wanted);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = behind
        .client
        .request(method, format!("{}{path}", behind.node));
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    match request.body(body).send().await {
        Ok(reply) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = reply.status();
            let kind = reply.headers().get(header::CONTENT_TYPE).cloned();
            response
                .headers_mut()
                .extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
            // Some answers last: a stream of heads.
            let pieces = futures::stream::unfold(reply, |mut reply| async move {
                let piece = reply.chunk().await.transpose()?;
                Some((piece, reply))
            });
            *response.body_mut() = Body::from_stream(pieces);
            response
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Gives tokens to those who know the secret.
pub struct Giver {
    pub url: String,
    given: Arc<Mutex<(String, u64)>>,
    _stop: DropGuard,
}

impl Giver {
    /// Gives `token`, which holds for `seconds`, to `heliostat` with this
    /// secret.
    pub async fn start(secret: &'static str, token: &str, seconds: u64) -> Self {
        let given = Arc::new(Mutex::new((token.to_owned(), seconds)));
        let giving = Arc::clone(&given);
        let give = move |headers: HeaderMap, Form(asked): Form<Vec<(String, String)>>| async move {
            use base64::Engine as _;
            let known = format!("heliostat:{secret}");
            let known = base64::engine::general_purpose::STANDARD.encode(known);
            let shown = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
            let scoped = asked.contains(&("scope".to_owned(), "rpc".to_owned()));
            if shown != format!("Basic {known}") || !scoped {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let (token, seconds) = giving.lock().unwrap().clone();
            Json(json!({"access_token": token, "token_type": "bearer", "expires_in": seconds}))
                .into_response()
        };
        let door = Door::bind("127.0.0.1:0", Options::default()).await.unwrap();
        let url = format!("http://{}/token", door.local_addr());
        let stop = CancellationToken::new();
        let router = Router::new().route("/token", post(give));
        tokio::spawn(door.serve(router, stop.clone()));
        Self {
            url,
            given,
            _stop: stop.drop_guard(),
        }
    }

    /// Gives another one from now on.
    pub fn give(&self, token: &str) {
        token.clone_into(&mut self.given.lock().unwrap().0);
    }
}
