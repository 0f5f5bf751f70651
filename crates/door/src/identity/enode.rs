//! Quorum's `permissioned-nodes.json` and `disallowed-nodes.json`: JSON arrays
//! of `enode://` URLs, of which only the public key counts (GoQuorum 24,
//! `p2p/permissions.go`, compares ids, which are hashes of the key).

use std::{fmt, str::FromStr};

/// A devp2p node: its uncompressed secp256k1 public key, x then y, both big
/// endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub [u8; 64]);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl FromStr for NodeId {
    type Err = ();

    /// Reads `enode://<128 hex digits>@host:port…`, or the digits alone.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let key = text.strip_prefix("enode://").unwrap_or(text);
        let key = key.split('@').next().unwrap_or(key);
        let mut id = [0; 64];
        hex::decode_to_slice(key, &mut id).map_err(drop)?;
        Ok(Self(id))
    }
}

/// Reads a file of nodes. Entries that are blank or no enode are left out and
/// counted, as GoQuorum leaves them out of its list of permissioned nodes.
///
/// # Errors
/// The text is not a JSON array of strings.
pub fn parse(text: &str) -> Result<(Vec<NodeId>, usize), serde_json::Error> {
    let entries: Vec<String> = serde_json::from_str(text)?;
    let nodes: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.parse().ok())
        .collect();
    let left_out = entries.len() - nodes.len();
    Ok((nodes, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enode_is_its_key() {
        let key = "ab".repeat(64);
        let plain: NodeId = key.parse().expect("128 digits");
        for url in [
            format!("enode://{key}@192.0.2.1:30303?discport=0"),
            format!("enode://{}@[::1]:1", key.to_uppercase()),
            format!(" enode://{key} "),
        ] {
            assert_eq!(url.parse(), Ok(plain));
        }
        assert_eq!(plain.to_string(), key);
    }

    #[test]
    fn what_is_no_enode_is_left_out_and_counted() {
        let text = format!(
            "[\"\", \"enode://{}@1.2.3.4:5\", \"enode://{}@h:1\", \"enode://zz@h:1\"]",
            "01".repeat(64),
            "01".repeat(63)
        );
        let (nodes, left_out) = parse(&text).expect("an array of strings");
        assert_eq!((nodes.len(), left_out), (1, 3));
    }

    #[test]
    fn anything_but_an_array_of_strings_is_an_error() {
        for text in ["", "{}", "[1]", "[\"a\"", "null", "[[\"a\"]]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
