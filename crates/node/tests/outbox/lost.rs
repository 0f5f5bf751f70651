//! Writes whose outcome nobody knows.

use std::time::Duration;

use heliostat_node::{
    defaults,
    outbox::{Policy, Seen, Sent},
};
use tokio_util::sync::CancellationToken;

use crate::rig::{Answer, Rig, taken};

fn lost() -> Sent {
    Sent::Unknown("no answer".to_owned())
}

#[tokio::test]
async fn a_lost_write_never_goes_elsewhere() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a", "b"]);
    rig.carrier.answers("a", [Answer::Lose("no answer")]);
    let first = rig.submit("w").await;
    assert_eq!(first.sent, lost());
    let rig = rig.restarted().await;
    // The one that may have it is gone, and another one is there.
    rig.carrier.ways(&["b"]);
    let again = rig.submit("w").await;
    assert_eq!(again.receipt, first.receipt);
    let Sent::Unknown(words) = again.sent else {
        panic!("{:?}", again.sent);
    };
    assert!(words.contains("handed to a before"), "{words}");
    assert_eq!(rig.carrier.calls(), ["a w"]);
    // When it is back, who asks again gets it sent there again.
    rig.carrier.ways(&["b", "a"]);
    rig.carrier.answers("a", [Answer::Take("it has it")]);
    let again = rig.submit("w").await;
    assert_eq!(
        (again.receipt, again.sent),
        (first.receipt, taken("it has it"))
    );
    assert_eq!(rig.carrier.calls(), ["a w", "a w"]);
    assert_eq!((rig.count("unknown"), rig.count("taken")), (0, 1));
}

#[tokio::test]
async fn a_lost_write_that_waits_is_settled_and_never_sent_again() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Lose("no answer")]);
    let first = rig.submit("w").await;
    rig.carrier.sees("w", Seen::Waiting("reply".into()));
    let again = rig.submit("w").await;
    assert_eq!((again.receipt, again.sent), (first.receipt, taken("reply")));
    assert!(again.repeated);
    assert_eq!((rig.count("unknown"), rig.count("waiting")), (0, 1));
    // Whatever becomes of it, also in another process.
    rig.carrier.sees("w", Seen::No);
    let rig = rig.restarted().await;
    assert_eq!((rig.count("unknown"), rig.count("waiting")), (0, 1));
    for _ in 0..3 {
        let again = rig.submit("w").await;
        assert_eq!((again.receipt, again.sent), (first.receipt, taken("reply")));
    }
    assert_eq!(rig.carrier.looks(), 1, "the book knows it now");
    assert_eq!(rig.carrier.calls(), ["a w"]);
}

#[tokio::test]
async fn a_lost_write_that_is_on_the_chain_is_not_sent_again() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Lose("no answer")]);
    let first = rig.submit("w").await;
    rig.carrier.sees("w", Seen::Included("reply".into()));
    for _ in 0..2 {
        let again = rig.submit("w").await;
        assert_eq!((again.receipt, again.sent), (first.receipt, taken("reply")));
    }
    assert_eq!((rig.count("unknown"), rig.count("included")), (0, 1));
    assert_eq!(rig.carrier.looks(), 1, "the book knows it now");
    assert_eq!(rig.carrier.calls(), ["a w"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_looked_for_until_it_is_included() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Lose("no answer")]);
    rig.submit("w").await;
    let stop = CancellationToken::new();
    let outbox = std::sync::Arc::clone(&rig.outbox);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { outbox.run(stop).await }
    });
    let counts = || ["unknown", "waiting", "included"].map(|state| rig.count(state));
    rig.carrier.sees("w", Seen::Waiting("reply".into()));
    tokio::time::sleep(defaults::WRITE_LOOK_MOST).await;
    assert_eq!(counts(), [0, 1, 0]);
    // Nobody shows it any more: that is no news.
    rig.carrier.sees("w", Seen::No);
    tokio::time::sleep(defaults::WRITE_LOOK_MOST * 2).await;
    assert_eq!(counts(), [0, 1, 0]);
    assert_eq!(rig.submit("w").await.sent, taken("reply"));
    rig.carrier.sees("w", Seen::Included("reply".into()));
    tokio::time::sleep(defaults::WRITE_LOOK_MOST * 2).await;
    assert_eq!(counts(), [0, 0, 1]);
    assert_eq!(rig.carrier.calls(), ["a w"]);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_write_that_may_have_left_once_is_never_called_not_sent() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a", "b"]);
    rig.carrier
        .answers("a", [Answer::Lose("no answer"), Answer::Stay("refused")]);
    assert_eq!(rig.submit("w").await.sent, lost());
    // It cannot be reached now, but it may have it since the first time.
    let again = rig.submit("w").await;
    let Sent::Unknown(words) = again.sent else {
        panic!("{:?}", again.sent);
    };
    assert!(words.contains("handed to a before"), "{words}");
    assert_eq!(again.handed_to, 1);
    assert_eq!(rig.count("unknown"), 1);
    assert_eq!(rig.carrier.calls(), ["a w", "a w"]);
}

#[tokio::test]
async fn a_refusal_after_a_loss_says_nothing_of_the_first_time() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers(
        "a",
        [Answer::Lose("no answer"), Answer::Refuse("I have it")],
    );
    assert_eq!(rig.submit("w").await.sent, lost());
    assert_eq!(
        rig.submit("w").await.sent,
        Sent::Refused("I have it".into())
    );
    // It may be taken: so still not elsewhere.
    assert_eq!(rig.count("unknown"), 1);
    rig.carrier.ways(&["b"]);
    assert!(matches!(rig.submit("w").await.sent, Sent::Unknown(_)));
    assert_eq!(rig.carrier.calls(), ["a w", "a w"]);
}

#[tokio::test(start_paused = true)]
async fn lost_writes_are_looked_for_until_they_are_included() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Lose("no answer")]);
    rig.submit("w").await;
    rig.submit("v").await;
    // Also by the process that comes after.
    let rig = rig.restarted().await;
    let stop = CancellationToken::new();
    let outbox = std::sync::Arc::clone(&rig.outbox);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { outbox.run(stop).await }
    });
    tokio::time::sleep(defaults::WRITE_LOOK * 4).await;
    assert!(rig.carrier.looks() >= 4, "{}", rig.carrier.looks());
    assert_eq!(rig.count("unknown"), 2);
    rig.carrier.sees("w", Seen::Included("reply".into()));
    tokio::time::sleep(defaults::WRITE_LOOK_MOST * 2).await;
    assert_eq!((rig.count("unknown"), rig.count("included")), (1, 1));
    // The other one no longer than its receipt is kept; and ever less often.
    tokio::time::sleep(defaults::RECEIPT_AGE).await;
    let looks = rig.carrier.looks();
    let most = defaults::RECEIPT_AGE.as_secs() / (defaults::WRITE_LOOK_MOST.as_secs() - 10);
    assert!((looks as u64) < most, "{looks}");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(rig.carrier.looks(), looks);
    assert_eq!(
        rig.carrier.calls(),
        ["a w", "a v"],
        "nothing was sent again"
    );
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_is_under_way_when_the_process_stops_is_unknown_to_the_next() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Hang]);
    let outbox = std::sync::Arc::clone(&rig.outbox);
    let call = tokio::spawn(async move { outbox.submit(crate::rig::write("w")).await });
    while rig.carrier.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let rig = rig.restarted().await;
    let error = call.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("stopping"), "{error}");
    assert_eq!(rig.count("unknown"), 1);
    rig.carrier.answers("a", [Answer::Take("now")]);
    assert_eq!(rig.submit("w").await.sent, taken("now"));
}
