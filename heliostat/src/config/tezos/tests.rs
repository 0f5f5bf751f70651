use heliostat_tezos::Mode;

use super::*;

const AT: &str = "chain.tezos";

fn two() -> TezosConfig {
    TezosConfig {
        endpoints: vec!["http://a:1".to_owned(), "http://b:1".to_owned()],
        ..TezosConfig::default()
    }
}

fn refused(config: &TezosConfig) -> String {
    config.validate(AT).expect_err("refused").to_string()
}

#[test]
fn octez_words_are_kept_whichever_way_the_nodes_are_named() {
    let none = TezosConfig::default();
    assert!(refused(&none).contains("--mode light requires passing --sources. Example"));
    let one = TezosConfig {
        endpoints: vec!["http://a:1".to_owned()],
        ..none.clone()
    };
    assert!(refused(&one).contains("A minimum of 2 endpoints is required in Light mode"));
    for share in [-1.0, -0.9, 0.0, 1.1, 9.0, 99.0, 500.0] {
        let config = TezosConfig {
            min_agreement: Some(share),
            ..two()
        };
        let words = refused(&config);
        let octez = "min_agreement value must be within 0 (exclusive) and 1 (inclusive)";
        assert!(words.contains(octez), "{words}");
    }
    let other = TezosConfig {
        endpoint: Some("http://c:1".to_owned()),
        ..two()
    };
    assert!(refused(&other).contains("Value of --endpoint is http://c:1. Therefore"));
    let proxy = TezosConfig {
        mode: ModeName::Proxy,
        sources: Some("x.json".into()),
        ..none
    };
    let words = refused(&proxy);
    let octez =
        "--sources is specific to --mode light, please do not specify it with --mode proxy.";
    assert!(words.contains(octez), "{words}");
}

#[test]
fn the_modes_without_agreement_ask_one_node() {
    let mut config = TezosConfig {
        mode: ModeName::Client,
        ..two()
    };
    assert!(refused(&config).contains("exactly one node"));
    config.endpoints.pop();
    let settings = config.settings(AT).expect("one node");
    assert_eq!((settings.mode, settings.endpoints.len()), (Mode::Client, 1));
}

#[test]
fn tokens_and_authorities_of_the_nodes_are_taken_and_have_to_make_sense() {
    let with = |access: UpstreamAccess| TezosConfig { access, ..two() };
    let mut config = with(UpstreamAccess {
        bearer_token: Some("hunter2".to_owned()),
        ..UpstreamAccess::default()
    });
    let words = refused(&config);
    let clear = "chain.tezos.endpoints[0]: endpoint http://a:1 cannot be used: a bearer token \
                 would cross the network in the clear; write https://";
    assert_eq!(words, clear);
    config.endpoints = vec!["https://a:1".to_owned(), "https://b:1".to_owned()];
    let settings = config.settings(AT).expect("sound settings");
    assert!(settings.access.has_token());
    let words = refused(&with(UpstreamAccess {
        ca_file: Some("missing.pem".into()),
        ..UpstreamAccess::default()
    }));
    assert!(words.contains("missing.pem"), "{words}");
    let words = refused(&with(UpstreamAccess {
        client_key: Some("client.key".into()),
        ..UpstreamAccess::default()
    }));
    assert!(words.contains("client-cert"), "{words}");
}

#[test]
fn the_main_node_is_found_among_the_others() {
    let config = TezosConfig {
        endpoint: Some("http://b:1".to_owned()),
        min_agreement: Some(0.5),
        ..two()
    };
    let settings = config.settings(AT).expect("sound settings");
    assert_eq!((settings.main, settings.min_agreement), (1, 0.5));
}

#[test]
fn a_minimum_of_proven_moves_the_head_to_where_it_can_be_had() {
    let mut config = two();
    assert_eq!(config.settings(AT).expect("sound").head, HeadPolicy::Newest);
    let minimum = ("balance".to_owned(), "proven".to_owned());
    config.minimum = [minimum].into();
    assert_eq!(config.settings(AT).expect("sound").head, HeadPolicy::Proven);
    config.minimum = [("balanse".to_owned(), "proven".to_owned())].into();
    assert!(refused(&config).contains("chain.tezos.minimum.balanse"));
    config.minimum = [("balance".to_owned(), "good".to_owned())].into();
    assert!(refused(&config).contains("agreed k/n"));
}

#[test]
fn an_origin_that_no_browser_sends_is_refused() {
    let with = |origin: &str| TezosConfig {
        cors_origins: vec![origin.to_owned()],
        ..two()
    };
    let settings = with("https://app.example").settings(AT).expect("sound");
    assert_eq!(settings.cors, ["https://app.example"]);
    let words = refused(&with("https://app.example/"));
    assert!(words.contains("chain.tezos.cors-origins"), "{words}");
}

#[test]
fn finality_without_a_checkpoint_is_refused() {
    let config = TezosConfig {
        finality: Some(true),
        ..two()
    };
    assert!(refused(&config).contains("--checkpoint LEVEL:HASH"));
}

#[test]
fn a_checkpoint_brings_finality_unless_it_is_switched_off() {
    assert!(!two().settings(AT).expect("sound").finality);
    let trusted = "15181988:BMMhJ4R65r5CBT3c9cRQfna28ApcqASYaN1oFepMxFmTF9zzR1M";
    let mut config = TezosConfig {
        checkpoint: Some(trusted.parse().expect("a checkpoint")),
        ..two()
    };
    assert!(config.settings(AT).expect("sound").finality);
    config.finality = Some(false);
    assert!(!config.settings(AT).expect("sound").finality);
}
