//! Tokens that end while what they opened goes on: gRPC streams, WebSockets
//! and protocols without headers. All three also show that tokens are asked
//! for there as everywhere.

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::get,
};
use futures::{SinkExt, StreamExt};
use heliostat_door::{Door, Options, RawStream, ScopeRule, TokenOptions, Tokens};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, client::IntoClientRequest},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, service::Routes, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    issuer::{Issuer, now},
    options,
};

/// A token of this scope that holds for some seconds more, because of the
/// leeway.
fn ending(issuer: &Issuer, scope: &str) -> String {
    issuer.token(json!({"scope": scope, "exp": now() - 55}))
}

fn lasting(issuer: &Issuer, scope: &str) -> String {
    issuer.token(json!({"scope": scope}))
}

fn tokens(issuer: &Issuer) -> Options {
    let rule = |scope: &str, methods: &[&str]| ScopeRule {
        scope: scope.to_owned(),
        ledger: "zcash".to_owned(),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
    };
    let tokens = Tokens::new(TokenOptions {
        rules: vec![
            rule("watch", &["Watch", "GET /ws", "echo"]),
            rule("check", &["Check"]),
        ],
        ..options(issuer)
    });
    Options {
        ledger: "zcash".to_owned(),
        tokens: Some(tokens.expect("good settings")),
        ..Options::default()
    }
}

/// What a client asks, with a token.
fn asking(token: Option<&str>) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().expect("text");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

#[tokio::test]
async fn a_grpc_client_needs_a_token_and_its_stream_ends_with_it() {
    let issuer = Issuer::start().await;
    let door = Door::bind("127.0.0.1:0", tokens(&issuer)).await;
    let door = door.expect("a port");
    let (url, connections) = (format!("http://{}", door.local_addr()), door.connections());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(health).into_axum_router();
    let stop = CancellationToken::new();
    let task = tokio::spawn(door.serve(routes, stop.clone()));
    let channel = Channel::from_shared(url).expect("a URL").connect().await;
    let mut client = HealthClient::new(channel.expect("open"));

    let status = client.check(asking(None)).await.expect_err("no token");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("Bearer"), "{status}");
    let watch = lasting(&issuer, "watch");
    let status = client.check(asking(Some(&watch))).await;
    let status = status.expect_err("another scope");
    assert_eq!(status.code(), Code::PermissionDenied);
    let check = lasting(&issuer, "check");
    client.check(asking(Some(&check))).await.expect("answered");

    let stays = client.watch(asking(Some(&watch))).await;
    let mut stays = stays.expect("answered").into_inner();
    stays.message().await.expect("good").expect("a state");
    let ends = client.watch(asking(Some(&ending(&issuer, "watch")))).await;
    let mut ends = ends.expect("answered").into_inner();
    ends.message().await.expect("good").expect("a state");
    let status = ends.message().await.expect_err("the token ended");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("new one"), "{status}");
    assert_eq!(connections.counts().cut["expired"], 1);
    // The connection and what else is on it goes on.
    client.check(asking(Some(&check))).await.expect("answered");
    let next = tokio::time::timeout(std::time::Duration::from_millis(50), stays.message());
    next.await.expect_err("still open, with nothing to say");
    assert_eq!(connections.accepted(), 1);
    drop((client, stays, ends));
    stop.cancel();
    task.await.expect("the door drains");
}

#[tokio::test]
async fn a_websocket_needs_a_token_and_ends_with_it() {
    async fn echo(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
    let issuer = Issuer::start().await;
    let door = Door::bind("127.0.0.1:0", tokens(&issuer)).await;
    let door = door.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let upgrade = |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(echo) };
    let stop = CancellationToken::new();
    let router = Router::new().route("/ws", get(upgrade));
    let task = tokio::spawn(door.serve(router, stop.clone()));
    let open = |token: Option<String>| async move {
        let request = format!("ws://{address}/ws").into_client_request();
        let mut request = request.expect("a URL");
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("text");
            request.headers_mut().insert("authorization", value);
        }
        let tcp = TcpStream::connect(address).await.expect("open");
        client_async(request, tcp).await.map(|(socket, _)| socket)
    };
    for (token, status) in [
        (None, 401),
        (Some("a.b.c".to_owned()), 401),
        (Some(lasting(&issuer, "check")), 403),
    ] {
        let refused = open(token).await.expect_err("refused");
        assert!(matches!(refused, Error::Http(reply) if reply.status() == status));
    }
    let stays = open(Some(lasting(&issuer, "watch"))).await;
    let mut stays = stays.expect("let in");
    let ends = open(Some(ending(&issuer, "watch"))).await;
    let mut ends = ends.expect("let in");
    for socket in [&mut stays, &mut ends] {
        socket.send("hello".into()).await.expect("sent");
        socket.next().await.expect("an answer").expect("whole");
    }
    while let Some(Ok(_)) = ends.next().await {}
    assert_eq!(connections.counts().cut["expired"], 1);
    stays.send("hello".into()).await.expect("sent");
    stays.next().await.expect("an answer").expect("whole");
    drop((stays, ends));
    stop.cancel();
    task.await.expect("the door drains");
}

/// Each line is a token; the answer is whose it is, or why it is refused.
async fn names(stream: RawStream) {
    stream.enter(None).expect("no lists");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let checked = stream.get_ref().authorize(line.trim(), "echo").await;
        let answer = match checked {
            Ok(identity) => identity.expect("tokens are asked for").subject,
            Err(refusal) => refusal.words.into_owned(),
        };
        let answer = stream.write_all(format!("{answer}\n").as_bytes()).await;
        if answer.is_err() {
            return;
        }
        line.clear();
    }
}

#[tokio::test]
async fn a_protocol_without_headers_checks_tokens_by_itself() {
    let issuer = Issuer::start().await;
    let door = Door::bind("127.0.0.1:0", tokens(&issuer)).await;
    let door = door.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let stop = CancellationToken::new();
    let task = tokio::spawn(door.serve_raw(names, stop.clone()));
    let stream = TcpStream::connect(address).await.expect("open");
    let mut stream = BufReader::new(stream);
    let mut ask = async |token: &str| {
        let line = format!("{token}\n");
        stream.write_all(line.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_line(&mut answer).await.expect("an answer");
        answer
    };
    assert!(ask("a.b.c").await.contains("no JWT"));
    let other = ask(&lasting(&issuer, "check")).await;
    assert!(other.contains("scopes"), "{other}");
    assert_eq!(ask(&ending(&issuer, "watch")).await, "alice\n");
    // A later token takes the place of the one before.
    assert_eq!(ask(&lasting(&issuer, "watch")).await, "alice\n");
    assert_eq!(ask(&ending(&issuer, "watch")).await, "alice\n");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("it ends");
    let counts = connections.counts();
    assert_eq!(counts.cut["expired"], 1);
    assert_eq!(counts.refused["unauthenticated"], 1);
    assert_eq!(counts.refused["forbidden"], 1);
    stop.cancel();
    task.await.expect("the door drains");
}
