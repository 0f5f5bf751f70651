//! The settings of `[chain.NAME]` with `ledger = "zcash"`.

use super::{Setting, Table, Taken, must, refused, set, table, used};

/// The methods a minimum grade can be set for.
pub const METHODS: &[&str] = &[
    "GetLatestBlock",
    "GetBlock",
    "GetBlockNullifiers",
    "GetBlockRange",
    "GetBlockRangeNullifiers",
    "GetTransaction",
    "SendTransaction",
    "GetTaddressTxids",
    "GetTaddressTransactions",
    "GetTaddressBalance",
    "GetTaddressBalanceStream",
    "GetMempoolTx",
    "GetMempoolStream",
    "GetTreeState",
    "GetLatestTreeState",
    "GetSubtreeRoots",
    "GetAddressUtxos",
    "GetAddressUtxosStream",
    "GetLightdInfo",
    "Ping",
];

/// The chain, its upstreams and what is below them.
pub const TABLES: &[Table] = &[
    table("chain", ""),
    table(
        "chain.<zcash>",
        "One Zcash chain. The name is yours; it appears in metrics, in the status and in the store's name.",
    ),
    Table {
        repeated: true,
        ..table(
            "chain.<zcash>.upstream",
            "One node to follow or to ask as a witness; at least one follows. There is no default: Heliostat never talks to a node you did not name.",
        )
    },
    Table {
        optional: true,
        ..table(
            "chain.<zcash>.upstream.oauth2",
            "Bearer tokens for this upstream from an issuer, for client credentials (RFC 6749, section 4.4); renewed ahead of their end.",
        )
    },
    Table {
        free: true,
        keys: METHODS,
        taken: Taken::Signal,
        ..table(
            "chain.<zcash>.minimum",
            "The lowest grade that is answered, by method: `proven`, `agreed k/n` or `relayed`. Below it the method is refused with FAILED_PRECONDITION, and told the grade it reached. On the command line: `--minimum METHOD=GRADE`.",
        )
    },
    table(
        "chain.<zcash>.compat",
        "Where lightwalletd's behaviour and the mended one differ in a way a client could depend on.",
    ),
];

const CHAIN: &str = "chain.<zcash>";
const UPSTREAM: &str = "chain.<zcash>.upstream";
const OAUTH2: &str = "chain.<zcash>.upstream.oauth2";
const COMPAT: &str = "chain.<zcash>.compat";

/// Every setting, in the order of the document.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    must(set(CHAIN, "ledger", "", r#""zcash""#, "", "The ledger family: `zcash`.")),
    set(CHAIN, "network", "what the store holds, else what the first upstream says", r#""main""#, "--network",
        "`main`, `test` or `regtest`. An upstream of another network is reported and not used. On regtest there is no proof-of-work to check, so no block is `proven`."),
    set(CHAIN, "listen", "`127.0.0.1:9067`", r#""127.0.0.1:9067""#, "--listen",
        "Where `CompactTxStreamer` is served over gRPC."),
    set(CHAIN, "checkpoint", "genesis", r#""1687239:00000000000e71c9d5256ad3a848213b9a53852e2fd834ac38a3d0a1d1f876da""#, "--checkpoint",
        "A block you trust, to begin after instead of at genesis: `HEIGHT:HASH:SAPLING:ORCHARD:IRONWOOD`, the hash as explorers show it and the sizes of the note commitment trees after it. With `HEIGHT:HASH` alone the sizes are an upstream's word, and no block is better than `relayed`. A chain that is stored already must have this block."),
    set(CHAIN, "rpc-user", "none", r#""heliostat""#, "--rpc-user",
        "User name for every upstream without credentials of its own. Also `HELIOSTAT_ZCASH_RPCUSER`."),
    set(CHAIN, "rpc-password", "none", r#""secret""#, "--rpc-password",
        "Password for every upstream without credentials of its own. Also `HELIOSTAT_ZCASH_RPCPASSWORD`, or better a file."),
    refused(set(CHAIN, "rpc-password-file", "none", r#""/run/secrets/rpc-password""#, "--rpc-password-file",
        "A file whose first line is the password. Read again when the node answers 401.")),
    refused(set(CHAIN, "rpc-cookie-file", "none", r#""/home/zebra/.cache/zebra/.cookie""#, "--rpc-cookie-file",
        "The node's cookie file, `user:password`. Read again when the node answers 401. Also `HELIOSTAT_ZCASH_COOKIE`.")),
    set(CHAIN, "zcash-conf", "none", r#""/etc/zebrad.toml""#, "--zcash-conf",
        "A `zcash.conf` or `zebrad.toml` to take credentials from."),
    set(CHAIN, "send-policy", "`one`", r#""one""#, "--send-policy",
        "To how many upstreams `SendTransaction` hands a transaction. `one`: to the best one, and never to another by itself. `broadcast(K)`, K at least 2: to the best K that can be used, at the same time, each once; the first that takes it answers the wallet, and a repetition of one that nobody is known to have may reach others. Harmless to the network, which knows a transaction by its id; more nodes learn of it from you."),
    set(CHAIN, "donation-address", "none", r#""u1exampleexampleexample""#, "--donation-address",
        "A unified address that `GetLightdInfo` names for donations to this server."),
    set(CHAIN, "ping-very-insecure", "`false`", "false", "--ping-very-insecure",
        "Answers `Ping`, which lets any client hold tasks here, each for up to 60 s."),

    must(set(UPSTREAM, "url", "", r#""http://127.0.0.1:8232""#, "--upstream, --witness",
        "The node's JSON-RPC address. `http://USER:PASSWORD@HOST:PORT` is understood too.")),
    set(UPSTREAM, "role", "`follow`", r#""follow""#, "--witness",
        "`follow`: blocks are fetched from it. `witness`: it is only asked which block stands at a height."),
    set(UPSTREAM, "rpc-user", "the chain's", r#""heliostat""#, "", "User name for this upstream."),
    set(UPSTREAM, "rpc-password", "the chain's", r#""secret""#, "", "Password for this upstream."),
    refused(set(UPSTREAM, "rpc-password-file", "the chain's", r#""/run/secrets/rpc-password""#, "", "A file whose first line is the password for this upstream.")),
    refused(set(UPSTREAM, "rpc-cookie-file", "the chain's", r#""/home/zebra/.cache/zebra/.cookie""#, "", "The cookie file of this upstream.")),
    set(UPSTREAM, "zcash-conf", "the chain's", r#""/etc/zebrad.toml""#, "", "A `zcash.conf` or `zebrad.toml` with this upstream's credentials."),

    used(set(UPSTREAM, "ca-file", "the system's authorities", r#""/etc/heliostat/node-ca.pem""#, "", "The only authorities that are trusted for this upstream (pinning). Needs `https`.")),
    used(set(UPSTREAM, "client-cert", "none", r#""/etc/heliostat/client.pem""#, "", "The certificate shown to this upstream, its intermediates after it.")),
    used(set(UPSTREAM, "client-key", "none", r#""/etc/heliostat/client.key""#, "", "Its private key.")),
    set(UPSTREAM, "bearer-token", "none", r#""secret""#, "", "A token sent with every request; better a file."),
    used(set(UPSTREAM, "bearer-token-file", "none", r#""/run/secrets/node-token""#, "", "A file whose first line is the token.")),

    set(OAUTH2, "token-url", "none", r#""https://login.example/token""#, "", "The issuer's token endpoint: `https`, or `http` on this machine."),
    set(OAUTH2, "client-id", "none", r#""heliostat""#, "", "Our name there."),
    used(set(OAUTH2, "client-secret-file", "none", r#""/run/secrets/client-secret""#, "", "A file whose first line is our secret there.")),
    set(OAUTH2, "scopes", "none", r#"["rpc"]"#, "", "The scopes to ask for."),
    set(OAUTH2, "audience", "none", r#""node""#, "", "Whom the token is for, where the issuer wants to know."),
    used(set(OAUTH2, "ca-file", "the system's authorities", r#""/etc/heliostat/issuer-ca.pem""#, "", "The only authorities that may vouch for the issuer.")),

    set(COMPAT, "plain-txid", "`false`", "false", "",
        "`SendTransaction` answers with the plain transaction id, without the double quotes lightwalletd leaves around it."),
    set(COMPAT, "ok-on-address-error", "`false`", "false", "",
        "A node's refusal of an address query is answered with an empty success, as lightwalletd does."),
];
