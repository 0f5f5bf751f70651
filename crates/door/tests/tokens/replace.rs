//! Tokens that are asked for, no longer asked for, or others' while a door
//! serves.

use heliostat_door::{Changed, Door, Keys, Options, TokenOptions, Tokens};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{Asking, ask, issuer::Issuer, options};

fn rules(tokens: Option<Tokens>) -> Changed {
    Changed::from(&Options {
        tokens,
        ..Options::default()
    })
}

#[tokio::test]
async fn tokens_are_asked_for_from_the_next_request_on() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
    let door = Door::bind("127.0.0.1:0", Options::default()).await;
    let door = door.expect("a port");
    let (stop, reloader) = (CancellationToken::new(), door.reloader());
    let asking = Asking {
        url: format!("http://{}", door.local_addr()),
        connections: door.connections(),
        _stop: stop.clone().drop_guard(),
    };
    tokio::spawn(door.serve(router, stop));
    let token = |issuer: &Issuer| vec![format!("Bearer {}", issuer.token(json!({})))];
    assert_eq!(ask(&asking, &[]).await.0, 200);

    let made = || Tokens::new(options(&issuer)).expect("good settings");
    reloader.replace(rules(Some(made())));
    assert_eq!(ask(&asking, &[]).await.0, 401);
    assert_eq!(ask(&asking, &token(&issuer)).await.0, 200);
    assert_eq!(issuer.fetches(), 1);
    // The same settings: the keys that were fetched are kept.
    reloader.replace(rules(Some(made())));
    assert_eq!(ask(&asking, &token(&issuer)).await.0, 200);
    assert_eq!(issuer.fetches(), 1);

    let theirs = TokenOptions {
        keys: Some(Keys::Url(format!("{}/jwks", other.url))),
        ..options(&other)
    };
    reloader.replace(rules(Some(Tokens::new(theirs).expect("good settings"))));
    assert_eq!(ask(&asking, &token(&issuer)).await.0, 401);
    assert_eq!(ask(&asking, &token(&other)).await.0, 200);

    reloader.replace(rules(None));
    assert_eq!(ask(&asking, &[]).await.0, 200);
}
