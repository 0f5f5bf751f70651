use std::path::{Path, PathBuf};

use super::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn basic(user: &str, password: &str) -> Auth {
    Auth::Basic {
        user: user.into(),
        password: password.into(),
    }
}

#[test]
fn a_zcash_conf_is_read_by_lightwalletds_rules() {
    let dir = tempfile::tempdir().unwrap();
    let read = |text: &str| from_file(&write(dir.path(), "zcash.conf", text), no_env).unwrap();
    let plain = read("# a comment\nrpcuser = alice\nrpcpassword=s#cret # mine\n");
    assert_eq!(plain.url, "http://127.0.0.1:8232");
    assert_eq!(plain.auth, basic("alice", "s#cret"));
    let testnet = read("testnet=1\nrpcpassword=x\n[section]\nrpcport=1\n");
    assert_eq!(testnet.url, "http://127.0.0.1:18232");
    assert_eq!(testnet.auth, basic("", "x"));
    let bound = read("rpcbind=0.0.0.0\nrpcport=99\nrpcpassword=x");
    assert_eq!(bound.url, "http://127.0.0.1:99");
    let named = read("rpcbind=node.example\nrpcport=99\nrpcpassword=x");
    assert_eq!(named.url, "http://node.example:99");
    let v6 = read("rpcbind=::1\nrpcpassword=x");
    assert_eq!(v6.url, "http://[::1]:8232");
}

#[test]
fn a_zcash_conf_without_a_password_means_the_cookie_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "zcash.conf", "regtest=1\n");
    let error = from_file(&path, no_env).unwrap_err().to_string();
    assert!(
        error.contains("zcash.conf") && error.contains("rpcpassword"),
        "{error}"
    );
    std::fs::create_dir(dir.path().join("regtest")).unwrap();
    let cookie = write(&dir.path().join("regtest"), ".cookie", "__cookie__:x");
    let endpoint = from_file(&path, no_env).unwrap();
    assert_eq!(endpoint.auth, Auth::Cookie(cookie));
}

#[test]
fn a_zebrad_toml_is_read_by_zebrads_rules() {
    let dir = tempfile::tempdir().unwrap();
    let env = |name: &str| (name == "HOME").then(|| "/home/z".to_owned());
    let read = |text: &str| from_file(&write(dir.path(), "zebrad.toml", text), env).unwrap();
    let default = read("[rpc]\nlisten_addr = \"0.0.0.0:8232\"\n");
    assert_eq!(default.url, "http://127.0.0.1:8232");
    if cfg!(target_os = "linux") {
        let cookie = PathBuf::from("/home/z/.cache/zebra/.cookie");
        assert_eq!(default.auth, Auth::Cookie(cookie));
    }
    let placed = read("[rpc]\nlisten_addr = \"[::1]:1\"\ncookie_dir = \"/var/z\"\n");
    assert_eq!(placed.url, "http://[::1]:1");
    assert_eq!(placed.auth, Auth::Cookie("/var/z/.cookie".into()));
    let open = read("[rpc]\nlisten_addr = \"127.0.0.1:1\"\nenable_cookie_auth = false\n");
    assert_eq!(open.auth, Auth::None);
    let password = "[rpc]\nlisten_addr = \"127.0.0.1:1\"\nRPCUser = \"a\"\nrpcpassword = \"b\"\n";
    assert_eq!(read(password).auth, basic("a", "b"));
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_line_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |name: &str, text: &str| {
        let error = from_file(&write(dir.path(), name, text), no_env).unwrap_err();
        format!("{error} {error:?}")
    };
    let toml = fails("zebrad.toml", "[rpc]\n\nrpcpassword = \"hunter2\" oops\n");
    assert!(toml.contains("line 3"), "{toml}");
    let none = fails("zebrad.toml", "[network]\n");
    assert!(none.contains("listen_addr"), "{none}");
    let port = fails("zcash.conf", "rpcpassword=hunter2\nrpcport=abc\n");
    assert!(
        port.contains("line 2") && port.contains("rpcport"),
        "{port}"
    );
    let line = fails("zcash.conf", "rpcpassword=hunter2\nhunter2\n");
    assert!(line.contains("line 2"), "{line}");
    for text in [toml, port, line] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let missing = from_file(&dir.path().join("none.conf"), no_env).unwrap_err();
    assert!(missing.to_string().contains("none.conf"));
}

#[test]
fn flags_come_before_the_address_the_environment_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let conf = write(
        dir.path(),
        "zcash.conf",
        "rpcuser=conf\nrpcpassword=conf\nrpcport=7\n",
    );
    let env = |name: &str| match name {
        ENV_USER | ENV_PASSWORD => Some("env".to_owned()),
        _ => None,
    };
    let mut given = Given {
        conf: Some(conf),
        ..Given::default()
    };
    let file = given.resolve(no_env).unwrap();
    assert_eq!(
        (&*file.url, file.auth),
        ("http://127.0.0.1:7/", basic("conf", "conf"))
    );
    assert_eq!(given.resolve(env).unwrap().auth, basic("env", "env"));
    given.url = Some("http://u:p%40ss@127.0.0.1:9".into());
    let url = given.resolve(env).unwrap();
    assert_eq!(
        (&*url.url, url.auth),
        ("http://127.0.0.1:9/", basic("u", "p@ss"))
    );
    given.user = Some("flag".into());
    let half = given.resolve(env).unwrap_err().to_string();
    assert!(half.contains("--rpc-password"), "{half}");
    given.password = Some("flag".into());
    assert_eq!(given.resolve(env).unwrap().auth, basic("flag", "flag"));
    let shown = format!("{:?} {given:?}", given.resolve(env).unwrap());
    assert!(!shown.contains("flag\""), "{shown}");
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    for text in [
        "",
        "127.0.0.1:8232",
        "ftp://hunter2@x",
        "http://",
        "http://u:hunter2@x:99999",
    ] {
        let error = split_url(text, Auth::None).unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:8232"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(Given::default().resolve(no_env).is_err());
}
