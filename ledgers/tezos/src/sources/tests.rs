use super::*;

fn two() -> Vec<String> {
    vec!["http://a:1".into(), "http://b:2".into()]
}

#[test]
fn the_limits_are_those_of_octez() {
    for good in [0.1, 0.9, 1.0] {
        assert!(Sources::new(good, two()).is_ok(), "{good}");
    }
    for bad in [-1.0, -0.9, 0.0, 1.1, 9.0, 99.0, 500.0, f64::NAN] {
        assert!(Sources::new(bad, two()).is_err(), "{bad}");
    }
    assert!(Sources::new(1.0, vec![]).is_err());
    assert!(Sources::new(1.0, vec!["http://a:1".into()]).is_err());
    // The same one twice is two.
    assert!(Sources::new(1.0, vec!["http://a:1".into(); 2]).is_ok());
}

#[test]
fn the_words_are_those_of_octez() {
    let words = |result: Result<Sources, SourcesError>| result.unwrap_err().to_string();
    assert_eq!(
        words(Sources::new(1.1, two())),
        "min_agreement value must be within 0 (exclusive) and 1 (inclusive) but you provided 1.100000"
    );
    assert_eq!(
        words(Sources::new(1.0, vec!["http://a:1".into()])),
        "A minimum of 2 endpoints is required in Light mode: one endpoint to retrieve data and one to validate data. You only provided http://a:1"
    );
    assert!(
        words(Sources::parse("{", "s.json"))
            .starts_with("Can't parse the file specified by --sources as JSON: s.json")
    );
    for shape in [
        "[]",
        r#"{"uris": 3}"#,
        r#"{"uris": ["a", "b"], "more": 1}"#,
        "{}",
    ] {
        assert!(
            words(Sources::parse(shape, "s.json"))
                .starts_with("Can't parse the file specified by --sources: s.json"),
            "{shape}"
        );
    }
}

#[test]
fn an_endpoint_outside_the_sources_is_refused_with_the_fix() {
    let sources = Sources::new(1.0, two()).unwrap();
    assert!(sources.check_endpoint("http://a:1").is_ok());
    assert_eq!(
        sources
            .check_endpoint("http://a:1/")
            .unwrap_err()
            .to_string(),
        r#"Value of --endpoint is http://a:1/. Therefore, this URI MUST be in field 'uris' of --sources (whose value is: ["http://a:1", "http://b:2"]). If you did not specify --endpoint, it is being defaulted; you may hereby specify --endpoint http://a:1 to fix this error."#
    );
}

#[test]
fn duplicates_are_told_and_modes_are_matched() {
    let mut uris = two();
    uris.push("http://a:1".into());
    let sources = Sources::new(0.5, uris).unwrap();
    let warning = sources.duplicates().unwrap();
    assert!(warning.ends_with("configuration: [http://a:1 (2 occurrences)]"));
    assert_eq!(Sources::new(0.5, two()).unwrap().duplicates(), None);

    assert!(check_mode("light", true).is_ok());
    assert!(check_mode("client", false).is_ok());
    assert_eq!(
        check_mode("proxy", true).unwrap_err().to_string(),
        "--sources is specific to --mode light, please do not specify it with --mode proxy."
    );
    assert!(
        check_mode("light", false)
            .unwrap_err()
            .to_string()
            .starts_with("--mode light requires passing --sources. Example --sources file: {")
    );
}

#[test]
fn the_example_reads_and_the_share_has_a_default() {
    let sources = Sources::parse(EXAMPLE, "example").unwrap();
    assert_eq!(sources.uris.len(), 2);
    let sources = Sources::parse(r#"{"uris": ["a", "b"]}"#, "x").unwrap();
    assert!(sources.min_agreement == DEFAULT_AGREEMENT);
}
