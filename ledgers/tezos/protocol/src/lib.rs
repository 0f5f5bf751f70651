//! What a Tezos protocol keeps in its context, decoded into the text a node
//! prints. Pure: no network, no clock, no store.
//!
//! - [`rpc`]: which RPCs can be answered from context keys alone, which keys
//!   those are, and the answer's JSON. Start here.
//! - [`protocol`]: the protocols whose tables are known.
//! - [`zarith`], [`contract`], [`keys`]: integers, account ids, keys.
//! - [`micheline`]: Michelson's syntax in its binary and JSON forms.
//! - [`types`], [`readable`]: the types of data, and the conversion of stored
//!   data into its readable form.
//! - [`script`], [`entrypoints`]: a contract's parts and its entrypoints.
//! - [`constants`], [`levels`], [`votes`]: records of the protocol itself.
//!
//! Facts about layouts and printed forms are from the protocols' source in
//! Octez (`src/proto_024_PtTALLiN`, `src/proto_025_PsUshuai`) and from its
//! regression outputs; each module names the place.

#![forbid(unsafe_code)]

pub mod constants;
pub mod contract;
pub mod cursor;
pub mod defaults;
pub mod entrypoints;
pub mod error;
pub mod json;
pub mod keys;
pub mod levels;
pub mod micheline;
pub mod protocol;
pub mod readable;
pub mod rpc;
pub mod script;
pub mod types;
pub mod votes;
pub mod zarith;

pub use contract::{Address, ContractId, PublicKeyHash};
pub use error::ProtocolError;
pub use protocol::Protocol;
