//! The flags of every quick start that are about its listening sockets.

use std::path::PathBuf;

use clap::Args;

use crate::config::{DoorConfig, door::tls::ClientAuthName, effective::Origins};

/// Who may connect, and how. Everything else of `[door]` takes a file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Who may connect")]
pub struct DoorArgs {
    /// The server's certificate in PEM form; connections are encrypted then
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate that this authority signed
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Let in only this network, such as 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "NETWORK")]
    allow_network: Vec<String>,
    /// Do not let in this network; may be repeated
    #[arg(long, value_name = "NETWORK")]
    deny_network: Vec<String>,
    /// Encrypt with a certificate made on the spot, which no client can check
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    gen_cert_very_insecure: Option<bool>,
    /// Serve unencrypted connections beyond loopback
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    no_tls_very_insecure: Option<bool>,
}

impl DoorArgs {
    /// Which flag sets what.
    pub(crate) fn origins(&self, origins: &mut Origins) {
        let has_ca = self.tls_client_ca.is_some();
        for (path, flag, given) in [
            ("tls.cert", "--tls-cert", self.tls_cert.is_some()),
            ("tls.key", "--tls-key", self.tls_key.is_some()),
            ("tls.client-ca", "--tls-client-ca", has_ca),
            ("tls.client-auth", "--tls-client-ca", has_ca),
            (
                "access.allow-networks",
                "--allow-network",
                !self.allow_network.is_empty(),
            ),
            (
                "access.deny-networks",
                "--deny-network",
                !self.deny_network.is_empty(),
            ),
            (
                "tls.gen-cert-very-insecure",
                "--gen-cert-very-insecure",
                self.gen_cert_very_insecure.is_some(),
            ),
            (
                "no-tls-very-insecure",
                "--no-tls-very-insecure",
                self.no_tls_very_insecure.is_some(),
            ),
        ] {
            if given {
                origins.flag(format!("door.{path}"), flag);
            }
        }
    }

    /// The settings these flags make.
    pub(crate) fn into_config(self) -> DoorConfig {
        let mut door = DoorConfig {
            no_tls_very_insecure: self.no_tls_very_insecure.unwrap_or(false),
            ..DoorConfig::default()
        };
        door.access.allow_networks = self.allow_network;
        door.access.deny_networks = self.deny_network;
        door.tls.cert = self.tls_cert;
        door.tls.key = self.tls_key;
        door.tls.gen_cert_very_insecure = self.gen_cert_very_insecure.unwrap_or(false);
        if self.tls_client_ca.is_some() {
            door.tls.client_auth = ClientAuthName::Required;
        }
        door.tls.client_ca = self.tls_client_ca;
        door
    }
}
