//! One finding, opened over the rest: both sides of it.

use ratatui::{
    Frame,
    style::Stylize,
    text::Line,
    widgets::{Block, Clear, Paragraph},
};

use heliostat_observe::evidence::{Shown, ShownExhibit};

use crate::top::{
    view::View,
    words::{clean, known, whole, wrapped},
};

/// Bytes in a row of the dump.
const WIDTH: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let Some(open) = &view.open else { return };
    let area = frame.area();
    // The last line stays: it says how to close this.
    let area = ratatui::layout::Rect {
        height: area.height.saturating_sub(1),
        ..area
    };
    // Without the frame.
    let width = usize::from(area.width.saturating_sub(2));
    let lines = match &open.shown {
        None => vec![Line::from("…")],
        Some(Err(why)) => vec![Line::from(format!("it could not be read: {}", clean(why))).red()],
        Some(Ok(shown)) => lines(shown, width),
    };
    let longest = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let scroll = open.scroll.min(longest.saturating_sub(area.height / 2));
    let block = Block::bordered().title(" Both sides of a lie ".bold());
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block).scroll((scroll, 0)), area);
}

fn lines(shown: &Shown, width: usize) -> Vec<Line<'static>> {
    let rule = format!("{} at height {}", clean(&shown.rule), known(shown.height));
    let mut lines = vec![
        Line::from(rule).red().bold(),
        Line::from(clean(&shown.upstream)),
    ];
    lines.extend(wrapped(&clean(&shown.words), width).map(Line::from));
    for exhibit in &shown.exhibits {
        lines.push(Line::default());
        let cut = match exhibit.hex.len() / 2 < exhibit.size {
            true => format!(", the first {} shown", whole(exhibit.hex.len() as u64 / 2)),
            false => String::new(),
        };
        let title = format!(
            "{} ({} bytes{cut})",
            clean(&exhibit.name),
            whole(exhibit.size as u64)
        );
        lines.push(Line::from(title).bold());
        lines.extend(dump(exhibit));
    }
    lines
}

/// Offset, hex and text, a row of bytes each.
fn dump(exhibit: &ShownExhibit) -> impl Iterator<Item = Line<'static>> {
    let bytes = hex::decode(&exhibit.hex).unwrap_or_default();
    let rows: Vec<_> = bytes.chunks(WIDTH).map(<[u8]>::to_vec).collect();
    rows.into_iter().enumerate().map(|(number, row)| {
        let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = row.iter().map(|&byte| match byte {
            32..127 => char::from(byte),
            _ => '·',
        });
        let text: String = text.collect();
        let wide = WIDTH * 3 - 1;
        Line::from(format!(
            "{:05x}  {:wide$}  {text}",
            number * WIDTH,
            hex.join(" ")
        ))
    })
}
