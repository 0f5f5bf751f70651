//! Issuers that can be asked, and issuers that misbehave.

use std::time::Duration;

use heliostat_door::{Introspection, Keys, Refused, Secret, TokenOptions, Tokens};

use crate::{ask, asking, issuer::Issuer, options};

#[tokio::test]
async fn an_issuer_that_misbehaves_lets_nobody_in_and_is_named_as_the_reason() {
    let issuer = Issuer::start().await;
    let good = issuer.good().remove(0);
    let mut cases: Vec<(String, TokenOptions)> = [
        "huge", "slow", "trickle", "error", "redirect", "text", "object", "many", "missing",
    ]
    .into_iter()
    .map(|path| {
        let keys = Some(Keys::Url(format!("{}/{path}", issuer.url)));
        let timeout = Duration::from_millis(300);
        let changed = TokenOptions {
            keys,
            timeout,
            ..options(&issuer)
        };
        (path.to_owned(), changed)
    })
    .collect();
    let closed = TokenOptions {
        keys: Some(Keys::Url("http://127.0.0.1:1/jwks".to_owned())),
        ..options(&issuer)
    };
    cases.push(("closed".to_owned(), closed));
    for path in ["other-issuer", "plain-keys", "no-document"] {
        let changed = TokenOptions {
            issuer: Some(format!("{}/{path}", issuer.url)),
            keys: Some(Keys::Discovery),
            ..options(&issuer)
        };
        cases.push((path.to_owned(), changed));
    }
    for (name, changed) in cases {
        let asking = asking(Tokens::new(changed).expect(&name)).await;
        let (status, words) = ask(&asking, &[format!("Bearer {good}")]).await;
        assert_eq!(status, 503, "{name}: {words}");
        assert!(words.contains("issuer"), "{name}: {words}");
        assert_eq!(asking.connections.counts().refused["unavailable"], 1);
    }
    // An answer without keys is an answer: the token's key is unknown.
    for path in ["empty", "secrets"] {
        let keys = Some(Keys::Url(format!("{}/{path}", issuer.url)));
        let changed = TokenOptions {
            keys,
            ..options(&issuer)
        };
        let asking = asking(Tokens::new(changed).expect("good settings")).await;
        assert_eq!(ask(&asking, &[format!("Bearer {good}")]).await.0, 401);
    }
}

#[tokio::test]
async fn unknown_keys_are_asked_for_once_a_pause_and_found_when_they_are_new() {
    let issuer = Issuer::start().await;
    let asking_for = |refresh| {
        let changed = TokenOptions {
            refresh,
            ..options(&issuer)
        };
        Tokens::new(changed).expect("good settings")
    };
    let tokens = asking_for(Duration::from_secs(3_600));
    let new = issuer.rotated_in();
    for _ in 0..50 {
        let refusal = tokens.authorize(&new).await.expect_err("not known yet");
        assert_eq!(refusal.reason, Refused::Unauthenticated);
    }
    assert_eq!(issuer.fetches(), 1);
    for good in issuer.good() {
        tokens
            .authorize(&good)
            .await
            .expect("known keys still hold");
    }
    assert_eq!(issuer.fetches(), 1);

    let tokens = asking_for(Duration::ZERO);
    tokens.authorize(&new).await.expect_err("not known yet");
    issuer.rotate();
    let found = tokens.authorize(&new).await.expect("found");
    assert_eq!(found.subject, "alice");
}

#[tokio::test]
async fn discovery_finds_the_keys() {
    let issuer = Issuer::start().await;
    let changed = TokenOptions {
        keys: Some(Keys::Discovery),
        ..options(&issuer)
    };
    let tokens = Tokens::new(changed).expect("good settings");
    for good in issuer.good() {
        tokens.authorize(&good).await.expect("good");
    }
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_remembered_for_a_moment() {
    let issuer = Issuer::start().await;
    let asked = |path: &str| Introspection {
        url: format!("{}/{path}", issuer.url),
        client_id: "door:1".to_owned(),
        client_secret: Secret::new("p&ss word"),
    };
    let with = |path: &str| {
        let changed = TokenOptions {
            introspection: Some(asked(path)),
            timeout: Duration::from_millis(300),
            ..options(&issuer)
        };
        Tokens::new(changed).expect("good settings")
    };
    let tokens = with("introspect");
    for _ in 0..20 {
        let identity = tokens.authorize("opaque-good").await.expect("active");
        assert_eq!(identity.subject, "bob");
        assert_eq!(identity.scopes, ["read"]);
        let refusal = tokens.authorize("opaque-dead").await.expect_err("inactive");
        assert_eq!(refusal.reason, Refused::Unauthenticated);
    }
    assert_eq!(issuer.introspections(), 2);
    for bad in [
        "opaque-expired",
        "opaque-other-audience",
        "opaque-no-audience",
        "opaque-other-issuer",
        "opaque-future",
    ] {
        let refusal = tokens.authorize(bad).await.expect_err(bad);
        assert_eq!(refusal.reason, Refused::Unauthenticated, "{bad}");
    }
    let jwt = issuer.good().remove(0);
    tokens
        .authorize(&jwt)
        .await
        .expect("JWTs are not asked about");
    assert_eq!(issuer.introspections(), 7);
    for broken in [
        "huge", "slow", "error", "redirect", "text", "missing", "jwks",
    ] {
        let refusal = with(broken)
            .authorize("opaque-good")
            .await
            .expect_err(broken);
        assert_eq!(refusal.reason, Refused::Unavailable, "{broken}");
    }
    let wrong = Introspection {
        client_secret: Secret::new("wrong"),
        ..asked("introspect")
    };
    let changed = TokenOptions {
        introspection: Some(wrong),
        ..options(&issuer)
    };
    let tokens = Tokens::new(changed).expect("good settings");
    let refusal = tokens.authorize("opaque-good").await.expect_err("401");
    assert_eq!(refusal.reason, Refused::Unavailable);
}
