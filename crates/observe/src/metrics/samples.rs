//! The scraped text, read back. What is sent elsewhere is taken from the same
//! text that is scraped, so that the two cannot differ.

/// One metric with its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Its name; a counter's without `_total`.
    pub name: String,
    /// What it says.
    pub help: String,
    /// `gauge`, `counter` or `histogram`.
    pub kind: String,
    /// Its rows, in the order of the text.
    pub rows: Vec<ReadRow>,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadRow {
    /// What follows the metric's name: empty, `_total`, `_bucket`, `_sum`, …
    pub suffix: String,
    /// Label names and values.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Reads what [`Metrics::scrape`](crate::Metrics::scrape) wrote. Lines that
/// are none of ours are left out.
pub fn read(text: &str) -> Vec<Read> {
    let mut all: Vec<Read> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            described(&mut all, rest);
        } else if let Some(metric) = all.last_mut()
            && let Some(row) = line.strip_prefix(&metric.name).and_then(row)
        {
            metric.rows.push(row);
        }
    }
    all.retain(|metric| !metric.rows.is_empty());
    all
}

/// `HELP name words` and `TYPE name kind`.
fn described(all: &mut Vec<Read>, line: &str) {
    let mut parts = line.splitn(3, ' ');
    let (Some(what), Some(name), Some(words)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    if all.last().is_none_or(|last| last.name != name) {
        all.push(Read {
            name: name.to_owned(),
            ..Read::default()
        });
    }
    match (what, all.last_mut()) {
        ("HELP", Some(metric)) => metric.help = words.to_owned(),
        ("TYPE", Some(metric)) => metric.kind = words.to_owned(),
        _ => {}
    }
}

/// `suffix{a="b",c="d"} 1.0`
fn row(rest: &str) -> Option<ReadRow> {
    let end = rest.find(['{', ' '])?;
    let (suffix, rest) = rest.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        None => (Vec::new(), rest),
        Some(rest) => labels(rest)?,
    };
    Some(ReadRow {
        suffix: suffix.to_owned(),
        labels,
        value: value.split_whitespace().next()?.parse().ok()?,
    })
}

/// Labels and what is after their closing brace.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = quoted_text(quoted)?;
        labels.push((name.to_owned(), value));
        rest = after;
    }
}

/// A value without its escapes, and what is after its closing quote.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use super::*;
    use crate::{ChainStatus, Metrics, Status, UpstreamStatus};

    #[test]
    fn what_is_scraped_is_read_back_whatever_upstreams_are_called() {
        let hostile = "a\"} 7\nheliostat_ready{chain=\"b\\\"} 9\n# TYPE x gauge";
        let upstream = UpstreamStatus {
            name: hostile.to_owned(),
            height: Some(12),
            ..UpstreamStatus::default()
        };
        let chain = ChainStatus {
            upstreams: vec![upstream],
            rewinds: 3,
            ..ChainStatus::default()
        };
        let chains = BTreeMap::from([("zcash".to_owned(), chain)]);
        let metrics = Metrics::new();
        metrics.upstream_asked("zcash", hostile, "ok", Duration::from_millis(7));
        let all = read(&metrics.scrape(Arc::new(Status::of("1", 0, chains))));
        let of = |name: &str| {
            let found = all.iter().find(|metric| metric.name == name);
            found.unwrap_or_else(|| panic!("{name} is missing from {all:?}"))
        };
        let height = of("heliostat_upstream_height");
        assert_eq!(height.rows.len(), 1);
        assert_eq!(height.rows[0].labels[1].1, hostile);
        assert_eq!(height.rows[0].value, 12.0);
        let rewinds = of("heliostat_rewinds");
        assert_eq!(
            (rewinds.kind.as_str(), rewinds.rows[0].value),
            ("counter", 3.0)
        );
        assert_eq!(rewinds.rows[0].suffix, "_total");
        let asked = of("heliostat_upstream_request_seconds");
        assert_eq!(asked.kind, "histogram");
        let count = asked.rows.iter().find(|row| row.suffix == "_count");
        assert_eq!(count.map(|row| row.value), Some(1.0));
    }

    #[test]
    fn text_that_is_not_ours_is_left_out() {
        let broken = "# TYPE a gauge\na{b=\"c 1\na{b=\"c\"}\na{ 1\na\na nothing\nb 1\n";
        assert_eq!(read(broken), []);
    }
}
