//! What a running process makes of a changed configuration file: the settings
//! that say so are taken over, the others are named.

use toml::{Table, Value};

use super::{
    Config,
    settings::{Taken, settings},
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
        for setting in settings().filter(|setting| setting.taken == Taken::Signal) {
            let path = setting.path();
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

    const UPSTREAM: &str =
        "[chain.zcash]\nledger = 'zcash'\n[[chain.zcash.upstream]]\nurl = 'http://127.0.0.1:1'\n";

    fn config(text: &str) -> Config {
        Config::parse(&format!("{text}\n{UPSTREAM}"), "a test").expect("a good file")
    }

    #[test]
    fn what_a_signal_takes_over_is_taken_and_the_rest_is_named() {
        let running = config("");
        let wanted = config(
            "[observe]\nlog-level = 'debug'\nlisten = '127.0.0.1:1'\n[door]\ndrain-seconds = 3",
        );
        let change = Change::of(&running, &wanted);
        assert_eq!(change.taken, ["observe.log-level"]);
        assert_eq!(change.left, ["door.drain-seconds", "observe.listen"]);
        let mut expected = running;
        expected.observe.log_level = heliostat_observe::logs::Level::Debug;
        assert_eq!(change.running, expected);
    }

    #[test]
    fn a_changed_upstream_is_named_by_its_place_without_its_value() {
        let running = config("");
        let mut wanted = running.clone();
        let Some(super::super::ChainConfig::Zcash(zcash)) = wanted.chain.get_mut("zcash") else {
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
        for setting in settings().filter(|setting| setting.taken == Taken::Signal) {
            let path = setting.path();
            let steps: Vec<_> = path.split('.').collect();
            let (mut ours, mut theirs) = (table.clone(), table.clone());
            let mut at = &mut theirs;
            for step in &steps[..steps.len() - 1] {
                at = at[*step].as_table_mut().expect("a table on the way");
            }
            at.insert(setting.key.to_owned(), Value::String("another".to_owned()));
            assert!(take(&mut ours, &theirs, &steps), "{path}");
            assert_eq!(ours, theirs, "{path}");
        }
    }
}
