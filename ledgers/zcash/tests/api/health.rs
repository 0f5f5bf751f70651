//! Health and reflection, for load balancers and tools.

use heliostat_zcash::api::SERVICE;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use crate::rig::{Plan, Rig, first_node};

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn health_follows_the_chain() {
    let node = first_node().await;
    node.stop().await;
    let rig = Rig::unsynced(node, Plan::default()).await;
    let mut health = HealthClient::new(rig.channel().await);
    let before = health
        .check(about(""))
        .await
        .expect("it answers")
        .into_inner();
    assert_eq!(before.status(), ServingStatus::NotServing);
    let watch = health.watch(about(SERVICE)).await.expect("it answers");
    let mut watch = watch.into_inner();
    let mut next = async || {
        watch
            .message()
            .await
            .expect("it goes on")
            .expect("for ever")
            .status()
    };
    assert_eq!(next().await, ServingStatus::NotServing);
    rig.node.resume().await;
    assert_eq!(next().await, ServingStatus::Serving);
    let up = health
        .check(about(SERVICE))
        .await
        .expect("it answers")
        .into_inner();
    assert_eq!(up.status(), ServingStatus::Serving);
    rig.node.stop().await;
    assert_eq!(next().await, ServingStatus::NotServing);
    rig.node.resume().await;
    assert_eq!(next().await, ServingStatus::Serving);
}

#[tokio::test]
async fn a_service_nobody_knows_has_no_health() {
    let rig = Rig::new().await;
    let mut health = HealthClient::new(rig.channel().await);
    let check = health
        .check(about("nobody"))
        .await
        .expect_err("it is unknown");
    assert_eq!(check.code(), Code::NotFound);
    let watch = health.watch(about("nobody")).await.expect("it answers");
    let first = watch
        .into_inner()
        .message()
        .await
        .expect("it goes on")
        .expect("for ever");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
}

const LISTED: [&str; 3] = [SERVICE, "grpc.health.v1.Health", "grpc.reflection"];

#[tokio::test]
async fn reflection_v1_lists_and_describes_the_service() {
    use v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let rig = Rig::new().await;
    let mut client = ServerReflectionClient::new(rig.channel().await);
    let ask = |request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    // As tools do: the second question once the first is answered, and the
    // stream of questions stays open meanwhile.
    let (questions, asked) = tokio::sync::mpsc::unbounded_channel();
    let asked = tokio_stream::wrappers::UnboundedReceiverStream::new(asked);
    questions
        .send(ask(MessageRequest::ListServices(String::new())))
        .expect("the stream is open");
    let replies = client.server_reflection_info(asked).await;
    let mut replies = replies.expect("it answers").into_inner();
    let mut next = async || {
        let reply = replies
            .message()
            .await
            .expect("it goes on")
            .expect("it was asked");
        reply.message_response.expect("there is an answer")
    };
    let MessageResponse::ListServicesResponse(list) = next().await else {
        panic!("no list");
    };
    for name in LISTED {
        assert!(
            list.service.iter().any(|one| one.name.starts_with(name)),
            "{name}"
        );
    }
    let symbol = format!("{SERVICE}.GetBlockRange");
    questions
        .send(ask(MessageRequest::FileContainingSymbol(symbol)))
        .expect("the stream is open");
    let MessageResponse::FileDescriptorResponse(files) = next().await else {
        panic!("no file");
    };
    assert!(!files.file_descriptor_proto.is_empty());
}

#[tokio::test]
async fn reflection_v1alpha_lists_the_service() {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let rig = Rig::new().await;
    let mut client = ServerReflectionClient::new(rig.channel().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let replies = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    let reply = replies.expect("it answers").into_inner().message().await;
    let reply = reply
        .expect("it goes on")
        .expect("one was asked")
        .message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = reply else {
        panic!("no list");
    };
    for name in LISTED {
        assert!(
            list.service.iter().any(|one| one.name.starts_with(name)),
            "{name}"
        );
    }
}
