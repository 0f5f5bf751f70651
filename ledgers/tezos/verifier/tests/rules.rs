//! Which rule says who attests, and the tables it reads.

use heliostat_tezos_verifier::finality::{
    Rule, Sampler, UnknownRule, all_bakers_attest, consensus_rule,
};
use heliostat_tezos_verifier::{Protocol, ProtocolHash};

mod common;

use common::committee::Committee;

const SEED: [u8; 32] = [4; 32];

#[test]
fn the_rule_depends_on_protocol_and_level() {
    let hash = |number| {
        let known = Protocol::known()
            .iter()
            .find(|known| known.number == number);
        known.expect("a protocol of the table").hash
    };
    assert_eq!(
        consensus_rule(&hash(22), 5, None),
        Ok(Rule::Drawn { companions: false })
    );
    assert_eq!(
        consensus_rule(&hash(25), 5, None),
        Ok(Rule::Drawn { companions: true })
    );
    assert_eq!(
        consensus_rule(&hash(25), 5, Some(6)),
        Ok(Rule::Drawn { companions: true })
    );
    assert_eq!(consensus_rule(&hash(25), 6, Some(6)), Ok(Rule::AllBakers));
    assert_eq!(
        consensus_rule(&hash(24), 6, Some(6)),
        Err(UnknownRule::AllBakers(24))
    );
    let unknown = consensus_rule(&ProtocolHash([1; 32]), 6, None).expect_err("an unknown one");
    assert!(
        unknown
            .to_string()
            .contains(&ProtocolHash([1; 32]).to_string())
    );
    assert!(consensus_rule(&hash(15), 6, None).is_err());
    let mut level = [0; 17];
    level[3] = 9;
    assert_eq!(all_bakers_attest(&level), Ok(9));
    assert!(all_bakers_attest(&level[..16]).is_err());
}

#[test]
fn a_sampler_is_strict_about_its_tables() {
    let committee = Committee::new();
    let good = committee.sampler_bytes();
    assert_eq!(Sampler::decode(&good, true), Ok(committee.sampler()));
    assert!(Sampler::decode(&good, false).is_err());
    for end in (0..good.len()).step_by(7) {
        assert!(Sampler::decode(&good[..end], true).is_err());
    }
    let long = [good.clone(), vec![0]].concat();
    assert!(Sampler::decode(&long, true).is_err());
    let mut zero = good.clone();
    zero[..8].fill(0);
    assert!(Sampler::decode(&zero, true).is_err());
    let mut alias = good.clone();
    let last = alias.len() - 1;
    alias[last] = 12;
    assert!(Sampler::decode(&alias, true).is_err(), "an alias of nobody");
    for at in (8..good.len()).step_by(11) {
        let mut bad = good.clone();
        bad[at] = !bad[at];
        // Whatever was read, drawing from it stays within bounds.
        if let Ok(sampler) = Sampler::decode(&bad, true) {
            assert!(sampler.owner(&SEED, 1, 2) < sampler.bakers().len());
        }
    }
    let twice = committee.sampler_bytes_of(&[0, 1, 0]);
    assert!(Sampler::decode(&twice, true).is_err(), "a delegate twice");
}

#[test]
fn a_baker_that_keeps_all_of_its_column_needs_no_alias() {
    let committee = Committee::new();
    let mut bytes = committee.sampler_bytes();
    let total = bytes[..8].to_vec();
    // The arrays end with the shares of twelve bakers, the aliases' head of 12
    // bytes and the aliases.
    let alias = bytes.len() - 4;
    let share = bytes.len() - 12 * 4 - 12 - 8;
    bytes[alias..].fill(0xff);
    assert!(Sampler::decode(&bytes, true).is_err(), "less than a column");
    bytes[share..share + 8].copy_from_slice(&total);
    let sampler = Sampler::decode(&bytes, true).expect("a full column");
    for slot in 0..500 {
        assert!(sampler.owner(&SEED, 3, slot) < 12);
    }
    bytes[alias + 3] = 0xfe;
    assert!(Sampler::decode(&bytes, true).is_err(), "an alias of nobody");
}
