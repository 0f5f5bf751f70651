//! The files of `ops/`, held against the program and the tools that read them.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use heliostat::config::Config;

fn ops(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ops")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(ops(path)).unwrap()
}

/// A tool's verdict, or nothing where the machine does not have it.
fn tool(name: &str, args: &[&str]) -> Option<Output> {
    match Command::new(name).args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: {name}: {error}");
            None
        }
    }
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_finds_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("heliostat.service");
    let binary = env!("CARGO_BIN_EXE_heliostat");
    let text = read("systemd/heliostat.service");
    assert!(text.contains("\nType=notify\n"));
    fs::write(&unit, text.replace("/usr/local/bin/heliostat", binary)).unwrap();
    let unit = unit.to_str().unwrap();
    let Some(verdict) = tool("systemd-analyze", &["verify", unit]) else {
        return;
    };
    let words = String::from_utf8_lossy(&verdict.stderr).into_owned();
    // What it says of the machine's other units is not about this one.
    let ours: Vec<_> = words
        .lines()
        .filter(|line| line.contains("heliostat"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    // In tenths: 20 is 2.0 of 10.
    let args = ["security", "--offline=true", "--threshold=20", unit];
    let verdict = tool("systemd-analyze", &args).unwrap();
    let words = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success(), "{words}");
}

#[test]
fn the_commands_of_ops_are_commands_of_the_program() {
    let unit = read("systemd/heliostat.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    let unit: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
    let docker = read("docker/Dockerfile");
    let array = |line: &str| {
        let at = line.find('[').unwrap();
        serde_json::from_str::<Vec<String>>(&line[at..]).unwrap()
    };
    let commands: Vec<_> = docker
        .lines()
        .filter(|line| line.trim_start().starts_with("CMD ["))
        .collect();
    assert_eq!(commands.len(), 2, "the health check's and the container's");
    let health = array(commands[0]).split_off(1);
    for args in [unit, health, array(commands[1])] {
        // As far as the parser: the help of the command with these flags.
        let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args(&args)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        for flag in args.iter().filter(|arg| arg.starts_with("--")) {
            assert!(help.contains(flag.as_str()), "{flag} is not in {help}");
        }
    }
}

#[test]
fn the_configuration_of_the_cluster_is_a_good_one() {
    let config = Config::parse(&read("kubernetes/heliostat.toml"), "the cluster's").unwrap();
    assert!(config.door.tls.cert.is_some(), "wallets come through TLS");
    let manifest = read("kubernetes/heliostat.yaml");
    for part in [
        "path: /livez",
        "path: /readyz",
        "startupProbe",
        "readOnlyRootFilesystem: true",
        "runAsNonRoot: true",
        "prometheus.io/scrape",
    ] {
        assert!(manifest.contains(part), "{part}");
    }
    // Every file the configuration names lies in a volume.
    for part in [
        "/etc/heliostat-tls",
        "/etc/heliostat-rpc",
        "/var/lib/heliostat",
    ] {
        assert!(manifest.contains(&format!("mountPath: {part}")), "{part}");
    }
}

#[test]
fn the_manifests_can_be_built() {
    let folder = ops("kubernetes");
    let Some(built) = tool("kubectl", &["kustomize", folder.to_str().unwrap()]) else {
        return;
    };
    let words = String::from_utf8_lossy(&built.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{complaint}");
    for kind in [
        "StatefulSet",
        "Service",
        "ConfigMap",
        "NetworkPolicy",
        "Namespace",
    ] {
        assert!(words.contains(&format!("kind: {kind}\n")), "{kind}");
    }
}

/// What a command of the program prints.
fn printed(args: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}");
    output.stdout
}

#[test]
fn the_completions_are_ones_that_their_shells_take() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.path().join(shell);
        fs::write(&script, printed(&["completions", shell])).unwrap();
        // Read, and not run.
        let Some(verdict) = tool(shell, &["-n", script.to_str().unwrap()]) else {
            continue;
        };
        let words = String::from_utf8_lossy(&verdict.stderr);
        assert!(verdict.status.success() && words.is_empty(), "{words}");
    }
}

#[test]
fn the_man_pages_are_ones_that_man_has_nothing_to_say_of() {
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", "--out", folder.path().to_str().unwrap()]);
    let pages: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(pages.len() > 10, "a page a command");
    for page in pages {
        let page = page.path();
        let args = ["--warnings", "-E", "UTF-8", "-Tutf8", "-l"];
        let args = [&args[..], &[page.to_str().unwrap()]].concat();
        let Some(verdict) = tool("man", &args) else {
            return;
        };
        let words = String::from_utf8_lossy(&verdict.stderr);
        let shown = verdict.status.success() && !verdict.stdout.is_empty();
        assert!(shown && words.is_empty(), "{}: {words}", page.display());
    }
}
