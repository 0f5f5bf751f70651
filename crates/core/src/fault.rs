//! What can be wrong with an upstream. Unreachable, behind, unsupported and
//! wrong are four different things, and only the last is held against it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an upstream could not be used just now, in words for an operator.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No usable reply: connection refused or cut, time-out, HTTP error, a
    /// reply that is not of the protocol. It may be restarting.
    Unreachable(String),
    /// It answers, but does not have what was asked for yet: syncing, pruned
    /// or stale.
    Behind(String),
    /// It answers, but cannot serve here: another network, a missing method,
    /// credentials it does not accept.
    Unsupported(String),
    /// It said something false, and the evidence convicts it on its own.
    Wrong(Evidence),
}

impl Fault {
    /// The name of the kind: `unreachable`, `behind`, `unsupported`, `wrong`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Behind(_) => "behind",
            Self::Unsupported(_) => "unsupported",
            Self::Wrong(_) => "wrong",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Behind(why) | Self::Unsupported(why) => {
                write!(f, "{}: {why}", self.kind())
            }
            Self::Wrong(evidence) => write!(f, "wrong: {}", evidence.words),
        }
    }
}

impl std::error::Error for Fault {}

/// The proof of a lie: enough for a third party to reach the same verdict
/// without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rule that is broken, in a form that does not change between
    /// releases, such as `zcash.merkle-root`.
    pub rule: String,
    /// The same in one sentence, with the values that contradict each other.
    pub words: String,
    /// The height the lie is about, where there is one.
    pub height: Option<u64>,
    /// The exact bytes of both sides.
    pub exhibits: Vec<Exhibit>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// What the bytes are, such as `block as sent` or `Merkle root computed`.
    pub name: String,
    /// The bytes themselves; hex in JSON.
    #[serde(with = "hex_bytes")]
    pub bytes: Vec<u8>,
}

impl Exhibit {
    /// A piece of evidence with its name.
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            bytes: bytes.into(),
        }
    }
}

/// Bytes as a hex string in text formats.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect::<Option<_>>()
            .filter(|_| rest.is_empty())
            .ok_or_else(|| D::Error::custom("expected an even number of hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_survives_json() {
        let evidence = Evidence {
            rule: "test.rule".into(),
            words: "one is not two".into(),
            height: Some(7),
            exhibits: vec![Exhibit::new("as sent", [0x00, 0xff, 0x1a])],
        };
        let json = serde_json::to_string(&evidence).expect("plain data serializes");
        assert!(json.contains("00ff1a"));
        let back: Evidence = serde_json::from_str(&json).expect("what was written reads back");
        assert_eq!(back, evidence);
        assert!(serde_json::from_str::<Evidence>(&json.replace("00ff1a", "00ff1")).is_err());
        assert!(serde_json::from_str::<Evidence>(&json.replace("00ff1a", "00ffxx")).is_err());
    }
}
