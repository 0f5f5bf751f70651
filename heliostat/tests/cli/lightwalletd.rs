//! lightwalletd's flags, in a service whose binary was swapped.

use heliostat::cli::aliases::ALIASES;
use heliostat_store::testing::Authority;

use super::{folder, heliostat, stderr, stdout};

#[test]
fn lightwalletds_flags_are_taken_or_refused_in_words() {
    let folder = folder();
    std::fs::write(
        folder.path().join("zcash.conf"),
        "rpcuser=me\nrpcpassword=secret\nrpcport=1\n",
    )
    .unwrap();
    let (certificate, key) = Authority::new().sign("localhost");
    std::fs::write(folder.path().join("cert.pem"), certificate).unwrap();
    std::fs::write(folder.path().join("cert.key"), key).unwrap();
    for alias in ALIASES {
        let flag = format!("--{}", alias.flag);
        // A port that nobody has: `check` reads the flags and reports the
        // node as down, which is exit code 3.
        let mut args = vec!["check"];
        let conf = alias.flag == "zcash-conf-path";
        let port = alias.flag == "rpcport" || alias.flag == "rpchost";
        if !conf && !port {
            args.extend(["--upstream", "http://127.0.0.1:1"]);
        }
        match alias.flag {
            "rpcuser" => args.extend(["--rpcpassword", "secret"]),
            "rpcpassword" => args.extend(["--rpcuser", "me"]),
            "rpchost" => args.extend(["--rpcport", "1"]),
            "tls-cert" => args.extend(["--tls-key", "cert.key"]),
            "tls-key" => args.extend(["--tls-cert", "cert.pem"]),
            "grpc-bind-addr" => args.extend(["--observe", "127.0.0.1:0"]),
            "http-bind-addr" => args.extend(["--listen", "127.0.0.1:0"]),
            // This one is refused by `zcash`; `check` has a --config of its own.
            "config" => args[0] = "zcash",
            _ => args.extend(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"]),
        }
        if port || matches!(alias.flag, "rpcuser" | "rpcpassword") {
            args.retain(|arg| !arg.is_empty());
        }
        if matches!(
            alias.flag,
            "rpcuser" | "rpcpassword" | "rpchost" | "tls-cert" | "tls-key"
        ) {
            args.extend(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"]);
        }
        if !(args.contains(&"--store") || matches!(alias.flag, "nocache" | "data-dir")) {
            args.extend(["--store", "memory:"]);
        }
        args.push(&flag);
        if !alias.value.is_empty() {
            args.push(alias.value);
        }
        std::fs::create_dir_all(folder.path().join("state")).unwrap();
        let output = heliostat(&folder, &args);
        let code = if alias.refused { 2 } else { 3 };
        let words = stderr(&output) + &stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {words}");
        if alias.refused {
            assert!(words.contains(&flag), "{words}");
            assert!(words.contains("refused"), "{words}");
        }
    }
}

#[test]
fn lightwalletds_switches_take_go_style_values() {
    let folder = folder();
    let check = |flag: &str| {
        let args = [
            "check",
            "--upstream",
            "http://127.0.0.1:1",
            "--store",
            "memory:",
        ];
        let addresses = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
        heliostat(&folder, &[&args[..], &addresses, &[flag]].concat())
    };
    for flag in [
        "--ping-very-insecure=false",
        "--nocache=true",
        "--darkside-very-insecure=false",
    ] {
        assert_eq!(check(flag).status.code(), Some(3), "{flag}");
    }
    assert_eq!(
        check("--darkside-very-insecure=true").status.code(),
        Some(2)
    );
}
