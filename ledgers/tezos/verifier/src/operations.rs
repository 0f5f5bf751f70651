//! Hashes of operations and of lists of them.
//!
//! All three roots are the same Merkle tree over BLAKE2b: a leaf is the hash
//! of the item, a node the hash of its two children, the last leaf is
//! repeated up to a power of two, and an empty list is the hash of nothing.

use heliostat_tezos_context::hash::blake2b;

use crate::hashes::{
    BlockHash, OperationHash, OperationListHash, OperationListListHash, PayloadHash,
};

/// Hash of an operation: of the block it builds on, and its protocol data
/// (contents and signature).
pub fn operation_hash(branch: &BlockHash, data: &[u8]) -> OperationHash {
    OperationHash(blake2b(&[branch.as_bytes(), data]))
}

/// Root over the operations of one validation pass, in their order.
pub fn list_hash(operations: &[OperationHash]) -> OperationListHash {
    OperationListHash(root(operations.iter().map(OperationHash::as_bytes)))
}

/// Root over the passes' roots.
pub fn list_list_hash(passes: &[OperationListHash]) -> OperationListListHash {
    OperationListListHash(root(passes.iter().map(OperationListHash::as_bytes)))
}

/// A header's `operations_hash`, from what `/operation_hashes` lists: all
/// operations of all passes.
pub fn operations_hash(passes: &[Vec<OperationHash>]) -> OperationListListHash {
    let roots: Vec<_> = passes.iter().map(|pass| list_hash(pass)).collect();
    list_list_hash(&roots)
}

/// A header's `payload_hash`: over the predecessor, the round at which the
/// payload was first proposed, and all operations that are not consensus
/// operations, that is, of all passes but the first.
pub fn payload_hash<'a>(
    predecessor: &BlockHash,
    payload_round: i32,
    operations: impl IntoIterator<Item = &'a OperationHash>,
) -> PayloadHash {
    let list = root(operations.into_iter().map(OperationHash::as_bytes));
    PayloadHash(blake2b(&[
        predecessor.as_bytes(),
        &payload_round.to_be_bytes(),
        &list,
    ]))
}

/// The tree's root.
fn root<'a>(items: impl Iterator<Item = &'a [u8; 32]>) -> [u8; 32] {
    let mut row: Vec<[u8; 32]> = items.map(|item| blake2b(&[item])).collect();
    let Some(mut padding) = row.last().copied() else {
        return blake2b(&[]);
    };
    // `padding` is the root of a subtree that holds nothing but repetitions
    // of the last leaf; it differs from the row's last node, which may hold
    // other leaves too.
    while row.len() > 1 {
        if row.len() % 2 == 1 {
            row.push(padding);
        }
        row = row
            .chunks_exact(2)
            .map(|pair| blake2b(&[&pair[0], &pair[1]]))
            .collect();
        padding = blake2b(&[&padding, &padding]);
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: u8) -> Vec<OperationHash> {
        (0..count).map(|n| OperationHash([n; 32])).collect()
    }

    /// The rule as it is told: pad to a power of two, then fold.
    fn told(items: &[OperationHash]) -> [u8; 32] {
        let mut row: Vec<_> = items
            .iter()
            .map(|item| blake2b(&[item.as_bytes()]))
            .collect();
        let last = *row.last().expect("an item");
        row.resize(row.len().next_power_of_two(), last);
        while row.len() > 1 {
            row = row
                .chunks(2)
                .map(|pair| blake2b(&[&pair[0], &pair[1]]))
                .collect();
        }
        row[0]
    }

    #[test]
    fn every_length_folds_as_if_padded_to_a_power_of_two() {
        for count in 1..70 {
            let items = items(count);
            assert_eq!(list_hash(&items).0, told(&items), "{count}");
        }
    }

    #[test]
    fn a_repeated_last_operation_cannot_hide_in_a_root_of_another_count() {
        // Padding makes 3 and 4 items share a root if the last repeats; the
        // count is what the passes' lists say, and a block never repeats one.
        let mut four = items(3);
        four.push(OperationHash([2; 32]));
        assert_eq!(list_hash(&four), list_hash(&items(3)));
        assert_ne!(list_hash(&items(4)), list_hash(&items(3)));
    }

    #[test]
    fn an_empty_list_is_the_hash_of_nothing() {
        assert_eq!(list_hash(&[]).0, blake2b(&[]));
        // Two empty passes: the tree over two equal roots.
        let leaf = blake2b(&[&blake2b(&[])]);
        assert_eq!(
            operations_hash(&[vec![], vec![]]).0,
            blake2b(&[&leaf, &leaf])
        );
    }

    #[test]
    fn order_predecessor_and_round_bind_the_payload() {
        let block = BlockHash([7; 32]);
        let list = items(3);
        let base = payload_hash(&block, 0, &list);
        assert_ne!(base, payload_hash(&block, 1, &list));
        assert_ne!(base, payload_hash(&BlockHash([8; 32]), 0, &list));
        assert_ne!(base, payload_hash(&block, 0, list.iter().rev()));
        assert_eq!(base, payload_hash(&block, 0, items(3).iter()));
    }
}
