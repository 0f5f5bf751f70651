//! Rejects unknown keys and values of the wrong type, naming the nearest known one: a misspelt setting
//! that is silently ignored is worse than none.

use toml::{Table, Value};

use super::{
    settings::{Setting, ledger_of, placeholder, settings, shown, tables},
    types,
};

/// A key that cannot stand where it does, or not with its value.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where it is.
    pub path: String,
    /// What is wrong with it, the path included.
    pub words: String,
}

impl Misfit {
    fn new(path: &str, words: String) -> Self {
        Self {
            path: path.to_owned(),
            words,
        }
    }
}

/// Checks every key of a file, and the types of values.
///
/// # Errors
/// The first that is wrong.
pub fn check(file: &Table) -> Result<(), Misfit> {
    walk(file, "", "")
}

/// `shape` is the table with a placeholder where a user chose the name; `path`
/// is the table as written.
fn walk(table: &Table, shape: &str, path: &str) -> Result<(), Misfit> {
    for (key, value) in table {
        let (shape, path) = (step(shape, key, value), join(path, key));
        if let Some(known) = tables().find(|table| table.shape == shape) {
            match value {
                Value::Table(inner) if known.free => check_free(inner, known.keys, &path)?,
                Value::Table(_) if known.repeated => return Err(not_a_table(&path, true)),
                Value::Table(inner) => walk(inner, &shape, &path)?,
                Value::Array(items) if known.repeated => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        match item.as_table() {
                            Some(item) => walk(item, &shape, &path)?,
                            None => return Err(not_a_table(&path, known.repeated)),
                        }
                    }
                }
                _ => return Err(not_a_table(&path, known.repeated)),
            }
        } else if let Some(setting) = setting(&shape) {
            types::check(setting, value)
                .map_err(|words| Misfit::new(&path, format!("{path} {words}")))?;
        } else {
            return Err(Misfit::new(&path, unknown(&shape, &path, key)));
        }
    }
    Ok(())
}

/// A table whose keys are from a list of their own (method names).
fn check_free(table: &Table, known: &[&str], path: &str) -> Result<(), Misfit> {
    for (key, value) in table {
        let at = join(path, key);
        if !known.contains(&key.as_str()) {
            let near = nearest(key, known.iter().copied());
            let words = format!("unknown key {at}; did you mean {near}?");
            return Err(Misfit::new(&at, words));
        }
        if !value.is_str() {
            let words = format!("{at} has to be a grade in quotes, such as \"relayed\"");
            return Err(Misfit::new(&at, words));
        }
    }
    Ok(())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Below `chain`, the key is a name somebody chose. A chain without a ledger
/// has been refused before, in better words.
fn step(shape: &str, key: &str, value: &Value) -> String {
    if shape != "chain" {
        return join(shape, key);
    }
    let ledger = value.get("ledger").and_then(Value::as_str);
    join(shape, &placeholder(ledger.unwrap_or("zcash")))
}

fn setting(shape: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.path() == shape)
}

fn not_a_table(path: &str, repeated: bool) -> Misfit {
    let words = match repeated {
        true => {
            let path = path.split('[').next().unwrap_or(path);
            format!("{path} is a table for each entry; write [[{path}]]")
        }
        false => format!("{path} is a table; write [{path}]"),
    };
    Misfit::new(path, words)
}

fn unknown(shape: &str, path: &str, key: &str) -> String {
    let table = shape.rsplit_once('.').map_or("", |(table, _)| table);
    let elsewhere = settings()
        .find(|setting| setting.key == key)
        .filter(|setting| setting.table != table);
    if let Some(setting) = elsewhere {
        let place = shown(setting.table);
        return match ledger_of(setting.table) {
            Some(ledger) if place == shown(table) => {
                format!("unknown key {path}; {key} belongs to chains with ledger = {ledger:?}")
            }
            _ => format!("unknown key {path}; {key} belongs to [{place}]"),
        };
    }
    let settings = settings()
        .filter(|setting| setting.table == table)
        .map(|setting| setting.key);
    let tables = tables().filter_map(|known| {
        let (above, last) = known.shape.rsplit_once('.').unwrap_or(("", known.shape));
        (above == table).then_some(last)
    });
    let near = nearest(key, settings.chain(tables));
    format!("unknown key {path}; did you mean {near}?")
}

/// The known key with the fewest typing errors between it and `key`.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    known
        .min_by_key(|known| strsim::damerau_levenshtein(key, known))
        .unwrap_or("another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let table = toml::from_str(text).expect("the test's own TOML parses");
        check(&table).expect_err("an unknown key").words
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        for (text, near) in [
            ("[stroe]", "did you mean store?"),
            ("[store]\nadress = ''", "did you mean address?"),
            (
                "[chain.z]\nledger='zcash'\nnetwrok = 'main'",
                "unknown key chain.z.netwrok; did you mean network?",
            ),
            ("[[chain.z.upstream]]\nulr = ''", "did you mean url?"),
            (
                "[chain.z.minimum]\nGetTreestate = 'proven'",
                "did you mean GetTreeState?",
            ),
            (
                "[chain.z.compat]\nplain-txids = true",
                "did you mean plain-txid?",
            ),
        ] {
            let words = error(text);
            assert!(words.contains(near), "{words}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_to_the_right_one() {
        let words = error("[store]\nnetwork = 'main'");
        assert!(
            words.contains("network belongs to [chain.<name>]"),
            "{words}"
        );
    }

    #[test]
    fn a_key_of_another_ledger_is_sent_there() {
        let words = error("[chain.t]\nledger='tezos'\ndonation-address = 'u1'");
        assert!(
            words.contains("belongs to chains with ledger = \"zcash\""),
            "{words}"
        );
        let words = error("[chain.t]\nledger='tezos'\nmin-agrement = 1.0");
        assert!(words.contains("did you mean min-agreement?"), "{words}");
    }

    #[test]
    fn a_value_where_a_table_belongs_is_explained() {
        assert!(error("store = 'memory:'").contains("write [store]"));
        let words = error("[chain.z]\nledger='zcash'\nupstream = 'http://a:1'");
        assert!(words.contains("write [[chain.z.upstream]]"), "{words}");
        let words = error("[chain.z]\nledger='zcash'\n[chain.z.upstream]\nurl = 'http://a:1'");
        assert!(words.contains("write [[chain.z.upstream]]"), "{words}");
        let words = error("[chain.z]\nledger='zcash'\n[chain.z.minimum]\nGetBlock = 3");
        assert!(
            words.contains("chain.z.minimum.GetBlock has to be a grade"),
            "{words}"
        );
    }
}
