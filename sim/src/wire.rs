//! HTTP that can go wrong on purpose: what the simulated nodes of all ledgers
//! are served with.
//!
//! | module | what it holds |
//! |---|---|
//! | `body` | [`Script`]: a reply's body, step by step |
//! | `socket` | a connection that can be reset |
//! | `switch` | [`Switch`]: a listener that goes away and comes back |

mod body;
mod socket;
mod switch;

pub(crate) use body::{Script, Step};
pub(crate) use switch::{Reset, Switch, run};
