//! Lies: each is rejected under its rule, and its evidence convicts alone.

use bytes::Bytes;
use heliostat_core::{Evidence, Exhibit, Reject, Verifier as _};
use heliostat_zcash_verifier::{
    Header, Joined, Network, NotConvicting, RawBlock, Tip, TreeSizes, ZcashVerifier, convict, rule,
};

#[path = "shared/chains.rs"]
mod chains;
use chains::{raw, real_blocks};

fn block(network: Network, height: u64) -> Vec<u8> {
    let of = |(at, there, _): &(Network, u64, &[u8])| *at == network && *there == height;
    real_blocks().find(of).expect("a vector").2.to_vec()
}

/// The rule under which a changed block is rejected. Its evidence must
/// convict, also after a round trip through JSON.
fn rejected(network: Network, height: u64, bytes: &[u8]) -> Option<String> {
    match ZcashVerifier::new(network).check(height, raw(bytes)) {
        Ok(_) => None,
        Err(Reject::Wrong(evidence)) => {
            assert_eq!(convict(&evidence), Ok(()), "{}", evidence.words);
            assert_eq!(evidence.height, Some(height));
            let json = serde_json::to_string(&evidence).expect("plain data");
            let back: Evidence = serde_json::from_str(&json).expect("what was written");
            assert_eq!(convict(&back), Ok(()));
            Some(evidence.rule)
        }
        Err(Reject::Opaque(_)) => Some("opaque".into()),
        Err(Reject::Unlinked { .. } | Reject::Refused(_)) => panic!("check knows no chain"),
    }
}

#[test]
fn no_bit_of_a_header_can_change() {
    for (network, height) in [
        (Network::Main, 1),
        (Network::Main, 1_687_107),
        (Network::Test, 584_000),
    ] {
        let bytes = block(network, height);
        let header = Header::at_front_of(&bytes).expect("a header").bytes().len();
        for at in (0..header)
            .step_by(37)
            .chain([0, 100, 104, 105, 106, 107, 108, 140, 142])
        {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let rule = rejected(network, height, &changed);
            let rule = rule.unwrap_or_else(|| panic!("byte {at} of header {height}"));
            let expected: &[&str] = match at {
                36..68 => &[rule::MERKLE_ROOT],
                140..143 => &[rule::LAYOUT, "opaque", rule::MERKLE_ROOT],
                _ => &[rule::TARGET, rule::BITS, rule::EQUIHASH],
            };
            assert!(expected.contains(&&rule[..]), "{rule} for byte {at}");
        }
    }
}

#[test]
fn no_bit_of_a_version_4_transaction_can_change() {
    // Blocks with Sapling parts and JoinSplits, before version 5 existed.
    for height in [419_201, 434_873, 949_496] {
        let bytes = block(Network::Main, height);
        let header = Header::at_front_of(&bytes).expect("a header").bytes().len();
        let step = (bytes.len() - header) / 300 + 1;
        for at in (header..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let rule = rejected(Network::Main, height, &changed);
            assert!(rule.is_some(), "byte {at} of block {height}");
        }
    }
}

#[test]
fn a_truncated_or_padded_block_is_no_block() {
    for (network, height, bytes) in real_blocks().step_by(5) {
        for cut in [0, 1, 139, 140, 143, bytes.len() / 2, bytes.len() - 1] {
            let rule = rejected(network, height, &bytes[..cut.min(bytes.len() - 1)]);
            assert!(rule.as_deref() == Some(rule::LAYOUT), "{rule:?}");
        }
        let padded = [bytes, &[0]].concat();
        let rule = rejected(network, height, &padded);
        assert_eq!(rule.as_deref(), Some(rule::LAYOUT));
    }
}

/// In version 5 the txid leaves out proofs and signatures: such a flip is
/// accepted by design, and nothing that is handed on changes by it.
#[test]
fn a_flip_in_version_5_is_rejected_or_changes_nothing_that_is_handed_on() {
    let (network, height) = (Network::Main, 1_687_107);
    let bytes = block(network, height);
    let verifier = ZcashVerifier::new(network);
    let honest = verifier.check(height, raw(&bytes)).expect("sound");
    let honest = honest.scanned();
    let header = honest.header_len;
    let (mut accepted, mut refused) = (0, 0);
    for at in (header..bytes.len()).step_by((bytes.len() - header) / 1_500 + 1) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        match verifier.check(height, raw(&changed)) {
            Ok(checked) => {
                let other = checked.scanned();
                assert_eq!(other.txids, honest.txids, "byte {at}");
                assert_eq!(other.full, honest.full, "byte {at}");
                assert_eq!(other.shielded, honest.shielded, "byte {at}");
                accepted += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 0, "the block has proofs no txid covers");
    assert!(refused > 0);
}

#[test]
fn a_block_with_a_repeated_tail_is_caught_though_its_root_is_right() {
    // Three transactions and a fourth that is the third again.
    let found = real_blocks().find_map(|(network, height, bytes)| {
        let scanned = heliostat_zcash_verifier::scan(bytes).ok()?;
        (scanned.txids.len() % 2 == 1 && scanned.txids.len() > 1 && scanned.least_version >= 2)
            .then_some((network, height, bytes, scanned))
    });
    let (network, height, bytes, scanned) = found.expect("a block with an odd count");
    let count = scanned.txids.len();
    assert!(count < 0xfc);
    // The last transaction is the shortest suffix that repeats its txid.
    let longer = (scanned.header_len + 1..bytes.len())
        .rev()
        .find_map(|from| {
            let mut longer = [bytes, &bytes[from..]].concat();
            longer[scanned.header_len] += 1;
            let again = heliostat_zcash_verifier::scan(&longer).ok()?;
            (again.txids.last() == scanned.txids.last()).then_some(longer)
        });
    let rule = rejected(network, height, &longer.expect("the last transaction"));
    assert_eq!(rule.as_deref(), Some(rule::REPEATED));
}

#[test]
fn contextual_rules_convict_with_the_headers_they_need() {
    // Blocks 1 to 10 of mainnet held to testnet's limit differ in nBits, so
    // the chain is made wrong the other way: real headers, wrong height.
    let run: Vec<_> = (0..=10)
        .map(|height| block(Network::Main, height))
        .collect();
    let header = |bytes: &[u8]| {
        let header = Header::at_front_of(bytes).expect("a header");
        Bytes::copy_from_slice(header.bytes())
    };
    let joined = Joined {
        network: Network::Main,
        height: 9,
        headers: run[..10].iter().map(|bytes| header(bytes)).collect(),
        sizes: TreeSizes::default(),
        rooted: true,
        sizes_vouched: true,
    };
    let mut tip = Tip::joined(joined).expect("sound");
    let verifier = ZcashVerifier::new(Network::Main);
    let checked = verifier.check(10, raw(&run[10])).expect("sound");
    assert!(verifier.extend(&mut tip, checked).is_ok());

    // The same exhibits with an honest block do not convict.
    let honest = Evidence {
        rule: rule::DIFFICULTY.into(),
        words: "a false accusation".into(),
        height: Some(10),
        exhibits: vec![
            Exhibit::new("network", "main"),
            Exhibit::new("height asked for", 10u64.to_be_bytes()),
            Exhibit::new("block as sent", run[10].clone()),
            Exhibit::new(
                "headers before the block",
                run[..10]
                    .iter()
                    .map(|b| header(b))
                    .collect::<Vec<_>>()
                    .concat(),
            ),
        ],
    };
    assert_eq!(convict(&honest), Err(NotConvicting::Holds));
    let mut short = honest.clone();
    short.exhibits[3] = Exhibit::new("headers before the block", header(&run[9]).to_vec());
    assert_eq!(convict(&short), Err(NotConvicting::Context));
    let mut torn = honest.clone();
    torn.exhibits[3] = Exhibit::new("headers before the block", header(&run[7]).to_vec());
    assert_eq!(convict(&torn), Err(NotConvicting::Context));
    let mut unreadable = honest.clone();
    unreadable.exhibits[3].bytes.pop();
    assert_eq!(
        convict(&unreadable),
        Err(NotConvicting::Exhibit("headers before the block"))
    );
}

#[test]
fn an_accusation_without_a_lie_does_not_convict() {
    let honest = |rule: &str, bytes: &[u8]| Evidence {
        rule: rule.into(),
        words: String::new(),
        height: Some(1),
        exhibits: vec![
            Exhibit::new("network", "main"),
            Exhibit::new("height asked for", 1u64.to_be_bytes()),
            Exhibit::new("block as sent", bytes),
        ],
    };
    let bytes = block(Network::Main, 1);
    assert_eq!(
        convict(&honest(rule::MERKLE_ROOT, &bytes)),
        Err(NotConvicting::Holds)
    );
    let mut lie = bytes.clone();
    lie[40] ^= 1;
    assert_eq!(convict(&honest(rule::MERKLE_ROOT, &lie)), Ok(()));
    let other = NotConvicting::OtherRule {
        named: rule::EQUIHASH.into(),
        found: rule::MERKLE_ROOT,
    };
    assert_eq!(convict(&honest(rule::EQUIHASH, &lie)), Err(other));
    for missing in 0..3 {
        let mut evidence = honest(rule::MERKLE_ROOT, &lie);
        evidence.exhibits.remove(missing);
        assert!(matches!(convict(&evidence), Err(NotConvicting::Exhibit(_))));
    }
}

#[test]
fn a_block_beyond_the_size_limit_is_refused_before_it_is_read() {
    let block = RawBlock {
        bytes: Bytes::from(vec![0; 3_000_000]),
        described: None,
    };
    let rejected = ZcashVerifier::new(Network::Main).check(1, block);
    let Err(Reject::Wrong(evidence)) = rejected else {
        panic!("3 MB passed");
    };
    assert_eq!(evidence.rule, rule::LAYOUT);
    assert_eq!(convict(&evidence), Ok(()));
}
