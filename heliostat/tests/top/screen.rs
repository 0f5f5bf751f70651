//! What is drawn, and what keys do.

use std::collections::BTreeMap;

use heliostat::top::{
    draw::draw,
    view::{Ask, Key, Told, View},
};
use heliostat_observe::{
    ChainStatus, Disagreement, Finding, Head, News, Status, StoreStatus, UpstreamStatus,
    evidence::{Shown, ShownExhibit},
    history::{ChainSample, Sample},
};
use ratatui::{Terminal, backend::TestBackend};

const NOW: u64 = 1_790_000_000;

fn chain() -> ChainStatus {
    let upstream = |name: &str, state: &str, why: &str| UpstreamStatus {
        name: name.into(),
        role: "follow".into(),
        state: state.into(),
        why: why.into(),
        height: (state == "ok").then_some(2_900_007),
    };
    let finding = |height| Finding {
        upstream: "http://liar:1".into(),
        rule: "zcash.merkle-root".into(),
        words: "the transactions do not hash to the root".into(),
        height: Some(height),
        exhibits: vec![("as sent".into(), 3)],
    };
    ChainStatus {
        ledger: "zcash".into(),
        network: "main".into(),
        state: "following".into(),
        local_height: Some(2_900_001),
        target_height: Some(2_900_007),
        head: Some(Head {
            height: 2_900_001,
            time: NOW - 200_000,
            age_seconds: 75,
            assurance: "proven".into(),
            ..Head::default()
        }),
        upstreams: vec![
            upstream("http://good:1", "ok", ""),
            upstream("http://away:1", "unreachable", "refused"),
        ],
        findings: vec![finding(7), finding(8)],
        disagreements: vec![Disagreement {
            height: 2_899_990,
            upstream: "http://away:1".into(),
            ..Disagreement::default()
        }],
        store: StoreStatus {
            bytes: 3 << 30,
            ..StoreStatus::default()
        },
        ..ChainStatus::default()
    }
}

fn samples(chain: &str) -> Vec<Sample> {
    let sample = |number| Sample {
        number,
        at: NOW - 300 + number * 10,
        seconds: 10.0,
        chains: BTreeMap::from([(
            chain.to_owned(),
            ChainSample {
                proven: 90,
                relayed: 10 + number % 7,
                failed: 5,
                p99: Some(0.042),
                head_age: Some(number * 3),
                ..ChainSample::default()
            },
        )]),
    };
    (0..30).map(sample).collect()
}

fn news(chains: &[(&str, ChainStatus)]) -> News {
    let all = chains
        .iter()
        .map(|(name, chain)| ((*name).to_owned(), chain.clone()));
    News {
        at: NOW,
        uptime_seconds: 90_061,
        status: Some(Status::of("1.2.3", 90_061, all.collect())),
        samples: samples(chains[0].0),
        ..News::default()
    }
}

fn told(news: News) -> Told {
    Told::News {
        news: Box::new(news),
        first: true,
    }
}

/// A view of these chains.
fn view(chains: &[(&str, ChainStatus)]) -> View {
    let mut view = View::new("http://127.0.0.1:9068");
    view.take(told(news(chains)));
    view
}

/// The screen as lines.
fn screen(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
    terminal.draw(|frame| draw(frame, view)).expect("it draws");
    let buffer = terminal.backend().buffer();
    let row = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    (0..height).map(|y| row(y) + "\n").collect()
}

fn assert_says(screen: &str, words: &[&str]) {
    for said in words {
        assert!(screen.contains(said), "{said} is missing from\n{screen}");
    }
}

#[test]
fn a_screen_shows_chains_upstreams_answers_and_lies() {
    let mut second = chain();
    second.not_ready = vec!["the newest block is 12 min old".into()];
    let view = view(&[("alpha", chain()), ("beta", second)]);
    let shown = screen(&view, 120, 36);
    assert_says(
        &shown,
        &[
            "Heliostat 1.2.3 up 1 d 1 h",
            "✗ not ready",
            "beta: the newest block is 12 min old",
            "2,900,001",
            "2 d 7 h",
            "proven",
            "11/s",
            "42 ms",
            "3.00 GiB",
            "alpha: zcash main, following",
            "last hour: proven 83.5 %",
            "http://away:1",
            "unreachable",
            "refused",
            "Lies (2)",
            "zcash.merkle-root",
            "Disagreements (1), the last at height 2,899,990: http://away:1",
        ],
    );
}

#[test]
fn a_small_terminal_keeps_what_matters() {
    let view = view(&[("alpha", chain())]);
    for (width, height) in [(80, 24), (60, 15), (40, 10)] {
        let shown = screen(&view, width, height);
        assert_says(&shown, &["alpha", "✓ yes", "2,900,001", "q leave"]);
    }
    // Nothing is too small to be drawn.
    for (width, height) in [(1, 1), (2, 40), (200, 1), (10, 3)] {
        screen(&view, width, height);
    }
}

#[test]
fn keys_lead_to_both_sides_of_a_lie_and_back() {
    let mut view = view(&[("alpha", chain()), ("beta", chain())]);
    assert_eq!(view.press(Key::Down), Ask::Nothing);
    assert_eq!(view.press(Key::Other), Ask::Nothing);
    assert_eq!(view.press(Key::Down), Ask::Nothing);
    // The newest is first on the screen and last in the list.
    let asked = view.press(Key::Open);
    let (chain, nth) = ("beta".to_owned(), 0);
    assert_eq!(
        asked,
        Ask::Evidence {
            chain: chain.clone(),
            nth
        }
    );

    let exhibit = |name: &str, hex: &str| ShownExhibit {
        name: name.into(),
        size: hex.len() / 2,
        hex: hex.into(),
    };
    let shown = Shown {
        upstream: "http://liar:1".into(),
        at: Some(NOW),
        rule: "zcash.merkle-root".into(),
        words: format!(
            "the root is {}, but the blocks give {}",
            "ab".repeat(32),
            "cd".repeat(32)
        ),
        height: Some(7),
        exhibits: vec![exhibit("as sent", "68690a"), exhibit("as checked", "00ff")],
    };
    let late = Told::Evidence {
        chain: "alpha".into(),
        nth,
        shown: Err("late".into()),
    };
    view.take(late);
    let other_one = screen(&view, 100, 30);
    assert!(
        !other_one.contains("late"),
        "an answer to another question\n{other_one}"
    );
    view.take(Told::Evidence {
        chain,
        nth,
        shown: Ok(shown),
    });
    let open = screen(&view, 100, 30);
    assert_says(
        &open,
        &[
            "Both sides of a lie",
            "zcash.merkle-root at height 7",
            // Whole, over two lines.
            &"ab".repeat(32),
            &"cd".repeat(32),
            "as sent (3 bytes)",
            "00000  68 69 0a",
            "hi·",
            "as checked (2 bytes)",
            "00000  00 ff",
            "Esc close",
        ],
    );
    view.press(Key::Back);
    assert!(!screen(&view, 100, 30).contains("Both sides"));
    assert_eq!(view.press(Key::Leave), Ask::Leave);
}

#[test]
fn findings_that_were_left_out_are_counted_in() {
    let mut view = View::new("x");
    let mut news = news(&[("alpha", chain())]);
    news.omitted.insert("alpha".into(), (40, 0));
    view.take(told(news));
    view.press(Key::Other);
    let asked = view.press(Key::Open);
    assert_eq!(
        asked,
        Ask::Evidence {
            chain: "alpha".into(),
            nth: 41
        }
    );
    view.press(Key::Back);
    assert_says(&screen(&view, 100, 30), &["Lies (42)"]);
}

#[test]
fn what_upstreams_say_cannot_leave_its_place() {
    let hostile = "\x1b[2J\x1b]0;owned\x07\r\nfake line\u{202e}";
    let mut said = chain();
    said.state = hostile.into();
    said.not_ready = vec![hostile.into(); 9];
    for one in &mut said.upstreams {
        (one.name, one.why, one.state) = (hostile.into(), hostile.into(), hostile.into());
    }
    for one in &mut said.findings {
        (one.rule, one.words, one.upstream) = (hostile.into(), hostile.into(), hostile.into());
    }
    let mut view = view(&[(hostile, said)]);
    view.press(Key::Other);
    view.press(Key::Open);
    view.press(Key::Back);
    view.take(Told::Away(hostile.into()));
    let shown = screen(&view, 120, 40);
    let bad = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!shown.contains(bad), "{shown:?}");
    assert!(
        shown.lines().all(|line| !line.starts_with("fake")),
        "{shown}"
    );
    assert_says(&shown, &["fake line", "and 7 reasons more"]);
}

#[test]
fn a_process_that_went_away_is_said_and_its_clock_stands() {
    let mut view = view(&[("alpha", chain())]);
    view.take(Told::Away("connection refused".into()));
    let shown = screen(&view, 120, 30);
    assert_says(&shown, &["! no connection: connection refused", "2 d 7 h"]);
    assert_eq!(view.now(), NOW);

    let mut fewer = news(&[("alpha", ChainStatus::default())]);
    fewer.samples.clear();
    view.press(Key::Other);
    view.take(told(fewer));
    let shown = screen(&view, 120, 30);
    assert_says(&shown, &["no answers in the last hour", "no lies found"]);
    assert!(!shown.contains("no connection"), "{shown}");
}

#[test]
fn before_the_first_word_it_says_whom_it_asks() {
    let mut view = View::new("http://127.0.0.1:1");
    assert_says(&screen(&view, 80, 10), &["Asking http://127.0.0.1:1"]);
    view.take(Told::Away("refused".into()));
    assert_says(
        &screen(&view, 80, 10),
        &["refused", "observe address", "q leaves"],
    );
}
