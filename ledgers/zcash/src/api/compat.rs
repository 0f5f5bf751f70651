//! Where the service differs from lightwalletd v0.5.3, and which oddities it
//! keeps. The documentation is generated from this table.

/// One difference, or one oddity kept on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short name that does not change between releases.
    pub name: &'static str,
    /// The methods it is about, as the protocol names them.
    pub methods: &'static [&'static str],
    /// What lightwalletd does.
    pub lightwalletd: &'static str,
    /// What Heliostat does by default.
    pub heliostat: &'static str,
    /// The key of `[chain.NAME.compat]` that chooses the other behaviour, where
    /// a client could depend on it.
    pub switch: Option<&'static str>,
}

/// Every difference from lightwalletd, and every oddity kept with a switch.
pub fn compat_table() -> &'static [Difference] {
    &TABLE
}

const fn entry(
    name: &'static str,
    methods: &'static [&'static str],
    lightwalletd: &'static str,
    heliostat: &'static str,
    switch: Option<&'static str>,
) -> Difference {
    Difference {
        name,
        methods,
        lightwalletd,
        heliostat,
        switch,
    }
}

static TABLE: [Difference; 21] = [
    entry(
        "block-by-hash",
        &["GetBlock", "GetBlockNullifiers"],
        "a block asked for by hash is refused with INVALID_ARGUMENT",
        "served from the replica (hash in internal byte order, and it wins over a height); an unknown hash is NOT_FOUND, one that is not 32 bytes INVALID_ARGUMENT",
        None,
    ),
    entry(
        "latest-from-replica",
        &["GetLatestBlock"],
        "asks the node on every request, and may name a block that the server cannot serve yet",
        "the newest verified block, from memory; UNAVAILABLE until there is one",
        None,
    ),
    entry(
        "info-from-memory",
        &["GetLightdInfo"],
        "asks the node twice on every request, and fails with INTERNAL when it is down",
        "block height from the replica, the node's facts from memory; UNAVAILABLE only until there is a verified block and an upstream has answered once",
        None,
    ),
    entry(
        "one-response-one-chain",
        &["GetBlockRange", "GetBlockRangeNullifiers"],
        "a range wholly inside a stale cache may come from a fork that was left",
        "every response is one chain as of one moment; a reorganization under it ends it with ABORTED",
        None,
    ),
    entry(
        "send-once",
        &["SendTransaction"],
        "a transaction that is sent again goes to the node again, which then says that it has it",
        "the same bytes within a day get the first success again, and nothing is sent; `heliostat-receipt` in the metadata names the receipt, which is stored before anything is sent",
        None,
    ),
    entry(
        "mempool-vin",
        &["GetMempoolTx"],
        "drops the transparent inputs of every transaction as if it were a coinbase",
        "transparent inputs are sent when the transparent pool is asked for",
        None,
    ),
    entry(
        "mempool-early-close",
        &["GetMempoolStream"],
        "the first stream after a start or a pause ends at once, so wallets re-open in a loop",
        "a stream ends only when the newest block changes",
        None,
    ),
    entry(
        "mempool-failure",
        &["GetMempoolStream", "GetMempoolTx"],
        "a failed poll ends with UNKNOWN or INTERNAL; one transaction it cannot read fails GetMempoolTx for everybody",
        "UNAVAILABLE when no upstream answers; a transaction that cannot be read is left out of GetMempoolTx and passed on by GetMempoolStream",
        None,
    ),
    entry(
        "address-error-is-ok",
        &[
            "GetTaddressBalance",
            "GetTaddressBalanceStream",
            "GetAddressUtxos",
            "GetAddressUtxosStream",
        ],
        "any node error but two known ones gives an empty success: a balance of 0, no outputs",
        "UNKNOWN with the node's words, or UNAVAILABLE when no upstream answers",
        Some("ok-on-address-error"),
    ),
    entry(
        "upstream-down",
        &[
            "GetTransaction",
            "GetTreeState",
            "GetLatestTreeState",
            "GetSubtreeRoots",
            "GetTaddressTxids",
            "GetTaddressTransactions",
        ],
        "a node that cannot be reached looks like NOT_FOUND or INVALID_ARGUMENT",
        "UNAVAILABLE, with the upstream's name and the reason; only what the node itself says gets those codes",
        None,
    ),
    entry(
        "address-scan-deadline",
        &["GetTaddressTxids", "GetTaddressTransactions"],
        "the 30 s limit ends in INVALID_ARGUMENT or NOT_FOUND",
        "DEADLINE_EXCEEDED",
        None,
    ),
    entry(
        "address-scan-end",
        &["GetTaddressTxids", "GetTaddressTransactions"],
        "an end that is missing or 0 is the node's tip, asked for each time",
        "the newest verified block",
        None,
    ),
    entry(
        "tree-state-of-our-chain",
        &["GetTreeState", "GetLatestTreeState"],
        "whatever the node says is passed on; the newest one is asked for in two steps, between which a reorganization may fall",
        "the state must be that of our block at that height: else it is asked for again, then ABORTED",
        None,
    ),
    entry(
        "tree-state-mixture",
        &["GetTreeState", "GetLatestTreeState"],
        "following skipHash, a pool missing in the second reply keeps its state from the first",
        "all pools come from the same block",
        None,
    ),
    entry(
        "transaction-checked",
        &[
            "GetTransaction",
            "GetTaddressTxids",
            "GetTaddressTransactions",
            "GetMempoolTx",
            "GetMempoolStream",
        ],
        "bytes are passed on unchecked",
        "the transaction id is computed from the bytes; other bytes are evidence against the upstream and are not passed on; of bytes whose version is unknown another upstream is asked first",
        None,
    ),
    entry(
        "transaction-asked-around",
        &["GetTransaction"],
        "one node learns which transaction a client asks for",
        "so do up to four more upstreams when it is mined and of version 5 or later: they are asked for the same bytes, which its id does not cover",
        None,
    ),
    entry(
        "subtree-hash-from-replica",
        &["GetSubtreeRoots"],
        "one block lookup per root; a block it does not have fails with INTERNAL",
        "completing block hashes from the replica, and from the upstream where the replica does not reach",
        None,
    ),
    entry(
        "send-outcome-unknown",
        &["SendTransaction"],
        "a cut connection is tried up to ten times, then UNKNOWN without saying whether the node has the transaction",
        "sent once, never again; UNKNOWN says that the outcome is not known, UNAVAILABLE that it was not sent",
        None,
    ),
    entry(
        "send-quoted-txid",
        &["SendTransaction"],
        "the text of a success is the transaction id in double quotes",
        "the same",
        Some("plain-txid"),
    ),
    entry(
        "height-wraps",
        &[
            "GetBlock",
            "GetBlockNullifiers",
            "GetBlockRange",
            "GetBlockRangeNullifiers",
            "GetTreeState",
        ],
        "a height of 2^63 or more is read as a negative one, so that a range up to it runs down to genesis, and the largest is the newest block to the node",
        "it is a height above the newest block, like any other",
        None,
    ),
    entry(
        "ping-bound",
        &["Ping"],
        "sleeps for as long as the client asks",
        "for 60 s at most",
        None,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn entries_have_names_of_their_own_and_name_real_methods() {
        let names: BTreeSet<_> = TABLE.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), TABLE.len());
        let methods: BTreeSet<_> = super::super::method_table()
            .iter()
            .map(|method| method.name)
            .collect();
        for entry in &TABLE {
            assert!(!entry.methods.is_empty(), "{} names no method", entry.name);
            for method in entry.methods {
                assert!(methods.contains(method), "{method} does not exist");
            }
        }
    }
}
