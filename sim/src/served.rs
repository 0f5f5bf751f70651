//! A simulated node that is being served.

use std::ops::Deref;

use tokio::task::JoinHandle;

/// A running node of any ledger. It stops when this is dropped; its controls
/// are those of `H`.
pub struct Served<H> {
    handle: H,
    task: JoinHandle<()>,
}

impl<H: Clone> Served<H> {
    pub(crate) fn new(handle: H, task: JoinHandle<()>) -> Self {
        Self { handle, task }
    }

    /// Controls that can be cloned and sent elsewhere.
    pub fn handle(&self) -> H {
        self.handle.clone()
    }
}

impl<H> Deref for Served<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.handle
    }
}

impl<H> Drop for Served<H> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
