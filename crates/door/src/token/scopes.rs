//! Which scope covers which methods of which ledger.

use crate::DoorError;

/// What a scope covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRule {
    /// The scope, as the token has it.
    pub scope: String,
    /// The ledger or chain; `*` for all.
    pub ledger: String,
    /// Methods: a gRPC method by its name (`GetBlock`), an HTTP one by verb
    /// and path (`GET /chains/main/blocks`). A `*` at the end stands for
    /// anything, alone for every method.
    pub methods: Vec<String>,
}

/// A method's name, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    is_prefix: bool,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, DoorError> {
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if text.contains('*') || (text.is_empty() && !is_prefix) {
            return Err(DoorError::Tokens {
                reason: format!("{text:?} is no method; a * can only be at its end"),
            });
        }
        Ok(Self {
            text: text.to_owned(),
            is_prefix,
        })
    }

    pub(crate) fn covers(&self, method: &str) -> bool {
        match self.is_prefix {
            true => method.starts_with(&self.text),
            false => method == self.text,
        }
    }
}

/// Reads patterns.
pub(crate) fn patterns(texts: &[String]) -> Result<Vec<Pattern>, DoorError> {
    texts.iter().map(|text| Pattern::parse(text)).collect()
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Grants(Vec<Grant>);

#[derive(Debug)]
struct Grant {
    scope: String,
    ledger: String,
    methods: Vec<Pattern>,
}

impl Grant {
    fn covers(&self, ledger: &str, method: &str) -> bool {
        let here = self.ledger == "*" || self.ledger == ledger;
        here && self.methods.iter().any(|pattern| pattern.covers(method))
    }
}

impl Grants {
    pub(crate) fn new(rules: Vec<ScopeRule>) -> Result<Self, DoorError> {
        let grants = rules.into_iter().map(|rule| {
            Ok(Grant {
                methods: patterns(&rule.methods)?,
                scope: rule.scope,
                ledger: rule.ledger,
            })
        });
        grants.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of `scopes` covers the method; every one does where there
    /// are no rules.
    pub(crate) fn cover(&self, scopes: &[String], ledger: &str, method: &str) -> bool {
        let mut grants = self.0.iter();
        self.0.is_empty()
            || grants.any(|grant| scopes.contains(&grant.scope) && grant.covers(ledger, method))
    }

    /// A scope that covers the method.
    pub(crate) fn scope_for(&self, ledger: &str, method: &str) -> Option<String> {
        let grant = self.0.iter().find(|grant| grant.covers(ledger, method));
        grant.map(|grant| grant.scope.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(scope: &str, ledger: &str, methods: &[&str]) -> ScopeRule {
        ScopeRule {
            scope: scope.to_owned(),
            ledger: ledger.to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        }
    }

    #[test]
    fn a_scope_covers_its_methods_of_its_ledger_only() {
        let grants = Grants::new(vec![
            rule("read", "zcash", &["Get*", "Ping"]),
            rule("send", "*", &["SendTransaction", "POST /injection/*"]),
        ])
        .expect("good rules");
        let read = ["other".to_owned(), "read".to_owned()];
        let send = ["send".to_owned()];
        assert!(grants.cover(&read, "zcash", "GetBlock"));
        assert!(grants.cover(&read, "zcash", "Ping") && !grants.cover(&read, "zcash", "PingX"));
        assert!(!grants.cover(&read, "tezos", "GetBlock"));
        assert!(!grants.cover(&read, "zcash", "SendTransaction"));
        assert!(grants.cover(&send, "tezos", "POST /injection/operation"));
        assert!(!grants.cover(&send, "tezos", "GET /injection/operation"));
        assert!(!grants.cover(&[], "zcash", "GetBlock"));
        assert_eq!(grants.scope_for("zcash", "Ping").as_deref(), Some("read"));
        assert_eq!(grants.scope_for("zcash", "Other"), None);
    }

    #[test]
    fn without_rules_every_token_covers_everything() {
        assert!(Grants::default().cover(&[], "zcash", "GetBlock"));
    }

    #[test]
    fn a_star_in_the_middle_is_refused() {
        assert!(Grants::new(vec![rule("a", "*", &["Get*Block"])]).is_err());
        assert!(Grants::new(vec![rule("a", "*", &[""])]).is_err());
        assert!(Grants::new(vec![rule("a", "*", &["*"])]).is_ok());
    }
}
