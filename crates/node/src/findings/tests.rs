use heliostat_store::{Options, open};

use super::*;

fn evidence(bytes: usize) -> Evidence {
    Evidence {
        rule: "test.rule".into(),
        words: "one is not two".into(),
        height: Some(7),
        exhibits: vec![Exhibit::new("as sent", vec![7; bytes])],
    }
}

fn fork(height: u64) -> Disagreement {
    Disagreement {
        height,
        ours: "aa".into(),
        theirs: "bb".into(),
        upstream: "node".into(),
        at: 5,
    }
}

#[tokio::test]
async fn records_are_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", dir.path().join("findings.sqlite").display());
    let store = async || {
        open(&address, "test", &[TABLE], Options::default())
            .await
            .unwrap()
    };
    let before = {
        let findings = Findings::open(store().await).await.unwrap();
        findings.convict("liar", &evidence(100), 1);
        assert!(findings.disagree(fork(9)));
        findings.convict("other", &evidence(100), 2);
        findings.persist().await.unwrap();
        findings.evidence()
    };
    let findings = Findings::open(store().await).await.unwrap();
    assert_eq!(findings.evidence(), before);
    assert_eq!(findings.disagreements(), [fork(9)]);
    assert!(!findings.disagree(fork(9)), "a known fork is no news");
    assert_eq!(findings.convict("third", &evidence(1), 3), 3);
}

#[tokio::test]
async fn records_are_bounded_in_count_and_in_bytes() {
    let findings = Findings::in_memory();
    findings.convict("liar", &evidence(defaults::EXHIBIT_BYTES + 1), 1);
    let cut = &findings.evidence()[0].evidence.exhibits[0];
    assert_eq!(cut.bytes.len(), defaults::EXHIBIT_BYTES);
    assert!(
        cut.name
            .contains(&format!("of {} bytes", defaults::EXHIBIT_BYTES + 1))
    );

    for _ in 0..10 {
        findings.convict("liar", &evidence(defaults::EXHIBIT_BYTES), 1);
    }
    let kept = findings.evidence();
    let bytes: usize = kept.iter().map(|one| weight(&one.evidence)).sum();
    assert!(bytes <= defaults::EVIDENCE_BYTES);
    assert_eq!(kept.last().unwrap().id, 10, "the newest is kept");

    for height in 0..defaults::EVIDENCE_RECORDS as u64 * 2 {
        findings.convict("liar", &evidence(1), 1);
        findings.disagree(fork(height));
    }
    assert_eq!(findings.evidence().len(), defaults::EVIDENCE_RECORDS);
    for height in 0..defaults::DISAGREEMENTS as u64 * 2 {
        findings.disagree(fork(height));
    }
    assert_eq!(findings.disagreements().len(), defaults::DISAGREEMENTS);
}
