//! The shipped Grafana dashboard and Prometheus rules: they parse, and every
//! name in them is one that is scraped.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use heliostat_observe::metrics::{Described, METRICS};
use serde_json::{Value, json};

fn ops(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../ops")
        .join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(ops(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs promtool with these arguments in a folder; says so where there is
/// none.
fn promtool(arguments: &[&str], folder: &Path) {
    let run = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output();
    let Ok(run) = run else {
        eprintln!("skipped: there is no promtool on the path (Debian's package prometheus)");
        return;
    };
    let said = [run.stdout, run.stderr].concat();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Words of the shape of our metrics' names.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("heliostat_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The metric that a scrape shows under `name`.
fn metric(name: &str) -> Option<&'static Described> {
    METRICS.iter().find(|metric| match metric.kind {
        "histogram" => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| name.strip_suffix(suffix) == Some(metric.name)),
        _ => name == metric.name,
    })
}

/// Every `name{label…}` in `text`: the name, and the labels it is asked for.
fn selectors(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('{') {
        let before = &text[..at];
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &before[start.map_or(0, |start| start + 1)..];
        if metric(name).is_none() {
            continue;
        }
        let inside = &text[at + 1..];
        let inside = &inside[..inside.find('}').unwrap_or(inside.len())];
        let labels = inside.split(',').filter_map(|pair| {
            let end = pair.find(['=', '!'])?;
            Some(pair[..end].trim().to_owned())
        });
        found.push((name.to_owned(), labels.collect()));
    }
    found
}

/// Every name exists, and so does every label it is asked for. Prometheus
/// itself adds `instance` and `job`.
fn check_names(text: &str) {
    let names = names(text);
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(metric(&name).is_some(), "{name} is not scraped");
    }
    for (name, labels) in selectors(text) {
        let known = metric(&name).map_or("", |metric| metric.labels);
        for label in labels {
            let ours = known.split(' ').any(|known| known == label);
            let theirs = ["instance", "job"].contains(&label.as_str());
            assert!(ours || theirs, "{name} has no label {label}");
        }
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/heliostat.json")).expect("it is JSON")
}

/// Title and expressions of every panel.
fn panels() -> Vec<(String, Vec<String>)> {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("there are panels");
    let shown = all.iter().filter(|panel| panel["type"] != "row");
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    shown
        .map(|panel| {
            let targets = panel["targets"].as_array().expect("it shows something");
            let exprs = targets.iter().map(|target| text(&target["expr"]));
            (text(&panel["title"]), exprs.collect())
        })
        .collect()
}

#[test]
fn every_name_in_the_alert_rules_is_scraped() {
    check_names(&read("prometheus/alerts.yml"));
    check_names(&read("prometheus/alerts_test.yml"));
}

#[test]
fn every_name_in_the_grafana_dashboard_is_scraped() {
    let exprs: Vec<_> = panels().into_iter().flat_map(|(_, exprs)| exprs).collect();
    check_names(&exprs.join("\n"));
    for variable in dashboard()["templating"]["list"]
        .as_array()
        .expect("a list")
    {
        let query = variable["definition"].as_str().unwrap_or_default();
        for name in names(query) {
            assert!(metric(&name).is_some(), "{name} is not scraped");
        }
    }
}

#[test]
fn every_metric_is_shown_or_alarmed_on_or_said_why_not() {
    let exprs: Vec<_> = panels().into_iter().flat_map(|(_, exprs)| exprs).collect();
    let used = names(&(exprs.join("\n") + &read("prometheus/alerts.yml")));
    // Kept for those who build their own views.
    let spare = [
        "heliostat_uptime_seconds",
        "heliostat_connections",
        "heliostat_connections_accepted_total",
        "heliostat_door_accepted_total",
        "heliostat_door_reloads_total",
    ];
    for one in METRICS {
        let shown = used
            .iter()
            .any(|name| metric(name).is_some_and(|it| it.name == one.name));
        assert_ne!(shown, spare.contains(&one.name), "{}", one.name);
    }
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
    }
}

#[test]
fn prometheus_accepts_the_rules_and_raises_what_it_should() {
    let folder = ops("prometheus");
    promtool(&["check", "rules", "alerts.yml"], &folder);
    promtool(&["test", "rules", "alerts_test.yml"], &folder);
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() {
    // As recording rules, with what Grafana fills in; JSON is YAML too.
    let mut rules = Vec::new();
    for (title, exprs) in panels() {
        for expr in exprs {
            let expr = expr.replace("$__rate_interval", "5m");
            let record = format!("panel:{}", rules.len());
            rules.push(json!({ "record": record, "expr": expr, "labels": { "title": title } }));
        }
    }
    assert!(rules.len() > 20);
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rules.yml"), groups.to_string()).expect("a file");
    promtool(&["check", "rules", "rules.yml"], folder.path());
}
