//! How an honest node may differ from the next one.

use std::time::Duration;

/// What a node does and does not do, all of it honest. The default: an archive
/// node without an access list, at the head, as fast as it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Every answer comes so much later.
    pub slow: Duration,
    /// It is so many blocks behind.
    pub behind: usize,
    /// It has the states of only so many of the newest blocks.
    pub keeps: Option<usize>,
    /// Whom its access list lets do what.
    pub allows: Allows,
    /// Which proofs it has.
    pub proofs: Proofs,
    /// It answers in JSON alone, 406 for anything else.
    pub json_only: bool,
    /// It has no stream of heads.
    pub no_stream: bool,
}

/// A node's access list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allows {
    /// `--allow-all-rpc`
    #[default]
    Everything,
    /// What Octez allows to addresses that are not local: no proofs, no raw
    /// context, no helpers, no streams; 403 for them.
    Secure,
}

/// Which of the two proof calls a node has; 404 for the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proofs {
    /// Both, as nodes since Octez 15 have.
    #[default]
    Both,
    /// `merkle_tree` alone: Octez 10 to 14.
    OnlyOld,
    /// `merkle_tree_v2` alone.
    OnlyNew,
    /// Neither: a node before Octez 10.
    Neither,
}

impl Manner {
    /// The status with which a call is turned away.
    pub(super) fn refuses(&self, path: &[&str]) -> Option<u16> {
        let tail = match path {
            ["chains", _, "blocks", _, tail @ ..] => tail,
            other => other,
        };
        let is_closed = matches!(
            tail,
            ["context", "merkle_tree" | "merkle_tree_v2" | "raw", ..] | ["helpers" | "monitor", ..]
        );
        if is_closed && self.allows == Allows::Secure {
            return Some(403);
        }
        let missing = match tail {
            ["context", "merkle_tree", ..] => {
                matches!(self.proofs, Proofs::OnlyNew | Proofs::Neither)
            }
            ["context", "merkle_tree_v2", ..] => {
                matches!(self.proofs, Proofs::OnlyOld | Proofs::Neither)
            }
            ["monitor", ..] => self.no_stream,
            _ => false,
        };
        missing.then_some(404)
    }
}
