//! What each method is served from and how it is graded. The documentation is
//! generated from this table.

/// One method of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name in the protocol.
    pub name: &'static str,
    /// Where the answer comes from.
    pub served_from: &'static str,
    /// The grade its answers have.
    pub grade: &'static str,
}

/// All twenty methods of `CompactTxStreamer`, in the protocol's order.
pub fn method_table() -> &'static [Method] {
    &TABLE
}

const fn method(name: &'static str, served_from: &'static str, grade: &'static str) -> Method {
    Method {
        name,
        served_from,
        grade,
    }
}

/// How answers from the replica are graded.
const BLOCK: &str =
    "that of the block: `proven`; on regtest `agreed k/n` or `relayed`, as the upstreams agree";
/// The same for answers of many blocks.
const BLOCKS: &str = "the lowest of the blocks sent, in the trailer";
/// How answers that nothing here can check are graded.
const RELAYED: &str = "`relayed`";

static TABLE: [Method; 20] = [
    method("GetLatestBlock", "the replica's tip, in memory", BLOCK),
    method("GetBlock", "the replica", BLOCK),
    method("GetBlockNullifiers", "the replica", BLOCK),
    method("GetBlockRange", "the replica's stored wire frames", BLOCKS),
    method(
        "GetBlockRangeNullifiers",
        "the replica's stored wire frames",
        BLOCKS,
    ),
    method(
        "GetTransaction",
        "an upstream; the bytes must have the id that was asked for; from version 5 on up to four more upstreams are asked for the same bytes",
        "when the replica has the id at that height: that of its block for versions 1 to 4; from version 5 on `agreed k/n` (k upstreams gave the same bytes) up to that of its block, since the id does not cover the authorizing data and zebrad does not give the chain history root that would open the block's commitment to it; else `relayed`",
    ),
    method(
        "SendTransaction",
        "the best upstream, or as many as `send-policy` says, once each; a repetition within a day from the receipt",
        RELAYED,
    ),
    method(
        "GetTaddressTxids",
        "an upstream; every transaction's bytes must have its id",
        RELAYED,
    ),
    method(
        "GetTaddressTransactions",
        "an upstream; every transaction's bytes must have its id",
        RELAYED,
    ),
    method("GetTaddressBalance", "an upstream", RELAYED),
    method("GetTaddressBalanceStream", "an upstream", RELAYED),
    method(
        "GetMempoolTx",
        "a copy of an upstream's memory pool, at most 2 s old",
        RELAYED,
    ),
    method(
        "GetMempoolStream",
        "a copy of an upstream's memory pool, read every second",
        RELAYED,
    ),
    method(
        "GetTreeState",
        "an upstream, or a copy kept by block hash; must be of our block at that height",
        RELAYED,
    ),
    method(
        "GetLatestTreeState",
        "an upstream, or a copy kept by block hash; must be of our newest block",
        RELAYED,
    ),
    method(
        "GetSubtreeRoots",
        "an upstream, or a copy kept until the next block; completing block hashes from the replica",
        RELAYED,
    ),
    method("GetAddressUtxos", "an upstream", RELAYED),
    method("GetAddressUtxosStream", "an upstream", RELAYED),
    method(
        "GetLightdInfo",
        "the replica's height, and an upstream's facts in memory",
        RELAYED,
    ),
    method(
        "Ping",
        "this process; only with `ping-very-insecure`",
        "`proven`",
    ),
];

#[cfg(test)]
mod tests {
    use prost::Message as _;

    #[test]
    fn the_table_has_every_method_of_the_protocol_in_its_order() {
        let set = prost_types::FileDescriptorSet::decode(heliostat_zcash_proto::DESCRIPTORS)
            .expect("the build script wrote it");
        let of_protocol: Vec<_> = set
            .file
            .iter()
            .flat_map(|file| &file.service)
            .filter(|service| service.name() == "CompactTxStreamer")
            .flat_map(|service| service.method.iter().map(|method| method.name().to_owned()))
            .collect();
        let ours: Vec<_> = super::TABLE.iter().map(|method| method.name).collect();
        assert_eq!(ours, of_protocol);
    }
}
