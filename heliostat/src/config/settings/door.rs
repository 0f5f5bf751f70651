//! The settings of `[door]` and the tables below it.

use super::{Setting, Table, Taken, content, live, live_content, set, table};

/// The door and what is below it.
pub const TABLES: &[Table] = &[
    table(
        "door",
        "What holds for every listening socket of every chain, and for the observe address as far as `observe.security` says.",
    ),
    table(
        "door.tls",
        "Certificates. All files are PEM; a file that changes is taken over within seconds, a broken one changes nothing.",
    ),
    table(
        "door.access",
        "Who may connect. Deny beats allow; an empty allow list lets in everybody who is not denied.",
    ),
    table(
        "door.auth",
        "Bearer tokens: JWTs checked against the issuer's keys, opaque tokens by asking the issuer. Tokens are asked for once `jwks-url`, `discovery` or `introspection-url` is set.",
    ),
    Table {
        repeated: true,
        optional: true,
        taken: Taken::Signal,
        ..table(
            "door.auth.scope",
            "What a scope covers. Without any of these, every good token covers everything.",
        )
    },
    table(
        "door.limits",
        "What a peer may cost. All limits are on; whoever exceeds one gets the protocol's own error with a hint, and is counted in `heliostat_door_refused_total` or `heliostat_door_cut_total`.",
    ),
];

const TLS: &str = "door.tls";
const ACCESS: &str = "door.access";
const AUTH: &str = "door.auth";
const SCOPE: &str = "door.auth.scope";
const LIMITS: &str = "door.limits";

/// Every setting, in the order of the document.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    set("door", "no-tls-very-insecure", "`false`", "false", "--no-tls-very-insecure",
        "Serves unencrypted connections on addresses that other machines can reach. Without it and without a certificate only loopback addresses are accepted."),
    live(set("door", "drain-seconds", "`10`", "10", "",
        "How long answers under way may take after SIGTERM before they are cut.")),
    live(set("door", "max-connections", "`10000`", "10000", "",
        "How many connections are open at once, per listening address; more wait.")),

    content(set(TLS, "cert", "none", r#""/etc/heliostat/tls.crt""#, "--tls-cert",
        "The server's certificate, its intermediates after it. With it, nothing but TLS is spoken.")),
    content(set(TLS, "key", "none", r#""/etc/heliostat/tls.key""#, "--tls-key",
        "The certificate's private key, without a passphrase.")),
    content(set(TLS, "client-ca", "none", r#""/etc/heliostat/clients.pem""#, "--tls-client-ca",
        "The authorities that client certificates are checked against. The flag also sets `client-auth = \"required\"`.")),
    set(TLS, "client-auth", "`off`", r#""off""#, "",
        "`off`; `optional`: a client certificate has to be good if one is shown; `required`: nobody gets in without one."),
    set(TLS, "gen-cert-very-insecure", "`false`", "false", "--gen-cert-very-insecure",
        "Makes a certificate on the spot, which no client can check: for trials only."),

    live(set(ACCESS, "allow-networks", "everybody", r#"["10.0.0.0/8", "2001:db8::/32"]"#, "--allow-network",
        "Networks or addresses that may connect. Others are closed without a word.")),
    live(set(ACCESS, "deny-networks", "nobody", r#"["192.0.2.7"]"#, "--deny-network",
        "Networks or addresses that may not connect. Connections of one that is added are cut when SIGHUP takes it over.")),
    content(set(ACCESS, "allow-identities", "everybody", r#""/etc/heliostat/allowed.txt""#, "",
        "A file of identities that may enter, one a line or a JSON array (`.json`): SHA-256 fingerprints or names of client certificates, or enode URLs. Needs `client-auth`.")),
    content(set(ACCESS, "deny-identities", "nobody", r#""/etc/heliostat/denied.txt""#, "",
        "A file of identities that may not enter. Connections of somebody who is added are closed.")),

    live(set(AUTH, "issuer", "none", r#""https://login.example""#, "",
        "Who has to have issued a token (`iss`). Needed for JWTs.")),
    live(set(AUTH, "audience", "none", r#"["heliostat"]"#, "",
        "Whom a token may be for (`aud`), one of these. Needed wherever tokens are asked for.")),
    live(set(AUTH, "jwks-url", "none", r#""https://login.example/jwks.json""#, "",
        "Where the issuer's keys are.")),
    live(set(AUTH, "discovery", "`false`", "false", "",
        "The keys are where the issuer's `/.well-known/openid-configuration` says.")),
    live(set(AUTH, "algorithms", "every asymmetric one", r#"["RS256", "ES256"]"#, "",
        "Signature algorithms that are taken. Symmetric ones and `none` never are.")),
    live(set(AUTH, "introspection-url", "none", r#""https://login.example/introspect""#, "",
        "Where to ask about opaque tokens (RFC 7662).")),
    live(set(AUTH, "client-id", "none", r#""heliostat""#, "", "Our name there.")),
    live_content(set(AUTH, "client-secret-file", "none", r#""/run/secrets/introspection""#, "",
        "A file whose first line is our secret there.")),
    live_content(set(AUTH, "ca-file", "the system's authorities", r#""/etc/heliostat/issuer-ca.pem""#, "",
        "The authority of the issuer's server.")),
    live(set(AUTH, "open-methods", "none", r#"["GET /livez", "Check"]"#, "",
        "Methods that need no token: a gRPC method by its name, an HTTP one by verb and path; a `*` at the end stands for anything.")),
    live(set(AUTH, "issuer-timeout-seconds", "`5`", "5", "",
        "How long a question to the issuer may take: a client waits for it.")),
    live(set(AUTH, "refresh-seconds", "`60`", "60", "",
        "The shortest time between two fetches of the keys, so that tokens with made-up key names do not turn this node against the issuer.")),

    set(SCOPE, "name", "", r#""zcash:read""#, "", "The scope, as tokens have it."),
    set(SCOPE, "chain", "", r#""zcash""#, "", "The chain's name, `observe` for the observe address, or `*`."),
    set(SCOPE, "methods", "none", r#"["Get*"]"#, "",
        "The methods it covers, written as in `open-methods`."),

    live(set(LIMITS, "connections-per-address", "`256`", "256", "",
        "Connections at once from one address (IPv6: one /64). A household or office stays far below; a proxy belongs in `exempt-networks`.")),
    live(set(LIMITS, "streams-per-connection", "`256`", "256", "",
        "Requests at once on one HTTP/2 connection. Wallets use under ten, a balancer's pooled connection more.")),
    live(set(LIMITS, "handshake-seconds", "`8`", "8", "",
        "How long a TLS handshake may take: it needs two round trips and one signature.")),
    live(set(LIMITS, "header-seconds", "`8`", "8", "",
        "How long a new connection may stay silent and a request's headers may take; slower ones hold a place without using it.")),
    live(set(LIMITS, "body-seconds", "`8`", "8", "",
        "How long the next `progress-bytes` of a request body may take.")),
    live(set(LIMITS, "unread-seconds", "`60`", "60", "",
        "How long a client may take to read the next `progress-bytes` of its answer. Wallets on phones stop reading for tens of seconds while they scan.")),
    live(set(LIMITS, "idle-seconds", "`60`", "60", "",
        "How long an HTTP/1 connection may wait for its next request.")),
    live(set(LIMITS, "progress-bytes", "`1024`", "1024", "",
        "Bytes that count as progress, so that one byte now and then is no way to hold a place.")),
    live(set(LIMITS, "request-bytes", "`8388608`", "8388608", "",
        "The largest request body. The largest that any ledger takes is a 2 MB transaction, 4 MB as hex.")),
    live(set(LIMITS, "connection-buffer-bytes", "`4194304`", "4194304", "",
        "Bytes of answers queued on one connection before more are made: ten streams at full speed.")),
    live(set(LIMITS, "control-frames", "`320`", "320", "",
        "HTTP/2 frames without work (settings, pings, resets) a client may send ahead of what it is owed; floods of them are cut.")),
    live(set(LIMITS, "address-rate", "`500`", "500", "",
        "Requests a second from one address in the long run; 0 for no limit. A syncing wallet makes some ten, a busy office some hundred.")),
    live(set(LIMITS, "address-burst", "`2000`", "2000", "",
        "Requests from one address at once: wallets ask for hundreds of transactions after a long absence.")),
    live(set(LIMITS, "identity-rate", "`2000`", "2000", "",
        "Requests a second by one certificate or token; 0 for no limit. Identities are known and can be spoken to: four times an address.")),
    live(set(LIMITS, "identity-burst", "`8000`", "8000", "",
        "Requests by one certificate or token at once.")),
    live(set(LIMITS, "longest-penalty-seconds", "`60`", "60", "",
        "How long an address is refused at most after its connections were cut for floods, or many for slowness: first for 1 s, then each time for twice as long; 0 for never. Longer would only punish who gets the address next.")),
    live(set(LIMITS, "exempt-networks", "`[\"127.0.0.0/8\", \"::1/128\"]`", r#"["127.0.0.0/8", "::1/128"]"#, "",
        "Networks without limits and penalties per address: proxies that carry everybody's requests.")),
    live(set(LIMITS, "memory-bytes", "`1073741824`", "1073741824", "",
        "Memory for all connections of the process together: waiting answers, requests being read, and 96 KiB for each that is open. A machine with 2 GB keeps half for the rest.")),
];
