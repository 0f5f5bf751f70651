//! What ties a block's state and operations to headers.

use std::{borrow::Cow, collections::HashSet, fmt, marker::PhantomData};

use heliostat_tezos_context::{ContextHash, Tree, tree::Place};
use heliostat_tezos_verifier::{
    BlockHash, Header, OperationHash, OperationListListHash, Protocol, ProtocolHash, commit,
    operations,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::defaults;

/// Whether the commit of the state after `header`'s block, with this root, is
/// the one that the next block's header names as its `context`. The number of
/// operations, which only the commit's message holds, is found by search.
pub fn commits(header: &Header, root: &ContextHash, context: &ContextHash) -> bool {
    matches!(
        commit::find_message(header, *root, *context, None),
        Ok(Some(_))
    )
}

/// The protocol of a state, as its root says it. The root directory is shown
/// by every proof, with the protocol's hash blinded; so it is not read but
/// recognised, among the protocols that this release knows and `claimed`.
pub fn protocol(root: &Tree, claimed: Option<ProtocolHash>) -> Option<ProtocolHash> {
    let Place::Found(entry) = root.get(&[b"protocol"]) else {
        return None;
    };
    let wanted = entry.hash();
    let known = Protocol::known().iter().rev().map(|known| known.hash);
    known
        .chain(claimed)
        .find(|hash| Tree::contents(hash.as_bytes().to_vec()).hash() == wanted)
}

/// Whether the headers of this protocol name the state before their own block,
/// so that a root that is not found in the next header is refuted by it.
pub fn must_link(protocol: Option<ProtocolHash>) -> bool {
    let known = protocol.and_then(|hash| Protocol::of(&hash));
    known.is_some_and(|known| !known.carries_own_context())
}

/// The hashes in an answer to `/operation_hashes` or `/operations`, by pass;
/// `None` when it is of another shape, or holds more than a block.
pub fn listed(answer: &[u8]) -> Option<Vec<Vec<OperationHash>>> {
    let passes: Capped<Pass, { defaults::PASSES }> = serde_json::from_slice(answer).ok()?;
    Some(hashes(passes))
}

/// One pass of operations.
type Pass = Capped<Listed, { defaults::PASS_OPERATIONS }>;

fn hashes<const MOST: usize>(passes: Capped<Pass, MOST>) -> Vec<Vec<OperationHash>> {
    let hashes = |pass: Pass| pass.0.into_iter().map(|listed| listed.0).collect();
    passes.0.into_iter().map(hashes).collect()
}

/// Whether lists that have a header's root are those of its block. The root
/// alone does not say it: the tree over a list is filled up with its last
/// entry, so that a list in which that one is repeated, or missing, has the
/// same root. A block has as many passes as its header says, and no operation
/// twice.
pub fn is_whole(passes: &[Vec<OperationHash>], header: &Header) -> bool {
    let mut seen = HashSet::new();
    passes.len() == usize::from(header.validation_passes)
        && passes.iter().flatten().all(|one| seen.insert(*one))
}

/// The operations' root that an answer to `/operation_hashes` or `/operations`
/// comes to; `None` when it is of another shape, or holds more than a block.
pub fn operations_root(answer: &[u8]) -> Option<OperationListListHash> {
    listed(answer).map(|passes| operations::operations_hash(&passes))
}

/// Whether an answer with a whole block has the hash, the header and all the
/// operations' hashes of that block. Texts of operations and receipts are not
/// looked at, nor is a header's text whose protocol is not known here.
pub fn is_block(answer: &[u8], header: &Header) -> bool {
    #[derive(Deserialize)]
    struct Whole {
        hash: BlockHash,
        protocol: ProtocolHash,
        header: serde_json::Map<String, serde_json::Value>,
        operations: Capped<Pass, { defaults::PASSES }>,
    }
    let Ok(whole) = serde_json::from_slice::<Whole>(answer) else {
        return false;
    };
    let passes = hashes(whole.operations);
    let mut text = whole.header;
    text.insert("protocol".to_owned(), whole.protocol.to_string().into());
    whole.hash == header.hash()
        && Header::from_json(&text.into()).map_or(true, |told| told == *header)
        && operations::operations_hash(&passes) == header.operations_hash
        && is_whole(&passes, header)
}

/// Whether an answer with all operations of a block contradicts its header.
pub fn operations_contradict(answer: &[u8], header: &Header) -> bool {
    operations_root(answer).is_some_and(|root| root != header.operations_hash)
}

/// A list of at most so many things; a longer one is refused before it is read
/// to its end.
pub(crate) struct Capped<T, const MOST: usize>(pub Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Capped<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = Capped<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut taken = Vec::new();
                while let Some(item) = items.next_element()? {
                    if taken.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    taken.push(item);
                }
                Ok(Capped(taken))
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// The hash of an operation in a list: alone, or in an object, of which nothing
/// else is kept.
struct Listed(OperationHash);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Operation;

        impl<'de> Visitor<'de> for Operation {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation, or its hash")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Listed, E> {
                text.parse().map(Listed).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Listed, A::Error> {
                let mut found = None;
                while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
                    if name != "hash" {
                        fields.next_value::<IgnoredAny>()?;
                    } else if found.replace(fields.next_value()?).is_some() {
                        return Err(A::Error::duplicate_field("hash"));
                    }
                }
                let hash = found.ok_or_else(|| A::Error::missing_field("hash"))?;
                Ok(Listed(hash))
            }
        }

        deserializer.deserialize_any(Operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(salt: u8) -> OperationHash {
        OperationHash([salt; 32])
    }

    #[test]
    fn operations_are_known_by_their_hashes_alone_or_in_objects() {
        let expected = operations::operations_hash(&[vec![hash(1), hash(2)], vec![]]);
        let (one, two) = (hash(1), hash(2));
        for answer in [
            format!("[[\"{one}\",\"{two}\"],[]]"),
            format!("[[{{\"hash\":\"{one}\",\"x\":[1]}},{{\"a\":{{}},\"hash\":\"{two}\"}}],[]]"),
        ] {
            assert_eq!(
                operations_root(answer.as_bytes()),
                Some(expected),
                "{answer}"
            );
        }
        for answer in [
            "[[1]]".to_owned(),
            "[[{}]]".to_owned(),
            format!("[[{{\"hash\":\"{one}\",\"hash\":\"{two}\"}}]]"),
            format!("[{}[]]", "[],".repeat(defaults::PASSES)),
        ] {
            assert_eq!(operations_root(answer.as_bytes()), None, "{answer}");
        }
    }

    #[test]
    fn no_text_is_a_block_that_it_is_not() {
        let header = Header::decode(&[0; 156]).expect("a header of zeros");
        let (hash, protocol) = (header.hash(), ProtocolHash([1; 32]));
        for text in [
            "null".to_owned(),
            "{}".to_owned(),
            format!(r#"{{"hash":"{hash}","protocol":"{protocol}","header":"x","operations":[]}}"#),
            format!(
                r#"{{"hash":"{hash}","protocol":"{protocol}","header":{{}},"operations":[[]]}}"#
            ),
        ] {
            assert!(!is_block(text.as_bytes(), &header), "{text}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let list = |length: usize| format!("[{}1]", "1,".repeat(length - 1));
        type Few = Capped<u8, 3>;
        assert!(serde_json::from_str::<Few>(&list(3)).is_ok());
        assert!(serde_json::from_str::<Few>(&list(4)).is_err());
    }
}
