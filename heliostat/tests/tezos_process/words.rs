//! Octez's limits and error texts; scripts match them.

use std::fs;

use crate::running::heliostat;

/// What is said when `text` is the sources file. No node is asked.
fn with_sources(text: &str, flags: &[&str]) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    let path = file.path().to_str().unwrap();
    let verb = [
        "get",
        "balance",
        "for",
        "tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb",
    ];
    let said = heliostat(&[&["tezos", "--sources", path][..], flags, &verb].concat());
    assert_eq!(said.out, "");
    (said.code, said.err)
}

#[test]
fn a_share_out_of_range_is_refused() {
    for share in ["-1", "-0.9", "0.0", "1.1", "9", "99", "500"] {
        let text = format!(r#"{{"min_agreement": {share}, "uris": ["http://a:1", "http://b:1"]}}"#);
        let (code, words) = with_sources(&text, &["--endpoint", "http://a:1"]);
        let octez =
            "min_agreement value must be within 0 (exclusive) and 1 (inclusive) but you provided";
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(octez), "{words}");
    }
    let two = r#"{"uris": ["http://a:1", "http://b:1"]}"#;
    let (code, words) = with_sources(two, &["--min-agreement", "1.1"]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("but you provided 1.1"), "{words}");
}

#[test]
fn fewer_than_two_endpoints_are_refused() {
    for uris in [r"[]", r#"["http://a:1"]"#] {
        let (code, words) = with_sources(&format!(r#"{{"uris": {uris}}}"#), &[]);
        assert_eq!(code, Some(2), "{words}");
        assert!(
            words.contains("A minimum of 2 endpoints is required in Light mode: one endpoint to retrieve data and one to validate data."),
            "{words}"
        );
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let (code, words) = with_sources("{", &[]);
    assert_eq!(code, Some(2), "{words}");
    assert!(
        words.contains("Can't parse the file specified by --sources as JSON: "),
        "{words}"
    );
    let (code, words) = with_sources(r#"{"urls": []}"#, &[]);
    assert_eq!(code, Some(2), "{words}");
    assert!(
        words.contains("Can't parse the file specified by --sources: "),
        "{words}"
    );
}

#[test]
fn an_endpoint_outside_the_list_is_refused_also_when_it_is_the_default() {
    let two = r#"{"uris": ["http://a:1", "http://b:1"]}"#;
    for (flags, endpoint) in [
        (&["--endpoint", "http://c:1"][..], "http://c:1"),
        (&["--endpoint", "http://a:1/"], "http://a:1/"),
        (&[], "http://localhost:8732"),
    ] {
        let (code, words) = with_sources(two, flags);
        assert_eq!(code, Some(2), "{words}");
        let octez = format!(
            "Value of --endpoint is {endpoint}. Therefore, this URI MUST be in field 'uris' of --sources (whose value is: [\"http://a:1\", \"http://b:1\"]). If you did not specify --endpoint, it is being defaulted; you may hereby specify --endpoint http://a:1 to fix this error."
        );
        assert!(words.contains(&octez), "{words}");
    }
}

#[test]
fn sources_belong_to_light_mode_and_light_mode_needs_them() {
    let two = r#"{"uris": ["http://a:1", "http://b:1"]}"#;
    for mode in ["proxy", "client"] {
        let (code, words) = with_sources(two, &["--mode", mode]);
        assert_eq!(code, Some(2), "{words}");
        let octez = format!(
            "--sources is specific to --mode light, please do not specify it with --mode {mode}."
        );
        assert!(words.contains(&octez), "{words}");
    }
    let said = heliostat(&["tezos", "--mode", "light", "rpc", "get", "/version"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(
        said.err.contains("--mode light requires passing --sources. Example --sources file: {\"min_agreement\": 1.0"),
        "{}",
        said.err
    );
}

#[test]
fn endpoints_named_twice_are_warned_of() {
    let twice = r#"{"uris": ["http://127.0.0.1:1", "http://127.0.0.1:1"]}"#;
    let (code, words) = with_sources(twice, &["--endpoint", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("The following URIs are duplicated in the light mode --sources argument (this will increase their weight in the consensus check). If this is not intentional, please fix your configuration: [http://127.0.0.1:1 (2 occurrences)]"),
        "{words}"
    );
}

#[test]
fn every_commands_help_shows_what_it_takes() {
    for command in [&["tezos"][..], &["verify-evidence"], &["demo"]] {
        let said = heliostat(&[command, &["--help"]].concat());
        assert_eq!(said.code, Some(0));
        assert!(
            said.out.contains("Example:\n  "),
            "{command:?}: {}",
            said.out
        );
    }
}

#[test]
fn every_setting_with_a_flag_names_that_flag() {
    let flags = [
        ("--mode", "light"),
        ("--min-agreement", "0.5"),
        ("--chain", "test"),
        (
            "--checkpoint",
            "15181988:BMMhJ4R65r5CBT3c9cRQfna28ApcqASYaN1oFepMxFmTF9zzR1M",
        ),
        ("--finality", ""),
        ("--head", "proven"),
        ("--listen", "127.0.0.1:1"),
        ("--cors-origin", "https://app.example"),
        ("--send-policy", "broadcast(2)"),
        ("--proof-of-work-threshold", "7"),
        ("--minimum", "balance=proven"),
        ("--endpoint", "http://me:hunter2@a:1"),
        ("--endpoint", "http://b:1"),
    ];
    let mut args = vec!["tezos"];
    for (flag, value) in flags {
        args.push(flag);
        args.extend(Some(value).filter(|value| !value.is_empty()));
    }
    args.extend(["show-config", "--json"]);
    let said = heliostat(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.contains("hunter2"), "{}", said.out);
    let shown: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let sections = shown["sections"].as_array().unwrap();
    let rows: Vec<_> = sections
        .iter()
        .flat_map(|section| section["rows"].as_array().unwrap())
        .collect();
    let settings = heliostat::config::settings::tezos::SETTINGS.iter();
    let mut looked_at = 0;
    for setting in settings.filter(|setting| !setting.flag.is_empty()) {
        // These two take a file, which the flags here do without.
        if ["sources", "endpoint"].contains(&setting.key) {
            continue;
        }
        let path = setting.path().replace("<tezos>", "tezos");
        let row = rows.iter().find(|row| row["setting"] == path).unwrap();
        assert_eq!(row["origin"]["flag"], setting.flag, "{row}");
        looked_at += 1;
    }
    assert_eq!(looked_at, flags.len() - 2);
    let minimum = rows
        .iter()
        .find(|row| row["setting"] == "chain.tezos.minimum.balance");
    assert_eq!(minimum.unwrap()["origin"]["flag"], "--minimum");
}
