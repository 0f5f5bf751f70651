//! What a running process makes of a changed configuration file: the settings
//! that say so are taken over, the others are named.

use toml::{Table, Value};

use super::{
    Config,
    settings::{ledger_of, placeholder, taken_over},
};

/// A configuration file that was read again, held against what runs.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// What runs from now on.
    pub running: Config,
    /// The settings that were taken over, by path.
    pub taken: Vec<String>,
    /// The settings that differ and take a restart, by path.
    pub left: Vec<String>,
}

impl Change {
    /// `running` with everything of `wanted` that can be had without a
    /// restart.
    pub fn of(running: &Config, wanted: &Config) -> Self {
        let table = |config| Table::try_from(config).expect("a configuration is always TOML");
        let (mut ours, theirs) = (table(running), table(wanted));
        let mut taken = Vec::new();
        for path in taken_over().flat_map(|shape| places(&shape, running, wanted)) {
            let steps: Vec<_> = path.split('.').collect();
            if take(&mut ours, &theirs, &steps) {
                taken.push(path);
            }
        }
        let mut left = Vec::new();
        differences(&ours, &theirs, "", &mut left);
        let running: Config = ours
            .try_into()
            .expect("settings keep their types from one configuration to another");
        Self {
            running,
            taken,
            left,
        }
    }
}

/// Where a shape is in both configurations: once, or once in each chain of its
/// ledger.
fn places(shape: &str, running: &Config, wanted: &Config) -> Vec<String> {
    let Some(ledger) = ledger_of(shape) else {
        return vec![shape.to_owned()];
    };
    let is_its = |config: &Config, name: &String| {
        let chain = config.chain.get(name);
        chain.is_some_and(|chain| chain.ledger() == ledger)
    };
    let names = running.chain.keys();
    names
        .filter(|name| is_its(running, name) && is_its(wanted, name))
        .map(|name| shape.replace(&placeholder(ledger), name))
        .collect()
}

/// Copies the value at `steps`, or its absence; true if that made a difference.
fn take(ours: &mut Table, theirs: &Table, steps: &[&str]) -> bool {
    let [step, rest @ ..] = steps else {
        return false;
    };
    if rest.is_empty() {
        let before = match theirs.get(*step) {
            Some(value) => ours.insert((*step).to_owned(), value.clone()),
            None => ours.remove(*step),
        };
        return before.as_ref() != theirs.get(*step);
    }
    match (ours.get_mut(*step), theirs.get(*step)) {
        (Some(Value::Table(ours)), Some(Value::Table(theirs))) => take(ours, theirs, rest),
        _ => false,
    }
}

/// The paths at which two tables differ. A list counts as one value, except
/// lists of tables of one length.
fn differences(ours: &Table, theirs: &Table, at: &str, found: &mut Vec<String>) {
    let keys = ours
        .keys()
        .chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    for key in keys {
        let path = match at {
            "" => key.clone(),
            _ => format!("{at}.{key}"),
        };
        match (ours.get(key), theirs.get(key)) {
            (Some(Value::Table(ours)), Some(Value::Table(theirs))) => {
                differences(ours, theirs, &path, found);
            }
            (Some(Value::Array(ours)), Some(Value::Array(theirs)))
                if ours.len() == theirs.len() && ours.iter().all(Value::is_table) =>
            {
                for (index, pair) in ours.iter().zip(theirs).enumerate() {
                    if let (Value::Table(ours), Value::Table(theirs)) = pair {
                        differences(ours, theirs, &format!("{path}[{index}]"), found);
                    }
                }
            }
            (ours, theirs) if ours != theirs => found.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ChainConfig;

    const UPSTREAM: &str = "[chain.zcash]\nledger = 'zcash'\n[[chain.zcash.upstream]]\nurl = 'http://127.0.0.1:1'\n\
         [chain.tz]\nledger = 'tezos'\nendpoints = ['http://a:1', 'http://b:1']\n";

    fn config(text: &str) -> Config {
        Config::parse(&format!("{text}\n{UPSTREAM}"), "a test").expect("a good file")
    }

    #[test]
    fn what_a_signal_takes_over_is_taken_and_the_rest_is_named() {
        let running = config("");
        let wanted = config(
            "[observe]\nlog-level = 'debug'\nlisten = '127.0.0.1:1'\n\
             [door]\ndrain-seconds = 3\nno-tls-very-insecure = true\n\
             [chain.zcash.minimum]\nGetBlock = 'proven'",
        );
        let change = Change::of(&running, &wanted);
        let taken = [
            "chain.zcash.minimum",
            "observe.log-level",
            "door.drain-seconds",
        ];
        assert_eq!(change.taken, taken);
        let left = ["door.no-tls-very-insecure", "observe.listen"];
        assert_eq!(change.left, left);
        let mut expected = running;
        expected.observe.log_level = heliostat_observe::logs::Level::Debug;
        expected.door.drain_seconds = 3;
        let Some(ChainConfig::Zcash(zcash)) = expected.chain.get_mut("zcash") else {
            panic!("the test's own chain");
        };
        let minimum = ("GetBlock".to_owned(), "proven".to_owned());
        zcash.minimum = [minimum].into();
        assert_eq!(change.running, expected);
    }

    #[test]
    fn a_changed_upstream_is_named_by_its_place_without_its_value() {
        let running = config("");
        let mut wanted = running.clone();
        let Some(ChainConfig::Zcash(zcash)) = wanted.chain.get_mut("zcash") else {
            panic!("the test's own chain");
        };
        zcash.upstream[0].url = "http://me:hunter2@127.0.0.1:2".to_owned();
        let change = Change::of(&running, &wanted);
        assert_eq!(change.left, ["chain.zcash.upstream[0].url"]);
        assert_eq!(change.running, running);
    }

    #[test]
    fn the_same_file_changes_nothing() {
        let running = config("");
        let change = Change::of(&running, &running);
        assert_eq!(change.running, running);
        assert!(change.taken.is_empty() && change.left.is_empty());
    }

    #[test]
    fn every_setting_that_a_signal_takes_over_is_copied() {
        let running = config("");
        let table = Table::try_from(&running).expect("a configuration is TOML");
        let shapes: Vec<_> = taken_over().collect();
        assert!(shapes.len() > 30, "{shapes:?}");
        for path in shapes
            .iter()
            .flat_map(|shape| places(shape, &running, &running))
        {
            let steps: Vec<_> = path.split('.').collect();
            let (mut ours, mut theirs) = (table.clone(), table.clone());
            let mut at = &mut theirs;
            for step in &steps[..steps.len() - 1] {
                at = at[*step].as_table_mut().expect("a table on the way");
            }
            at.insert(
                steps[steps.len() - 1].to_owned(),
                Value::String("another".to_owned()),
            );
            assert!(take(&mut ours, &theirs, &steps), "{path}");
            assert_eq!(ours, theirs, "{path}");
        }
    }

    /// What a value becomes that is another one of its type.
    fn another(value: &Value) -> Value {
        match value {
            Value::Integer(number) => Value::Integer(number + 1),
            Value::Array(_) => Value::Array(vec![Value::String("192.0.2.7".to_owned())]),
            other => panic!("no other value for {other}"),
        }
    }

    #[test]
    fn whatever_a_signal_takes_over_changes_what_a_process_goes_by() {
        let running = config("");
        let table = Table::try_from(&running).expect("a configuration is TOML");
        let rules = |config: &Config| format!("{:?}", config.door.rules().expect("good rules"));
        let mut elsewhere = Vec::new();
        for path in taken_over() {
            let steps: Vec<_> = path.split('.').collect();
            // All of it goes into one value, which is held against the old.
            if path.starts_with("door.auth.") {
                continue;
            }
            if !path.starts_with("door.") {
                elsewhere.push(path);
                continue;
            }
            let mut wanted = table.clone();
            let mut at = &mut wanted;
            for step in &steps[..steps.len() - 1] {
                at = at[*step].as_table_mut().expect("a table on the way");
            }
            let last = steps[steps.len() - 1];
            at[last] = another(&at[last]);
            let wanted: Config = wanted.try_into().expect("a configuration");
            assert_ne!(rules(&running), rules(&wanted), "{path}");
        }
        // Each has its place in `Reload::take_over` or a chain's.
        let known = [
            "chain.<zcash>.minimum",
            "chain.<tezos>.minimum",
            "observe.log-level",
            "chain.<tezos>.head",
            "chain.<tezos>.max-head-age-seconds",
        ];
        assert_eq!(elsewhere, known);
    }
}
