//! The difficulty rule on real, contiguous mainnet headers.
//!
//! The rule and the second implementation beside it were written by the same
//! people from the same text; this holds them to what miners really solved.
//! The headers are third parties' collections and are not part of this
//! repository. To run the check:
//!
//! ```sh
//! HELIOSTAT_ZCASH_HEADERS=/path/to/headers.jsonl \
//!     cargo test -p heliostat-zcash-verifier mainnet -- --nocapture
//! ```
//!
//! The file is JSON Lines. A line has `height` and either `header_hex`, the
//! serialized header, or `time` and `bits` (numbers), which are believed and
//! only looked back at; `bits` of the eleven oldest of 28 may be anything. Lines
//! whose heights follow one another are one run. A header in full is believed in
//! nothing: it has to link to the full header before it, have a valid Equihash
//! solution and a hash below its target, so that its nBits are those its miner
//! worked for.
//!
//! `data/headers.jsonl` of the public repository `petscheit/zcash_light_client`
//! is such a file (3,000,000 to 3,000,143). `packages/client/tests/data` and
//! `packages/assumevalid/tests/data` of `starkware-bitcoin/zoro` hold headers
//! in fields, with the times and targets before them, on both sides of each
//! network upgrade's first block, and the blocks 1 to 200.

use serde::Deserialize;

use super::*;
use crate::rules;

/// Where the headers are.
const VARIABLE: &str = "HELIOSTAT_ZCASH_HEADERS";

#[derive(Deserialize)]
struct Line {
    height: u64,
    header_hex: Option<String>,
    time: Option<u32>,
    bits: Option<u32>,
}

/// A run of headers as far as it was read.
#[derive(Default)]
struct Run {
    next: u64,
    /// Hash of the last header, when it was given in full.
    hash: Option<[u8; 32]>,
    /// Newest first.
    past: Vec<Past>,
}

impl Run {
    /// Takes the next line; whether the rule could be held to it.
    fn take(&mut self, line: &Line) -> bool {
        let height = line.height;
        if height != self.next {
            *self = Self::default();
        }
        self.next = height + 1;
        let Some(text) = &line.header_hex else {
            let (time, bits) = line.time.zip(line.bits).expect("time and bits");
            self.hash = None;
            self.past.insert(0, Past { time, bits });
            return false;
        };
        let bytes = hex::decode(text).expect("hex");
        let header = Header::parse(&bytes).expect("a header");
        let hash = header.hash();
        rules::proof_of_work(Network::Main, &header, &hash)
            .unwrap_or_else(|broken| panic!("height {height}: {}", broken.words));
        if let Some(parent) = self.hash.replace(hash) {
            assert_eq!(header.prev(), parent, "height {height} links to its parent");
        }
        let held = check(Network::Main, height, &header, &self.past)
            .unwrap_or_else(|broken| panic!("height {height}: {}", broken.words));
        if held {
            self.refuses_other_bits(height, &bytes);
        }
        self.past.insert(0, Past::from(header));
        held
    }

    /// The same header with the next larger and smaller nBits is refused.
    fn refuses_other_bits(&self, height: u64, bytes: &[u8]) {
        /// Where nBits stand in a header, little-endian.
        const BITS: std::ops::Range<usize> = 104..108;
        let bits = Header::parse(bytes).expect("a header").bits();
        for other in [bits + 1, bits - 1] {
            let mut changed = bytes.to_vec();
            changed[BITS].copy_from_slice(&other.to_le_bytes());
            let header = Header::parse(&changed).expect("a header");
            let refused = check(Network::Main, height, &header, &self.past);
            let rule = refused.expect_err("other nBits").rule;
            assert_eq!(rule, rule::DIFFICULTY, "height {height}");
        }
    }
}

#[test]
fn the_difficulty_rule_gives_the_n_bits_of_real_mainnet_headers() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        eprintln!("skipped: {VARIABLE} does not name contiguous mainnet headers");
        return;
    };
    let text = std::fs::read_to_string(&path).expect("the headers can be read");
    let mut run = Run::default();
    let mut held = Vec::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).expect("a line of JSON");
        if run.take(&line) {
            held.push(line.height);
        }
    }
    eprintln!(
        "the rule gives the nBits of {} of {} headers, heights {:?} to {:?}",
        held.len(),
        text.lines().count(),
        held.iter().min(),
        held.iter().max()
    );
    assert!(!held.is_empty(), "28 headers in a row are needed, then one");
}
