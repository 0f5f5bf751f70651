//! The flags of `heliostat zcash`, and how they become a configuration.

use std::path::PathBuf;

use clap::Args;
use heliostat_node::outbox::Policy;

use super::{aliases::ALIASES, door::DoorArgs, exit::Failure, logs::LogArgs};
use crate::config::{
    ChainConfig, Config, ZcashConfig,
    effective::Origins,
    settings::zcash::METHODS,
    zcash::{Checkpoint, Credentials, NetworkName, RoleName, UpstreamConfig},
};

/// The name of the chain that a quick start makes.
pub const CHAIN: &str = "zcash";

/// `heliostat zcash`.
#[derive(Debug, Args)]
pub struct ZcashCommand {
    /// The settings.
    #[command(flatten)]
    args: ZcashArgs,
    /// lightwalletd's configuration file.
    #[arg(long, hide = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ZcashCommand {
    /// The configuration, and remarks for the operator.
    ///
    /// # Errors
    /// A flag that is refused, or a combination that makes no sense.
    pub fn into_config(self) -> Result<(Config, Vec<String>), Failure> {
        if self.config.is_some() {
            return Err(refusal("config"));
        }
        self.args.into_config()
    }
}

/// The quick start's settings. Every one of them is a setting of the file
/// too; the hidden ones are lightwalletd's.
#[derive(Debug, Args)]
pub struct ZcashArgs {
    /// A node to follow, as http://HOST:PORT; may be repeated
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// A node that is only asked which block stands at a height; may be repeated
    #[arg(long, value_name = "URL")]
    witness: Vec<String>,
    /// Where gRPC is served [default: 127.0.0.1:9067]
    #[arg(long, value_name = "ADDR", alias = "grpc-bind-addr")]
    listen: Option<String>,
    /// Where metrics, health and status are served [default: 127.0.0.1:9068]
    #[arg(long, value_name = "ADDR", alias = "http-bind-addr")]
    observe: Option<String>,
    /// sqlite:PATH, postgres://USER@HOST/DATABASE or memory: [default: sqlite:~/.local/state/heliostat/zcash.sqlite]
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// The network [default: the store's, else the first upstream's]
    #[arg(long, value_enum)]
    network: Option<NetworkName>,
    /// Begin after a block you trust instead of at genesis; the last three are the sizes of its note commitment trees, without which no block is better than relayed
    #[arg(long, value_name = "HEIGHT:HASH[:SAPLING:ORCHARD:IRONWOOD]")]
    checkpoint: Option<Checkpoint>,
    /// User name for the nodes; also HELIOSTAT_ZCASH_RPCUSER
    #[arg(long, value_name = "NAME", alias = "rpcuser")]
    rpc_user: Option<String>,
    /// Password for the nodes; other users of this machine see flags: prefer a file, or HELIOSTAT_ZCASH_RPCPASSWORD
    #[arg(long, value_name = "PASSWORD", alias = "rpcpassword")]
    rpc_password: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    rpc_password_file: Option<PathBuf>,
    /// The node's cookie file; also HELIOSTAT_ZCASH_COOKIE
    #[arg(long, value_name = "FILE")]
    rpc_cookie_file: Option<PathBuf>,
    /// A zcash.conf or zebrad.toml to take credentials from
    #[arg(long, value_name = "FILE", alias = "zcash-conf-path")]
    zcash_conf: Option<PathBuf>,
    /// To how many nodes a transaction goes: one, or "broadcast(K)" [default: one]
    #[arg(long, value_name = "POLICY")]
    send_policy: Option<Policy>,
    /// A unified address shown to wallets for donations
    #[arg(long, value_name = "ADDRESS")]
    donation_address: Option<String>,
    /// Refuse answers of a method below this grade, such as GetBlock=proven; may be repeated
    #[arg(long, value_name = "METHOD=GRADE", value_parser = minimum)]
    minimum: Vec<(String, String)>,
    #[command(flatten)]
    logs: LogArgs,
    /// Answer Ping, which lets clients hold tasks here
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    ping_very_insecure: Option<bool>,
    /// Who may connect
    #[command(flatten)]
    door: DoorArgs,
    #[command(flatten)]
    lightwalletd: LightwalletdArgs,
}

/// Flags that only lightwalletd has.
#[derive(Debug, Args)]
struct LightwalletdArgs {
    #[arg(long, hide = true)]
    rpchost: Option<String>,
    #[arg(long, hide = true)]
    rpcport: Option<u16>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_backend_check: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    redownload: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    nocache: Option<bool>,
    #[arg(long, hide = true, allow_negative_numbers = true)]
    sync_from_height: Option<i64>,
    #[arg(long, hide = true)]
    data_dir: Option<PathBuf>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    grpc_logging_insecure: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    darkside_very_insecure: Option<bool>,
    #[arg(long, hide = true)]
    darkside_timeout: Option<u64>,
}

/// `METHOD=GRADE`; the grade is read with the rest of the configuration.
fn minimum(text: &str) -> Result<(String, String), String> {
    let (method, grade) = text.split_once('=').ok_or("write METHOD=GRADE")?;
    match METHODS.contains(&method) {
        true => Ok((method.to_owned(), grade.to_owned())),
        false => Err(format!(
            "there is no method {method}; it is one of {}",
            METHODS.join(", ")
        )),
    }
}

/// The error for a flag that the alias table refuses.
fn refusal(flag: &str) -> Failure {
    let effect = ALIASES
        .iter()
        .find(|alias| alias.flag == flag)
        .map_or("refused", |alias| alias.effect);
    Failure::usage(format!("--{flag}: {effect}"))
}

impl LightwalletdArgs {
    /// Flags whose promise this release cannot keep.
    fn refuse(&self) -> Result<(), Failure> {
        let given = [
            (
                "darkside-very-insecure",
                self.darkside_very_insecure == Some(true),
            ),
            ("darkside-timeout", self.darkside_timeout.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(refusal(flag)),
            None => Ok(()),
        }
    }

    /// What is accepted but does not do here what it did there.
    fn notes(&self) -> Vec<String> {
        [
            ("no-backend-check", self.no_backend_check),
            ("grpc-logging-insecure", self.grpc_logging_insecure),
        ]
        .iter()
        .filter(|(_, given)| *given == Some(true))
        .filter_map(|(flag, _)| ALIASES.iter().find(|alias| alias.flag == *flag))
        .map(|alias| format!("--{}: {}", alias.flag, alias.effect))
        .collect()
    }

    /// The store these flags name.
    fn store(&self) -> Option<String> {
        if self.nocache == Some(true) {
            return Some("memory:".to_owned());
        }
        let folder = self.data_dir.as_ref()?;
        Some(format!("sqlite:{}/{CHAIN}.sqlite", folder.display()))
    }

    /// The height from which the stored chain is forgotten.
    fn forget_from(&self) -> Option<u64> {
        match (self.redownload, self.sync_from_height) {
            (Some(true), _) => Some(0),
            (_, Some(height)) => u64::try_from(height).ok(),
            _ => None,
        }
    }
}

impl ZcashArgs {
    /// The configuration, and remarks for the operator.
    ///
    /// # Errors
    /// A flag that is refused, or a combination that makes no sense.
    pub fn into_config(self) -> Result<(Config, Vec<String>), Failure> {
        self.lightwalletd.refuse()?;
        let notes = self.lightwalletd.notes();
        let upstream = self.upstreams()?;
        let mut config = Config::default();
        config.store.address = self.store.or_else(|| self.lightwalletd.store());
        if let Some(observe) = self.observe {
            config.observe.listen = observe;
        }
        self.logs.apply(&mut config.observe);
        config.door = self.door.into_config();
        let mut zcash = ZcashConfig {
            network: self.network,
            checkpoint: self.checkpoint,
            credentials: Credentials {
                rpc_user: self.rpc_user,
                rpc_password: self.rpc_password,
                rpc_password_file: self.rpc_password_file,
                rpc_cookie_file: self.rpc_cookie_file,
                zcash_conf: self.zcash_conf,
            },
            send_policy: self.send_policy.unwrap_or_default(),
            donation_address: self.donation_address,
            ping_very_insecure: self.ping_very_insecure.unwrap_or(false),
            minimum: self.minimum.into_iter().collect(),
            upstream,
            forget_from: self.lightwalletd.forget_from(),
            ..ZcashConfig::default()
        };
        if let Some(listen) = self.listen {
            zcash.listen = listen;
        }
        let chain = (CHAIN.to_owned(), ChainConfig::Zcash(zcash));
        config.chain = [chain].into();
        Ok((config, notes))
    }

    /// Which flag sets what, in the order of [`into_config`](Self::into_config).
    pub(crate) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        let old = &self.lightwalletd;
        let given = [
            ("store.address", "--data-dir", old.data_dir.is_some()),
            ("store.address", "--nocache", old.nocache == Some(true)),
            ("store.address", "--store", self.store.is_some()),
            ("observe.listen", "--observe", self.observe.is_some()),
            ("chain.zcash.ledger", "zcash", true),
            ("chain.zcash.network", "--network", self.network.is_some()),
            ("chain.zcash.listen", "--listen", self.listen.is_some()),
            (
                "chain.zcash.checkpoint",
                "--checkpoint",
                self.checkpoint.is_some(),
            ),
            (
                "chain.zcash.rpc-user",
                "--rpc-user",
                self.rpc_user.is_some(),
            ),
            (
                "chain.zcash.rpc-password",
                "--rpc-password",
                self.rpc_password.is_some(),
            ),
            (
                "chain.zcash.rpc-password-file",
                "--rpc-password-file",
                self.rpc_password_file.is_some(),
            ),
            (
                "chain.zcash.rpc-cookie-file",
                "--rpc-cookie-file",
                self.rpc_cookie_file.is_some(),
            ),
            (
                "chain.zcash.zcash-conf",
                "--zcash-conf",
                self.zcash_conf.is_some(),
            ),
            (
                "chain.zcash.send-policy",
                "--send-policy",
                self.send_policy.is_some(),
            ),
            (
                "chain.zcash.donation-address",
                "--donation-address",
                self.donation_address.is_some(),
            ),
            (
                "chain.zcash.ping-very-insecure",
                "--ping-very-insecure",
                self.ping_very_insecure.is_some(),
            ),
        ];
        for (path, flag, _) in given.iter().filter(|(.., given)| *given) {
            origins.flag(*path, flag);
        }
        self.logs.origins(&mut origins);
        self.door.origins(&mut origins);
        for (method, _) in &self.minimum {
            origins.flag(format!("chain.{CHAIN}.minimum.{method}"), "--minimum");
        }
        let mut followed = vec!["--upstream"; self.upstream.len()];
        if old.rpchost.is_some() || old.rpcport.is_some() {
            followed.push("--rpchost");
        }
        if followed.is_empty() && self.zcash_conf.is_some() {
            followed.push("--zcash-conf");
        }
        let witnesses = vec!["--witness"; self.witness.len()];
        for (index, flag) in followed.into_iter().chain(witnesses).enumerate() {
            origins.flag(format!("chain.{CHAIN}.upstream[{index}].url"), flag);
            if flag == "--witness" {
                origins.flag(format!("chain.{CHAIN}.upstream[{index}].role"), flag);
            }
        }
        origins
    }

    /// Every node that is named, followed ones first.
    fn upstreams(&self) -> Result<Vec<UpstreamConfig>, Failure> {
        let upstream = |url: &String, role| UpstreamConfig {
            url: url.clone(),
            role,
            ..UpstreamConfig::default()
        };
        let mut follow = self.upstream.clone();
        let old = &self.lightwalletd;
        if old.rpchost.is_some() || old.rpcport.is_some() {
            let host = old.rpchost.as_deref().unwrap_or("127.0.0.1");
            let port = old.rpcport.unwrap_or(crate::defaults::ZCASH_RPC_PORT);
            follow.push(format!("http://{host}:{port}"));
        }
        if let (true, Some(file)) = (follow.is_empty(), &self.zcash_conf) {
            follow.push(crate::zcash::conf_url(file)?);
        }
        let follow = follow.iter().map(|url| upstream(url, RoleName::Follow));
        let witness = self.witness.iter();
        let witness = witness.map(|url| upstream(url, RoleName::Witness));
        Ok(follow.chain(witness).collect())
    }
}
