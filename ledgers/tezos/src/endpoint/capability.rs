//! What a node serves of the calls that light mode needs. It is found out by
//! asking, and forgotten after a while, because operators change access lists.

use tokio::time::Instant;

use super::Lack;
use crate::defaults;

/// Whether one call is served.
#[derive(Clone, Debug, Default)]
pub enum Serves {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It gave a value.
    Yes,
    /// It did not, and is not asked again before the time.
    No(Lack, Instant),
}

impl Serves {
    /// A refusal just now.
    pub(super) fn no(lack: Lack) -> Self {
        Self::No(lack, Instant::now() + defaults::CAPABILITY_RETRY)
    }

    /// Whether it is worth asking.
    pub fn may(&self) -> bool {
        match self {
            Self::Unknown | Self::Yes => true,
            Self::No(_, until) => *until <= Instant::now(),
        }
    }

    /// Why not.
    pub fn refusal(&self) -> Option<&Lack> {
        match self {
            Self::No(lack, _) => Some(lack),
            Self::Unknown | Self::Yes => None,
        }
    }
}

/// What one node serves.
#[derive(Clone, Debug, Default)]
pub struct Capability {
    /// `context/merkle_tree_v2`.
    pub v2: Serves,
    /// `context/merkle_tree`.
    pub v1: Serves,
    /// Binary answers: `false` once it refused one.
    pub no_binary: bool,
}

impl Capability {
    /// In words for an operator, with what the node's operator must allow.
    pub fn words(&self) -> String {
        let allow = "to allow them, its operator adds GET /chains/*/blocks/*/context/merkle_tree_v2/** to the node's access list, or starts it with --allow-all-rpc";
        match (&self.v2, &self.v1) {
            (Serves::Yes, _) => "serves proofs (merkle_tree_v2)".to_owned(),
            (Serves::No(..), Serves::Yes) => {
                "serves proofs in the old form only (merkle_tree)".to_owned()
            }
            (Serves::No(lack, _), Serves::No(..) | Serves::Unknown) => {
                format!("serves no proofs: {lack}; {allow}")
            }
            (Serves::Unknown, _) => "not asked for a proof yet".to_owned(),
        }
    }
}
