//! Tezos block rules for a light node.
