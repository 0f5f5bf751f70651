//! The selected chain: its last hour, its upstreams, the lies it was told.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Stylize,
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Paragraph, Row, Sparkline, Table, TableState},
};

use heliostat_observe::{ChainStatus, history::ChainSample};

use super::{grade_style, selected, state_style};
use crate::{
    status::duration,
    top::{
        view::{Focus, View},
        words::{clean, known, latency, per_second, whole},
    },
};

/// Rows of upstreams shown at a time.
const UPSTREAMS: usize = 6;

/// Sparklines are of whole numbers; rates are shown to the hundredth.
const SCALE: f64 = 100.0;

/// The height of the charts, with their titles.
const CHARTS: u16 = 4;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let Some((name, chain)) = view.selected() else {
        let none = Paragraph::new("no chain runs").yellow();
        return frame.render_widget(none, area);
    };
    let title = format!(
        " {}: {} {}, {} ",
        clean(name),
        clean(&chain.ledger),
        clean(&chain.network),
        clean(&chain.state)
    );
    let block = Block::new().borders(Borders::TOP).title(title.bold());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let upstreams = chain.upstreams.len().min(UPSTREAMS) as u16 + 1;
    // A low terminal has no room for charts.
    let charts = match inside.height {
        0..=14 => 0,
        _ => CHARTS,
    };
    let forks = u16::from(!chain.disagreements.is_empty());
    let [
        mix_area,
        charts_area,
        upstreams_area,
        forks_area,
        findings_area,
    ] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(charts),
        Constraint::Length(upstreams),
        Constraint::Length(forks),
        Constraint::Fill(1),
    ])
    .areas(inside);
    frame.render_widget(mix(view, name), mix_area);
    if charts > 0 {
        draw_charts(frame, charts_area, view, name);
    }
    draw_upstreams(frame, upstreams_area, chain);
    frame.render_widget(disagreements(view, name, chain), forks_area);
    draw_findings(frame, findings_area, view, name);
}

/// Reads one count of a sample.
type Count = fn(&ChainSample) -> u64;

/// What the answers of the last hour were worth.
fn mix(view: &View, name: &str) -> Line<'static> {
    let grades: [(&str, Count); 5] = [
        ("proven", |one| one.proven),
        ("agreed", |one| one.agreed),
        ("relayed", |one| one.relayed),
        ("without a grade", |one| one.ungraded),
        ("errors", |one| one.failed),
    ];
    let sums = grades.map(|(grade, count)| {
        let sum = view.samples(name).map(|(_, sample)| count(sample));
        (grade, sum.sum::<u64>())
    });
    let all: u64 = sums.iter().map(|(_, sum)| sum).sum();
    if all == 0 {
        return Line::from("no answers in the last hour").dim();
    }
    let mut line = vec![Span::from("last hour: ")];
    for (grade, sum) in sums.iter().filter(|(_, sum)| *sum > 0) {
        let percent = 100.0 * *sum as f64 / all as f64;
        let text = format!("{grade} {percent:.1} % ({})  ", whole(*sum));
        line.push(Span::styled(text, grade_style(grade)));
    }
    Line::from(line)
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, view: &View, name: &str) {
    let areas: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3])
        .spacing(2)
        .areas(area);
    let rate =
        |(seconds, sample): (f64, &ChainSample)| Some(sample.answers() as f64 / seconds.max(1.0));
    let p99 = |(_, sample): (f64, &ChainSample)| sample.p99;
    let age = |(_, sample): (f64, &ChainSample)| sample.head_age.map(|age| age as f64);
    let aged = |seconds: f64| duration(seconds as u64);
    let values = |value: &dyn Fn((f64, &ChainSample)) -> Option<f64>| {
        view.samples(name).map(value).collect::<Vec<_>>()
    };
    chart(frame, areas[0], "Answers", &values(&rate), per_second);
    chart(frame, areas[1], "Latency p99", &values(&p99), latency);
    chart(frame, areas[2], "Age of the head", &values(&age), aged);
}

/// The newest values that fit, with the last of them in words.
fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    values: &[Option<f64>],
    words: impl Fn(f64) -> String,
) {
    let fitting = &values[values.len().saturating_sub(area.width.into())..];
    let last = fitting.iter().flatten().last();
    let last = last.map_or_else(|| "no data".to_owned(), |value| words(*value));
    let line = Line::from(vec![title.to_owned().bold(), format!(" {last}").into()]);
    let data = fitting
        .iter()
        .map(|value| value.map(|value| (value * SCALE) as u64));
    let spark = Sparkline::default()
        .block(Block::new().title(line))
        .data(data)
        .cyan();
    frame.render_widget(spark, area);
}

fn draw_upstreams(frame: &mut Frame<'_>, area: Rect, chain: &ChainStatus) {
    let all = &chain.upstreams;
    let mut rows: Vec<_> = all
        .iter()
        .take(UPSTREAMS)
        .map(|one| {
            Row::new([
                Cell::from(clean(&one.name)),
                Cell::from(clean(&one.state)).style(state_style(&one.state)),
                Cell::from(clean(&one.role)),
                Cell::from(one.height.map(whole).unwrap_or_default()),
                Cell::from(clean(&one.why)),
            ])
        })
        .collect();
    if all.len() > UPSTREAMS {
        rows.pop();
        let more = format!("… and {} more", all.len() - UPSTREAMS + 1);
        rows.push(Row::new([more]).dim());
    }
    let names = all.iter().map(|one| one.name.as_str());
    let widths = [
        name_width(names, area),
        Constraint::Length(11),
        Constraint::Length(7),
        Constraint::Length(11),
        Constraint::Fill(1),
    ];
    let heads = Row::new(["Upstream", "State", "Role", "Height", "Why"]).dim();
    frame.render_widget(Table::new(rows, widths).header(heads), area);
}

/// As wide as the longest of them, but leaving two thirds to the rest: names
/// often differ at their ends.
fn name_width<'a>(names: impl Iterator<Item = &'a str>, area: Rect) -> Constraint {
    let longest = names.map(|name| name.chars().count()).max();
    let longest = u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX);
    Constraint::Length(longest.clamp(8, (area.width / 3).max(8)))
}

/// How often upstreams gave different, equally valid answers, and the last
/// time.
fn disagreements(view: &View, name: &str, chain: &ChainStatus) -> Line<'static> {
    let Some(last) = chain.disagreements.last() else {
        return Line::default();
    };
    let count = chain.disagreements.len() + view.forks_left_out(name);
    let words = format!(
        "Disagreements ({}), the last at height {}: {} has {}",
        whole(count as u64),
        whole(last.height),
        clean(&last.upstream),
        clean(&last.theirs)
    );
    Line::from(words).yellow()
}

fn draw_findings(frame: &mut Frame<'_>, area: Rect, view: &View, name: &str) {
    let findings = view.findings();
    if findings.is_empty() {
        return frame.render_widget(Paragraph::new("no lies found").dim(), area);
    }
    let rows = findings.iter().map(|one| {
        Row::new([
            Cell::from(clean(&one.rule)).red(),
            Cell::from(known(one.height)),
            Cell::from(clean(&one.upstream)),
            Cell::from(clean(&one.words)),
        ])
    });
    let rules = findings.iter().map(|one| one.rule.as_str());
    let names = findings.iter().map(|one| one.upstream.as_str());
    let widths = [
        name_width(rules, area),
        Constraint::Length(11),
        name_width(names, area),
        Constraint::Fill(1),
    ];
    let count = whole((findings.len() + view.left_out(name)) as u64);
    let title = format!("Lies ({count})");
    let heads = Row::new([title, "Height".into(), "Upstream".into(), String::new()]).dim();
    let focused = view.focus == Focus::Findings;
    let table = Table::new(rows, widths)
        .header(heads)
        .row_highlight_style(selected(focused));
    let mut state = TableState::default();
    if focused {
        state.select(Some(view.selected_finding()));
    }
    frame.render_stateful_widget(table, area, &mut state);
}
