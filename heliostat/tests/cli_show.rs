//! `show-config`, `completions` and `man`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    path::Path,
    process::{Command, Output},
};

use heliostat::config::settings::settings;
use serde_json::Value;
use tempfile::TempDir;

fn heliostat(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(args)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .env_remove("HELIOSTAT_ZCASH_RPCUSER")
        .env_remove("HELIOSTAT_ZCASH_RPCPASSWORD")
        .env_remove("HELIOSTAT_ZCASH_COOKIE")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn words(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The row of a setting in the JSON form.
fn row(output: &Output, setting: &str) -> Value {
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sections = json["sections"].as_array().unwrap();
    let mut rows = sections
        .iter()
        .flat_map(|section| section["rows"].as_array().unwrap());
    let found = rows.find(|row| row["setting"] == setting);
    found
        .unwrap_or_else(|| panic!("no {setting} in {json}"))
        .clone()
}

const FILE: &str = "\
# line 1
[store]
address = 'postgres://me:hunter2@db/replica'

[chain.main]
ledger = 'zcash'
rpc-user = 'me'
rpc-password = 'hunter2'
[[chain.main.upstream]]
url = 'http://a:hunter2@127.0.0.1:1'
[[chain.main.upstream]]
url = 'http://127.0.0.1:2'
role = 'witness'
[chain.main.minimum]
GetBlock = 'proven'
[[chain.main.upstream]]
url = 'https://127.0.0.1:3'
[chain.main.upstream.oauth2]
token-url = 'https://me:hunter2@issuer/token'
client-id = 'me'
client-secret-file = 'secret'
[[chain.main.upstream]]
url = 'https://127.0.0.1:4'
bearer-token = 'hunter2'
";

#[test]
fn values_of_a_file_have_their_lines_and_the_others_are_defaults() {
    let folder = folder();
    std::fs::write(folder.path().join("heliostat.toml"), FILE).unwrap();
    let args = ["show-config", "--config", "heliostat.toml", "--json"];
    let output = heliostat(folder.path(), &args, &[]);
    let line = |line: u64| serde_json::json!({ "kind": "file", "line": line });
    for (setting, value, origin) in [
        ("store.address", "postgres://db/replica", line(3)),
        ("chain.main.ledger", "zcash", line(6)),
        ("chain.main.rpc-user", "me", line(7)),
        ("chain.main.rpc-password", "(not shown)", line(8)),
        ("chain.main.upstream[0].url", "http://127.0.0.1:1", line(10)),
        ("chain.main.upstream[1].role", "witness", line(13)),
        ("chain.main.minimum.GetBlock", "proven", line(15)),
        ("chain.main.upstream[2].oauth2.client-id", "me", line(20)),
        (
            "chain.main.upstream[3].bearer-token",
            "(not shown)",
            line(24),
        ),
        (
            "observe.listen",
            "127.0.0.1:9068",
            serde_json::json!({ "kind": "default" }),
        ),
    ] {
        let row = row(&output, setting);
        assert_eq!(row["value"], value, "{row}");
        assert_eq!(row["origin"], origin, "{row}");
    }
    let said = row(&output, "chain.main.network");
    assert_eq!(said["value"], Value::Null);
    assert!(
        said["without"].as_str().unwrap().contains("store"),
        "{said}"
    );
}

#[test]
fn no_secret_is_shown_in_either_form() {
    let folder = folder();
    std::fs::write(folder.path().join("heliostat.toml"), FILE).unwrap();
    let args = ["show-config", "--config", "heliostat.toml", "--json"];
    for args in [&args[..], &args[..3]] {
        let variables = [("HELIOSTAT_ZCASH_RPCPASSWORD", "hunter2")];
        let shown = words(&heliostat(folder.path(), args, &variables));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("(not shown)"), "{shown}");
    }
}

#[test]
fn the_text_form_is_toml_with_the_same_values() {
    let folder = folder();
    std::fs::write(folder.path().join("heliostat.toml"), FILE).unwrap();
    let args = ["show-config", "--config", "heliostat.toml"];
    let shown = words(&heliostat(folder.path(), &args, &[]));
    let table: toml::Table = shown.parse().unwrap();
    assert_eq!(table["door"]["drain-seconds"].as_integer(), Some(10));
    let upstreams = table["chain"]["main"]["upstream"].as_array().unwrap();
    assert_eq!(upstreams.len(), 4);
    let issuer = upstreams[2]["oauth2"]["token-url"].as_str();
    assert_eq!(issuer, Some("https://issuer/token"));
    assert!(upstreams[3].get("oauth2").is_none());
    assert_eq!(upstreams[1]["role"].as_str(), Some("witness"));
    assert!(shown.contains("# line 13"), "{shown}");
    assert!(shown.contains("# default"), "{shown}");
}

#[test]
fn every_setting_with_a_flag_names_that_flag() {
    let flags = [
        ("--store", "memory:"),
        ("--observe", "127.0.0.1:1"),
        ("--log-level", "debug"),
        ("--log-format", "json"),
        ("--log-file", "heliostat.log"),
        ("--tls-cert", "cert.pem"),
        ("--tls-key", "cert.key"),
        ("--tls-client-ca", "clients.pem"),
        ("--allow-network", "10.0.0.0/8"),
        ("--deny-network", "10.0.0.1"),
        ("--network", "test"),
        ("--listen", "127.0.0.1:2"),
        ("--donation-address", "u1example"),
        ("--send-policy", "broadcast(2)"),
        ("--ping-very-insecure", ""),
        ("--rpc-user", "me"),
        ("--rpc-password", "hunter2"),
        ("--upstream", "http://127.0.0.1:3"),
        ("--witness", "http://127.0.0.1:4"),
    ];
    let mut args = vec!["show-config", "--json"];
    for (flag, value) in flags {
        args.push(flag);
        args.extend(Some(value).filter(|value| !value.is_empty()));
    }
    let output = heliostat(folder().path(), &args, &[]);
    assert!(!words(&output).contains("hunter2"));
    let covered = |setting: &&heliostat::config::settings::Setting| {
        // The other ledger has a quick start of its own.
        if setting.table.starts_with("chain.<tezos>") {
            return false;
        }
        let flag = setting.flag.split(", ").next().unwrap_or_default();
        // Other quick starts have flags of the same names.
        let ours = !setting.table.contains("<tezos>");
        ours && flags.iter().any(|(given, _)| *given == flag)
    };
    let mut looked_at = 0;
    for setting in settings().filter(covered) {
        let path = setting.path().replace("<zcash>", "zcash");
        // The second upstream is the witness.
        let index = usize::from(setting.key == "role");
        let path = path.replace("upstream", &format!("upstream[{index}]"));
        let row = row(&output, &path);
        let flag = setting.flag.split(", ").next().unwrap_or_default();
        assert_eq!(row["origin"]["flag"], flag, "{row}");
        looked_at += 1;
    }
    assert!(looked_at >= flags.len() - 1, "{looked_at}");
}

#[test]
fn what_only_the_environment_says_names_the_variable() {
    let folder = folder();
    let args = ["show-config", "--upstream", "http://127.0.0.1:1", "--json"];
    let variables = [("HELIOSTAT_ZCASH_RPCUSER", "somebody")];
    let output = heliostat(folder.path(), &args, &variables);
    let said = row(&output, "chain.zcash.rpc-user");
    assert_eq!(said["value"], "somebody");
    assert_eq!(said["origin"]["variable"], "HELIOSTAT_ZCASH_RPCUSER");
    let store = row(&output, "store.address");
    let state = format!(
        "sqlite:{}/heliostat/{{chain}}.sqlite",
        folder.path().display()
    );
    assert_eq!(store["value"], state);
    assert_eq!(store["origin"]["kind"], "default");
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = words(&heliostat(folder().path(), &["completions", shell], &[]));
        assert!(text.contains("show-config"), "{shell}: {text}");
        assert!(!text.contains("docs-zcash-methods"), "{shell}: {text}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = folder();
    heliostat(folder.path(), &["man", "--out", "pages"], &[]);
    for command in ["", "-zcash", "-run", "-check", "-status", "-show-config"] {
        let page = folder.path().join(format!("pages/heliostat{command}.1"));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(text.contains(".TH"), "{}", page.display());
    }
    let own = words(&heliostat(folder.path(), &["man"], &[]));
    assert!(own.contains("heliostat"), "{own}");
}
