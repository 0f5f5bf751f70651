//! Chunks as written and read back.

use std::ops::Range;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::replica::defaults::CHUNK_BYTES;

fn record(n: u8, cap: Assurance) -> Record {
    Record {
        id: Id([n; 32]),
        time: u64::from(n) << 33,
        sizes: [n.into(), 2, u32::MAX],
        work: u128::MAX - u128::from(n),
        full_crc: 7,
        shielded_crc: 8,
        cap,
        bare: n == 3,
    }
}

fn build(sizes: &[usize]) -> Vec<Built> {
    let mut builder = Builder::new(100, Id([0xee; 32]));
    for (n, size) in sizes.iter().enumerate() {
        let cap = Assurance::agreed(3, 3 + n);
        let message = vec![n as u8; *size];
        builder.push(&record(n as u8, cap), &message, &message[size / 2..]);
    }
    builder.finish()
}

#[test]
fn what_is_built_reads_back() {
    let built = build(&[10, 0, 300, 1]);
    assert_eq!(built.len(), 1);
    let chunk = &built[0];
    let row = chunk.info.encode();
    let info = ChunkInfo::decode(&key(100), &row).expect("written a moment ago");
    assert_eq!(info, chunk.info);
    assert_eq!(info.last.height, 103);
    assert_eq!(info.last.parent, Id([2; 32]));
    assert_eq!(info.cap, Assurance::agreed(3, 6));
    assert!(info.bare);

    let records = Records::decode(chunk.records.clone()).expect("written a moment ago");
    assert_eq!(records.count(), 4);
    assert_eq!(records.get(2), Some(record(2, Assurance::agreed(3, 5))));
    assert_eq!(records.get(4), None);
    assert_eq!(records.parent(0), Some(Id([0xee; 32])));

    let frames = Frames::decode(chunk.full.clone()).expect("written a moment ago");
    assert_eq!(frames.frame(1), [0; 5]);
    assert_eq!(frames.frame(3), [0, 0, 0, 0, 1, 3]);
    assert_eq!(frames.slice(0..4).len(), 4 * 5 + 311);
    assert!(frames.slice(2..2).is_empty());
}

#[test]
fn chunks_are_cut_when_they_are_full() {
    let size = CHUNK_BYTES as usize / 4;
    let built = build(&[size; 9]);
    let counts: Vec<_> = built.iter().map(|chunk| chunk.info.count).collect();
    assert_eq!(counts, [4, 4, 1]);
    let firsts: Vec<_> = built.iter().map(|chunk| chunk.info.first).collect();
    assert_eq!(firsts, [100, 104, 108]);
    let records = Records::decode(built[1].records.clone()).expect("written a moment ago");
    assert_eq!(records.parent(0), Some(Id([3; 32])));
}

proptest! {
    #[test]
    fn pieces_fit_and_are_as_large_as_they_can_be(
        sizes in vec(0usize..50, 1..40),
        most in 1usize..400,
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let built = build(&sizes);
        let frames = Frames::decode(built[0].full.clone()).expect("written a moment ago");
        let (a, b) = (cut.0.index(sizes.len()), cut.1.index(sizes.len()));
        let blocks = a.min(b)..a.max(b) + 1;
        let length = |range: Range<usize>| frames.slice(range).len();
        let n = frames.fitting(blocks.clone(), most);
        prop_assert!(n == 1 || length(blocks.start..blocks.start + n) <= most);
        prop_assert!(n == blocks.len() || length(blocks.start..blocks.start + n + 1) > most);
        let n = frames.fitting_back(blocks.clone(), most);
        prop_assert!(n == 1 || length(blocks.end - n..blocks.end) <= most);
        prop_assert!(n == blocks.len() || length(blocks.end - n - 1..blocks.end) > most);
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_blob_is_noticed(at: prop::sample::Index, bit in 0u8..8) {
        let built = build(&[10, 20, 30]);
        let page = ProofPage {
            first: 5,
            proofs: vec![Proof {
                id: Id([1; 32]),
                header: Bytes::from_static(b"header"),
                txids: Bytes::from_static(&[9; 64]),
            }],
        };
        let flip = |blob: &Bytes| {
            let mut blob = blob.to_vec();
            let at = at.index(blob.len());
            blob[at] ^= 1 << bit;
            Bytes::from(blob)
        };
        prop_assert!(Frames::decode(flip(&built[0].full)).is_err());
        prop_assert!(Frames::decode(flip(&built[0].shielded)).is_err());
        prop_assert!(Records::decode(flip(&built[0].records)).is_err());
        prop_assert!(ProofPage::decode(flip(&page.encode())).is_err());
    }

    #[test]
    fn rubbish_rows_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        // With a right checksum in front, so that the layout is read.
        let mut blob = crc32fast::hash(&bytes).to_le_bytes().to_vec();
        blob.extend_from_slice(&bytes);
        let blob = Bytes::from(blob);
        let _ = Frames::decode(blob.clone());
        let _ = Records::decode(blob.clone());
        let _ = ProofPage::decode(blob);
        let _ = ChunkInfo::decode(&bytes[..bytes.len().min(8)], &bytes);
    }
}
