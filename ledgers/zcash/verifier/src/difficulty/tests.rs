//! The difficulty rule on synthetic header chains against a second, slow
//! implementation that follows the specification's formulas by index and does
//! its arithmetic in another big-integer type.

use proptest::prelude::*;
use zebra_chain::{
    serialization::BytesInDisplayOrder as _,
    work::difficulty::{CompactDifficulty, ExpandedDifficulty, U256},
};

use super::*;

/// A whole chain of headers; `chain[i]` stands at height `i`.
type Chain = Vec<Past>;

mod slow {
    use super::*;

    fn limit(network: Network) -> U256 {
        let bits = if network == Network::Main { 243 } else { 251 };
        (U256::one() << bits) - 1
    }

    fn nu7(network: Network) -> usize {
        if network == Network::Main {
            3_543_405
        } else {
            4_465_026
        }
    }

    fn blossom(network: Network) -> usize {
        if network == Network::Main {
            653_600
        } else {
            584_000
        }
    }

    fn to_target(bits: u32) -> U256 {
        let bytes = bits.to_be_bytes();
        let compact = CompactDifficulty::from_bytes_in_display_order(&bytes).expect("a target");
        let expanded = compact.to_expanded().expect("a target");
        U256::from_big_endian(&expanded.bytes_in_serialized_order())
    }

    pub(super) fn to_compact(target: U256) -> u32 {
        let compact = ExpandedDifficulty::from(target).to_compact();
        u32::from_be_bytes(compact.bytes_in_display_order())
    }

    fn median_time(get: &dyn Fn(usize) -> Past, height: usize) -> i64 {
        let mut times: Vec<i64> = (height.saturating_sub(11)..=height.saturating_sub(1))
            .map(|at| i64::from(get(at).time))
            .collect();
        times.sort_unstable();
        // The element number ceiling((length + 1) / 2), counted from one.
        times[(times.len() + 2) / 2 - 1]
    }

    pub(super) fn bits(
        network: Network,
        height: usize,
        time: u32,
        get: &dyn Fn(usize) -> Past,
    ) -> u32 {
        let spacing: i64 = match height {
            h if h >= nu7(network) => 25,
            h if h >= blossom(network) => 75,
            _ => 150,
        };
        let window = if height >= nu7(network) { 102 } else { 17 };
        if network == Network::Test && height >= 299_188 {
            let allowed = if spacing == 25 { 18 * 25 } else { 6 * spacing };
            if i64::from(time) - i64::from(get(height - 1).time) > allowed {
                return to_compact(limit(network));
            }
        }
        if height <= window {
            return to_compact(limit(network));
        }
        let mean = {
            // Whole parts and remainders apart: the sum itself may not fit.
            let targets = (height - window..height).map(|at| to_target(get(at).bits));
            let count = U256::from(window);
            let (whole, rest) = targets.fold((U256::zero(), U256::zero()), |(whole, rest), t| {
                (whole + t / count, rest + t % count)
            });
            whole + rest / count
        };
        let timespan = spacing * window as i64;
        let actual = median_time(get, height) - median_time(get, height.saturating_sub(window));
        let damped = timespan + (actual - timespan) / 4;
        let least = timespan * (100 - 16) / 100;
        let most = timespan * (100 + 32) / 100;
        let bounded = damped.max(least).min(most);
        let threshold = mean / U256::from(timespan) * U256::from(bounded);
        to_compact(threshold.min(limit(network)))
    }
}

/// Fast and slow on the same block: the chain begins at height `start`.
fn both(network: Network, start: usize, chain: &Chain, time: u32) -> (u32, u32) {
    let height = start + chain.len();
    let get = |at: usize| chain[at - start];
    let needed = network.context(height as u64);
    let past: Vec<_> = chain.iter().rev().take(needed).copied().collect();
    assert_eq!(past.len(), needed, "the chain is long enough");
    (
        expected_bits(network, height as u64, time, &past),
        slow::bits(network, height, time, &get),
    )
}

/// A chain whose blocks follow the rule, with those gaps between their times.
fn grow(network: Network, start: usize, first: Chain, gaps: &[i32]) -> Chain {
    let mut chain = first;
    for gap in gaps {
        let before = chain.last().expect("a first header").time;
        let time = before.saturating_add_signed(*gap);
        let (fast, slow) = both(network, start, &chain, time);
        assert_eq!(fast, slow, "{network:?} at {}", start + chain.len());
        chain.push(Past { time, bits: fast });
    }
    chain
}

fn genesis(network: Network) -> Chain {
    let bits = network.limit().to_compact();
    vec![Past {
        time: 1_477_641_360,
        bits,
    }]
}

/// Enough headers to stand before any height, with that target.
fn seed(bits: u32, gap: u32) -> Chain {
    let time = |index: u32| 1_500_000_000 + index * gap;
    let headers = (0..120).map(|index| Past {
        time: time(index),
        bits,
    });
    headers.collect()
}

#[test]
fn the_limits_are_the_networks_easiest_nbits() {
    assert_eq!(Network::Main.limit().to_compact(), 0x1f07_ffff);
    assert_eq!(Network::Test.limit().to_compact(), 0x2007_ffff);
}

#[test]
fn steady_blocks_keep_their_target_and_fast_ones_harden_it() {
    let steady = seed(0x1d00_ffff, 150);
    let next = steady[119].time + 150;
    let (bits, _) = both(Network::Main, 10_000, &steady, next);
    let target = |bits| Target::from_compact(bits).expect("a target");
    // Rounding down in the division by the timespan loses a little.
    assert!(target(bits) <= target(0x1d00_ffff));
    assert!(target(bits) > target(0x1d00_fff0));
    let fast = seed(0x1d00_ffff, 1);
    let (bits, _) = both(Network::Main, 10_000, &fast, next);
    let hardest = target(0x1d00_ffff).divided_by(100).map(|t| t.times(84));
    assert!(Some(target(bits)) <= hardest);
    let slow = seed(0x1d00_ffff, 3_000);
    let (bits, _) = both(Network::Main, 10_000, &slow, next);
    let easiest = target(0x1d00_ffff).divided_by(100).map(|t| t.times(132));
    assert!(Some(target(bits)) <= easiest && target(bits) > target(0x1d00_ffff));
}

#[test]
fn a_long_gap_on_the_test_network_allows_the_minimum_from_its_start_height_on() {
    let limit = Network::Test.limit().to_compact();
    let chain = seed(0x1d00_ffff, 150);
    let last = chain[119].time;
    for (start, gap, minimum) in [
        (299_187 - 120, 901, false),
        (299_188 - 120, 900, false),
        (299_188 - 120, 901, true),
        (584_000 - 120, 450, false),
        (584_000 - 120, 451, true),
        (4_465_026 - 120, 450, false),
        (4_465_026 - 120, 451, true),
    ] {
        let (fast, slow) = both(Network::Test, start, &chain, last + gap);
        assert_eq!(fast, slow);
        assert_eq!(fast == limit, minimum, "gap {gap} at {}", start + 120);
    }
    let (main, _) = both(Network::Main, 700_000, &chain, last + 10_000);
    assert_ne!(main, Network::Main.limit().to_compact());
}

#[test]
fn minimum_difficulty_blocks_count_in_the_average_with_their_easy_target() {
    let mut chain = seed(0x1d00_ffff, 75);
    let before = both(Network::Test, 700_000, &chain, chain[119].time + 75).0;
    chain[119].bits = Network::Test.limit().to_compact();
    let after = both(Network::Test, 700_000, &chain, chain[119].time + 75);
    assert_eq!(after.0, after.1);
    let target = |bits| Target::from_compact(bits).expect("a target");
    assert!(target(after.0) > target(before).times(1 << 20));
}

#[test]
fn too_few_headers_leave_the_question_open() {
    let chain = seed(0x1d00_ffff, 75);
    let bytes = &zebra_test::vectors::MAINNET_BLOCKS[&653_601];
    let header = Header::at_front_of(bytes).expect("a header");
    let open = |past| check(Network::Main, 653_601, &header, past).is_ok_and(|told| !told);
    assert!(open(&chain[..27]));
    assert!(open(&[]));
    assert!(check(Network::Main, 653_601, &header, &chain[..28]).is_err());
    assert!(check(Network::Regtest, 653_601, &header, &[]).is_ok_and(|told| told));
}

#[test]
fn a_time_must_lie_after_the_median_and_not_far_after() {
    let bytes = &zebra_test::vectors::MAINNET_BLOCKS[&653_601];
    let header = Header::at_front_of(bytes).expect("a header");
    let at = |time: u32| {
        vec![
            Past {
                time,
                bits: 0x1d00_ffff
            };
            28
        ]
    };
    let rule_of = |network, height, time: u32| {
        let told = check(network, height, &header, &at(time));
        told.err().map(|broken| broken.rule)
    };
    let time = header.time();
    assert_eq!(rule_of(Network::Main, 653_601, time), Some(rule::TIME));
    assert_eq!(rule_of(Network::Main, 653_601, time + 1), Some(rule::TIME));
    assert_eq!(
        rule_of(Network::Main, 653_601, time - 1),
        Some(rule::DIFFICULTY)
    );
    assert_eq!(
        rule_of(Network::Main, 653_601, time - 5_400),
        Some(rule::DIFFICULTY)
    );
    assert_eq!(
        rule_of(Network::Main, 653_601, time - 5_401),
        Some(rule::TIME)
    );
    assert_eq!(
        rule_of(Network::Test, 653_605, time - 5_401),
        Some(rule::DIFFICULTY)
    );
    assert_eq!(
        rule_of(Network::Test, 653_606, time - 5_401),
        Some(rule::TIME)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chains_from_their_first_block_agree(
        gaps in prop::collection::vec(-300i32..1_500, 1..150),
        main: bool,
    ) {
        let network = if main { Network::Main } else { Network::Test };
        grow(network, 0, genesis(network), &gaps);
    }

    #[test]
    fn chains_across_every_change_of_pace_agree(
        gaps in prop::collection::vec(-200i32..1_000, 60),
        bits in prop::sample::select(vec![0x1d00_ffffu32, 0x1c12_3456, 0x1b7f_ffff, 0x1f07_ffff]),
        gap in 1u32..400,
        main: bool,
        height in prop::sample::select(vec![299_188usize, 584_000, 653_600, 3_543_405, 4_465_026]),
    ) {
        let network = if main { Network::Main } else { Network::Test };
        // The change falls within the blocks that are grown.
        grow(network, height - 120 - 30, seed(bits, gap), &gaps);
    }
}
