//! Transaction ids, authorizing data commitments and the roots a header
//! carries (ZIP 244, and ZIP 229 for V6). Written on its own: the verifier
//! under test shares no line with it.

use blake2b_simd::{Params, State};
use sha2::{Digest, Sha256};

use super::tx::{Actions, Sapling, Tx, Version};

/// Double SHA-256.
pub(crate) fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

fn personal(name: &[u8; 16]) -> State {
    Params::new().hash_length(32).personal(name).to_state()
}

fn done(state: &State) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(state.finalize().as_bytes());
    digest
}

/// A 12-byte prefix completed by the branch id.
fn branded(prefix: &[u8; 12], branch: u32) -> State {
    let mut name = [0; 16];
    name[..12].copy_from_slice(prefix);
    name[12..].copy_from_slice(&branch.to_le_bytes());
    personal(&name)
}

/// The id of a transaction whose serialization is `raw`, in internal order.
pub(super) fn txid(tx: &Tx, raw: &[u8]) -> [u8; 32] {
    if tx.version < Version::V5 {
        return sha256d(raw);
    }
    let mut id = branded(b"ZcashTxHash_", tx.branch);
    id.update(&header(tx))
        .update(&transparent(tx))
        .update(&sapling(&tx.sapling, tx.version))
        .update(&actions(&tx.orchard, names(Kind::Orchard, tx.version)));
    if tx.version == Version::V6 {
        id.update(&actions(&tx.ironwood, names(Kind::Ironwood, tx.version)));
    }
    done(&id)
}

fn header(tx: &Tx) -> [u8; 32] {
    let mut hash = personal(b"ZTxIdHeadersHash");
    hash.update(&tx.version.header().to_le_bytes())
        .update(&tx.version.group().unwrap_or_default().to_le_bytes())
        .update(&tx.branch.to_le_bytes())
        .update(&tx.lock_time.to_le_bytes())
        .update(&tx.expiry.to_le_bytes());
    done(&hash)
}

fn transparent(tx: &Tx) -> [u8; 32] {
    let mut hash = personal(b"ZTxIdTranspaHash");
    if tx.vin.is_empty() && tx.vout.is_empty() {
        return done(&hash);
    }
    let mut prevouts = personal(b"ZTxIdPrevoutHash");
    let mut sequence = personal(b"ZTxIdSequencHash");
    let mut outputs = personal(b"ZTxIdOutputsHash");
    for input in &tx.vin {
        prevouts.update(&input.prevout());
        sequence.update(&input.sequence.to_le_bytes());
    }
    let mut bytes = Vec::new();
    tx.vout.iter().for_each(|output| output.write(&mut bytes));
    outputs.update(&bytes);
    hash.update(&done(&prevouts))
        .update(&done(&sequence))
        .update(&done(&outputs));
    done(&hash)
}

fn sapling(part: &Sapling, version: Version) -> [u8; 32] {
    let mut hash = personal(b"ZTxIdSaplingHash");
    if part.is_absent() {
        return done(&hash);
    }
    let mut spends = personal(b"ZTxIdSSpendsHash");
    if !part.spends.is_empty() {
        let v6 = version == Version::V6;
        let mut nullifiers = personal(b"ZTxIdSSpendCHash");
        let mut rest = personal(if v6 {
            b"ZTxIdSSpendNH_v6"
        } else {
            b"ZTxIdSSpendNHash"
        });
        for spend in &part.spends {
            nullifiers.update(&spend.nf);
            rest.update(&spend.cv);
            if !v6 {
                rest.update(&part.anchor);
            }
            rest.update(&spend.rk);
        }
        spends.update(&done(&nullifiers)).update(&done(&rest));
    }
    let mut outputs = personal(b"ZTxIdSOutputHash");
    if !part.outputs.is_empty() {
        let mut compact = personal(b"ZTxIdSOutC__Hash");
        let mut memos = personal(b"ZTxIdSOutM__Hash");
        let mut rest = personal(b"ZTxIdSOutN__Hash");
        for output in &part.outputs {
            let sealed = &output.sealed;
            compact.update(&output.cmu);
            compact.update(&sealed.epk).update(&sealed.enc[..52]);
            memos.update(&sealed.enc[52..564]);
            rest.update(&output.cv);
            rest.update(&sealed.enc[564..]).update(&sealed.out);
        }
        outputs
            .update(&done(&compact))
            .update(&done(&memos))
            .update(&done(&rest));
    }
    hash.update(&done(&spends))
        .update(&done(&outputs))
        .update(&part.value_balance.to_le_bytes());
    done(&hash)
}

/// Which of a transaction's two action bundles.
#[derive(Clone, Copy)]
enum Kind {
    Orchard,
    Ironwood,
}

/// The personalizations of one action bundle's digests.
struct Names {
    bundle: &'static [u8; 16],
    compact: &'static [u8; 16],
    memos: &'static [u8; 16],
    rest: &'static [u8; 16],
    auth: &'static [u8; 16],
    /// Whether the id commits to the anchor; else the authorizing data does.
    anchor_in_id: bool,
}

fn names(kind: Kind, version: Version) -> Names {
    let v6 = version == Version::V6;
    match kind {
        Kind::Orchard => Names {
            bundle: if v6 {
                b"ZTxIdOrchardH_v6"
            } else {
                b"ZTxIdOrchardHash"
            },
            compact: b"ZTxIdOrcActCHash",
            memos: b"ZTxIdOrcActMHash",
            rest: b"ZTxIdOrcActNHash",
            auth: if v6 {
                b"ZTxAuthOrchaH_v6"
            } else {
                b"ZTxAuthOrchaHash"
            },
            anchor_in_id: !v6,
        },
        Kind::Ironwood => Names {
            bundle: b"ZTxIdIronwd_H_v6",
            compact: b"ZTxIdIrnActCH_v6",
            memos: b"ZTxIdIrnActMH_v6",
            rest: b"ZTxIdIrnActNH_v6",
            auth: b"ZTxAuthIrnwdH_v6",
            anchor_in_id: false,
        },
    }
}

fn actions(part: &Actions, names: Names) -> [u8; 32] {
    let mut hash = personal(names.bundle);
    if part.actions.is_empty() {
        return done(&hash);
    }
    let mut compact = personal(names.compact);
    let mut memos = personal(names.memos);
    let mut rest = personal(names.rest);
    for action in &part.actions {
        let sealed = &action.sealed;
        compact.update(&action.nf).update(&action.cmx);
        compact.update(&sealed.epk).update(&sealed.enc[..52]);
        memos.update(&sealed.enc[52..564]);
        rest.update(&action.cv).update(&action.rk);
        rest.update(&sealed.enc[564..]).update(&sealed.out);
    }
    hash.update(&done(&compact))
        .update(&done(&memos))
        .update(&done(&rest))
        .update(&[part.flags])
        .update(&part.value_balance.to_le_bytes());
    if names.anchor_in_id {
        hash.update(&part.anchor);
    }
    done(&hash)
}

/// The commitment to a transaction's signatures and proofs; all ones before
/// V5, as ZIP 244 has it.
pub(super) fn auth(tx: &Tx) -> [u8; 32] {
    if tx.version < Version::V5 {
        return [0xff; 32];
    }
    let mut hash = branded(b"ZTxAuthHash_", tx.branch);
    let mut scripts = personal(b"ZTxAuthTransHash");
    for input in &tx.vin {
        let mut bytes = Vec::with_capacity(input.script.len() + 3);
        super::tx::compact(&mut bytes, input.script.len());
        bytes.extend_from_slice(&input.script);
        scripts.update(&bytes);
    }
    hash.update(&done(&scripts))
        .update(&auth_sapling(&tx.sapling, tx.version))
        .update(&auth_actions(&tx.orchard, names(Kind::Orchard, tx.version)));
    if tx.version == Version::V6 {
        hash.update(&auth_actions(
            &tx.ironwood,
            names(Kind::Ironwood, tx.version),
        ));
    }
    done(&hash)
}

fn auth_sapling(part: &Sapling, version: Version) -> [u8; 32] {
    let v6 = version == Version::V6;
    let mut hash = personal(if v6 {
        b"ZTxAuthSapliH_v6"
    } else {
        b"ZTxAuthSapliHash"
    });
    if part.is_absent() {
        return done(&hash);
    }
    for spend in &part.spends {
        hash.update(&spend.proof);
    }
    for spend in &part.spends {
        hash.update(&spend.sig.0);
    }
    for output in &part.outputs {
        hash.update(&output.proof);
    }
    hash.update(&part.binding.0);
    if v6 && !part.spends.is_empty() {
        hash.update(&part.anchor);
    }
    done(&hash)
}

fn auth_actions(part: &Actions, names: Names) -> [u8; 32] {
    let mut hash = personal(names.auth);
    if part.actions.is_empty() {
        return done(&hash);
    }
    hash.update(&part.proof);
    for action in &part.actions {
        hash.update(&action.sig.0);
    }
    hash.update(&part.binding.0);
    if !names.anchor_in_id {
        hash.update(&part.anchor);
    }
    done(&hash)
}

/// Bitcoin's Merkle root: the last node of an odd row is paired with itself.
pub(super) fn merkle_root(txids: &[[u8; 32]]) -> [u8; 32] {
    let mut row = txids.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| sha256d(&[pair[0], pair[pair.len() - 1]].concat()))
            .collect();
    }
    row.first().copied().unwrap_or_default()
}

/// The root over the authorizing data commitments, the row padded with zeros
/// to a power of two.
pub(super) fn auth_root(mut row: Vec<[u8; 32]>) -> [u8; 32] {
    row.resize(row.len().next_power_of_two(), [0; 32]);
    while row.len() > 1 {
        let join = |pair: &[[u8; 32]]| {
            done(
                personal(b"ZcashAuthDatHash")
                    .update(&pair[0])
                    .update(&pair[1]),
            )
        };
        row = row.chunks(2).map(join).collect();
    }
    row.first().copied().unwrap_or_default()
}

/// The header's block commitment from NU5 on.
pub(super) fn block_commitment(history: &[u8; 32], auth_root: &[u8; 32]) -> [u8; 32] {
    let mut hash = personal(b"ZcashBlockCommit");
    hash.update(history).update(auth_root).update(&[0; 32]);
    done(&hash)
}

/// A 32-byte value that stands for `parts` and nothing else: seeds, filler.
pub(super) fn derive(name: &[u8; 16], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = personal(name);
    for part in parts {
        hash.update(part);
    }
    done(&hash)
}
