//! Every setting, documented once: `docs/configuration.md`, the example file
//! and the check for unknown keys are made from these tables.
//!
//! | module | what it holds |
//! |---|---|
//! | [`door`] | `[door]` and what is below it |
//! | [`tezos`] | `[chain.NAME]` with `ledger = "tezos"` |
//! | [`zcash`] | `[chain.NAME]` with `ledger = "zcash"` |

pub mod door;
pub mod tezos;
pub mod zcash;

/// Where metrics, health and status are served unless told otherwise.
pub const OBSERVE: &str = "127.0.0.1:9068";

/// Where the Zcash gRPC service is served unless told otherwise.
pub const ZCASH_LISTEN: &str = "127.0.0.1:9067";

/// Where a Tezos node's RPC is served unless told otherwise.
pub const TEZOS_LISTEN: &str = "127.0.0.1:8742";

/// The ledgers this release has.
pub const LEDGERS: &[&str] = &["zcash", "tezos"];

/// The longest donation address, in characters: lightwalletd's limit, which
/// wallets may rely on.
pub const MAX_DONATION: usize = 255;

/// One table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its path; where the operator chooses the name of a chain, that of the
    /// chain's ledger in angle brackets.
    pub shape: &'static str,
    /// Whether it appears once per entry (`[[…]]`).
    pub repeated: bool,
    /// Whether an example is better off without it.
    pub optional: bool,
    /// Whether its keys are those of `keys` instead of settings.
    pub free: bool,
    /// The keys of a free table.
    pub keys: &'static [&'static str],
    /// What it is for.
    pub about: &'static str,
    /// What a running process does with a change of it as a whole, where its
    /// entries have no place of their own.
    pub taken: Taken,
}

/// What stands in a shape for the name of a chain of `ledger`.
pub fn placeholder(ledger: &str) -> String {
    format!("<{ledger}>")
}

/// The ledger whose chains a shape is about, if it is about one.
pub fn ledger_of(shape: &str) -> Option<&'static str> {
    let named = |ledger: &&&str| shape.contains(&placeholder(ledger));
    LEDGERS.iter().find(named).copied()
}

/// A shape as people read it.
pub fn shown(shape: &str) -> String {
    match ledger_of(shape) {
        Some(ledger) => shape.replace(&placeholder(ledger), "<name>"),
        None => shape.to_owned(),
    }
}

/// A table whose keys are settings.
const fn table(shape: &'static str, about: &'static str) -> Table {
    Table {
        shape,
        repeated: false,
        optional: false,
        free: false,
        keys: &[],
        about,
        taken: Taken::Restart,
    }
}

/// Every table, parents first.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    let all = [TABLES, door::TABLES, zcash::TABLES, tezos::TABLES];
    all.into_iter().flatten()
}

/// What belongs to no other part.
const TABLES: &[Table] = &[
    table("store", "Where the replicas live."),
    table("observe", "Metrics, health, status and logs."),
    table(
        "observe.otlp",
        "The OpenTelemetry collector that traces and metrics are sent to, over gRPC or HTTP.",
    ),
];

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The table it is in.
    pub table: &'static str,
    /// Its key there.
    pub key: &'static str,
    /// What it is without being set, in words or as TOML.
    pub default: &'static str,
    /// A value as TOML, for the example file.
    pub example: &'static str,
    /// Whether the example file sets it.
    pub required: bool,
    /// The flag of the quick start that sets it.
    pub flag: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What a running process does with a change.
    pub taken: Taken,
}

/// What a running process does with a change of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing; it takes a restart.
    Restart,
    /// SIGHUP reads the new value from the configuration file.
    Signal,
    /// The same, and the file it names is read again with it.
    SignalAndContent,
    /// The file it names is read again when that changes, and on SIGHUP; to
    /// name another file takes a restart.
    Content,
    /// The same at the next use after a change, without a signal.
    ContentUsed,
    /// The same once an upstream refuses what was read before.
    ContentRefused,
}

impl Taken {
    /// Whether SIGHUP takes over the value in the configuration file.
    pub fn by_signal(self) -> bool {
        matches!(self, Self::Signal | Self::SignalAndContent)
    }
}

/// What SIGHUP takes over from the configuration file, by path: settings, and
/// tables as a whole.
pub fn taken_over() -> impl Iterator<Item = String> {
    let tables = tables().filter(|table| table.taken.by_signal());
    let settings = settings().filter(|setting| setting.taken.by_signal());
    let tables = tables.map(|table| table.shape.to_owned());
    tables.chain(settings.map(Setting::path))
}

impl Setting {
    /// Its path in the file.
    pub fn path(&self) -> String {
        format!("{}.{}", self.table, self.key)
    }
}

/// Shortens the rows below: table, key, default, example, flag, meaning.
const fn set(
    table: &'static str,
    key: &'static str,
    default: &'static str,
    example: &'static str,
    flag: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting {
        table,
        key,
        default,
        example,
        required: false,
        flag,
        meaning,
        taken: Taken::Restart,
    }
}

/// A setting that SIGHUP takes over.
const fn live(setting: Setting) -> Setting {
    Setting {
        taken: Taken::Signal,
        ..setting
    }
}

/// A setting that SIGHUP takes over, and the file it names with it.
const fn live_content(setting: Setting) -> Setting {
    Setting {
        taken: Taken::SignalAndContent,
        ..setting
    }
}

/// A setting that names a file whose changes are taken over.
const fn content(setting: Setting) -> Setting {
    Setting {
        taken: Taken::Content,
        ..setting
    }
}

/// A setting that names a file that is looked at whenever it is used.
const fn used(setting: Setting) -> Setting {
    Setting {
        taken: Taken::ContentUsed,
        ..setting
    }
}

/// A setting that names a file of credentials.
const fn refused(setting: Setting) -> Setting {
    Setting {
        taken: Taken::ContentRefused,
        ..setting
    }
}

/// A setting that must be given.
const fn must(setting: Setting) -> Setting {
    Setting {
        required: true,
        ..setting
    }
}

/// Every setting, in the order of the document.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    let all = [SETTINGS, door::SETTINGS, zcash::SETTINGS, tezos::SETTINGS];
    all.into_iter().flatten()
}

/// What belongs to no other part.
#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    set("store", "address", "`sqlite:$XDG_STATE_HOME/heliostat/{chain}.sqlite`, where `XDG_STATE_HOME` is `~/.local/state` when not set", r#""sqlite:/var/lib/heliostat/{chain}.sqlite""#, "--store",
        "`sqlite:PATH`, `postgres://USER@HOST/DATABASE` (the password also from `PGPASSWORD`) or `memory:` (nothing is kept). `{chain}` stands for the chain's name; PostgreSQL keeps each chain in a schema of that name."),

    set("observe", "listen", "`127.0.0.1:9068`", r#""127.0.0.1:9068""#, "--observe",
        "Where `/metrics`, `/livez`, `/readyz`, `/status` and `/evidence` are served over HTTP."),
    set("observe", "security", "`auto`", r#""auto""#, "",
        "`auto`: on a loopback address plain HTTP without certificates and tokens, so that `heliostat status` works; on any other as `[door]` says. `door`: as `[door]` says. `none-very-insecure`: plain HTTP without certificates and tokens on any address, for probes and scrapers in a network of their own. `door.access` networks and `door.limits` hold in every case."),
    live(set("observe", "log-level", "`info`", r#""info""#, "--log-level",
        "`off`, `error`, `warn`, `info`, `debug` or `trace`. No level logs requests, answers, addresses, transaction ids or credentials.")),
    set("observe", "log-format", "`text`", r#""text""#, "--log-format",
        "`text` for people, `json` for one object a line."),
    set("observe", "log-file", "standard error", r#""/var/log/heliostat.log""#, "--log-file",
        "A file that events are appended to."),
    set("observe.otlp", "endpoint", "nothing is sent", r#""http://127.0.0.1:4317""#, "",
        "The collector's address, `http://` or `https://`. Metrics are those of `/metrics`, counters without `_total`; traces have the method, chain, status and grade of an answer and the questions to upstreams it took, never what was asked."),
    set("observe.otlp", "protocol", "`grpc`", r#""grpc""#, "",
        "`grpc` (a collector's port 4317), or `http`: protobuf over HTTP (port 4318), with `/v1/metrics` and `/v1/traces` added to the endpoint."),
    set("observe.otlp", "interval-seconds", "15", "15", "",
        "The time between two pushes of the metrics."),
    set("observe.otlp", "sample", "0.01", "0.01", "",
        "The share of answers that are traced, 0 to 1. Clients cannot ask for a trace."),
];
