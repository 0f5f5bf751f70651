//! The settings of `[chain.NAME]` with `ledger = "tezos"`.

use super::{Setting, Table, Taken, live, must, set, table, used};

/// The names a minimum grade can be set for.
pub const METHODS: &[&str] = &[
    "*",
    "balance",
    "counter",
    "manager_key",
    "delegate",
    "script",
    "storage",
    "storage_space",
    "entrypoints",
    "frozen_bonds",
    "contract",
    "big_map",
    "constants",
    "nonce",
    "cpmm_address",
    "total_supply",
    "first_level",
    "launch_cycle",
    "seed_computation",
    "current_level",
    "levels_in_current_cycle",
    "round",
    "votes",
    "raw_bytes",
    "merkle_tree_v2",
    "merkle_tree",
    "hash",
    "header",
    "operation_hashes",
    "operations",
    "block",
    "resulting_context_hash",
    "protocols",
    "chain_id",
    "monitor_heads",
    "injection",
    "relayed",
];

/// The chain and what is below it.
pub const TABLES: &[Table] = &[
    table(
        CHAIN,
        "One Tezos chain, read by proof from several nodes. Nothing is replicated: the store keeps evidence of lies and receipts of operations.",
    ),
    Table {
        optional: true,
        ..table(
            "chain.<tezos>.oauth2",
            "Bearer tokens for the nodes from an issuer, for client credentials (RFC 6749, section 4.4); renewed ahead of their end.",
        )
    },
    Table {
        free: true,
        keys: METHODS,
        taken: Taken::Signal,
        ..table(
            "chain.<tezos>.minimum",
            "The lowest grade that is answered, by method: `proven`, `agreed k/n` or `relayed`. Below it the call is refused with HTTP 503, `heliostat.assurance_too_low`. `\"*\"` stands for every method that is not set; docs/tezos-methods.md says what each name covers.",
        )
    },
];

const CHAIN: &str = "chain.<tezos>";
const OAUTH2: &str = "chain.<tezos>.oauth2";

/// Every setting, in the order of the document.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    must(set(CHAIN, "ledger", "", r#""tezos""#, "", "The ledger family: `tezos`.")),
    set(CHAIN, "mode", "`light`", r#""light""#, "--mode",
        "`light`: several nodes, every read proven here against what they agree on. `proxy`: one node, values read here from its data. `client`: one node, every call passed on."),
    must(set(CHAIN, "endpoints", "", r#"["http://127.0.0.1:8732", "http://127.0.0.1:8733"]"#, "--endpoint",
        "The nodes, in the order in which they are asked; at least two in light mode, exactly one in the others. A node named twice has two votes. There is no default: Heliostat never talks to a node you did not name.")),
    set(CHAIN, "sources", "none", r#""/etc/heliostat/sources.json""#, "--sources",
        "Octez's sources file, in place of `endpoints`: `{\"min_agreement\": 1.0, \"uris\": [...]}`."),
    set(CHAIN, "endpoint", "the first one", r#""http://127.0.0.1:8732""#, "--endpoint",
        "The node that calls which cannot be checked here are passed on to first; it must be one of the nodes, written in the same way."),
    set(CHAIN, "min-agreement", "the sources file's, else `1.0`", "1.0", "--min-agreement",
        "The share of nodes that must agree, above 0 and at most 1: of n nodes, the product with n, rounded up."),
    set(CHAIN, "network", "`main`", r#""main""#, "--chain",
        "The chain as the nodes name it in paths: `main`, `test` or `Net…`."),
    set(CHAIN, "chain-id", "what enough nodes say", r#""NetXdQprcVkpaWU""#, "",
        "The chain's id. A node on another chain is reported and not used."),
    set(CHAIN, "checkpoint", "none", r#""15181988:BMMhJ4R65r5CBT3c9cRQfna28ApcqASYaN1oFepMxFmTF9zzR1M""#, "--checkpoint",
        "A block you trust (`LEVEL:B…`), or the root of the state after it (`LEVEL:Co…`), at most two cycles old. What it commits to is `proven`; with `finality`, which it brings, so is what follows."),
    set(CHAIN, "finality", "`true` with `checkpoint`", "true", "--finality",
        "Verifies the bakers' attestations from the checkpoint on, so that no node needs to be believed. Needs `checkpoint`."),
    live(set(CHAIN, "head", "`newest`, or `proven` where a minimum grade is", r#""newest""#, "--head",
        "Which block `head` is. `newest`: the newest one whose hash enough nodes gave. `proven`: the newest one whose successor's header is verified, which is one back, three with `finality`.")),
    set(CHAIN, "listen", "`127.0.0.1:8742`", r#""127.0.0.1:8742""#, "--listen",
        "Where the node's RPC is served over HTTP."),
    set(CHAIN, "cors-origins", "none", r#"["https://app.example"]"#, "--cors-origin",
        "The origins of web pages that may read answers, as a node's `--cors-origin`: `scheme://host[:port]` as browsers send it, or `\"*\"` for all."),
    set(CHAIN, "proof-of-work-threshold", "`281474976710655`, as on mainnet", "281474976710655", "--proof-of-work-threshold",
        "The greatest proof-of-work stamp a header may have; a node that sends another is caught lying. `0` on a network without stamps."),
    live(set(CHAIN, "max-head-age-seconds", "`120`", "120", "",
        "How old the newest block may be before the chain counts as not ready; `0` for never, as on a sandbox that stands still.")),
    set(CHAIN, "send-policy", "`one`", r#""one""#, "--send-policy",
        "To how many nodes an injected operation goes. `one`: to the main one, else the next that can be used, and never to another by itself. `broadcast(K)`, K at least 2: to K that can be used, at the same time, each once; the first that takes it answers the client, and a repetition of one that nobody is known to have may reach others. Harmless to the chain: it is one signed operation with one hash and counter, and a node that has it answers its hash again."),
    set(CHAIN, "connect-seconds", "`3`", "3", "", "How long it may take to connect to a node."),
    set(CHAIN, "call-seconds", "`10`", "10", "", "How long one call to a node may take."),
    set(CHAIN, "max-calls", "`64`", "64", "", "How many calls to one node are under way at once."),
    used(set(CHAIN, "ca-file", "the system's authorities", r#""/etc/heliostat/node-ca.pem""#, "", "The only authorities that are trusted for the nodes (pinning). Needs `https`.")),
    used(set(CHAIN, "client-cert", "none", r#""/etc/heliostat/client.pem""#, "", "The certificate shown to the nodes, its intermediates after it.")),
    used(set(CHAIN, "client-key", "none", r#""/etc/heliostat/client.key""#, "", "Its private key.")),
    set(CHAIN, "bearer-token", "none", r#""secret""#, "", "A token sent with every call; better a file."),
    used(set(CHAIN, "bearer-token-file", "none", r#""/run/secrets/node-token""#, "", "A file whose first line is the token.")),

    set(OAUTH2, "token-url", "none", r#""https://login.example/token""#, "", "The issuer's token endpoint: `https`, or `http` on this machine."),
    set(OAUTH2, "client-id", "none", r#""heliostat""#, "", "Our name there."),
    used(set(OAUTH2, "client-secret-file", "none", r#""/run/secrets/client-secret""#, "", "A file whose first line is our secret there.")),
    set(OAUTH2, "scopes", "none", r#"["rpc"]"#, "", "The scopes to ask for."),
    set(OAUTH2, "audience", "none", r#""node""#, "", "Whom the token is for, where the issuer wants to know."),
    used(set(OAUTH2, "ca-file", "the system's authorities", r#""/etc/heliostat/issuer-ca.pem""#, "", "The only authorities that may vouch for the issuer.")),
];
