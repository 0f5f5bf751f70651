//! Bearer tokens and their scopes.

use heliostat_zcash_proto::{
    ChainSpec, RawTransaction, compact_tx_streamer_client::CompactTxStreamerClient,
};
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    issuer::Issuer,
    rig::{HEIGHT, OBSERVE, Rig},
    running::Process,
};

/// A request with a token.
fn with<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

async fn newest(process: &Process, token: Option<&str>) -> Result<u64, Status> {
    let mut client = process.client().await;
    let request = token.map_or_else(
        || Request::new(ChainSpec {}),
        |token| with(ChainSpec {}, token),
    );
    let latest = client.get_latest_block(request).await;
    latest.map(|latest| latest.into_inner().height)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scopes_cover_and_nothing_else() {
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let process = rig.start(&(OBSERVE.to_owned() + &issuer.auth())).await;
    let reader = issuer.token("read", 600);
    assert_eq!(newest(&process, Some(&reader)).await.unwrap(), HEIGHT);

    let mut client = process.client().await;
    let send = client.send_transaction(with(RawTransaction::default(), &reader));
    let refused = send.await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert!(
        refused.message().contains("none of its scopes"),
        "{refused}"
    );

    for (token, words) in [
        (None, "authorization: Bearer TOKEN"),
        (Some("not.a.token".to_owned()), "token"),
        (Some(issuer.token("read", -120)), "expired"),
        (Some(Issuer::start().await.token("read", 600)), "token"),
    ] {
        let refused = newest(&process, token.as_deref()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        assert!(refused.message().contains(words), "{words}: {refused}");
    }
    let other = issuer.token("watch", 600);
    let refused = newest(&process, Some(&other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");

    let status = process.status().await;
    let refused = &status.doors["zcash"].refused;
    assert_eq!((refused["forbidden"], refused["unauthenticated"]), (2, 4));
    assert!(!process.logged().contains(&reader), "tokens are not logged");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_need_no_token_are_open() {
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let process = rig.start(&(OBSERVE.to_owned() + &issuer.auth())).await;
    let channel = tonic::transport::Endpoint::from_shared(process.grpc.clone());
    let channel = channel.unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await;
    assert!(answer.is_ok(), "{answer:?}");
    let mut client = CompactTxStreamerClient::new(channel);
    let closed = client.get_latest_block(ChainSpec {}).await;
    assert_eq!(closed.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_observe_address_asks_for_tokens_when_told_to() {
    let (rig, issuer) = (Rig::new().await, Issuer::start().await);
    let observe = format!("{OBSERVE}security = 'door'\n");
    let process = Process::run(&rig.configure(&(observe + &issuer.auth())));
    assert_eq!(process.code_of("/status").await, 401);
    let asked = |path: &str, scope: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", process.observe));
        request.bearer_auth(issuer.token(scope, 600)).send()
    };
    assert_eq!(asked("/status", "watch").await.unwrap().status(), 200);
    assert_eq!(asked("/evidence", "watch").await.unwrap().status(), 403);
    assert_eq!(asked("/status", "read").await.unwrap().status(), 403);
    assert_eq!(process.terminate(), Some(0));
}
