//! Tezos light mode: a node's REST interface over endpoints that nobody has to
//! trust. Every read is a Merkle proof against a root that enough endpoints
//! give, or that the next block's header commits to; every answer says how it
//! was checked.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sources`] | Octez's sources file, with its limits and words |
//! | [`consensus`] | how many endpoints must agree: Octez's arithmetic |
//! | [`block_id`] | how requests name blocks |
//! | [`endpoint`] | one node over HTTP, and what it serves |
//! | [`light`] | [`Light`]: pinning, reads, caches, grades |
//! | [`headers`] | the followed header chain and finality |
//! | [`links`] | what ties states and operations to headers |
//! | [`api`] | the served REST interface |
//! | [`client`] | one answer on the command line, as `octez-client` prints it |
//! | [`evidence`] | proofs of a lie, and checking them again |
//! | [`error`] | why there is no answer |
//! | [`features`] | what is promised, and how it is kept: the documentation's table |
//! | [`defaults`] | every limit and time-out, with its reason |
//!
//! The pure parts are crates of their own: trees and proofs in
//! `heliostat-tezos-context`, headers and signatures in
//! `heliostat-tezos-verifier`, values and their text in
//! `heliostat-tezos-protocol`.

pub mod api;
pub mod block_id;
pub mod client;
pub mod consensus;
pub mod defaults;
pub mod endpoint;
pub mod error;
pub mod evidence;
pub mod features;
pub mod headers;
pub mod light;
pub mod links;
pub mod sources;

pub use error::ReadError;
pub use light::{Checkpoint, HeadPolicy, Light, Mode, Settings, StartError, Status};
