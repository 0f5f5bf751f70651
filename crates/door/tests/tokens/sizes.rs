//! The sizes of tokens, key sets and answers, at the limit and one beyond.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, routing::any};
use heliostat_door::{
    Door, Introspection, Keys, Options, Refused, Secret, TokenOptions, Tokens, defaults,
};
use serde_json::json;
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{issuer::Issuer, options};

/// Answers every question with these bytes.
async fn answering(bytes: Vec<u8>) -> (String, DropGuard) {
    let door = Door::bind("127.0.0.1:0", Options::default()).await;
    let door = door.expect("a port");
    let url = format!("http://{}/", door.local_addr());
    let bytes = Bytes::from(bytes);
    let router = Router::new().route("/", any(move || async move { bytes }));
    let stop = CancellationToken::new();
    tokio::spawn(door.serve(router, stop.clone()));
    (url, stop.drop_guard())
}

/// This document with spaces after it, so that it has `length` bytes.
fn padded(document: &serde_json::Value, length: usize) -> Vec<u8> {
    let mut bytes = document.to_string().into_bytes();
    assert!(bytes.len() <= length);
    bytes.resize(length, b' ');
    bytes
}

#[tokio::test]
async fn a_token_may_be_as_long_as_the_limit() {
    let issuer = Issuer::start().await;
    let tokens = Tokens::new(options(&issuer)).expect("good settings");
    // Base64 has no text of every length: a little more in the header makes up
    // for it.
    let token = |length: usize| {
        (0..4).find_map(|more| {
            let mut header = issuer.rsa.header();
            header.cty = Some("x".repeat(more));
            (5_000..6_000).find_map(|pad| {
                let claims = issuer.claims(json!({"pad": "x".repeat(pad)}));
                let token_length = issuer.rsa.length(&header, &claims);
                (token_length == length).then(|| issuer.rsa.sign(&header, &claims))
            })
        })
    };
    let longest = token(defaults::MAX_TOKEN).expect("one of that length");
    assert_eq!(longest.len(), defaults::MAX_TOKEN);
    tokens.authorize(&longest).await.expect("at the limit");
    let beyond = token(defaults::MAX_TOKEN + 1).expect("one of that length");
    let refusal = tokens.authorize(&beyond).await.expect_err("one beyond");
    assert_eq!(refusal.reason, Refused::Unauthenticated);
    assert!(refusal.words.contains("too long"), "{}", refusal.words);
}

#[tokio::test]
async fn a_key_set_may_be_as_large_and_have_as_many_keys_as_the_limits() {
    let issuer = Issuer::start().await;
    let good = issuer.token(json!({}));
    let set = |count: usize| {
        let others = (1..count).map(|n| {
            let mut key = issuer.rsa.jwk.clone();
            key["kid"] = json!(n.to_string());
            key
        });
        let keys: Vec<_> = std::iter::once(issuer.rsa.jwk.clone())
            .chain(others)
            .collect();
        json!({ "keys": keys })
    };
    for (document, holds) in [
        (padded(&set(1), defaults::MAX_JWKS), true),
        (padded(&set(1), defaults::MAX_JWKS + 1), false),
        (set(defaults::MAX_KEYS).to_string().into_bytes(), true),
        (set(defaults::MAX_KEYS + 1).to_string().into_bytes(), false),
    ] {
        let (url, _stop) = answering(document).await;
        let tokens = Tokens::new(TokenOptions {
            keys: Some(Keys::Url(url)),
            ..options(&issuer)
        });
        let tokens = tokens.expect("good settings");
        match tokens.authorize(&good).await {
            Ok(_) => assert!(holds),
            Err(refusal) => {
                assert!(!holds, "{}", refusal.words);
                assert_eq!(refusal.reason, Refused::Unavailable);
                assert!(refusal.words.contains("too"), "{}", refusal.words);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_about_a_token_may_be_as_large_as_the_limit() {
    let issuer = Issuer::start().await;
    let active = json!({"active": true, "sub": "bob", "aud": "heliostat"});
    for (beyond, holds) in [(0, true), (1, false)] {
        let length = defaults::MAX_INTROSPECTION + beyond;
        let (url, _stop) = answering(padded(&active, length)).await;
        let tokens = Tokens::new(TokenOptions {
            introspection: Some(Introspection {
                url,
                client_id: "door".to_owned(),
                client_secret: Secret::new("secret"),
            }),
            ..options(&issuer)
        });
        let tokens = tokens.expect("good settings");
        assert_eq!(tokens.authorize("opaque").await.is_ok(), holds);
    }
}

#[tokio::test]
async fn an_issuer_is_asked_about_as_many_tokens_at_once_as_the_limit() {
    let issuer = Issuer::start().await;
    let door = Door::bind("127.0.0.1:0", Options::default()).await;
    let door = door.expect("a port");
    let url = format!("http://{}/", door.local_addr());
    let (asked, gate) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(0)));
    let answer = {
        let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
        move || {
            let gate = Arc::clone(&gate);
            asked.fetch_add(1, SeqCst);
            async move {
                gate.acquire().await.expect("open").forget();
                json!({"active": true, "sub": "bob", "aud": "heliostat"}).to_string()
            }
        }
    };
    let stop = CancellationToken::new();
    let router = Router::new().route("/", any(answer));
    let serving = tokio::spawn(door.serve(router, stop.clone()));
    let tokens = Tokens::new(TokenOptions {
        introspection: Some(Introspection {
            url,
            client_id: "door".to_owned(),
            client_secret: Secret::new("secret"),
        }),
        timeout: Duration::from_secs(60),
        ..options(&issuer)
    });
    let tokens = tokens.expect("good settings");
    let questions: Vec<_> = (0..=defaults::INTROSPECTIONS)
        .map(|n| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.authorize(&format!("opaque-{n}")).await.is_ok() })
        })
        .collect();
    while asked.load(SeqCst) < defaults::INTROSPECTIONS {
        sleep(Duration::from_millis(5)).await;
    }
    // Time for one more to be asked about, if it were.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(asked.load(SeqCst), defaults::INTROSPECTIONS);
    gate.add_permits(1);
    while asked.load(SeqCst) == defaults::INTROSPECTIONS {
        sleep(Duration::from_millis(5)).await;
    }
    gate.add_permits(defaults::INTROSPECTIONS);
    for question in questions {
        assert!(question.await.expect("no panic"));
    }
    assert_eq!(asked.load(SeqCst), defaults::INTROSPECTIONS + 1);
    stop.cancel();
    serving.await.expect("the door drains");
}
