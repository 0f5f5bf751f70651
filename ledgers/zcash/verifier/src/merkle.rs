//! The Merkle tree over the txids of a block: SHA-256d of pairs, the last of
//! an odd row paired with itself (protocol specification, "block header").

use crate::header::sha256d;

/// The root over some txids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// Internal byte order; zero for no txids.
    pub(crate) root: [u8; 32],
    /// Two different neighbours of a pair are equal. Such a list has the root
    /// of the shorter list without the repetition, so the root alone does not
    /// tell them apart; no valid block repeats a txid.
    pub(crate) repeated: bool,
}

/// The root over txids in block order.
pub(crate) fn root(txids: &[[u8; 32]]) -> Root {
    let mut row = txids.to_vec();
    let mut repeated = false;
    while row.len() > 1 {
        for at in 0..row.len().div_ceil(2) {
            let left = row[at * 2];
            let right = row.get(at * 2 + 1);
            repeated |= right == Some(&left);
            row[at] = sha256d([left, *right.unwrap_or(&left)].as_flattened());
        }
        row.truncate(row.len().div_ceil(2));
    }
    Root {
        root: row.first().copied().unwrap_or_default(),
        repeated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_tail_has_the_same_root_and_is_noticed() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        let honest = root(&[a, b, c]);
        let padded = root(&[a, b, c, c]);
        assert_eq!(honest.root, padded.root);
        assert!(!honest.repeated && padded.repeated);
        let six = [a, b, c, a, b, c];
        let longer = root(&[&six[..], &[b, c]].concat());
        assert_eq!(root(&six).root, root(&[a, b, c, a, b, c, b, c]).root);
        assert!(longer.repeated);
    }

    #[test]
    fn one_txid_is_its_own_root() {
        assert_eq!(root(&[[7; 32]]).root, [7; 32]);
        assert_eq!(root(&[]).root, [0; 32]);
    }
}
