//! Keys and signatures: real goldens, RFC vectors, keys made here, and what
//! must be refused.

use ed25519_dalek::Signer;
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::keys::{WeightedKey, verify_aggregate};
use heliostat_tezos_verifier::{KeyKind, PublicKey, PublicKeyHash, Signature, SignatureError};
use k256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;

mod common;

use common::signing::Secret;

const MESSAGE: &[u8] = b"\x03any watermark and any bytes";

#[test]
fn addresses_are_the_hashes_of_their_keys() {
    // Octez's sandbox accounts bootstrap1 and bootstrap2.
    for (key, address) in [
        (
            "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav",
            "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
        ),
        (
            "edpktzNbDAUjUk697W7gYg2CRuBQjyPxbEg8dLccYYwKSKvkPvjtV9",
            "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
        ),
    ] {
        let parsed: PublicKey = key.parse().expect("a key");
        assert_eq!(parsed.to_string(), key);
        assert_eq!(parsed.hash().to_string(), address);
        let hash: PublicKeyHash = address.parse().expect("an address");
        assert_eq!(hash, parsed.hash());
        assert_eq!(PublicKeyHash::decode(&hash.encode()), Ok(hash));
        assert_eq!(PublicKey::decode(&parsed.encode()), Ok(parsed));
    }
}

#[test]
fn an_address_has_the_bytes_of_octezs_vectors() {
    for (kind, hash, address) in [
        (
            KeyKind::Ed25519,
            "811d97c377168a8bb2111c1651d23d9116b92f4c",
            "tz1XQjK1b3P72kMcHsoPhnAg3dvX1n8Ainty",
        ),
        (
            KeyKind::Secp256k1,
            "a8a3da850741d1cf7eb53a3514c0bf3df62b3378",
            "tz2PgvUJzfmDXTZUvkyKbQb8kjoWR4Wa5Rpv",
        ),
    ] {
        let bytes: [u8; 20] = hex::decode(hash)
            .expect("hex")
            .try_into()
            .expect("20 bytes");
        assert_eq!(PublicKeyHash::new(kind, bytes).to_string(), address);
    }
}

#[test]
fn every_kind_verifies_its_own_signature_and_no_other() {
    let secrets: Vec<Secret> = KeyKind::verified()
        .iter()
        .map(|kind| Secret::new(*kind, 7))
        .collect();
    for secret in &secrets {
        let key = secret.public();
        let signature = secret.sign(MESSAGE);
        assert_eq!(key.verify(MESSAGE, &signature), Ok(()), "{key}");
        assert!(
            key.verify(b"\x03another message", &signature).is_err(),
            "{key}"
        );
        for other in &secrets {
            if other.public() != key {
                assert!(other.public().verify(MESSAGE, &signature).is_err());
            }
        }
        let stranger = Secret::new(key.kind(), 8).public();
        assert_eq!(
            stranger.verify(MESSAGE, &signature),
            Err(SignatureError::Wrong(stranger.clone()))
        );
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    for kind in KeyKind::verified() {
        let secret = Secret::new(*kind, 3);
        let good = secret.sign(MESSAGE);
        for at in (0..good.len() * 8).step_by(if *kind == KeyKind::Bls { 37 } else { 5 }) {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            let bad = Signature::from_bytes(&bytes).expect("a signature's length");
            assert!(
                secret.public().verify(MESSAGE, &bad).is_err(),
                "{kind:?}, bit {at}"
            );
        }
    }
}

#[test]
fn the_first_vector_of_rfc_8032_shows_that_messages_are_hashed_first() {
    // RFC 8032, 7.1, test 1: Tezos signs BLAKE2b of a message, so the plain
    // signature of the empty message is not one of Tezos'.
    let secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let plain = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let bytes = |text| hex::decode::<&str>(text).expect("hex");
    let seed: [u8; 32] = bytes(secret).try_into().expect("32 bytes");
    let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
    assert_eq!(hex::encode(signer.sign(b"").to_bytes()), plain);
    let key = PublicKey::new(KeyKind::Ed25519, &bytes(public)).expect("a key");
    let plain = Signature::from_bytes(&bytes(plain)).expect("a signature");
    assert_eq!(
        key.verify(b"", &plain),
        Err(SignatureError::Wrong(key.clone()))
    );
    let hashed = signer.sign(&blake2b(&[b""])).to_bytes();
    let hashed = Signature::from_bytes(&hashed).expect("a signature");
    assert_eq!(key.verify(b"", &hashed), Ok(()));
}

#[test]
fn secp256k1_takes_low_s_only_and_p256_both() {
    let digest = blake2b(&[MESSAGE]);
    let scalar = [5; 32];
    let signer = k256::ecdsa::SigningKey::from_slice(&scalar).expect("a scalar");
    let low: k256::ecdsa::Signature = signer.sign_prehash(&digest).expect("a signature");
    let low = low.normalize_s();
    let high = k256::ecdsa::Signature::from_scalars(low.r(), -low.s()).expect("scalars");
    let point = signer.verifying_key().to_sec1_point(true);
    let key = PublicKey::new(KeyKind::Secp256k1, point.as_bytes()).expect("a key");
    let signature = |bytes: &[u8]| Signature::from_bytes(bytes).expect("a signature's length");
    assert_eq!(key.verify(MESSAGE, &signature(&low.to_bytes())), Ok(()));
    assert!(key.verify(MESSAGE, &signature(&high.to_bytes())).is_err());

    let signer = p256::ecdsa::SigningKey::from_slice(&scalar).expect("a scalar");
    let one: p256::ecdsa::Signature = signer.sign_prehash(&digest).expect("a signature");
    let other = p256::ecdsa::Signature::from_scalars(one.r(), -one.s()).expect("scalars");
    let point = signer.verifying_key().to_sec1_point(true);
    let key = PublicKey::new(KeyKind::P256, point.as_bytes()).expect("a key");
    assert_eq!(key.verify(MESSAGE, &signature(&one.to_bytes())), Ok(()));
    assert_eq!(key.verify(MESSAGE, &signature(&other.to_bytes())), Ok(()));
}

#[test]
fn keys_off_their_curve_or_group_are_refused() {
    let zero = Signature::from_bytes(&[0; 64]).expect("a signature's length");
    let long = Secret::new(KeyKind::Bls, 1).sign(MESSAGE);
    // y = p, which stands for 0: not canonical.
    let mut edwards = [0xff; 32];
    (edwards[0], edwards[31]) = (0xed, 0x7f);
    let off = |first: u8, fill: u8, len: usize| [vec![first], vec![fill; len - 1]].concat();
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    // On the curve but outside of the group: the smallest x with a point.
    let mut outside = [0; 48];
    (outside[0], outside[47]) = (0x80, 4);
    for (kind, bytes, signature) in [
        (KeyKind::Ed25519, edwards.to_vec(), &zero),
        (KeyKind::Secp256k1, off(0x02, 0xff, 33), &zero),
        (KeyKind::Secp256k1, off(0x05, 0x01, 33), &zero),
        (KeyKind::P256, off(0x03, 0xff, 33), &zero),
        (KeyKind::Bls, infinity.to_vec(), &long),
        (KeyKind::Bls, outside.to_vec(), &long),
        (KeyKind::Bls, off(0x9f, 0xff, 48), &long),
        (KeyKind::Bls, off(0x00, 0x01, 48), &long),
    ] {
        let key = PublicKey::new(kind, &bytes).expect("the kind's length");
        assert_eq!(
            key.verify(MESSAGE, signature),
            Err(SignatureError::Key(key.clone()))
        );
    }
}

#[test]
fn signatures_outside_of_their_group_are_refused() {
    let key = Secret::new(KeyKind::Bls, 1).public();
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    let mut uncompressed = [0; 96];
    uncompressed[95] = 2;
    for bytes in [infinity, uncompressed, [0xff; 96]] {
        let signature = Signature::from_bytes(&bytes).expect("a signature's length");
        assert!(key.verify(MESSAGE, &signature).is_err());
    }
    let short = Signature::from_bytes(&[1; 64]).expect("a signature's length");
    assert_eq!(
        key.verify(MESSAGE, &short),
        Err(SignatureError::Malformed(key.clone()))
    );
}

#[test]
fn an_aggregate_needs_every_key_once() {
    let secrets: Vec<Secret> = (1..5).map(|n| Secret::new(KeyKind::Bls, n)).collect();
    let keys: Vec<WeightedKey> = secrets
        .iter()
        .map(|secret| WeightedKey {
            key: secret.public(),
            weight: None,
        })
        .collect();
    let signature = common::signing::aggregate(secrets.iter().map(|secret| secret.sign(MESSAGE)));
    assert_eq!(verify_aggregate(&keys, MESSAGE, &signature), Ok(()));
    assert!(verify_aggregate(&keys, b"another", &signature).is_err());
    assert!(verify_aggregate(&keys[1..], MESSAGE, &signature).is_err());
    let twice = [keys.clone(), keys[..1].to_vec()].concat();
    assert!(verify_aggregate(&twice, MESSAGE, &signature).is_err());
    assert_eq!(
        verify_aggregate(&[], MESSAGE, &signature),
        Err(SignatureError::NoSigner)
    );
    // A weight of one is no weight, another one changes what must be signed.
    let mut one = [0; 32];
    one[0] = 1;
    let mut weighted = keys.clone();
    weighted[2].weight = Some(one);
    assert_eq!(verify_aggregate(&weighted, MESSAGE, &signature), Ok(()));
    weighted[2].weight = Some([9; 32]);
    assert!(verify_aggregate(&weighted, MESSAGE, &signature).is_err());
    let heavy = common::signing::weighted(&secrets[2].sign(MESSAGE), &[9; 32]);
    let rest = [0, 1, 3].map(|at: usize| secrets[at].sign(MESSAGE));
    let heavy = common::signing::aggregate([heavy].into_iter().chain(rest));
    assert_eq!(verify_aggregate(&weighted, MESSAGE, &heavy), Ok(()));
}

#[test]
fn keys_of_tomorrow_are_read_but_not_verified() {
    let key = PublicKey::new(KeyKind::MlDsa44, &[7; 1_312]).expect("a key");
    assert_eq!(PublicKey::decode(&key.encode()), Ok(key.clone()));
    assert!(key.hash().to_string().starts_with("tz5"));
    let signature = Signature::from_bytes(&[7; 2_420]).expect("a signature");
    let verdict = key.verify(MESSAGE, &signature);
    assert_eq!(verdict, Err(SignatureError::Unsupported(key.hash())));
}

#[test]
fn texts_name_their_kind() {
    let classic = Signature::from_bytes(&[1; 64]).expect("a signature");
    assert!(classic.to_string().starts_with("sig"));
    assert_eq!(classic.to_string().parse::<Signature>().ok(), Some(classic));
    let bls = Secret::new(KeyKind::Bls, 1).sign(MESSAGE);
    assert!(bls.to_string().starts_with("BLsig"));
    assert_eq!(bls.to_string().parse::<Signature>().ok(), Some(bls));
    assert!("sig".parse::<Signature>().is_err());
    assert!(
        "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"
            .parse::<PublicKey>()
            .is_err()
    );
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        tag in 0_u8..8,
        key in prop::collection::vec(any::<u8>(), 0..60),
        signature in prop::collection::vec(any::<u8>(), 96),
        long in any::<bool>(),
    ) {
        let bytes = [vec![tag], key].concat();
        let signature = &signature[..if long { 96 } else { 64 }];
        let signature = Signature::from_bytes(signature).expect("a signature's length");
        if let Ok(key) = PublicKey::decode(&bytes) {
            prop_assert!(key.verify(MESSAGE, &signature).is_err());
        }
        for kind in KeyKind::verified() {
            let resized: Vec<u8> = bytes.iter().copied().cycle().take(kind.key_len()).collect();
            let key = PublicKey::new(*kind, &resized).expect("the kind's length");
            prop_assert!(key.verify(MESSAGE, &signature).is_err());
        }
    }
}
