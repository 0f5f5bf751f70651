//! How good an answer is: the weakest of what it rests on.

use std::sync::Arc;

use heliostat_core::Assurance;

use super::{
    Core,
    block::{BlockState, Link},
    pin::Root,
    resolve::At,
};
use crate::{error::ReadError, links};

impl Core {
    /// The grade of what was read from a block's state since it was resolved.
    ///
    /// # Errors
    /// The root that it was read against was refuted meanwhile: the values are
    /// not those of the root that the block is pinned to now.
    pub(crate) fn grade_of_read(self: &Arc<Self>, at: &At) -> Result<Assurance, ReadError> {
        let grade = self.grade_of_root(&at.state)?;
        // Last, because another request may refute the root at any time.
        match at.is_current() {
            true => Ok(grade.min(self.grade_of_place(at))),
            false => Err(not_agreed(&at.state)),
        }
    }

    /// The grade of a pinned root: proven when a final header commits to it,
    /// else by how many endpoints gave it or stand behind the header that
    /// commits to it.
    fn grade_of_root(self: &Arc<Self>, state: &Arc<BlockState>) -> Result<Assurance, ReadError> {
        let Some(root) = state.board.pinned() else {
            return Err(not_agreed(state));
        };
        self.look_for_link(state, &root)?;
        let votes = self.grade_of_votes(state.board.support(&root));
        Ok(match state.link() {
            Link::Unknown | Link::Silent(_) => votes,
            Link::Checkpoint => Assurance::Proven,
            Link::Header(next) => votes.max(self.grade_of_block(&next, 0)),
        })
    }

    /// Ties the root to the header after the block, once there is one. A root
    /// that it refutes is forgotten with everything that was verified by it.
    fn look_for_link(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        root: &Root,
    ) -> Result<(), ReadError> {
        let Root::Full(hash) = root else {
            return Ok(());
        };
        let Some((header, next)) = self.headers.committed(&state.hash) else {
            return Ok(());
        };
        let looked = [Link::Header(next.hash), Link::Silent(next.hash)];
        if looked.contains(&state.link()) || state.link() == Link::Checkpoint {
            return Ok(());
        }
        if links::commits(&header, hash, &next.header.context) {
            state.set_link(Link::Header(next.hash));
            return Ok(());
        }
        let tree = state.tree();
        let protocol = tree.and_then(|tree| links::protocol(&tree, None));
        if !links::must_link(protocol) {
            // The search is long, and is not repeated for every read.
            state.set_link(Link::Silent(next.hash));
            return Ok(());
        }
        for at in state.board.voters(root) {
            let theirs = hash.to_string();
            self.disagree(state, at, next.hash.to_string(), theirs);
        }
        state.refute(*root);
        Err(ReadError::NoAgreement(format!(
            "Light mode (chain: {}, block: {}): the root {hash} that enough endpoints gave is not the one that block {} commits to",
            self.settings.chain, state.text, next.hash
        )))
    }
}

/// What was read is not vouched for any more.
fn not_agreed(state: &BlockState) -> ReadError {
    ReadError::NoAgreement(format!(
        "the root of block {} is not agreed on any more; ask again",
        state.text
    ))
}
