//! Transaction ids: SHA-256d up to version 4; for version 5 the digest tree
//! of ZIP 244; for version 6 that of ZIP 229, in which anchors no longer
//! count and a digest of the Ironwood bundle is added.

use std::sync::LazyLock;

use blake2b_simd::{Params, State};

use crate::{
    header::sha256d,
    transaction::{Bundle, Format, Parts},
};

type Digest = [u8; 32];

/// Digests of bundles that are not there.
struct Absent {
    transparent: Digest,
    sapling: Digest,
    orchard: Digest,
    orchard_v6: Digest,
    ironwood: Digest,
    spends: Digest,
    outputs: Digest,
}

static ABSENT: LazyLock<Absent> = LazyLock::new(|| Absent {
    transparent: hash(b"ZTxIdTranspaHash", &[]),
    sapling: hash(b"ZTxIdSaplingHash", &[]),
    orchard: hash(ORCHARD_V5.bundle, &[]),
    orchard_v6: hash(ORCHARD_V6.bundle, &[]),
    ironwood: hash(IRONWOOD.bundle, &[]),
    spends: hash(b"ZTxIdSSpendsHash", &[]),
    outputs: hash(b"ZTxIdSOutputHash", &[]),
});

/// Personalisations of one kind of action bundle.
struct Personal {
    bundle: &'static [u8; 16],
    compact: &'static [u8; 16],
    memos: &'static [u8; 16],
    rest: &'static [u8; 16],
    /// How much of flags, balance and anchor counts.
    tail: usize,
}

const ORCHARD_V5: Personal = Personal {
    bundle: b"ZTxIdOrchardHash",
    compact: b"ZTxIdOrcActCHash",
    memos: b"ZTxIdOrcActMHash",
    rest: b"ZTxIdOrcActNHash",
    tail: 41,
};
/// Version 6 keeps the names of the levels below the bundle.
const ORCHARD_V6: Personal = Personal {
    bundle: b"ZTxIdOrchardH_v6",
    tail: 9,
    ..ORCHARD_V5
};
const IRONWOOD: Personal = Personal {
    bundle: b"ZTxIdIronwd_H_v6",
    compact: b"ZTxIdIrnActCH_v6",
    memos: b"ZTxIdIrnActMH_v6",
    rest: b"ZTxIdIrnActNH_v6",
    tail: 9,
};

fn params(personal: &[u8; 16]) -> Params {
    let mut params = Params::new();
    params.hash_length(32).personal(personal);
    params
}

fn state(personal: &[u8; 16]) -> State {
    params(personal).to_state()
}

fn hash(personal: &[u8; 16], bytes: &[u8]) -> Digest {
    digest(params(personal).hash(bytes))
}

fn digest(hash: blake2b_simd::Hash) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(&hash.as_bytes()[..32]);
    digest
}

fn join(personal: &[u8; 16], digests: &[Digest]) -> Digest {
    hash(personal, digests.as_flattened())
}

/// The id of a transaction, internal byte order.
pub(crate) fn txid(parts: &Parts<'_>) -> Digest {
    if parts.format < Format::V5 {
        return sha256d(parts.raw);
    }
    // Header, version group, branch, lock time and expiry are the first 20
    // bytes of the serialization, in the order the digest wants them.
    let header = hash(b"ZTxIdHeadersHash", &parts.raw[..20]);
    let mut personal = *b"ZcashTxHash_\0\0\0\0";
    personal[12..].copy_from_slice(&parts.raw[8..12]);
    let mut digests = [header, transparent(parts), sapling(parts), [0; 32], [0; 32]];
    if parts.format == Format::V5 {
        digests[3] = actions(&parts.orchard, &ORCHARD_V5, &ABSENT.orchard);
        join(&personal, &digests[..4])
    } else {
        digests[3] = actions(&parts.orchard, &ORCHARD_V6, &ABSENT.orchard_v6);
        digests[4] = actions(&parts.ironwood, &IRONWOOD, &ABSENT.ironwood);
        join(&personal, &digests)
    }
}

fn transparent(parts: &Parts<'_>) -> Digest {
    if parts.inputs.count == 0 && parts.outputs.count == 0 {
        return ABSENT.transparent;
    }
    let mut prevouts = state(b"ZTxIdPrevoutHash");
    let mut sequences = state(b"ZTxIdSequencHash");
    for input in parts.inputs() {
        prevouts.update(input.outpoint);
        sequences.update(input.sequence);
    }
    let outputs = hash(b"ZTxIdOutputsHash", parts.outputs.bytes);
    join(
        b"ZTxIdTranspaHash",
        &[
            digest(prevouts.finalize()),
            digest(sequences.finalize()),
            outputs,
        ],
    )
}

fn sapling(parts: &Parts<'_>) -> Digest {
    if parts.spends.is_empty() && parts.sapling_outputs.is_empty() {
        return ABSENT.sapling;
    }
    let mut bundle = state(b"ZTxIdSaplingHash");
    bundle.update(&sapling_spends(parts));
    bundle.update(&sapling_outputs(parts));
    bundle.update(parts.sapling_balance);
    digest(bundle.finalize())
}

/// A spend is commitment (32), nullifier (32), key (32).
fn sapling_spends(parts: &Parts<'_>) -> Digest {
    if parts.spends.is_empty() {
        return ABSENT.spends;
    }
    let (personal, anchor) = match parts.format {
        Format::V6 => (b"ZTxIdSSpendNH_v6", &[][..]),
        _ => (b"ZTxIdSSpendNHash", parts.sapling_anchor),
    };
    let mut compact = state(b"ZTxIdSSpendCHash");
    let mut rest = state(personal);
    for spend in parts.spends.iter() {
        compact.update(&spend[32..64]);
        rest.update(&spend[..32]);
        rest.update(anchor);
        rest.update(&spend[64..96]);
    }
    join(
        b"ZTxIdSSpendsHash",
        &[digest(compact.finalize()), digest(rest.finalize())],
    )
}

/// An output is value commitment (32), note commitment (32), ephemeral key
/// (32), ciphertext (52 compact, 512 memo, 16 tag), outgoing ciphertext (80).
fn sapling_outputs(parts: &Parts<'_>) -> Digest {
    if parts.sapling_outputs.is_empty() {
        return ABSENT.outputs;
    }
    let mut compact = state(b"ZTxIdSOutC__Hash");
    let mut memos = state(b"ZTxIdSOutM__Hash");
    let mut rest = state(b"ZTxIdSOutN__Hash");
    for output in parts.sapling_outputs.iter() {
        compact.update(&output[32..148]);
        memos.update(&output[148..660]);
        rest.update(&output[..32]);
        rest.update(&output[660..]);
    }
    join(
        b"ZTxIdSOutputHash",
        &[
            digest(compact.finalize()),
            digest(memos.finalize()),
            digest(rest.finalize()),
        ],
    )
}

/// An action is value commitment (32), nullifier (32), key (32), note
/// commitment (32), ephemeral key (32), ciphertext (52 compact, 512 memo, 16
/// tag), outgoing ciphertext (80).
fn actions(bundle: &Bundle<'_>, personal: &Personal, absent: &Digest) -> Digest {
    if bundle.actions.is_empty() {
        return *absent;
    }
    let mut compact = state(personal.compact);
    let mut memos = state(personal.memos);
    let mut rest = state(personal.rest);
    for action in bundle.actions.iter() {
        compact.update(&action[32..64]);
        compact.update(&action[96..212]);
        memos.update(&action[212..724]);
        rest.update(&action[..32]);
        rest.update(&action[64..96]);
        rest.update(&action[724..]);
    }
    let mut whole = state(personal.bundle);
    for part in [compact, memos, rest] {
        whole.update(&digest(part.finalize()));
    }
    whole.update(&bundle.tail[..personal.tail]);
    digest(whole.finalize())
}
