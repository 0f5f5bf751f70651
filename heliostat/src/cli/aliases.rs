//! lightwalletd's flag names, and what each of them does here. The
//! documentation is made from this table, and a test passes each of them to
//! the binary.

/// One flag of lightwalletd.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// Its name, without dashes.
    pub flag: &'static str,
    /// A value to pass, or nothing for a switch.
    pub value: &'static str,
    /// Whether it is refused (exit code 2).
    pub refused: bool,
    /// What it does, in words.
    pub effect: &'static str,
}

const fn taken(flag: &'static str, value: &'static str, effect: &'static str) -> Alias {
    Alias {
        flag,
        value,
        refused: false,
        effect,
    }
}

const fn refused(flag: &'static str, value: &'static str, effect: &'static str) -> Alias {
    Alias {
        flag,
        value,
        refused: true,
        effect,
    }
}

/// Every flag lightwalletd 0.5 has.
#[rustfmt::skip]
pub const ALIASES: &[Alias] = &[
    taken("grpc-bind-addr", "127.0.0.1:0", "the same as `--listen`"),
    taken("http-bind-addr", "127.0.0.1:0", "the same as `--observe`"),
    taken("log-level", "4", "lightwalletd's numbers are understood (2 error, 3 warn, 4 info, 5 debug, 6 and 7 trace)"),
    taken("log-file", "server.log", "events are appended to the file; as JSON, as lightwalletd does, unless `--log-format text` is given"),
    taken("zcash-conf-path", "zcash.conf", "the same as `--zcash-conf`; without `--upstream` the file also says where the node is"),
    taken("rpcuser", "user", "the same as `--rpc-user`"),
    taken("rpcpassword", "secret", "the same as `--rpc-password`"),
    taken("rpchost", "127.0.0.1", "with `--rpcport` the same as `--upstream http://HOST:PORT`"),
    taken("rpcport", "8232", "see `--rpchost`; without it, 8232"),
    taken("no-backend-check", "", "accepted; nothing to switch off: any node that answers the calls is used, and what it says is checked"),
    taken("tls-cert", "cert.pem", "the same here; without it and without `--no-tls-very-insecure`, plaintext is served on loopback only"),
    taken("tls-key", "cert.key", "the same here"),
    taken("gen-cert-very-insecure", "", "the same here"),
    taken("no-tls-very-insecure", "", "the same here: plaintext is served beyond loopback"),
    taken("ping-very-insecure", "", "the same here: `Ping` is answered"),
    taken("donation-address", "u1example", "the same here"),
    taken("redownload", "", "forgets the stored chain before starting, and syncs again"),
    taken("sync-from-height", "100", "forgets what is stored from this height on before starting; -1 forgets nothing"),
    taken("nocache", "", "the same as `--store memory:`"),
    taken("data-dir", "state", "the same as `--store sqlite:DIR/zcash.sqlite`"),
    taken("grpc-logging-insecure", "", "accepted and ignored: no setting makes Heliostat log its clients' addresses"),
    refused("darkside-very-insecure", "", "refused: this release has no darkside mode"),
    refused("darkside-timeout", "30", "refused: this release has no darkside mode"),
    refused("config", "lightwalletd.yaml", "refused: lightwalletd's configuration files are not read; `heliostat run --config FILE` takes TOML, and these flags work as they are"),
];
