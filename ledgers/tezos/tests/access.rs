//! Endpoints that want a token.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode};
use heliostat_node::access::{Access, AccessOptions, Bearer, Secret};
use heliostat_tezos::endpoint::{Answer, Endpoint, Limits};

type Wanted = Arc<Mutex<&'static str>>;

async fn answer(State(wanted): State<Wanted>, headers: HeaderMap) -> (StatusCode, &'static str) {
    let wanted = format!("Bearer {}", wanted.lock().expect("no panic"));
    match headers.get("authorization") {
        Some(token) if token == wanted.as_str() => (StatusCode::OK, "\"NetXdQprcVkpaWU\""),
        _ => (StatusCode::UNAUTHORIZED, ""),
    }
}

#[tokio::test]
async fn an_endpoint_is_asked_with_a_token_that_is_read_again_when_it_is_refused() {
    let wanted = Wanted::new(Mutex::new("s3cret-one"));
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&wanted));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback has ports");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serving = tokio::spawn(async move {
        axum::serve(listener, app).await.expect("it serves");
    });
    let token = std::env::temp_dir().join(format!("heliostat-token-{}", std::process::id()));
    std::fs::write(&token, "s3cret-one\n").expect("written");
    let options = AccessOptions {
        bearer: Some(Bearer::File(token.clone())),
        ..AccessOptions::default()
    };
    let access = Access::open(&options).expect("the file is sound");
    let node = Endpoint::secured(&url, Limits::default(), access).expect("they go together");
    let ask = || node.get_json("/chains/main/chain_id", 1_000);
    assert!(matches!(ask().await, Ok(Answer::Value(_))));
    *wanted.lock().expect("no panic") = "s3cret-two!";
    std::fs::write(&token, "s3cret-two!\n").expect("written");
    assert!(matches!(ask().await, Ok(Answer::Value(_))));
    *wanted.lock().expect("no panic") = "another";
    assert!(!matches!(ask().await, Ok(Answer::Value(_))));
    std::fs::remove_file(&token).expect("it is there");
    serving.abort();
}

#[test]
fn an_endpoint_gets_one_kind_of_credentials_and_no_token_in_the_clear() {
    for (url, words) in [
        ("https://user:s3cret@localhost", "remove one of them"),
        ("http://node.example", "in the clear"),
    ] {
        let options = AccessOptions {
            bearer: Some(Bearer::Value(Secret::new("s3cret"))),
            ..AccessOptions::default()
        };
        let access = Access::open(&options).expect("it is sound");
        let error = Endpoint::secured(url, Limits::default(), access).err();
        let said = error.expect("not both").to_string();
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}
