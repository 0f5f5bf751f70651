//! The RPC rows over made-up states, and what they ask to be read.

mod chain;
mod contracts;
mod fail_closed;
mod scripts;
mod state;
