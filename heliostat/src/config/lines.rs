//! Where in a file its keys and tables are, for errors.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The line, counted from 1, of every key and table of a file, by path
/// (`chain.zcash.upstream[0].url`).
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Those of a file; none of one that is not TOML.
    pub fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.walk(text, table.get_ref(), "");
        }
        lines
    }

    /// The line of what stands at `path`, or where it would stand: that of the
    /// innermost table there is.
    pub fn at(&self, path: &str) -> Option<usize> {
        let found = self.0.get(path).copied();
        found.or_else(|| {
            let (above, _) = path.rsplit_once(['.', '['])?;
            self.at(above)
        })
    }

    fn walk(&mut self, text: &str, table: &DeTable<'_>, at: &str) {
        for (key, value) in table {
            let path = match at {
                "" => key.get_ref().to_string(),
                _ => format!("{at}.{}", key.get_ref()),
            };
            self.0.insert(path.clone(), line(text, key.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => self.walk(text, inner, &path),
                DeValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        let begin = line(text, item.span().start);
                        self.0.insert(path.clone(), begin);
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.walk(text, inner, &path);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The line of a byte of a text, counted from 1.
pub fn line(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or_default();
    1 + before.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tables_are_found_and_what_is_missing_where_it_belongs() {
        let lines = Lines::of(
            "# first\n[door.limits]\naddress-rate = 5\n\n[chain.z]\nledger = 'zcash'\n\
             [[chain.z.upstream]]\nurl = 'a'\n[[chain.z.upstream]]\nurl = 'b'\n",
        );
        for (path, line) in [
            ("door.limits.address-rate", Some(3)),
            ("door.limits", Some(2)),
            ("door.limits.address-burst", Some(2)),
            ("chain.z.ledger", Some(6)),
            ("chain.z.upstream[1].url", Some(10)),
            ("chain.z.upstream[1].role", Some(9)),
            ("chain.z.upstream", Some(7)),
            ("chain.z.checkpoint", Some(5)),
            ("store.address", None),
        ] {
            assert_eq!(lines.at(path), line, "{path}");
        }
        assert_eq!(Lines::of("no TOML").at("door"), None);
    }
}
