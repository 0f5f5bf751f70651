//! One finding with both of its sides, cut to what a page can show.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::defaults::{MAX_SHOWN_BYTES, SHOWN_BYTES};

/// Which finding, and how much of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Wanted {
    /// The chain's name.
    pub chain: String,
    /// Its place among the chain's findings in the status document, from 0.
    pub nth: usize,
    /// Bytes of each exhibit, [`SHOWN_BYTES`] unless given, at most
    /// [`MAX_SHOWN_BYTES`].
    pub bytes: Option<usize>,
}

/// A finding as a page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Who said it.
    pub upstream: String,
    /// When it was found, in seconds since the Unix epoch.
    pub at: Option<u64>,
    /// The rule that is broken.
    pub rule: String,
    /// The same in one sentence.
    pub words: String,
    /// The height it is about.
    pub height: Option<u64>,
    /// What is kept as proof.
    pub exhibits: Vec<ShownExhibit>,
}

/// An exhibit, perhaps cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownExhibit {
    /// What the bytes are.
    pub name: String,
    /// How many there are.
    pub size: usize,
    /// The first of them, in hex.
    pub hex: String,
}

/// The wanted finding out of all `evidence`, if it is there.
pub fn one(evidence: Value, wanted: &Wanted) -> Option<Shown> {
    let limit = wanted.bytes.unwrap_or(SHOWN_BYTES).min(MAX_SHOWN_BYTES);
    let Value::Array(all) = evidence else {
        return None;
    };
    let mut of_chain = all
        .iter()
        .filter(|finding| finding["chain"].as_str() == Some(&wanted.chain));
    let finding = of_chain.nth(wanted.nth)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let proof = &finding["evidence"];
    let exhibits = proof["exhibits"].as_array().map_or(&[][..], Vec::as_slice);
    let shown = exhibits.iter().map(|exhibit| {
        let hex = exhibit["bytes"].as_str().unwrap_or_default();
        ShownExhibit {
            name: text(&exhibit["name"]),
            size: hex.len() / 2,
            hex: hex.chars().take(limit * 2).collect(),
        }
    });
    Some(Shown {
        upstream: text(&finding["upstream"]),
        at: finding["at"].as_u64(),
        rule: text(&proof["rule"]),
        words: text(&proof["words"]),
        height: proof["height"].as_u64(),
        exhibits: shown.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exhibits_are_cut_and_say_how_long_they_are() {
        let finding = |chain: &str, rule: &str| {
            json!({ "chain": chain, "upstream": "u", "at": 5, "evidence": {
                "rule": rule, "words": "w", "height": 7,
                "exhibits": [{ "name": "as sent", "bytes": "ab".repeat(100_000) }],
            }})
        };
        let all = json!([
            finding("a", "one"),
            finding("b", "two"),
            finding("a", "three")
        ]);
        let ask = |nth, bytes| {
            let chain = "a".to_owned();
            one(all.clone(), &Wanted { chain, nth, bytes })
        };
        let shown = ask(1, Some(3)).expect("it is there");
        assert_eq!((shown.rule.as_str(), shown.height), ("three", Some(7)));
        let exhibit = &shown.exhibits[0];
        assert_eq!((exhibit.size, exhibit.hex.as_str()), (100_000, "ababab"));
        let most = ask(0, Some(usize::MAX)).expect("it is there");
        assert_eq!(most.exhibits[0].hex.len(), MAX_SHOWN_BYTES * 2);
        assert_eq!(ask(2, None), None);
        assert_eq!(
            one(
                json!("not a list"),
                &Wanted {
                    chain: "a".into(),
                    nth: 0,
                    bytes: None
                }
            ),
            None
        );
    }
}
