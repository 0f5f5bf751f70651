//! What a token says about itself (RFC 7519, section 4.1; RFC 7662, section
//! 2.2).

use serde::Deserialize;
use serde_json::{Number, Value};

use crate::defaults;

/// What a token has to say.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) issuer: Option<String>,
    pub(super) audience: Vec<String>,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn contains(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::Many(many) => many.iter().any(|one| one == text),
        }
    }
}

/// The claims that are looked at.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
    azp: Option<String>,
    aud: Option<Texts>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    scope: Option<Value>,
    scp: Option<Value>,
}

impl Claims {
    /// Whether they hold at `now` (seconds since 1970). An introspection
    /// endpoint has looked at time and issuer itself and need not say them;
    /// what it says has to hold.
    pub(super) fn check(
        &self,
        expected: &Expected,
        now: u64,
        introspected: bool,
    ) -> Result<(), &'static str> {
        match &self.aud {
            Some(aud) if expected.audience.iter().any(|one| aud.contains(one)) => {}
            Some(_) => return Err("the token is for another audience"),
            None => return Err("the token does not say its audience"),
        }
        match (&self.iss, &expected.issuer) {
            (Some(given), Some(wanted)) if given != wanted => {
                return Err("the token is from another issuer");
            }
            (None, Some(_)) if !introspected => return Err("the token does not say its issuer"),
            _ => {}
        }
        let leeway = defaults::TOKEN_LEEWAY.as_secs_f64();
        let now = now as f64;
        match time(self.exp.as_ref())? {
            Some(exp) if now >= exp + leeway => return Err("the token has expired"),
            None if !introspected => return Err("the token does not say when it expires"),
            _ => {}
        }
        if time(self.nbf.as_ref())?.is_some_and(|nbf| nbf > now + leeway) {
            return Err("the token is not valid yet");
        }
        if time(self.iat.as_ref())?.is_some_and(|iat| iat > now + leeway) {
            return Err("the token is from the future");
        }
        Ok(())
    }

    /// Its subject, or the client it was given to. Both come with the issuer,
    /// of which there is one.
    pub(super) fn name(&self) -> String {
        let names = [&self.sub, &self.client_id, &self.azp];
        let name = names.into_iter().flatten().next();
        name.cloned().unwrap_or_default()
    }

    /// `scope` as OAuth has it, `scp` as some issuers do: words in one text,
    /// or an array.
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut scopes = Vec::new();
        for claim in [&self.scope, &self.scp].into_iter().flatten() {
            match claim {
                Value::String(words) => {
                    scopes.extend(words.split_ascii_whitespace().map(str::to_owned));
                }
                Value::Array(words) => {
                    let words = words.iter().filter_map(Value::as_str);
                    scopes.extend(words.map(str::to_owned));
                }
                _ => {}
            }
        }
        scopes
    }

    /// When it ends, in seconds since 1970.
    pub(super) fn expires(&self) -> Option<u64> {
        let exp = self.exp.as_ref()?.as_f64()?;
        Some(exp as u64)
    }
}

/// A NumericDate: seconds since 1970, fractions allowed.
fn time(number: Option<&Number>) -> Result<Option<f64>, &'static str> {
    let Some(number) = number else {
        return Ok(None);
    };
    match number.as_f64() {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
        _ => Err("a time in the token makes no sense"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(claims: Value, introspected: bool) -> Result<(), &'static str> {
        let expected = Expected {
            issuer: Some("us".to_owned()),
            audience: vec!["here".to_owned(), "there".to_owned()],
        };
        let claims: Claims = serde_json::from_value(claims).expect("claims");
        claims.check(&expected, 1_000, introspected)
    }

    #[test]
    fn times_hold_to_the_second_with_their_leeway() {
        let with = |name: &str, value: Value| {
            let mut claims = json!({"iss": "us", "aud": "here", "exp": 2_000});
            claims[name] = value;
            check(claims, false)
        };
        for (name, good, bad) in [
            ("exp", json!(941), json!(940)),
            ("nbf", json!(1_060), json!(1_061)),
            ("iat", json!(1_060.0), json!(1_060.5)),
        ] {
            assert_eq!(with(name, good), Ok(()), "{name}");
            assert!(with(name, bad).is_err(), "{name}");
            assert!(with(name, json!(-1)).is_err(), "{name}");
        }
    }

    #[test]
    fn audience_and_issuer_have_to_be_ours() {
        let base =
            |aud: Value, iss: Value| check(json!({"aud": aud, "iss": iss, "exp": 2_000}), false);
        assert_eq!(base(json!(["x", "there"]), json!("us")), Ok(()));
        assert!(base(json!(["x"]), json!("us")).is_err());
        assert!(base(json!([]), json!("us")).is_err());
        assert!(base(json!("here"), json!("them")).is_err());
        assert!(check(json!({"iss": "us", "exp": 2_000}), false).is_err());
        assert!(check(json!({"aud": "here", "exp": 2_000}), false).is_err());
        assert!(check(json!({"aud": "here", "iss": "us"}), false).is_err());
        assert_eq!(check(json!({"aud": "here"}), true), Ok(()));
        assert!(check(json!({"aud": "here", "iss": "them"}), true).is_err());
    }

    #[test]
    fn scopes_come_as_words_or_as_an_array() {
        let scopes = |claims| {
            let claims: Claims = serde_json::from_value(claims).expect("claims");
            claims.scopes()
        };
        assert_eq!(scopes(json!({"scope": "a b"})), ["a", "b"]);
        assert_eq!(scopes(json!({"scp": ["a", 1, "b c"]})), ["a", "b c"]);
        assert!(scopes(json!({"scope": 7})).is_empty());
    }
}
