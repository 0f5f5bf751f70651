//! What a quorum on a payload makes final.

use crate::error::Error;
use crate::hashes::{OperationHash, OperationListListHash, PayloadHash};
use crate::header::Header;
use crate::operations;

use super::attestation::Vote;

/// Why a header and its operations do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The operations are not those of the header.
    #[error("the operations have root {found}, the header says {expected}")]
    Operations {
        /// Root of the operations given.
        found: OperationListListHash,
        /// The header's `operations_hash`.
        expected: OperationListListHash,
    },
    /// The header says another payload than it has.
    #[error(
        "predecessor, round and operations have payload hash {found}, the header says {expected}"
    )]
    Payload {
        /// What they hash to.
        found: PayloadHash,
        /// The header's `payload_hash`.
        expected: PayloadHash,
    },
    /// A header without Tenderbake's protocol data or fitness.
    #[error(transparent)]
    Header(#[from] Error),
}

/// Checks that a header's payload hash is that of its predecessor and of its
/// operations (hashes by validation pass, as `/operation_hashes` lists them),
/// and gives what its attestations must say. A quorum on that makes the
/// header's predecessor final, with all before it.
pub fn check_payload(
    header: &Header,
    operations: &[Vec<OperationHash>],
) -> Result<Vote, PayloadError> {
    let found = operations::operations_hash(operations);
    if found != header.operations_hash {
        return Err(PayloadError::Operations {
            found,
            expected: header.operations_hash,
        });
    }
    let contents = header.contents()?;
    let rest = operations.iter().skip(1).flatten();
    let found = operations::payload_hash(&header.predecessor, contents.payload_round, rest);
    if found != contents.payload_hash {
        return Err(PayloadError::Payload {
            found,
            expected: contents.payload_hash,
        });
    }
    let round = header.fitness()?.round;
    Ok(Vote {
        level: header.level,
        round,
        payload_hash: found,
    })
}
