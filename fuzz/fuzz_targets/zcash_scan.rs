//! Any bytes through the Zcash scanner and the checks behind it.

#![no_main]

use bytes::Bytes;
use heliostat_core::{Reject, Verifier as _};
use heliostat_zcash_proto::CompactBlock;
use heliostat_zcash_verifier::{Header, Network, RawBlock, ZcashVerifier, convict, scan};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|bytes: &[u8]| {
    let height = match scan(bytes) {
        Ok(scanned) => {
            // Both compact forms are what a protobuf library writes.
            let full = CompactBlock::decode(&scanned.full[..]).expect("a CompactBlock");
            assert_eq!(full.encode_to_vec(), scanned.full);
            assert_eq!(full.vtx.len(), scanned.txids.len());
            let shielded = CompactBlock::decode(&scanned.shielded[..]).expect("a CompactBlock");
            assert_eq!(shielded.encode_to_vec(), scanned.shielded);
            let header = Header::at_front_of(bytes).expect("it scanned");
            assert_eq!(header.hash(), scanned.hash);
            scanned.height
        }
        Err(_) => 0,
    };
    // Whatever is called a lie has to convict on its own exhibits.
    for network in [Network::Main, Network::Regtest] {
        let block = RawBlock {
            bytes: Bytes::copy_from_slice(bytes),
            described: None,
        };
        if let Err(Reject::Wrong(evidence)) = ZcashVerifier::new(network).check(height, block) {
            assert_eq!(convict(&evidence), Ok(()));
        }
    }
});
