//! Tezos light mode.
