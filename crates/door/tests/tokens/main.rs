//! Bearer tokens that hold and, mostly, that do not: every one of the latter
//! is refused, and no log line has anything of it.

mod cases;
mod issuer;
mod issuers;
mod lasting;
mod logs;
mod replace;
mod sizes;

use std::time::Duration;

use axum::{Router, extract::Extension, routing::get};
use heliostat_door::{Door, Identity, Keys, Options, ScopeRule, TokenOptions, Tokens};
use issuer::{Issuer, now};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A door that asks for tokens.
struct Asking {
    url: String,
    connections: heliostat_door::Connections,
    _stop: DropGuard,
}

async fn asking(tokens: Tokens) -> Asking {
    let who = |Extension(identity): Extension<Identity>, headers: http::HeaderMap| async move {
        assert!(!headers.contains_key("authorization"), "not for services");
        identity.subject
    };
    let router = Router::new()
        .route("/", get(who))
        .route("/health", get(|| async { "well" }))
        .route("/Service/Read", axum::routing::post(who))
        .route("/Service/Send", axum::routing::post(who));
    let options = Options {
        ledger: "zcash".to_owned(),
        tokens: Some(tokens),
        ..Options::default()
    };
    let door = Door::bind("127.0.0.1:0", options).await.expect("a port");
    let stop = CancellationToken::new();
    let asking = Asking {
        url: format!("http://{}", door.local_addr()),
        connections: door.connections(),
        _stop: stop.clone().drop_guard(),
    };
    tokio::spawn(door.serve(router, stop));
    asking
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}

/// Sends these values of `authorization`, and gives status and body.
async fn ask(asking: &Asking, values: &[String]) -> (u16, String) {
    ask_with(client(), asking, values).await
}

async fn ask_with(client: reqwest::Client, asking: &Asking, values: &[String]) -> (u16, String) {
    let mut request = client.get(format!("{}/", asking.url));
    for value in values {
        request = request.header("authorization", value);
    }
    let reply = request.send().await.expect("answered");
    let status = reply.status().as_u16();
    if status == 401 {
        let challenge = reply.headers()["www-authenticate"].to_str();
        let challenge = challenge.expect("text");
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
    }
    (status, reply.text().await.expect("a body"))
}

fn options(issuer: &Issuer) -> TokenOptions {
    TokenOptions {
        issuer: Some(issuer.url.clone()),
        audience: vec!["heliostat".to_owned()],
        keys: Some(Keys::Url(format!("{}/jwks", issuer.url))),
        timeout: Duration::from_secs(2),
        ..TokenOptions::default()
    }
}

#[tokio::test]
async fn bad_tokens_are_refused_and_never_logged() {
    let logs = logs::capture();
    let issuer = Issuer::start().await;
    let tokens = Tokens::new(TokenOptions {
        algorithms: vec![
            heliostat_door::Algorithm::RS256,
            heliostat_door::Algorithm::ES256,
            heliostat_door::Algorithm::EdDSA,
        ],
        ..options(&issuer)
    });
    let asking = asking(tokens.expect("good settings")).await;
    for good in issuer.good() {
        let reply = ask(&asking, &[format!("Bearer {good}")]).await;
        assert_eq!(reply, (200, "alice".to_owned()));
    }
    let cases = cases::bad(&issuer);
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut refused = 0;
    for case in &cases {
        let (status, words) = ask(&asking, &case.headers).await;
        assert_eq!(status, 401, "{}: {words}", case.name);
        let http2 = reqwest::Client::builder().no_proxy();
        let http2 = http2.http2_prior_knowledge().build().expect("a client");
        let again = ask_with(http2, &asking, &case.headers).await;
        assert_eq!(again, (status, words.clone()), "{}", case.name);
        refused += 2;
        for secret in case.secrets() {
            assert!(!words.contains(secret), "{}: {words}", case.name);
        }
    }
    let counts = asking.connections.counts();
    assert_eq!(counts.refused["unauthenticated"], refused);
    for good in issuer.good() {
        let reply = ask(&asking, &[format!("Bearer {good}")]).await;
        assert_eq!(reply.0, 200, "good ones still hold");
    }
    let logged = logs.text();
    assert!(!logged.is_empty(), "logs are captured");
    for case in &cases {
        for secret in case.secrets() {
            assert!(!logged.contains(secret), "{} is in the logs", case.name);
        }
    }
}

#[tokio::test]
async fn scopes_open_methods_and_grpc_says_so_in_its_own_words() {
    let issuer = Issuer::start().await;
    let rule = |scope: &str, method: &str| ScopeRule {
        scope: scope.to_owned(),
        ledger: "zcash".to_owned(),
        methods: vec![method.to_owned()],
    };
    let changed = TokenOptions {
        rules: vec![
            rule("read", "Read"),
            rule("root", "*"),
            rule("read", "GET /"),
        ],
        open: vec!["GET /health".to_owned()],
        ..options(&issuer)
    };
    let asking = asking(Tokens::new(changed).expect("good settings")).await;
    let token = |scope: &str| issuer.token(json!({"scope": scope, "exp": now() + 600}));
    let grpc = |path: &str, token: Option<String>| {
        let request = client().post(format!("{}{path}", asking.url));
        let request = request.header("content-type", "application/grpc");
        match token {
            Some(token) => request.bearer_auth(token).send(),
            None => request.send(),
        }
    };
    let status = |reply: &reqwest::Response| {
        let status = reply.headers().get("grpc-status")?;
        Some(status.to_str().expect("text").to_owned())
    };
    let reply = grpc("/Service/Read", None).await.expect("answered");
    assert_eq!(status(&reply).as_deref(), Some("16"));
    let reply = grpc("/Service/Send", Some(token("a read"))).await;
    let reply = reply.expect("answered");
    assert_eq!(status(&reply).as_deref(), Some("7"));
    let reply = grpc("/Service/Read", Some(token("a read"))).await;
    assert_eq!(status(&reply.expect("answered")), None);
    let reply = grpc("/Service/Send", Some(token("root"))).await;
    assert_eq!(status(&reply.expect("answered")), None);

    assert_eq!(
        ask(&asking, &[format!("bearer {}", token("read"))]).await.0,
        200
    );
    let reply = client().get(&asking.url).bearer_auth(token("write"));
    let reply = reply.send().await.expect("answered");
    assert_eq!(reply.status(), 403);
    let challenge = reply.headers()["www-authenticate"].to_str().expect("text");
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    let health = client().get(format!("{}/health", asking.url));
    assert_eq!(health.send().await.expect("answered").status(), 200);
    let counts = asking.connections.counts();
    assert_eq!(counts.refused["forbidden"], 2);
    assert_eq!(counts.refused["unauthenticated"], 1);
}

#[test]
fn settings_that_would_let_too_much_through_are_refused() {
    let good = TokenOptions {
        issuer: Some("https://issuer.example".to_owned()),
        audience: vec!["heliostat".to_owned()],
        keys: Some(Keys::Discovery),
        ..TokenOptions::default()
    };
    Tokens::new(good.clone()).expect("good settings");
    let keys = |url: &str| Some(Keys::Url(url.to_owned()));
    use heliostat_door::Algorithm::{HS256, RS256};
    let bad = [
        (
            "audience",
            TokenOptions {
                audience: Vec::new(),
                ..good.clone()
            },
        ),
        (
            "issuer",
            TokenOptions {
                issuer: None,
                ..good.clone()
            },
        ),
        (
            "JWKS",
            TokenOptions {
                keys: None,
                ..good.clone()
            },
        ),
        (
            "asymmetric",
            TokenOptions {
                algorithms: vec![RS256, HS256],
                ..good.clone()
            },
        ),
        (
            "asymmetric",
            TokenOptions {
                algorithms: Vec::new(),
                ..good.clone()
            },
        ),
        (
            "https",
            TokenOptions {
                keys: keys("http://issuer.example/jwks"),
                ..good.clone()
            },
        ),
        (
            "https",
            TokenOptions {
                keys: keys("file:///etc/passwd"),
                ..good.clone()
            },
        ),
        (
            "URL",
            TokenOptions {
                keys: keys("not a url"),
                ..good.clone()
            },
        ),
        (
            "ca.pem",
            TokenOptions {
                ca: Some("/nowhere/ca.pem".into()),
                ..good.clone()
            },
        ),
        (
            "method",
            TokenOptions {
                open: vec!["a*b".to_owned()],
                ..good
            },
        ),
    ];
    for (word, options) in bad {
        let error = Tokens::new(options).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}
