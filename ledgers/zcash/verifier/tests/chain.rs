//! Placing blocks: links, contextual rules on real runs, grades, and tips
//! made from stored or fetched headers.

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Point, Reject, Verifier as _};
use heliostat_zcash_verifier::{
    Header, Joined, Network, NotAChain, Stored, Tip, TreeSizes, Verified, ZcashVerifier, convict,
    rule,
};

#[path = "shared/chains.rs"]
mod chains;
use chains::{first_blocks, raw, recordings};

const PUBLIC: [Network; 2] = [Network::Main, Network::Test];

fn follow(network: Network) -> (Tip, Vec<Verified>) {
    let verifier = ZcashVerifier::new(network);
    let mut tip = Tip::genesis(network);
    let blocks = first_blocks(network);
    let verified = (0..).zip(blocks).map(|(height, bytes)| {
        let checked = verifier.check(height, raw(bytes)).expect("sound alone");
        let placed = verifier.extend(&mut tip, checked);
        placed.unwrap_or_else(|reject| panic!("{height}: {}", words(&reject)))
    });
    let verified = verified.collect();
    (tip, verified)
}

/// The words of a rejection without its exhibits.
fn words(reject: &Reject) -> &str {
    match reject {
        Reject::Wrong(evidence) => &evidence.words,
        Reject::Opaque(why) | Reject::Refused(why) => why,
        Reject::Unlinked { .. } => "unlinked",
    }
}

#[test]
fn both_public_networks_are_proven_from_their_first_block() {
    for network in PUBLIC {
        let (tip, verified) = follow(network);
        assert_eq!(verified.len(), 11);
        assert_eq!(tip.next_height(), 11);
        assert!(verified.iter().all(|block| block.cap == Assurance::Proven));
        assert!(verified.is_sorted_by(|one, next| one.work < next.work));
        assert_eq!(verified[0].link.id, network.genesis());
        assert_eq!(ZcashVerifier::weight(&tip), Some(tip.work()));
    }
}

#[test]
fn the_work_of_the_first_block_is_two_to_the_256_over_its_target() {
    // 2^256 / (2^243 − 2^227 + 1) for 0x1f07ffff, rounded down.
    let (_, verified) = follow(Network::Main);
    assert_eq!(verified[0].work, 8_192);
    let (_, verified) = follow(Network::Test);
    assert_eq!(verified[0].work, 32);
}

#[test]
fn a_block_that_skips_one_is_unlinked_and_leaves_the_tip_as_it_was() {
    let verifier = ZcashVerifier::new(Network::Main);
    let blocks = first_blocks(Network::Main);
    let mut tip = Tip::genesis(Network::Main);
    for height in [1u64, 5] {
        let checked = verifier
            .check(height, raw(blocks[height as usize]))
            .expect("sound");
        let parent = Header::at_front_of(blocks[height as usize])
            .expect("a header")
            .prev();
        let placed = verifier.extend(&mut tip, checked);
        assert!(matches!(placed, Err(Reject::Unlinked { parent: named }) if named.0 == parent));
        assert_eq!(tip.link(), None);
    }
}

#[test]
fn another_networks_blocks_are_convicted() {
    let verifier = ZcashVerifier::new(Network::Main);
    for (height, bytes) in (0..).zip(first_blocks(Network::Test)) {
        let Err(Reject::Wrong(evidence)) = verifier.check(height, raw(bytes)) else {
            panic!("testnet block {height} passed on mainnet");
        };
        let expected = if height == 0 {
            rule::GENESIS
        } else {
            rule::BITS
        };
        assert_eq!(evidence.rule, expected);
        assert_eq!(convict(&evidence), Ok(()));
    }
}

#[test]
fn a_rebuilt_tip_goes_on_like_the_one_that_never_stopped() {
    for network in PUBLIC {
        let verifier = ZcashVerifier::new(network);
        let (_, verified) = follow(network);
        for stop in 0..10usize {
            let last = &verified[stop];
            let mut tip = Tip::rebuild(stored(network, &verified[..=stop])).expect("linked");
            assert_eq!(tip.link(), Some(last.link));
            let next = first_blocks(network)[stop + 1];
            let checked = verifier.check(stop as u64 + 1, raw(next)).expect("sound");
            let placed = verifier.extend(&mut tip, checked).expect("in context");
            let before = &verified[stop + 1];
            assert_eq!((placed.link, placed.work), (before.link, before.work));
            assert_eq!((placed.cap, placed.full), (before.cap, before.full.clone()));
        }
    }
}

fn stored(network: Network, blocks: &[Verified]) -> Stored {
    let last = blocks.last().expect("a block");
    Stored {
        network,
        height: last.link.height,
        headers: blocks.iter().map(|block| block.header.clone()).collect(),
        sizes: last.sizes,
        work: last.work,
        cap: last.cap,
    }
}

#[test]
fn headers_that_make_no_chain_are_refused_in_words() {
    let (_, verified) = follow(Network::Main);
    let whole = || stored(Network::Main, &verified);
    let refused = |stored: Stored| Tip::rebuild(stored).expect_err("refused");
    let mut swapped = whole();
    swapped.headers.swap(3, 4);
    assert_eq!(refused(swapped), NotAChain::Unlinked { height: 3 });
    let mut short = whole();
    short.headers.remove(0);
    let few = NotAChain::TooFew {
        given: 10,
        needed: 11,
        height: 10,
    };
    assert_eq!(refused(short), few);
    let mut low = whole();
    low.height = 5;
    assert_eq!(
        refused(low),
        NotAChain::TooMany {
            given: 11,
            height: 5
        }
    );
    let mut empty = whole();
    empty.headers.clear();
    assert_eq!(refused(empty), NotAChain::Empty);
    let mut cut = whole();
    cut.headers[7] = cut.headers[7].slice(1..);
    assert_eq!(refused(cut), NotAChain::Header { height: 7 });
}

fn join(network: Network, blocks: &[Verified]) -> Joined {
    let stored = stored(network, blocks);
    Joined {
        network,
        height: stored.height,
        headers: stored.headers,
        sizes: stored.sizes,
        rooted: true,
        sizes_vouched: true,
    }
}

#[test]
fn a_joined_chain_is_proven_only_with_root_sizes_and_headers() {
    let verifier = ZcashVerifier::new(Network::Main);
    let (_, verified) = follow(Network::Main);
    let cap_of_next = |join: Joined| {
        let mut tip = Tip::joined(join).expect("sound headers");
        for height in 8..=10u64 {
            let bytes = first_blocks(Network::Main)[height as usize];
            let checked = verifier.check(height, raw(bytes)).expect("sound");
            let placed = verifier.extend(&mut tip, checked).expect("in context");
            assert_eq!(placed.cap, tip.cap());
        }
        tip.cap()
    };
    let whole = || join(Network::Main, &verified[..8]);
    assert_eq!(cap_of_next(whole()), Assurance::Proven);
    let mut unrooted = whole();
    unrooted.rooted = false;
    assert_eq!(cap_of_next(unrooted), Assurance::Relayed);
    let mut hearsay = whole();
    hearsay.sizes_vouched = false;
    assert_eq!(cap_of_next(hearsay), Assurance::Relayed);
    let mut short = whole();
    short.headers.drain(..3);
    assert_eq!(cap_of_next(short), Assurance::Relayed);
}

#[test]
fn joining_checks_the_proof_of_work_of_every_header() {
    let (_, verified) = follow(Network::Main);
    let mut forged = join(Network::Main, &verified[..1]);
    let mut header = verified[5].header.to_vec();
    header[200] ^= 1;
    forged.headers = vec![Bytes::from(header)];
    forged.height = 5;
    let refused = Tip::joined(forged).expect_err("no proof-of-work");
    assert!(matches!(refused, NotAChain::Broken { height: 5, .. }));
}

#[test]
fn a_height_no_block_can_say_is_refused() {
    let (_, verified) = follow(Network::Main);
    for height in [u64::MAX, 1 << 32] {
        let mut far = join(Network::Main, &verified[5..8]);
        far.height = height;
        let refused = Tip::joined(far).expect_err("too high");
        assert_eq!(refused, NotAChain::Height { height });
    }
}

#[test]
fn a_chain_of_regtest_has_no_weight_and_needs_no_headers() {
    let [chain, _] = recordings();
    let verifier = ZcashVerifier::new(Network::Regtest);
    let mut tip = Tip::joined(Joined {
        network: Network::Regtest,
        height: 100,
        headers: vec![header_of(&chain[100].raw)],
        sizes: TreeSizes {
            sapling: 7,
            orchard: 8,
            ironwood: 9,
        },
        rooted: false,
        sizes_vouched: false,
    })
    .expect("one header");
    let checked = verifier.check(101, raw(&chain[101].raw)).expect("sound");
    let placed = verifier.extend(&mut tip, checked).expect("linked");
    assert_eq!(placed.cap, Assurance::Relayed);
    assert!(placed.sizes.sapling >= 7 && placed.sizes.ironwood >= 9);
    assert_eq!(ZcashVerifier::weight(&tip), None);
}

fn header_of(block: &[u8]) -> Bytes {
    let header = Header::at_front_of(block).expect("a header");
    Bytes::copy_from_slice(header.bytes())
}

#[test]
fn a_chain_held_to_a_checkpoint_has_that_block_or_none() {
    let [chain, _] = recordings();
    let id = |height: usize| {
        let header = header_of(&chain[height].raw);
        Id(Header::parse(&header).expect("it is recorded").hash())
    };
    for (other, passes) in [(30, true), (31, false)] {
        let point = Point {
            height: 30,
            id: id(other),
        };
        let verifier = ZcashVerifier::new(Network::Regtest).held_to(point);
        let mut tip = Tip::genesis(Network::Regtest);
        for height in 0..=35 {
            let checked = verifier.check(height, raw(&chain[height as usize].raw));
            let checked = checked.expect("it is recorded");
            let placed = verifier.extend(&mut tip, checked);
            if height == 30 && !passes {
                let Err(Reject::Refused(why)) = placed else {
                    panic!("another block than the checkpoint");
                };
                assert!(why.contains("height 30"), "{why}");
                assert_eq!(tip.next_height(), 30, "the tip stays");
                break;
            }
            placed.expect("it is recorded");
        }
    }
}
