//! Rejects values of the wrong type, without repeating them: one may be a
//! secret. Says which setting it is that the parser does not like.

use toml::{Table, Value};

use super::{Config, ConfigError, settings::Setting};

/// Reads a file whose keys and types are right.
///
/// # Errors
/// The setting whose value makes no sense, such as a name that is none of
/// those there are.
pub fn read(table: &Table) -> Result<Config, ConfigError> {
    let parse = |table: &Table| {
        let read: Result<Config, _> = table.clone().try_into();
        read.map_err(|error| error.message().replace('\n', "; "))
    };
    let reason = match parse(table) {
        Ok(config) => return Ok(config),
        Err(reason) => reason,
    };
    // The parser does not say where it was; without the culprit it says
    // something else.
    let mut paths = Vec::new();
    leaves(table, &mut Vec::new(), &mut paths);
    let is_culprit = |path: &Vec<Step>| {
        // Known to be right, and nothing can be read without it.
        if matches!(path.last(), Some(Step::Key(key)) if key == "ledger") {
            return false;
        }
        let mut without = Value::Table(table.clone());
        remove(&mut without, path);
        let without = without.as_table().map(parse);
        without.is_some_and(|other| other.err().as_ref() != Some(&reason))
    };
    match paths.iter().find(|path| is_culprit(path)) {
        Some(path) => Err(ConfigError::value(written(path), reason)),
        None => Err(ConfigError::Misfit {
            path: String::new(),
            words: reason,
        }),
    }
}

/// A step of a path.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// The paths of all values that are no tables.
fn leaves(table: &Table, at: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    for (key, value) in table {
        at.push(Step::Key(key.clone()));
        match value {
            Value::Table(inner) => leaves(inner, at, found),
            Value::Array(items) if items.iter().any(Value::is_table) => {
                for (index, item) in items.iter().enumerate() {
                    at.push(Step::Index(index));
                    if let Value::Table(inner) = item {
                        leaves(inner, at, found);
                    }
                    at.pop();
                }
            }
            _ => found.push(at.clone()),
        }
        at.pop();
    }
}

fn remove(value: &mut Value, path: &[Step]) {
    match (path, value) {
        ([Step::Key(key)], Value::Table(table)) => {
            table.remove(key);
        }
        ([Step::Key(key), rest @ ..], Value::Table(table)) => {
            if let Some(inner) = table.get_mut(key) {
                remove(inner, rest);
            }
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            if let Some(inner) = items.get_mut(*index) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Checks that `value` is of the type of the setting's example.
///
/// # Errors
/// It is not, in words.
pub fn check(setting: &Setting, value: &Value) -> Result<(), String> {
    let example = example(setting);
    if is_like(&example, value) {
        return Ok(());
    }
    let given = match value {
        Value::Integer(number) if *number < 0 && example.is_integer() => "negative".to_owned(),
        _ => describe(value),
    };
    Err(format!(
        "is {given}, and has to be {}; write {} = {}",
        describe(&example),
        setting.key,
        setting.example
    ))
}

/// What the example file shows.
fn example(setting: &Setting) -> Value {
    let text = format!("value = {}", setting.example);
    let table: toml::Table = toml::from_str(&text).expect("every example is TOML");
    table["value"].clone()
}

fn is_like(example: &Value, value: &Value) -> bool {
    match (example, value) {
        // No setting can be negative.
        (Value::Integer(_), Value::Integer(number)) => *number >= 0,
        (Value::Float(_), Value::Integer(_)) => true,
        (Value::Array(example), Value::Array(items)) => {
            let first = example.first();
            first.is_none_or(|first| items.iter().all(|item| is_like(first, item)))
        }
        _ => example.same_type(value),
    }
}

/// A type in words.
fn describe(value: &Value) -> String {
    match value {
        Value::String(_) => "a text in quotes".to_owned(),
        Value::Integer(_) => "a whole number".to_owned(),
        Value::Float(_) => "a number".to_owned(),
        Value::Boolean(_) => "true or false".to_owned(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Array(items) => match items.first() {
            Some(Value::String(_)) => "a list of texts in quotes".to_owned(),
            _ => "a list".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::settings;

    fn refused(path: &str, value: Value) -> Option<String> {
        let setting = settings().find(|setting| setting.path() == path);
        check(setting.expect("a setting"), &value).err()
    }

    #[test]
    fn a_value_of_another_type_is_told_what_to_write_and_not_repeated() {
        let text = || Value::String("hunter2".to_owned());
        for (path, value, words) in [
            (
                "door.limits.address-rate",
                text(),
                "is a text in quotes, and has to be a whole number; write address-rate = 500",
            ),
            (
                "door.limits.address-rate",
                Value::Integer(-4),
                "is negative",
            ),
            (
                "chain.<zcash>.rpc-password",
                Value::Integer(77_123),
                "is a whole number, and has to be a text in quotes; write rpc-password = \"secret\"",
            ),
            (
                "door.access.deny-networks",
                text(),
                "has to be a list of texts in quotes; write deny-networks = [\"192.0.2.7\"]",
            ),
            (
                "door.access.deny-networks",
                Value::Array(vec![Value::Integer(77_123)]),
                "is a list, and has to be a list of texts",
            ),
            ("door.tls.cert", Value::Boolean(true), "is true or false"),
        ] {
            let refused = refused(path, value).expect("the wrong type");
            assert!(refused.contains(words), "{refused}");
            let shown = refused.contains("hunter2") || refused.contains("77123");
            assert!(!shown, "{refused}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_told_with_its_setting() {
        let chain = "[chain.z]\nledger = 'zcash'\n";
        let upstream = format!("{chain}[[chain.z.upstream]]\nurl = 'http://a:1'\n");
        for (text, line, words) in [
            (
                "[observe]\nlog-format = 'json'\nlog-level = 'loud'".to_owned(),
                3,
                "observe.log-level: unknown variant `loud`, expected one of `off`",
            ),
            (
                format!("{chain}donation-address = 'u1'\nnetwork = 'mainnet'"),
                4,
                "chain.z.network: unknown variant `mainnet`, expected one of `main`",
            ),
            (
                format!("{upstream}[[chain.z.upstream]]\nrole = 'folow'"),
                6,
                "chain.z.upstream[1].role: unknown variant `folow`",
            ),
            (
                format!("{chain}checkpoint = '12'"),
                3,
                "chain.z.checkpoint: \"12\" is not a checkpoint; write HEIGHT:HASH",
            ),
            (
                "[door.limits]\naddress-rate = 5000000000".to_owned(),
                2,
                "door.limits.address-rate: ",
            ),
        ] {
            let error = Config::parse(&text, "a.toml").expect_err("no such name");
            let error = error.to_string();
            let expected = format!("a.toml line {line}: {words}");
            assert!(error.starts_with(&expected), "{expected}: {error}");
        }
    }

    #[test]
    fn every_example_is_of_its_own_type_and_a_share_may_be_whole() {
        for setting in settings() {
            assert_eq!(check(setting, &example(setting)), Ok(()));
        }
        assert_eq!(
            refused("chain.<tezos>.min-agreement", Value::Integer(1)),
            None
        );
    }
}
