//! The view on a screen. Colour only ever repeats what a word says.

mod detail;
mod evidence;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, TableState},
};

use heliostat_observe::{ChainStatus, Status};

use super::{
    view::{Focus, View},
    words::{clean, known, latency, per_second, whole},
};
use crate::status::duration;

/// Reasons not to be ready that are shown at a time; the others are counted.
const REASONS: usize = 3;

/// Rows of chains shown at a time; the list moves with the selection.
const CHAINS: u16 = 8;

/// How far back rates and quantiles of the list look, in samples: a minute.
const RECENT: usize = 6;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, view: &View) {
    let Some(status) = &view.status else {
        return draw_waiting(frame, view);
    };
    let reasons = reasons(status);
    let chains = u16::try_from(status.chains.len()).unwrap_or(CHAINS);
    let [head, why, list, rest, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(reasons.len() as u16),
        Constraint::Length(chains.min(CHAINS) + 2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(status, view), head);
    frame.render_widget(Paragraph::new(reasons), why);
    draw_chains(frame, list, status, view);
    detail::draw(frame, rest, view);
    frame.render_widget(footer(view), foot);
    evidence::draw(frame, view);
}

fn draw_waiting(frame: &mut Frame<'_>, view: &View) {
    let asked = format!("Asking {} …", clean(&view.url));
    let why = view.away.as_deref().map(|why| {
        format!(
            "no answer: {}; is it running, and is this its observe address?",
            clean(why)
        )
    });
    let lines = [
        asked,
        why.unwrap_or_default(),
        String::new(),
        "q leaves".into(),
    ];
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    let text = Paragraph::new(lines).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(text, frame.area());
}

fn header(status: &Status, view: &View) -> Line<'static> {
    let state = match (&view.away, status.ready) {
        (Some(why), _) => Span::from(format!("! no connection: {}", clean(why))).yellow(),
        (None, true) => Span::from("✓ ready").green(),
        (None, false) => Span::from("✗ not ready").red(),
    };
    let about = format!(
        " {} up {}  {}  ",
        clean(&status.version),
        duration(view.uptime()),
        clean(&view.url)
    );
    Line::from(vec!["Heliostat".bold(), about.into(), state.bold()])
}

/// Why the process is not ready, at most [`REASONS`] lines.
fn reasons(status: &Status) -> Vec<Line<'static>> {
    let all = &status.not_ready;
    let red = |text: String| Line::from(text).red();
    let mut lines: Vec<_> = all
        .iter()
        .take(REASONS)
        .map(|why| red(clean(why)))
        .collect();
    if all.len() > REASONS {
        let more = all.len() - REASONS + 1;
        lines[REASONS - 1] = red(format!("… and {more} reasons more"));
    }
    lines
}

fn footer(view: &View) -> Line<'static> {
    let keys = match (&view.open, view.focus) {
        (Some(_), _) => "↑↓ scroll  Esc close  q leave",
        (None, Focus::Chains) => "↑↓ chain  Tab lies  q leave",
        (None, Focus::Findings) => "↑↓ lie  Enter open  Tab chains  q leave",
    };
    Line::from(keys).dim()
}

fn draw_chains(frame: &mut Frame<'_>, area: Rect, status: &Status, view: &View) {
    let heads = [
        "Chain", "Ready", "Height", "Behind", "Age", "Head", "Answers", "Errors", "p99", "Store",
    ];
    let widths = [
        Constraint::Fill(2),
        Constraint::Length(5),
        Constraint::Length(11),
        Constraint::Length(9),
        Constraint::Length(11),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(10),
    ];
    // What a narrow terminal has no room for is left out from the right.
    let shown = match area.width {
        0..=60 => 5,
        61..=84 => 8,
        _ => heads.len(),
    };
    let rows = status.chains.iter().map(|(name, chain)| {
        let cells = chain_cells(name, chain, view);
        Row::new(cells.into_iter().take(shown))
    });
    let table = Table::new(rows, widths.into_iter().take(shown))
        .header(Row::new(heads.into_iter().take(shown)).dim())
        .row_highlight_style(selected(view.focus == Focus::Chains));
    let mut state = TableState::default().with_selected(view.selected_chain());
    frame.render_stateful_widget(table, area, &mut state);
}

fn selected(focused: bool) -> Style {
    match focused {
        true => Style::new().add_modifier(Modifier::REVERSED),
        false => Style::new().add_modifier(Modifier::BOLD),
    }
}

fn chain_cells(name: &str, chain: &ChainStatus, view: &View) -> Vec<Cell<'static>> {
    let ready = match chain.not_ready.is_empty() {
        true => Cell::from("✓ yes").green(),
        false => Cell::from("✗ no").red(),
    };
    let behind = match (chain.local_height, chain.target_height) {
        (Some(local), Some(target)) => whole(target.saturating_sub(local)),
        _ => "?".to_owned(),
    };
    let head = chain.head.as_ref();
    let age = head.map(|head| duration(view.now().saturating_sub(head.time)));
    let grade = head.map(|head| clean(&head.assurance)).unwrap_or_default();
    let style = grade_style(&grade);
    let recent = Recent::of(view, name);
    let store = match &chain.store.error {
        Some(_) => Cell::from("✗ error").red(),
        None => Cell::from(indicatif::HumanBytes(chain.store.bytes).to_string()),
    };
    vec![
        Cell::from(clean(name)),
        ready,
        Cell::from(known(chain.local_height)),
        Cell::from(behind),
        Cell::from(age.unwrap_or_else(|| "?".to_owned())),
        Cell::from(grade).style(style),
        Cell::from(per_second(recent.answers)),
        Cell::from(per_second(recent.errors)),
        Cell::from(recent.p99.map(latency).unwrap_or_default()),
        store,
    ]
}

/// The colour of a grade or of a part of the answers.
fn grade_style(grade: &str) -> Style {
    let colour = match grade.split(' ').next() {
        Some("proven") => Color::Green,
        Some("agreed") => Color::Cyan,
        Some("relayed") => Color::Yellow,
        Some("errors") => Color::Red,
        _ => Color::Reset,
    };
    Style::new().fg(colour)
}

/// The colour of an upstream's state.
fn state_style(state: &str) -> Style {
    Style::new().fg(match state {
        "ok" => Color::Green,
        "wrong" => Color::Red,
        _ => Color::Yellow,
    })
}

/// What a chain did in the last minute.
struct Recent {
    answers: f64,
    errors: f64,
    p99: Option<f64>,
}

impl Recent {
    fn of(view: &View, chain: &str) -> Self {
        let samples: Vec<_> = view.samples(chain).collect();
        let last = &samples[samples.len().saturating_sub(RECENT)..];
        let seconds = last
            .iter()
            .map(|(seconds, _)| seconds)
            .sum::<f64>()
            .max(1.0);
        let sum = |count: fn(&heliostat_observe::history::ChainSample) -> u64| {
            last.iter().map(|(_, sample)| count(sample)).sum::<u64>() as f64 / seconds
        };
        let slowest = last.iter().filter_map(|(_, sample)| sample.p99);
        Self {
            answers: sum(|sample| sample.answers()),
            errors: sum(|sample| sample.failed),
            p99: slowest.reduce(f64::max),
        }
    }
}
