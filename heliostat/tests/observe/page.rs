//! The page of a real process that was lied to.

use heliostat_sim::zcash::{
    Node,
    node::{Filter, Misbehaviour},
};

use crate::{
    browser::Browser,
    running::{Process, chain},
};

/// Runs wherever it becomes part of a page.
const MARKUP: &str = "<img src=x onerror=window.pwned=1>";

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_shown_with_both_sides_and_an_upstreams_markup_as_text() {
    let Some(mut browser) = Browser::launch().await else {
        return;
    };
    let start = || Node::start(chain(30).chain().clone());
    let (liar, good, rude) = (
        start().await.unwrap(),
        start().await.unwrap(),
        start().await.unwrap(),
    );
    let lie = Filter::method("getblock").at(12..=12);
    liar.misbehave(Misbehaviour::WrongMerkleRoot, lie);
    let words = format!("go away {MARKUP}");
    rude.misbehave(Misbehaviour::Error(-1, words), Filter::all());
    let urls = [&liar, &good, &rude].map(|node| node.handle().url());
    let process = Process::start(&[
        "--upstream",
        &urls[0],
        "--upstream",
        &urls[1],
        "--witness",
        &urls[2],
        "--network",
        "regtest",
        "--store",
        "memory:",
    ]);
    process.until("ready", |status| status.ready).await;

    browser.open(&process.observe, 1280, 1000, "light").await;
    browser
        .until("document.querySelectorAll('details summary').length === 1")
        .await;
    browser
        .until(&format!("document.body.innerText.includes({MARKUP:?})"))
        .await;
    browser
        .evaluate("document.querySelector('details summary').click()")
        .await;
    browser
        .until("document.querySelectorAll('.sides pre').length >= 2")
        .await;
    let text = browser.evaluate("document.body.innerText").await;
    let text = text.as_str().unwrap();
    for said in [
        "zcash.merkle-root",
        "at height 12",
        &urls[0],
        "\u{2717} wrong",
        "00000  ",
        "relayed",
    ] {
        assert!(text.contains(said), "{said} is missing from\n{text}");
    }
    let made = browser
        .evaluate(
            "window.pwned === undefined && document.querySelectorAll('main img').length === 0",
        )
        .await;
    assert_eq!(made, true);
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
    for url in browser.requested() {
        assert!(url.starts_with(&process.observe), "{url} is not ours");
    }
    browser.picture("lied-to").await;
    assert_eq!(process.terminate(), Some(0));
}
