//! The configuration reference and the example file, made from the settings.

use std::fmt::Write as _;

use super::settings::{
    LEDGERS, Setting, Table, Taken, ledger_of, placeholder, settings, shown, tables,
};
use crate::cli::aliases::ALIASES;

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "<!-- Generated: `cargo run -- docs-config > docs/configuration.md`. -->\n\
         # Configuration\n\n\
         `heliostat run --config heliostat.toml` reads one TOML file; \
         `heliostat zcash` and `heliostat tezos` take the same settings as flags. Unknown keys are \
         errors. `heliostat check --config heliostat.toml` validates the file and \
         tells what it finds at each upstream. A complete file to start from is \
         [heliostat.example.toml](../heliostat.example.toml).\n",
    );
    for table in tables().filter(|table| !table.about.is_empty()) {
        let ledger = of_ledger(table);
        let shape = shown(&heading(table));
        let _ = write!(text, "\n## `{shape}`{ledger}\n\n{}\n", table.about);
        let settings = of(table);
        if table.free {
            let keys: Vec<_> = table.keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = write!(text, "\nKeys: {}.\n", keys.join(", "));
        }
        if !settings.is_empty() {
            text.push_str("\n| key | default | flag | meaning |\n|---|---|---|---|\n");
        }
        for setting in settings {
            let default = match setting.required {
                true => "**required**",
                false => setting.default,
            };
            let flag = match setting.flag {
                "" => String::new(),
                flag => format!("`{}`", flag.replace(", ", "`, `")),
            };
            let _ = writeln!(
                text,
                "| `{}` | {default} | {flag} | {} |",
                setting.key, setting.meaning
            );
        }
    }
    text.push_str(&reloads());
    text.push_str(
        "\n## lightwalletd's flags\n\n\
         `heliostat zcash` takes lightwalletd's flag names, so that the binary can \
         be swapped in an existing service.\n\n\
         | flag | what happens |\n|---|---|\n",
    );
    for alias in ALIASES {
        let _ = writeln!(text, "| `--{}` | {} |", alias.flag, alias.effect);
    }
    text
}

/// Which chains a table is about, where it is about chains.
fn of_ledger(table: &Table) -> String {
    let ledger = ledger_of(table.shape);
    ledger.map_or_else(String::new, |ledger| {
        format!(" with `ledger = \"{ledger}\"`")
    })
}

/// What a running process takes over.
fn reloads() -> String {
    let mut text = String::from(
        "\n## What a running process takes over\n\n\
         SIGHUP (`systemctl reload heliostat`) reads the configuration file and \
         every file below again. A configuration file that is broken anywhere \
         changes nothing: the error names the file, the line and the setting, and \
         `heliostat_door_reload_failures_total` counts it. A broken certificate \
         or list keeps the one in force in the same way. The log says in one line \
         what has changed, and in another which changed settings are not listed \
         here and take effect after a restart. A quick start (`heliostat zcash`) \
         has no configuration file; its certificates and lists are read again all \
         the same.\n\n\
         Limits and tokens hold for connections and requests from then on, \
         time-outs also for connections that are open. Connections of addresses \
         that may no longer connect are cut at once.\n\n\
         | setting | what is taken over |\n|---|---|\n",
    );
    for table in tables() {
        let ledger = of_ledger(table);
        if table.taken.by_signal() {
            let shape = shown(&heading(table));
            let _ = writeln!(text, "| `{shape}`{ledger} | all of it, on SIGHUP |");
        }
        for setting in of(table) {
            let words = match setting.taken {
                Taken::Restart => continue,
                Taken::Signal => "its value, on SIGHUP",
                Taken::SignalAndContent => "its value and the content of the file, on SIGHUP",
                Taken::Content => "the content of the file, when that changes and on SIGHUP",
                Taken::ContentUsed => "the content of the file, when that changes",
                Taken::ContentRefused => "the content of the file, when the node refuses the old",
            };
            let path = shown(&setting.path());
            let _ = writeln!(text, "| `{path}`{ledger} | {words} |");
        }
    }
    text
}

/// The text of `heliostat.example.toml`.
pub fn example() -> String {
    let mut text = String::from(
        "# Every setting of Heliostat. A line with a value behind `#` shows the\n\
         # default or an example; remove the `#` to set it.\n\
         # Generated: `cargo run -- docs-config --example > heliostat.example.toml`.\n",
    );
    for table in tables().filter(|table| !table.about.is_empty()) {
        text.push('\n');
        comment(&mut text, table.about);
        let mark = if table.optional { "# " } else { "" };
        let heading = named(&heading(table));
        let _ = writeln!(text, "{mark}{heading}");
        if let (true, Some(key)) = (table.free, table.keys.last()) {
            let _ = writeln!(text, "# {key} = \"relayed\"");
        }
        for setting in of(table) {
            comment(&mut text, setting.meaning);
            let mark = if setting.required { "" } else { "# " };
            let _ = writeln!(text, "{mark}{} = {}", setting.key, setting.example);
        }
    }
    text
}

fn heading(table: &Table) -> String {
    match table.repeated {
        true => format!("[[{}]]", table.shape),
        false => format!("[{}]", table.shape),
    }
}

/// A shape with a name for the chain: that of its ledger.
fn named(shape: &str) -> String {
    let chains = LEDGERS.iter();
    chains.fold(shape.to_owned(), |shape, ledger| {
        shape.replace(&placeholder(ledger), ledger)
    })
}

fn of(table: &Table) -> Vec<&'static Setting> {
    let settings = settings();
    settings
        .filter(|setting| setting.table == table.shape)
        .collect()
}

/// Wraps words into comment lines. The two marks keep them apart from lines
/// that become settings.
fn comment(text: &mut String, words: &str) {
    const WIDTH: usize = 76;
    let mut line = String::from("##");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("##");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{ChainConfig, Config};

    /// The example with every setting set.
    fn everything() -> String {
        let lines = example()
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|line| line.contains(" = ") || line.starts_with('['))
                    .unwrap_or(line)
                    .to_owned()
            })
            .collect::<Vec<_>>();
        lines.join("\n")
    }

    fn paths(table: &toml::Table, at: &str, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let path = if at.is_empty() {
                key.clone()
            } else {
                format!("{at}.{key}")
            };
            let path = LEDGERS.iter().fold(path, |path, ledger| {
                path.replace(
                    &format!("chain.{ledger}"),
                    &format!("chain.{}", placeholder(ledger)),
                )
            });
            match value {
                toml::Value::Table(inner) => paths(inner, &path, found),
                toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                    for item in items.iter().filter_map(toml::Value::as_table) {
                        paths(item, &path, found);
                    }
                }
                _ => {
                    found.insert(path);
                }
            }
        }
    }

    #[test]
    fn the_settings_are_exactly_what_the_configuration_holds() {
        let text = everything();
        let mut config: Config = toml::from_str(&text).expect("every example parses");
        // What was parsed, written again: a key the structure does not have
        // is missing from it.
        for chain in config.chain.values_mut() {
            match chain {
                ChainConfig::Zcash(zcash) => zcash.minimum.clear(),
                ChainConfig::Tezos(tezos) => tezos.minimum.clear(),
            }
        }
        let written = toml::Table::try_from(&config).expect("a configuration serializes");
        let (mut held, mut documented) = (BTreeSet::new(), BTreeSet::new());
        paths(&written, "", &mut held);
        documented.extend(settings().map(Setting::path));
        assert_eq!(held, documented);
    }

    #[test]
    fn the_example_is_a_valid_file_as_it_stands() {
        Config::parse(&example(), "the example").expect("valid");
    }

    #[test]
    fn a_default_that_is_written_as_a_value_is_the_default() {
        let written = toml::Table::try_from(Config::default()).expect("a default serializes");
        for setting in settings().filter(|setting| !setting.path().starts_with("chain.")) {
            let Some(value) = held(&written, &setting.path()) else {
                continue;
            };
            let empty = value.as_array().is_some_and(Vec::is_empty);
            let documented = setting.default.trim_matches('`');
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            assert!(empty || documented == text, "{}: {text}", setting.path());
        }
    }

    fn held<'a>(table: &'a toml::Table, path: &str) -> Option<&'a toml::Value> {
        match path.split_once('.') {
            None => table.get(path),
            Some((first, rest)) => held(table.get(first)?.as_table()?, rest),
        }
    }

    #[test]
    fn the_documents_in_the_tree_are_current() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for (file, command, text) in [
            ("docs/configuration.md", "docs-config", reference()),
            ("heliostat.example.toml", "docs-config --example", example()),
        ] {
            let found = std::fs::read_to_string(format!("{root}/{file}")).unwrap_or_default();
            assert!(
                found == text,
                "{file} is stale; run `cargo run -- {command} > {file}`"
            );
        }
    }
}
