//! The settings of `[door]`.

use super::{Setting, Table, set, table};

/// The door and what is below it.
pub const TABLES: &[Table] = &[table("door", "What holds for every listening socket.")];

/// Every setting, in the order of the document.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    set("door", "no-tls-very-insecure", "`false`", "false", "--no-tls-very-insecure",
        "Serves unencrypted connections on addresses that other machines can reach. Without it only loopback addresses are accepted: put a proxy that ends TLS in front."),
    set("door", "drain-seconds", "`10`", "10", "",
        "How long answers under way may take after SIGTERM before they are cut."),
    set("door", "max-connections", "`10000`", "10000", "",
        "How many connections are open at once, per listening address; more wait."),
];
