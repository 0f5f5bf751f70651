//! Writes that go to several upstreams.

use heliostat_node::outbox::{Policy, Sent};

use crate::rig::{Answer, Rig, taken};

/// Calls so far, in the order of names.
fn calls(rig: &Rig) -> Vec<String> {
    let mut calls = rig.carrier.calls();
    calls.sort();
    calls
}

async fn handed_to(rig: &Rig, write: &str) -> Vec<String> {
    let receipt = rig.outbox.receipt(write.as_bytes()).await.unwrap();
    receipt.unwrap().to
}

#[tokio::test]
async fn a_broadcast_goes_to_so_many_once_each() {
    let rig = Rig::in_memory(Policy::Broadcast(3)).await;
    rig.carrier.ways(&["a", "b", "c", "d"]);
    let slow = rig.carrier.gate("a", Answer::Take("slow"));
    rig.carrier.answers("b", [Answer::Refuse("no")]);
    rig.carrier.answers("c", [Answer::Take("quick")]);
    // The first that takes it decides; nobody waits for the slow one.
    let first = rig.submit("w").await;
    assert_eq!(first.sent, taken("quick"));
    assert_eq!(rig.submit("w").await.sent, taken("quick"));
    slow.notify_one();
    let mut calls = rig.carrier.calls();
    calls.sort();
    assert_eq!(calls, ["a w", "b w", "c w"]);
    let receipt = rig.outbox.receipt(b"w").await.unwrap().unwrap();
    assert_eq!(receipt.to, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_broadcast_that_one_may_have_is_not_called_refused() {
    let rig = Rig::in_memory(Policy::Broadcast(2)).await;
    rig.carrier.ways(&["a", "b"]);
    rig.carrier.answers("a", [Answer::Refuse("no")]);
    rig.carrier.answers("b", [Answer::Lose("no answer")]);
    assert_eq!(
        rig.submit("w").await.sent,
        Sent::Unknown("no answer".into())
    );
    rig.carrier.answers("a", [Answer::Refuse("no")]);
    rig.carrier.answers("b", [Answer::Stay("away")]);
    assert_eq!(rig.submit("v").await.sent, Sent::Refused("no".into()));
}

#[tokio::test]
async fn the_dead_the_refusing_and_the_silent_leave_a_broadcast_unknown() {
    let rig = Rig::in_memory(Policy::Broadcast(3)).await;
    rig.carrier.ways(&["dead", "picky", "silent", "spare"]);
    rig.carrier.answers("dead", [Answer::Stay("away")]);
    rig.carrier.answers("picky", [Answer::Refuse("no")]);
    rig.carrier.answers("silent", [Answer::Lose("no answer")]);
    let first = rig.submit("w").await;
    assert_eq!(first.sent, Sent::Unknown("no answer".into()));
    // The dead one surely has nothing of it.
    assert_eq!(first.handed_to, 2);
    assert_eq!(handed_to(&rig, "w").await, ["picky", "silent"]);
    let all = ["dead w", "picky w", "silent w"];
    assert_eq!(calls(&rig), all);
    // That is known to the next process too; asked again, it takes the best
    // there are by then.
    let rig = rig.restarted().await;
    assert_eq!(handed_to(&rig, "w").await, ["picky", "silent"]);
    rig.carrier.ways(&["spare", "silent", "picky"]);
    rig.carrier.answers("picky", [Answer::Refuse("still no")]);
    rig.carrier.answers("silent", [Answer::Refuse("I have it")]);
    rig.carrier.answers("spare", [Answer::Take("at last")]);
    let again = rig.submit("w").await;
    assert_eq!(
        (again.receipt, again.sent),
        (first.receipt, taken("at last"))
    );
    assert_eq!(again.handed_to, 3);
    assert_eq!(handed_to(&rig, "w").await, ["picky", "silent", "spare"]);
    let after = calls(&rig);
    assert_eq!(after.len(), 6, "{after:?}");
    let again = rig.submit("w").await;
    assert_eq!((again.sent, again.handed_to), (taken("at last"), 3));
    assert_eq!(calls(&rig), after, "nothing is sent for what was taken");
}

#[tokio::test]
async fn who_is_behind_the_first_taker_and_never_reached_leaves_the_receipt() {
    let rig = Rig::in_memory(Policy::Broadcast(2)).await;
    rig.carrier.ways(&["a", "b"]);
    let slow = rig.carrier.gate("b", Answer::Stay("away after all"));
    let first = rig.submit("w").await;
    assert_eq!((first.sent, first.handed_to), (taken("taken"), 2));
    slow.notify_one();
    while handed_to(&rig, "w").await.len() == 2 {
        tokio::task::yield_now().await;
    }
    let again = rig.submit("w").await;
    assert_eq!((again.sent, again.handed_to), (taken("taken"), 1));
    assert_eq!(rig.count("taken"), 1);
    let rig = rig.restarted().await;
    assert_eq!(handed_to(&rig, "w").await, ["a"]);
}

#[tokio::test]
async fn a_policy_of_one_sends_nowhere_else_what_was_broadcast_before() {
    let broadcast = Rig::in_memory(Policy::Broadcast(2)).await;
    broadcast.carrier.ways(&["a", "b"]);
    broadcast.carrier.answers("a", [Answer::Lose("no answer")]);
    broadcast.carrier.answers("b", [Answer::Lose("no answer")]);
    let first = broadcast.submit("w").await;
    assert!(matches!(first.sent, Sent::Unknown(_)));
    let rig = broadcast.restarted_with(Policy::One).await;
    rig.carrier.ways(&["c"]);
    assert!(matches!(rig.submit("w").await.sent, Sent::Unknown(_)));
    rig.carrier.ways(&["c", "b"]);
    rig.carrier.answers("b", [Answer::Take("it has it")]);
    assert_eq!(rig.submit("w").await.sent, taken("it has it"));
    assert_eq!(calls(&rig), ["a w", "b w", "b w"]);
}

#[tokio::test]
async fn one_upstream_named_twice_is_handed_a_broadcast_once() {
    let rig = Rig::in_memory(Policy::Broadcast(2)).await;
    rig.carrier.ways(&["a", "a", "b"]);
    let sent = rig.submit("w").await;
    assert_eq!(sent.handed_to, 2);
    while calls(&rig).len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(calls(&rig), ["a w", "b w"]);
}

#[tokio::test]
async fn a_broadcast_that_reached_nobody_was_not_sent() {
    let rig = Rig::in_memory(Policy::Broadcast(2)).await;
    rig.carrier.ways(&["a", "b", "c"]);
    for way in ["a", "b"] {
        rig.carrier.answers(way, [Answer::Stay("away")]);
    }
    let first = rig.submit("w").await;
    assert_eq!(first.sent, Sent::NotSent("away; away".into()));
    assert_eq!((first.handed_to, rig.count("not-sent")), (0, 1));
    // The next time it begins with one that was not tried.
    rig.carrier.answers("c", [Answer::Take("ok")]);
    let again = rig.submit("w").await;
    assert_eq!((again.receipt, again.sent), (first.receipt, taken("ok")));
    assert!(calls(&rig).contains(&"c w".to_owned()));
}
