use heliostat_core::{Evidence, Id};

use super::*;

fn upstreams(roles: &[Role]) -> Upstreams<()> {
    let name = |(index, role): (usize, &Role)| (format!("node-{index}"), *role, ());
    Upstreams::new(roles.iter().enumerate().map(name).collect())
}

fn best<S>(set: &Upstreams<S>) -> Option<String> {
    set.best().map(|upstream| upstream.name().to_owned())
}

fn head(height: u64) -> Served {
    Served::Head(Point {
        height,
        id: Id::default(),
    })
}

fn lie() -> Fault {
    Fault::Wrong(Evidence {
        rule: "test.lie".into(),
        words: "one is not two".into(),
        height: Some(1),
        exhibits: Vec::new(),
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_configured_upstream_is_preferred_while_it_is_healthy() {
    let set = upstreams(&[Role::Witness, Role::Follow, Role::Follow]);
    assert_eq!(best(&set).as_deref(), Some("node-1"));
    set.report(&set.all()[1], &Fault::Unreachable("refused".into()));
    assert_eq!(best(&set).as_deref(), Some("node-2"));
    // Its pause is over, but nothing says that it is well again.
    tokio::time::advance(defaults::RETRY_FIRST).await;
    assert_eq!(best(&set).as_deref(), Some("node-2"));
    set.report_ok(&set.all()[1], head(1));
    assert_eq!(best(&set).as_deref(), Some("node-1"));
}

#[tokio::test(start_paused = true)]
async fn one_in_trouble_is_tried_again_when_there_is_no_other() {
    let set = upstreams(&[Role::Follow]);
    set.report(&set.all()[0], &Fault::Behind("syncing".into()));
    assert_eq!(best(&set), None);
    assert!(set.troubles().contains("node-0 is behind: syncing"));
    tokio::time::sleep_until(set.next_retry().unwrap()).await;
    assert_eq!(best(&set).as_deref(), Some("node-0"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_clearly_behind_is_not_preferred() {
    let set = upstreams(&[Role::Follow, Role::Follow, Role::Witness]);
    set.report_ok(&set.all()[0], head(100));
    set.report_ok(&set.all()[1], head(100 + defaults::HEAD_SLACK));
    set.report_ok(&set.all()[2], head(9_999));
    assert_eq!(best(&set).as_deref(), Some("node-0"));
    set.report_ok(&set.all()[1], head(101 + defaults::HEAD_SLACK));
    assert_eq!(best(&set).as_deref(), Some("node-1"));
    // A head that was not delivered makes nobody look behind.
    set.doubt(&set.all()[1], Some(101));
    assert_eq!(best(&set).as_deref(), Some("node-0"));
}

#[tokio::test(start_paused = true)]
async fn only_a_lie_quarantines_and_that_is_for_good() {
    let set = upstreams(&[Role::Follow]);
    let node = &set.all()[0];
    for fault in [
        Fault::Unreachable("timed out".into()),
        Fault::Behind("syncing".into()),
        Fault::Unsupported("it is on testnet".into()),
    ] {
        for _ in 0..1_000 {
            set.report(node, &fault);
        }
        assert!(!node.is_quarantined());
    }
    set.report(node, &lie());
    set.report(node, &lie());
    set.report_ok(node, Served::Data);
    tokio::time::advance(defaults::RETRY_UNSUPPORTED * 100).await;
    assert!(node.is_quarantined() && set.best().is_none());
    assert_eq!(set.findings().len(), 1);
    let json = serde_json::to_value(set.status()).unwrap();
    assert_eq!(json[0]["state"], "quarantined");
    assert_eq!(json[0]["evidence"], set.findings()[0].id);
    assert_eq!(json[0]["trouble"]["kind"], "wrong");
}
