//! The page in a browser.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, to_bytes},
    response::{Sse, sse::Event},
    routing::get,
};
use futures::{StreamExt, stream};
use heliostat_observe::Disagreement;
use tower::ServiceExt;

use crate::{
    browser::Browser,
    stage::{MARKUP, Stage, chain, evidence, hour},
};

/// An upstream's words as long as they come.
const SAID: &str = "the node is still syncing: 2,899,001 of 2,900,007 blocks, and says so in a \
                    sentence that needs two lines on a phone, about \
                    0beaed5c384a138f61729e3ab055511bba06a2a7f758aea4b7cda96237ebc291";
/// A name that breaks nowhere by itself.
const LONG: &str = "http://aratherlongnameofanodeinsomecluster_zcash_mainnet_archive_eu_central_1.\
                    internal.example.com:8232";

/// The smallest contrast of any text with what it stands on.
const CONTRAST: &str = r#"(() => {
  const channel = (v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let least = [21, ""];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (!node.data.trim() || !node.parentElement.checkVisibility()) continue;
    const pair = [parse(getComputedStyle(node.parentElement).color), behind(node.parentElement)];
    const [a, b] = pair.map(luminance).sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < least[0]) least = [contrast, node.data.slice(0, 40)];
  }
  return least;
})()"#;

/// How far the page is wider than the window, and the widest part.
const OVERFLOW: &str = r#"(() => {
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over <= 0) return null;
  const wide = [...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.tagName}.${one.className}`);
  return `${over}: ${wide.slice(-3)}`;
})()"#;

async fn shown(stage: &Stage) -> Option<Browser> {
    let mut browser = Browser::launch().await?;
    browser.open(&stage.url(), 1280, 900, "light").await;
    let drawn = "document.querySelectorAll('#chains > section').length > 0";
    browser.until(drawn).await;
    Some(browser)
}

async fn text(browser: &mut Browser) -> String {
    let text = browser.evaluate("document.body.innerText").await;
    text.as_str().expect("a page has text").to_owned()
}

#[tokio::test]
async fn the_page_shows_what_the_status_says_and_follows_it() {
    let stage = Stage::set(&[("alpha", chain(SAID))]).await;
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    let text = text(&mut browser).await;
    for said in [
        "2,900,001",
        "6 behind 2,900,007",
        "✓ ready",
        "proven",
        "http://10.0.0.7:8232",
        "unreachable",
        "refused",
        SAID,
        "3.2 GiB",
        "zcash.merkle-root",
        "slow-header 2",
        "1 d 1 h",
    ] {
        assert!(text.contains(said), "{said} is missing from\n{text}");
    }

    browser.evaluate("window.sameDocument = true").await;
    stage.change("alpha", |chain| {
        chain.local_height = Some(2_900_123);
        chain.not_ready = vec!["the store: disk full".into()];
    });
    let follows = "document.body.innerText.includes('2,900,123') \
                   && document.body.innerText.includes('alpha: the store: disk full')";
    browser.until(follows).await;
    assert_eq!(browser.evaluate("window.sameDocument").await, true);
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
    for url in browser.requested() {
        assert!(url.starts_with(&stage.url()), "{url} is not ours");
    }
}

#[tokio::test]
async fn a_finding_opens_to_both_sides_and_stays_open() {
    let stage = Stage::set(&[("alpha", chain(SAID))]).await;
    *stage.told.evidence.lock().expect("no panic") = evidence("alpha", SAID);
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    browser
        .evaluate("document.querySelector('details summary').click()")
        .await;
    browser
        .until("document.querySelectorAll('.sides > section').length === 2")
        .await;
    let shown = text(&mut browser).await;
    for said in [
        "as sent",
        "as checked",
        "\"number\":2",
        "00000  00 03 06 09",
    ] {
        assert!(shown.contains(said), "{said} is missing from\n{shown}");
    }
    stage.change("alpha", |chain| chain.local_height = Some(2_900_124));
    browser
        .until("document.body.innerText.includes('2,900,124')")
        .await;
    let open = browser
        .evaluate("document.querySelectorAll('details[open] .sides > section').length")
        .await;
    assert_eq!(open, 2);
}

#[tokio::test]
async fn the_newest_disagreements_are_shown_and_the_older_ones_stay_open_once_opened() {
    let mut forked = chain(SAID);
    let fork = forked.disagreements.remove(0);
    forked.disagreements = (0..12)
        .map(|nth| Disagreement {
            height: 1_000 + nth,
            ..fork.clone()
        })
        .collect();
    let stage = Stage::set(&[("alpha", forked)]).await;
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    let before = text(&mut browser).await;
    for (said, is) in [("1,011", true), ("1,007", true), ("1,006", false)] {
        assert_eq!(before.contains(said), is, "{said}: {before}");
    }
    browser
        .evaluate("[...document.querySelectorAll('summary')].find((one) => one.innerText === '7 older').click()")
        .await;
    stage.change("alpha", |chain| {
        chain.disagreements.push(Disagreement {
            height: 1_012,
            ..fork
        });
    });
    browser
        .until("document.body.innerText.includes('1,012')")
        .await;
    let after = text(&mut browser).await;
    assert!(
        after.contains("8 older") && after.contains("1,000"),
        "{after}"
    );
}

#[tokio::test]
async fn charts_are_drawn_alike_when_the_clock_of_the_process_jumped() {
    let mut drawn = Vec::new();
    for jump in [0, 5 * 3_600, -5 * 3_600] {
        let jumped = |router| with_an_hour(router, jump);
        let stage = Stage::set_behind(&[("alpha", chain(SAID))], jumped).await;
        let Some(mut browser) = shown(&stage).await else {
            return;
        };
        browser
            .until("document.querySelector('.legend') !== null")
            .await;
        let lines =
            "[...document.querySelectorAll('.charts path')].map((one) => one.getAttribute('d'))";
        drawn.push(browser.evaluate(lines).await);
        drop(browser);
        stage.strike().await;
    }
    let points = drawn[0][0].as_str().expect("a line").matches('L').count();
    assert!(points > 300, "{points}");
    assert_eq!(drawn[0], drawn[1]);
    assert_eq!(drawn[0], drawn[2]);
}

#[tokio::test]
async fn markup_from_upstreams_is_shown_and_never_obeyed() {
    let mut hostile = chain(MARKUP);
    hostile.head.as_mut().expect("it has one").id = MARKUP.into();
    hostile.store.address = MARKUP.into();
    hostile.state = MARKUP.into();
    hostile.not_ready = vec![MARKUP.into()];
    for one in &mut hostile.upstreams {
        one.name = MARKUP.into();
    }
    for one in &mut hostile.findings {
        (one.rule, one.upstream) = (MARKUP.into(), MARKUP.into());
    }
    for one in &mut hostile.disagreements {
        (one.ours, one.theirs, one.upstream) = (MARKUP.into(), MARKUP.into(), MARKUP.into());
    }
    let stage = Stage::set(&[(MARKUP, hostile), ("__proto__", chain(MARKUP))]).await;
    *stage.told.evidence.lock().expect("no panic") =
        [evidence(MARKUP, MARKUP), evidence("__proto__", MARKUP)].concat();
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    browser
        .evaluate("document.querySelectorAll('details summary').forEach((one) => one.click())")
        .await;
    browser
        .until("document.querySelectorAll('.sides > section').length === 12")
        .await;
    let made = browser
        .evaluate(
            "document.querySelectorAll('script:not([src]), img:not([src=\"/icon.svg\"]), b').length",
        )
        .await;
    assert_eq!(made, 0);
    assert_eq!(browser.evaluate("window.pwned === undefined").await, true);
    let shown = text(&mut browser).await;
    let times = shown.matches("<script>window.pwned=1</script>").count();
    assert!(times > 20, "shown {times} times only:\n{shown}");
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
    assert!(browser.evaluate(OVERFLOW).await.is_null());
    browser.picture("hostile").await;
}

/// The router, with events that have an hour behind them, in whose middle the
/// clock jumped by this many seconds.
fn with_an_hour(router: Router, jump: i64) -> Router {
    let real = router.clone();
    let events = move || async move {
        let request = http::Request::get("/status").body(Body::empty());
        let answer = real.oneshot(request.expect("a valid request")).await;
        let body = to_bytes(answer.expect("infallible").into_body(), 1 << 20).await;
        let status = serde_json::from_slice(&body.expect("a status")).expect("it is JSON");
        let mut hour = hour(status, &["alpha", "beta"]);
        let samples = hour["samples"].as_array_mut().expect("samples");
        for sample in samples.iter_mut().take(180) {
            let at = sample["at"].as_i64().expect("a time");
            sample["at"] = (at - jump).into();
        }
        let event = Event::default().data(hour.to_string());
        let rest = stream::pending();
        Sse::new(stream::iter([Ok::<_, Infallible>(event)]).chain(rest))
    };
    Router::new()
        .route("/events", get(events))
        .fallback_service(router)
}

#[tokio::test]
async fn the_page_reads_on_a_phone_and_a_desk_in_dark_and_light() {
    let mut second = chain("");
    (second.ledger, second.network) = ("tezos".into(), "shadownet".into());
    second.not_ready = vec!["the newest block is 12 min old".into()];
    (second.findings, second.disagreements) = (Vec::new(), Vec::new());
    second.upstreams.truncate(2);
    second.upstreams[1].name = LONG.into();
    let chains = [("alpha", chain(SAID)), ("beta", second)];
    let stage = Stage::set_behind(&chains, |router| with_an_hour(router, 0)).await;
    *stage.told.evidence.lock().expect("no panic") = evidence("alpha", SAID);
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    let answered = "document.querySelector('.legend') !== null";
    let shapes = [
        ("desktop", 1280, 900),
        ("phone", 390, 844),
        ("small", 320, 640),
    ];
    for scheme in ["light", "dark"] {
        for (name, width, height) in shapes {
            browser.open(&stage.url(), width, height, scheme).await;
            browser.until(answered).await;
            browser
                .evaluate("document.querySelector('details summary').click()")
                .await;
            browser
                .until("document.querySelectorAll('.sides > section').length === 2")
                .await;
            browser.picture(&format!("{name}-{scheme}")).await;
            let over = browser.evaluate(OVERFLOW).await;
            assert!(over.is_null(), "{name} {scheme} is too wide by {over}");
            let least = browser.evaluate(CONTRAST).await;
            let contrast = least[0].as_f64().expect("a number");
            assert!(contrast >= 4.5, "{name} {scheme}: {least}");
        }
    }
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
    drop(browser);
    stage.strike().await;
}

#[tokio::test]
async fn a_page_whose_server_went_away_says_so() {
    let stage = Stage::set(&[("alpha", chain(SAID))]).await;
    let Some(mut browser) = shown(&stage).await else {
        return;
    };
    stage.strike().await;
    browser
        .until("document.getElementById('link').innerText.includes('no connection')")
        .await;
    let still = text(&mut browser).await;
    assert!(still.contains("2,900,001"), "what was known stays readable");
}
