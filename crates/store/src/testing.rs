//! What every engine must do, and a PostgreSQL to do it on. Panics are the
//! verdict: this module is for tests.
//!
//! | module | what it holds |
//! |---|---|
//! | [`conformance`](mod@conformance) | [`conformance()`](conformance()): one suite for all engines |
//! | [`private_postgres`] | [`PrivatePostgres`]: a server of one's own, removed when dropped |

pub mod conformance;
pub mod private_postgres;

pub use conformance::{Engine, TABLES, conformance};
pub use private_postgres::PrivatePostgres;
