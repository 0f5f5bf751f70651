//! The command line as an operator meets it: what is printed where, and the
//! exit codes.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "cli/lightwalletd.rs"]
mod lightwalletd;

use std::{
    net::TcpListener,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Runs the binary to its end, with a state folder of its own.
fn heliostat(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(args)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.path())
        .env_remove("HELIOSTAT_ZCASH_RPCUSER")
        .env_remove("HELIOSTAT_ZCASH_RPCPASSWORD")
        .env_remove("HELIOSTAT_ZCASH_COOKIE")
        .output()
        .unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A configuration file with `text`, checked.
fn checked(text: &str) -> Output {
    let folder = folder();
    let file = folder.path().join("heliostat.toml");
    std::fs::write(&file, text).unwrap();
    heliostat(&folder, &["check", "--config", file.to_str().unwrap()])
}

#[test]
fn every_commands_help_shows_an_example() {
    for command in [
        &[][..],
        &["zcash"],
        &["run"],
        &["check"],
        &["status"],
        &["verify"],
        &["show-config"],
        &["completions"],
        &["man"],
        &["demo"],
        &["version"],
    ] {
        let output = heliostat(&folder(), &[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stdout(&output).contains("Example:\n  heliostat "),
            "{command:?}"
        );
    }
}

#[test]
fn the_version_goes_to_standard_output() {
    for arg in ["version", "--version"] {
        let output = heliostat(&folder(), &[arg]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            stdout(&output),
            format!("heliostat {}\n", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn usage_errors_exit_with_2_and_say_what_to_do() {
    for (args, words) in [
        (&["zcash"][..], "--upstream URL"),
        (
            &["zcash", "--upstream", "127.0.0.1:8232"],
            "http://HOST:PORT",
        ),
        (
            &["zcash", "--upstream", "http://x", "--checkpoint", "7"],
            "HEIGHT:HASH",
        ),
        (
            &["zcash", "--upstream", "http://x", "--log-level", "loud"],
            "info",
        ),
        (
            &["zcash", "--upstream", "http://x", "--store", "mysql:x"],
            "sqlite:PATH",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--store",
                "memory:",
                "--listen",
                "127.0.0.1",
            ],
            "HOST:PORT",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--store",
                "memory:",
                "--observe",
                "127.0.0.1:0",
                "--listen",
                "0.0.0.0:0",
            ],
            "--no-tls-very-insecure",
        ),
        (
            &["zcash", "--upstream", "http://x", "--rpc-user", "me"],
            "rpc-password",
        ),
        (
            &["zcash", "--upstream", "http://x", "--witness", "http://x"],
            "named twice",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://127.0.0.1:8232",
                "--upstream",
                "http://me:secret@LOCALHOST:8232/",
            ],
            "named twice",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--donation-address",
                "t1x",
            ],
            "unified address",
        ),
        (
            &["zcash", "--upstream", "http://x", "--tls-cert", "c.pem"],
            "--tls-key FILE",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--tls-client-ca",
                "c.pem",
            ],
            "client certificates need TLS",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--no-tls-very-insecure",
                "--gen-cert-very-insecure",
            ],
            "keep one of the two",
        ),
        (
            &["zcash", "--upstream", "http://x", "--deny-network", "x"],
            "192.0.2.0/24",
        ),
        (
            &[
                "zcash",
                "--upstream",
                "http://x",
                "--minimum",
                "Frob=proven",
            ],
            "there is no method Frob",
        ),
        (
            &["zcash", "--upstream", "http://x", "--minimum", "Ping=high"],
            "agreed k/n",
        ),
        (&["zcash", "--upstraem", "http://x"], "--upstream"),
        (&["run", "--config", "missing.toml"], "--config FILE"),
        (&["frobnicate"], "--help"),
    ] {
        let output = heliostat(&folder(), args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(words),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_wrong_file_names_the_setting_and_the_fix() {
    let upstream = "[[chain.zcash.upstream]]\nurl = 'http://127.0.0.1:1'\n";
    for (text, words) in [
        (
            "[chain.zcash]\nledger = 'zcash'\nnetwrok = 'main'".to_owned(),
            "did you mean network?",
        ),
        (
            "[chain.zcash]\nledger = 'dogecoin'".to_owned(),
            "it has zcash",
        ),
        (
            "[chain.zcash]\n".to_owned(),
            "chain.zcash.ledger: is missing",
        ),
        (
            "[store]\naddress = 'memory:'".to_owned(),
            "no chain is configured",
        ),
        (
            "[chain.zcash]\nledger = 'zcash'".to_owned(),
            "chain.zcash.upstream",
        ),
        (
            format!("[chain.zcash]\nledger = 'zcash'\nnetwork = 'mian'\n{upstream}"),
            "regtest",
        ),
        (
            format!(
                "[chain.zcash]\nledger = 'zcash'\n{upstream}[chain.zcash.minimum]\nGetBlock = 'high'"
            ),
            "agreed k/n",
        ),
        (
            format!(
                "[door]\nmax-connections = 'many'\n[chain.zcash]\nledger = 'zcash'\n{upstream}"
            ),
            "heliostat.toml line 2: door.max-connections is a text in quotes",
        ),
        (
            "[chain.zcash\n".to_owned(),
            "heliostat.toml line 1: unclosed table",
        ),
    ] {
        let output = checked(&text);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", stderr(&output));
        assert!(
            stderr(&output).contains(words),
            "{text}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn check_says_what_it_finds_in_words_and_in_json() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let args = [
        "check",
        "--upstream",
        "http://user:hunter2@127.0.0.1:1",
        "--listen",
        &taken,
    ];
    let args = [&args[..], &["--observe", "127.0.0.1:0"]].concat();
    let output = heliostat(&folder(), &args);
    let words = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{words}");
    for part in [
        "chain.zcash.listen",
        "the port is in use",
        "it is made on the first start",
        "upstream http://127.0.0.1:1: unreachable",
        "a single upstream",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(!words.contains("hunter2") && !stderr(&output).contains("hunter2"));

    let output = heliostat(&folder(), &[&args[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "failed");
    assert!(json["found"].as_array().unwrap().len() >= 4);
}

#[test]
fn status_without_a_process_says_what_to_look_at() {
    let output = heliostat(&folder(), &["status", "--observe", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("--observe URL"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn status_takes_the_address_as_the_process_is_told_it() {
    let output = heliostat(&folder(), &["status", "--observe", "127.0.0.1:1"]);
    let words = stderr(&output);
    assert!(
        words.contains("http://127.0.0.1:1: Connection refused"),
        "{words}"
    );
}

#[test]
fn a_new_store_may_lie_in_a_new_folder() {
    let folder = folder();
    let store = format!("sqlite:{}/new/zcash.sqlite", folder.path().display());
    let args = [
        "check",
        "--upstream",
        "http://127.0.0.1:1",
        "--store",
        &store,
    ];
    let addresses = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let output = heliostat(&folder, &[&args[..], &addresses].concat());
    // Only the node is down.
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
}

#[test]
fn verify_without_a_store_says_how_to_name_it() {
    let output = heliostat(&folder(), &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let words = stderr(&output);
    assert!(words.contains("--store or --config"), "{words}");
}

#[test]
fn a_port_in_use_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let args = [
        "zcash",
        "--upstream",
        "http://127.0.0.1:1",
        "--store",
        "memory:",
    ];
    let addresses = ["--observe", "127.0.0.1:0", "--listen", &taken];
    let output = heliostat(&folder(), &[&args[..], &addresses].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&taken), "{}", stderr(&output));
}

#[test]
fn the_example_file_is_accepted() {
    let folder = folder();
    let example = heliostat(&folder, &["docs-config", "--example"]);
    let file = folder.path().join("heliostat.toml");
    std::fs::write(&file, &example.stdout).unwrap();
    let output = heliostat(&folder, &["check", "--config", file.to_str().unwrap()]);
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
}
