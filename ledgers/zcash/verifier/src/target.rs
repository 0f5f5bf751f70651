//! 256-bit targets, their compact form `nBits`, and the work they stand for
//! (protocol specification, "nBits conversion" and "definition of work").

use std::cmp::Ordering;

/// A 256-bit number a block hash must not exceed. Four 64-bit limbs, the
/// least significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target([u64; 4]);

/// The sign bit of the compact form's mantissa.
const SIGN: u32 = 0x0080_0000;

impl Target {
    pub(crate) const ZERO: Self = Self([0; 4]);

    /// 2^`bits` − 1, for `bits` below 256.
    pub(crate) fn ones(bits: u32) -> Self {
        let mut limbs = [0; 4];
        for (index, limb) in (0u32..).zip(limbs.iter_mut()) {
            *limb = match bits.saturating_sub(index * 64) {
                0 => 0,
                64.. => u64::MAX,
                some => (1 << some) - 1,
            };
        }
        Self(limbs)
    }

    /// From 32 bytes, least significant first, as a block hash is written.
    pub(crate) fn from_le_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Self(limbs)
    }

    pub(crate) fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    /// `ToTarget(nBits)`: a 23-bit mantissa at a byte position. `None` for
    /// the forms consensus rejects: negative, zero, or with a non-zero byte
    /// beyond 256 bits. Bytes below zero fall away.
    pub(crate) fn from_compact(bits: u32) -> Option<Self> {
        if bits & SIGN != 0 {
            return None;
        }
        let size = (bits >> 24) as usize;
        let mut bytes = [0u8; 32];
        for (place, byte) in bits.to_le_bytes()[..3].iter().enumerate() {
            // The mantissa's bytes lie at size − 3, size − 2 and size − 1.
            match (size + place).checked_sub(3) {
                Some(at) if at < 32 => bytes[at] = *byte,
                Some(_) if *byte != 0 => return None,
                _ => {}
            }
        }
        let target = Self::from_le_bytes(&bytes);
        (target != Self::ZERO).then_some(target)
    }

    /// `ToCompact`: rounds down to the three most significant bytes.
    pub(crate) fn to_compact(self) -> u32 {
        let bytes = self.to_le_bytes();
        let mut size = 32 - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let byte = |at: Option<usize>| at.map_or(0, |at| u32::from(bytes[at]));
        let mut mantissa = byte(size.checked_sub(1)) << 16
            | byte(size.checked_sub(2)) << 8
            | byte(size.checked_sub(3));
        if mantissa & SIGN != 0 {
            mantissa >>= 8;
            size += 1;
        }
        (size as u32) << 24 | mantissa
    }

    /// The mean of at most 2^32 targets, rounded down; exact, as the sum has
    /// 64 more bits than a target.
    pub(crate) fn mean(targets: impl Iterator<Item = Self>) -> Option<Self> {
        let mut sum = [0u64; 5];
        let mut count = 0u64;
        for target in targets {
            let mut carry = false;
            for (limb, more) in sum.iter_mut().zip(target.0.into_iter().chain([0])) {
                let (once, first) = limb.overflowing_add(more);
                let (twice, second) = once.overflowing_add(u64::from(carry));
                (*limb, carry) = (twice, first | second);
            }
            count += 1;
        }
        let [a, b, c, d, _] = divide(sum, count)?;
        Some(Self([a, b, c, d]))
    }

    /// Rounded down; `None` for a division by zero.
    pub(crate) fn divided_by(self, divisor: u64) -> Option<Self> {
        divide(self.0, divisor).map(Self)
    }

    /// Stays at the largest number when the product does not fit.
    pub(crate) fn times(self, factor: u64) -> Self {
        let mut limbs = [0; 4];
        let mut carry = 0u128;
        for (limb, own) in limbs.iter_mut().zip(self.0) {
            let wide = u128::from(own) * u128::from(factor) + carry;
            *limb = wide as u64;
            carry = wide >> 64;
        }
        if carry == 0 {
            Self(limbs)
        } else {
            Self([u64::MAX; 4])
        }
    }

    /// The work of a block with this target: floor(2^256 / (target + 1)),
    /// capped at what 128 bits hold, which no real block comes near.
    pub(crate) fn work(self) -> u128 {
        // 2^256 / (t + 1) = (2^256 − 1 − t) / (t + 1) + 1, and the dividend
        // is the complement of t.
        let Some(divisor) = self.plus_one() else {
            return 1;
        };
        let mut rest = Self::ZERO;
        let mut quotient = Self::ZERO;
        for bit in (0..256).rev() {
            // `rest` stays below the divisor, which has a zero top bit unless
            // the quotient is 0 or 1; the bit shifted out is kept for those.
            let overflow = rest.0[3] >> 63 != 0;
            rest = rest.doubled((!self.0[bit / 64] >> (bit % 64)) & 1);
            if overflow || rest >= divisor {
                rest = rest.minus(divisor);
                quotient.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        let [low, high, beyond, far] = quotient.0;
        if beyond != 0 || far != 0 {
            return u128::MAX;
        }
        (u128::from(high) << 64 | u128::from(low)).saturating_add(1)
    }

    fn plus_one(self) -> Option<Self> {
        let mut limbs = self.0;
        for limb in &mut limbs {
            let (sum, carried) = limb.overflowing_add(1);
            *limb = sum;
            if !carried {
                return Some(Self(limbs));
            }
        }
        None
    }

    fn doubled(self, low_bit: u64) -> Self {
        let mut limbs = self.0;
        let mut carry = low_bit;
        for limb in &mut limbs {
            let out = *limb >> 63;
            *limb = *limb << 1 | carry;
            carry = out;
        }
        Self(limbs)
    }

    /// Wraps around, as the long division above needs.
    fn minus(self, other: Self) -> Self {
        let mut limbs = self.0;
        let mut borrow = false;
        for (limb, less) in limbs.iter_mut().zip(other.0) {
            let (once, first) = limb.overflowing_sub(less);
            let (twice, second) = once.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (twice, first | second);
        }
        Self(limbs)
    }
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn divide<const N: usize>(limbs: [u64; N], divisor: u64) -> Option<[u64; N]> {
    let mut quotient = [0; N];
    let mut rest = 0u128;
    for (digit, limb) in quotient.iter_mut().zip(limbs).rev() {
        let wide = rest << 64 | u128::from(limb);
        *digit = wide.checked_div(u128::from(divisor))? as u64;
        rest = wide % u128::from(divisor);
    }
    Some(quotient)
}

#[cfg(test)]
mod tests {
    use zebra_chain::{
        serialization::BytesInDisplayOrder,
        work::difficulty::{CompactDifficulty, ExpandedDifficulty, U256, Work},
    };

    use super::*;

    fn oracle(bits: u32) -> Option<ExpandedDifficulty> {
        let bytes = bits.to_be_bytes();
        CompactDifficulty::from_bytes_in_display_order(&bytes)
            .ok()?
            .to_expanded()
    }

    fn agrees(bits: u32) {
        let ours = Target::from_compact(bits);
        let theirs = oracle(bits);
        assert_eq!(
            ours.map(Target::to_le_bytes),
            theirs
                .map(|target| target.bytes_in_serialized_order())
                .map(|mut bytes| {
                    bytes.reverse();
                    bytes
                }),
            "nBits {bits:#010x}"
        );
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let compact = theirs.to_compact().bytes_in_display_order();
            assert_eq!(ours.to_compact(), u32::from_be_bytes(compact));
            let work = Work::try_from(theirs).map_or(u128::MAX, Work::as_u128);
            assert_eq!(ours.work(), work, "work of {bits:#010x}");
        }
    }

    #[test]
    fn every_form_of_nbits_reads_as_zebra_reads_it() {
        for size in 0..=255u32 {
            for mantissa in [
                0, 1, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7f_ffff,
            ] {
                agrees(size << 24 | mantissa);
                agrees(size << 24 | mantissa | SIGN);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_nbits_reads_as_zebra_reads_it(bits: u32, size in 0u32..36) {
            agrees(bits);
            agrees(size << 24 | (bits & 0x7f_ffff));
        }

        #[test]
        fn arithmetic_agrees_with_another_big_integer(
            numbers in proptest::collection::vec(proptest::array::uniform32(0u8..), 1..113),
            factor in 1u64..5_000,
        ) {
            let targets = numbers.iter().map(Target::from_le_bytes);
            // Means are taken of targets below 2^251, so the oracle's sum of
            // 32 of them cannot overflow.
            let small: Vec<_> = targets.take(31).map(|t| t.divided_by(32)).collect();
            let small: Vec<_> = small.into_iter().flatten().collect();
            let wide = |t: &Target| U256::from_little_endian(&t.to_le_bytes());
            let sum = small.iter().fold(U256::zero(), |sum, t| sum + wide(t));
            let mean = Target::mean(small.iter().copied()).expect("there is at least one");
            proptest::prop_assert_eq!(wide(&mean), sum / U256::from(small.len()));
            let half = small[0].divided_by(1 << 20).expect("not zero");
            proptest::prop_assert_eq!(wide(&half), wide(&small[0]) / U256::from(1 << 20));
            proptest::prop_assert_eq!(wide(&half.times(factor)), wide(&half) * U256::from(factor));
        }
    }

    #[test]
    fn the_mean_of_many_large_targets_does_not_overflow() {
        let limit = Target::ones(251);
        assert_eq!(Target::mean(std::iter::repeat_n(limit, 102)), Some(limit));
        assert_eq!(Target::mean(std::iter::empty()), None);
        assert_eq!(Target([u64::MAX; 4]).times(2), Target([u64::MAX; 4]));
    }
}
