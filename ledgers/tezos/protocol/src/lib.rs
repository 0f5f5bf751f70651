//! What a Tezos protocol stores in its context.
