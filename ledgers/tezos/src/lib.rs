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
//! # Using it
//!
//! [`Light::start`] takes [`Settings`] and asks nobody yet. A daemon serves
//! [`Light::router`] and runs [`Light::run`] until it stops; a process that
//! answers once calls [`Light::refresh`] and then [`client`]. Both answer from
//! the same interface, whose rows are in [`api::method_table`]; what is always
//! passed on is in [`api::passed_on_table`].
//!
//! # Grades
//!
//! An answer has the grade of the weakest link between it and what is believed:
//! a value hashes to its block's root; a root is the one that enough endpoints
//! gave, or that the next block's header commits to; a header hashes to its
//! block; a block has enough endpoints behind it, or is final because bakers
//! who were read by proof attested it, from a block that the operator trusts.
//! Only the last is `proven`. Where that is possible, endpoints that are not
//! unanimous count for nothing: what is not proven is then `relayed`, or
//! `agreed n/n`.
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
