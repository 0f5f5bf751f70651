//! The effective configuration: every setting with its value and where the
//! value comes from, secrets masked. `heliostat show-config` prints it.

use std::{collections::BTreeMap, fmt, fmt::Write as _, path::Path};

use heliostat_zcash::credentials;
use serde::Serialize;
use toml::{
    Table as TomlTable, Value,
    de::{DeTable, DeValue},
};

use super::{
    Config, ConfigError,
    settings::{Setting, Table, placeholder, settings, tables},
    state_folder,
};
use crate::address::without_credentials;

/// Keys whose values are secrets. A file that holds one is named as it is.
const SECRETS: &[&str] = &["rpc-password", "bearer-token"];

/// Settings that are read from the environment where nothing else says them.
const VARIABLES: &[(&str, &str)] = &[
    ("chain.<zcash>.rpc-user", credentials::ENV_USER),
    ("chain.<zcash>.rpc-password", credentials::ENV_PASSWORD),
    ("chain.<zcash>.rpc-cookie-file", credentials::ENV_COOKIE),
];

/// What stands in place of a secret.
pub const MASK: &str = "(not shown)";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file, at this line, counted from 1.
    File {
        /// The line.
        line: usize,
    },
    /// A flag of the command line.
    Flag {
        /// Its name, with dashes.
        flag: String,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "line {line}"),
            Self::Flag { flag } => f.write_str(flag),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

/// The origins of what was said, by path (`chain.zcash.upstream[0].url`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// The line of every value of a file.
    ///
    /// # Errors
    /// It cannot be read or is not TOML.
    pub fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::File {
            path: shown.clone(),
            reason,
        })?;
        let table =
            DeTable::parse(&text).map_err(|error| ConfigError::of_toml(&error, &text, &shown))?;
        let mut origins = Self::default();
        origins.walk(&text, table.get_ref(), "");
        Ok(origins)
    }

    /// Notes that `flag` sets the value at `path`.
    pub fn flag(&mut self, path: impl Into<String>, flag: &str) {
        let flag = flag.to_owned();
        self.0.insert(path.into(), Origin::Flag { flag });
    }

    /// The origin of what stands at `path`.
    pub fn of(&self, path: &str) -> Option<&Origin> {
        self.0.get(path)
    }

    fn walk(&mut self, text: &str, table: &DeTable<'_>, at: &str) {
        for (key, value) in table {
            let path = join(at, key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.walk(text, inner, &path),
                DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                    for (index, item) in items.iter().enumerate() {
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.walk(text, inner, &format!("{path}[{index}]"));
                        }
                    }
                }
                _ => {
                    let before = text.get(..key.span().start).unwrap_or_default();
                    let line = 1 + before.matches('\n').count();
                    self.0.insert(path, Origin::File { line });
                }
            }
        }
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its path in the file.
    pub setting: String,
    /// Its value; none where what happens without one cannot be said as a
    /// value.
    pub value: Option<Value>,
    /// What happens without a value, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<&'static str>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Some settings under one heading of the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// The heading, with its brackets.
    pub heading: String,
    /// The settings.
    pub rows: Vec<Row>,
}

/// Every setting of `config`, section by section. `environment` reads a
/// variable.
pub fn sections(
    config: &Config,
    origins: &Origins,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<Section> {
    let written = TomlTable::try_from(config).expect("a configuration is always TOML");
    let mut sections: Vec<(String, Section)> = Vec::new();
    for table in tables().filter(|table| !table.about.is_empty()) {
        for (path, held) in instances(&written, table) {
            let rows: Vec<_> = if table.free {
                let free = |(key, value): (&String, &Value)| {
                    let setting = join(&path, key);
                    Row {
                        value: Some(value.clone()),
                        without: None,
                        origin: origins.of(&setting).cloned().unwrap_or(Origin::Default),
                        setting,
                    }
                };
                held.iter().map(free).collect()
            } else {
                let settings = settings();
                let settings = settings.filter(|setting| setting.table == table.shape);
                settings
                    .map(|setting| row(setting, &path, &held, origins, environment))
                    .collect()
            };
            let named = without_places(&path);
            let heading = match table.repeated {
                true => format!("[[{named}]]"),
                false => format!("[{named}]"),
            };
            // As in a file: what belongs to one entry of a list stands right
            // below it.
            let entry = path.rfind(']').map(|end| &path[..=end]);
            let above = sections
                .iter()
                .rposition(|(above, _)| entry.is_some_and(|entry| above.starts_with(entry)));
            let at = above.map_or(sections.len(), |above| above + 1);
            sections.insert(at, (path, Section { heading, rows }));
        }
    }
    // And what belongs to a chain below that.
    sections.sort_by_key(|(path, _)| chain_of(path));
    sections.into_iter().map(|(_, section)| section).collect()
}

/// A path as a heading has it: `a[1].b` is `a.b`.
fn without_places(path: &str) -> String {
    let mut parts = path.split('[');
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        named.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    named
}

/// The chain a path belongs to, nothing for what is above all chains.
fn chain_of(path: &str) -> String {
    let name = path.strip_prefix("chain.").unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Every table of the configuration that has this shape, with its path.
fn instances(written: &TomlTable, table: &Table) -> Vec<(String, TomlTable)> {
    let mut found = vec![(String::new(), written.clone())];
    for step in table.shape.split('.') {
        let mut below = Vec::new();
        for (path, held) in found {
            match step {
                _ if step.starts_with('<') => {
                    below.extend(held.into_iter().filter_map(|(name, value)| {
                        let inner = value.as_table()?.clone();
                        let ledger = inner.get("ledger")?.as_str()?;
                        let is_ours = placeholder(ledger) == step;
                        is_ours.then(|| (join(&path, &name), inner))
                    }));
                }
                _ => match held.get(step) {
                    Some(Value::Table(inner)) => below.push((join(&path, step), inner.clone())),
                    Some(Value::Array(items)) => {
                        let items = items.iter().filter_map(Value::as_table).cloned();
                        let named =
                            |(index, item)| (format!("{}[{index}]", join(&path, step)), item);
                        below.extend(items.enumerate().map(named));
                    }
                    _ => {}
                },
            }
        }
        found = below;
    }
    found
}

fn row(
    setting: &'static Setting,
    path: &str,
    held: &TomlTable,
    origins: &Origins,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Row {
    let at = join(path, setting.key);
    let mut value = held.get(setting.key).cloned();
    let mut origin = origins.of(&at).cloned().unwrap_or(Origin::Default);
    if value.is_none()
        && let Some((told, variable)) = from_environment(setting, environment)
    {
        value = Some(Value::String(told));
        let variable = variable.to_owned();
        origin = Origin::Environment { variable };
    }
    if value.is_none() && setting.path() == "store.address" {
        let folder = state_folder();
        value = folder.map(|folder| format!("sqlite:{}/{{chain}}.sqlite", folder.display()).into());
    }
    let without = value.is_none().then_some(setting.default);
    Row {
        value: value.map(|value| masked(setting, value)),
        without,
        origin,
        setting: at,
    }
}

/// What the environment says in place of the configuration.
fn from_environment(
    setting: &Setting,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, &'static str)> {
    let path = setting.path();
    let (_, variable) = VARIABLES.iter().find(|(known, _)| *known == path)?;
    let told = environment(variable).filter(|told| !told.is_empty())?;
    Some((told, variable))
}

/// A value as it may be shown.
fn masked(setting: &Setting, value: Value) -> Value {
    if SECRETS.contains(&setting.key) {
        return Value::String(MASK.to_owned());
    }
    match value {
        Value::String(text) if text.contains('@') => Value::String(without_credentials(&text)),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| masked(setting, item));
            Value::Array(items.collect())
        }
        other => other,
    }
}

fn join(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

/// The column where origins begin, if the value leaves room.
const ORIGIN_COLUMN: usize = 50;

/// As TOML, each line with its origin in a comment. What is masked has to be
/// filled in before it can be used.
pub fn toml(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{}", section.heading);
        for row in &section.rows {
            let key = row.setting.rsplit('.').next().unwrap_or_default();
            let line = match (&row.value, row.without) {
                (Some(value), _) => format!("{key} = {value}"),
                (None, without) => {
                    let without = without.unwrap_or_default().replace('`', "");
                    let _ = writeln!(text, "# {key}: {without}");
                    continue;
                }
            };
            let _ = writeln!(text, "{line:ORIGIN_COLUMN$} # {}", row.origin);
        }
    }
    text
}
