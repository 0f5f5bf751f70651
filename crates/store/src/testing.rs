//! What every engine must do, and a PostgreSQL to do it on. Panics are the
//! verdict: this module is for tests.
//!
//! | module | what it holds |
//! |---|---|
//! | [`authority`] | [`Authority`]: signs certificates of servers on loopback |
//! | [`conformance`](mod@conformance) | [`conformance()`](conformance()): one suite for all engines |
//! | [`private_postgres`] | [`PrivatePostgres`]: a server of one's own, removed when dropped |

pub mod authority;
pub mod conformance;
pub mod private_postgres;

pub use authority::Authority;
pub use conformance::{Engine, TABLES, conformance};
pub use private_postgres::PrivatePostgres;
