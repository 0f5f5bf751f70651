//! Transactions as the generator builds them, and their serialization
//! (protocol specification § 7.1, ZIP 225, ZIP 229).

/// The layouts the generator writes, each the newest one of its upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// Sprout, transparent parts only here.
    V1,
    /// Overwinter.
    V3,
    /// Sapling.
    V4,
    /// NU5: Sapling and Orchard.
    V5,
    /// NU6.3: Sapling, Orchard and Ironwood.
    V6,
}

impl Version {
    /// The version field, with the overwintered bit where it is set.
    pub(super) fn header(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V3 => 0x8000_0003,
            Self::V4 => 0x8000_0004,
            Self::V5 => 0x8000_0005,
            Self::V6 => 0x8000_0006,
        }
    }

    /// The version group id; V1 has none.
    pub(super) fn group(self) -> Option<u32> {
        match self {
            Self::V1 => None,
            Self::V3 => Some(0x03C4_8270),
            Self::V4 => Some(0x892F_2085),
            Self::V5 => Some(0x26A7_270A),
            Self::V6 => Some(0xD884_B698),
        }
    }
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub version: Version,
    /// Consensus branch id, which V5 and V6 name.
    pub branch: u32,
    pub lock_time: u32,
    pub expiry: u32,
    pub vin: Vec<TxIn>,
    pub vout: Vec<TxOut>,
    pub sapling: Sapling,
    pub orchard: Actions,
    pub ironwood: Actions,
}

/// One transparent input.
#[derive(Clone, Debug)]
pub(super) struct TxIn {
    pub prev: [u8; 32],
    pub index: u32,
    pub script: Vec<u8>,
    pub sequence: u32,
}

/// One transparent output.
#[derive(Clone, Debug)]
pub(super) struct TxOut {
    pub value: u64,
    pub script: Vec<u8>,
}

/// The Sapling part of a transaction; absent when it spends and makes nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Sapling {
    pub spends: Vec<Spend>,
    pub outputs: Vec<Output>,
    pub value_balance: i64,
    pub anchor: [u8; 32],
    pub binding: Signature,
}

impl Sapling {
    pub(super) fn is_absent(&self) -> bool {
        self.spends.is_empty() && self.outputs.is_empty()
    }
}

/// A 64-byte signature; filler here, which no light node checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature(pub [u8; 64]);

impl Default for Signature {
    fn default() -> Self {
        Self([0; 64])
    }
}

/// A Groth16 proof; filler here, which no light node checks.
pub(super) type Groth = [u8; 192];

/// One Sapling spend.
#[derive(Clone, Debug)]
pub(super) struct Spend {
    pub cv: [u8; 32],
    pub nf: [u8; 32],
    pub rk: [u8; 32],
    pub proof: Groth,
    pub sig: Signature,
}

/// One Sapling output.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub cv: [u8; 32],
    pub cmu: [u8; 32],
    pub sealed: Sealed,
    pub proof: Groth,
}

/// One Orchard or Ironwood action.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub cv: [u8; 32],
    pub nf: [u8; 32],
    pub rk: [u8; 32],
    pub cmx: [u8; 32],
    pub sealed: Sealed,
    pub sig: Signature,
}

/// An encrypted note, the same shape in every pool.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub epk: [u8; 32],
    pub enc: [u8; 580],
    pub out: [u8; 80],
}

/// The Orchard or Ironwood part of a transaction; absent without actions.
#[derive(Clone, Debug, Default)]
pub(super) struct Actions {
    pub actions: Vec<Action>,
    pub flags: u8,
    pub value_balance: i64,
    pub anchor: [u8; 32],
    pub proof: Vec<u8>,
    pub binding: Signature,
}

/// Appends a CompactSize.
pub(super) fn compact(to: &mut Vec<u8>, n: usize) {
    match n {
        0..=0xfc => to.push(n as u8),
        0xfd..=0xffff => {
            to.push(0xfd);
            to.extend_from_slice(&(n as u16).to_le_bytes());
        }
        _ => {
            to.push(0xfe);
            to.extend_from_slice(&(n as u32).to_le_bytes());
        }
    }
}

impl TxIn {
    /// The outpoint: 32 bytes of id, 4 of index.
    pub(super) fn prevout(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        bytes[..32].copy_from_slice(&self.prev);
        bytes[32..].copy_from_slice(&self.index.to_le_bytes());
        bytes
    }
}

impl TxOut {
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.value.to_le_bytes());
        compact(to, self.script.len());
        to.extend_from_slice(&self.script);
    }
}

impl Sealed {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.epk);
        to.extend_from_slice(&self.enc);
        to.extend_from_slice(&self.out);
    }
}

impl Tx {
    /// Appends the serialized transaction.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.version.header().to_le_bytes());
        if let Some(group) = self.version.group() {
            to.extend_from_slice(&group.to_le_bytes());
        }
        if self.version >= Version::V5 {
            to.extend_from_slice(&self.branch.to_le_bytes());
            to.extend_from_slice(&self.lock_time.to_le_bytes());
            to.extend_from_slice(&self.expiry.to_le_bytes());
            self.write_transparent(to);
            self.sapling.write_v5(to);
            self.orchard.write(to);
            if self.version == Version::V6 {
                self.ironwood.write(to);
            }
            return;
        }
        self.write_transparent(to);
        to.extend_from_slice(&self.lock_time.to_le_bytes());
        if self.version >= Version::V3 {
            to.extend_from_slice(&self.expiry.to_le_bytes());
        }
        if self.version == Version::V4 {
            self.sapling.write_v4(to);
        }
        if self.version >= Version::V3 {
            compact(to, 0); // no JoinSplits
        }
        if self.version == Version::V4 && !self.sapling.is_absent() {
            to.extend_from_slice(&self.sapling.binding.0);
        }
    }

    fn write_transparent(&self, to: &mut Vec<u8>) {
        compact(to, self.vin.len());
        for input in &self.vin {
            to.extend_from_slice(&input.prevout());
            compact(to, input.script.len());
            to.extend_from_slice(&input.script);
            to.extend_from_slice(&input.sequence.to_le_bytes());
        }
        compact(to, self.vout.len());
        for output in &self.vout {
            output.write(to);
        }
    }
}

impl Sapling {
    fn write_v4(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.value_balance.to_le_bytes());
        compact(to, self.spends.len());
        for spend in &self.spends {
            for part in [&spend.cv, &self.anchor, &spend.nf, &spend.rk] {
                to.extend_from_slice(part);
            }
            to.extend_from_slice(&spend.proof);
            to.extend_from_slice(&spend.sig.0);
        }
        compact(to, self.outputs.len());
        for output in &self.outputs {
            to.extend_from_slice(&output.cv);
            to.extend_from_slice(&output.cmu);
            output.sealed.write(to);
            to.extend_from_slice(&output.proof);
        }
    }

    fn write_v5(&self, to: &mut Vec<u8>) {
        compact(to, self.spends.len());
        for spend in &self.spends {
            for part in [&spend.cv, &spend.nf, &spend.rk] {
                to.extend_from_slice(part);
            }
        }
        compact(to, self.outputs.len());
        for output in &self.outputs {
            to.extend_from_slice(&output.cv);
            to.extend_from_slice(&output.cmu);
            output.sealed.write(to);
        }
        if self.is_absent() {
            return;
        }
        to.extend_from_slice(&self.value_balance.to_le_bytes());
        if !self.spends.is_empty() {
            to.extend_from_slice(&self.anchor);
        }
        for spend in &self.spends {
            to.extend_from_slice(&spend.proof);
        }
        for spend in &self.spends {
            to.extend_from_slice(&spend.sig.0);
        }
        for output in &self.outputs {
            to.extend_from_slice(&output.proof);
        }
        to.extend_from_slice(&self.binding.0);
    }
}

impl Actions {
    fn write(&self, to: &mut Vec<u8>) {
        compact(to, self.actions.len());
        if self.actions.is_empty() {
            return;
        }
        for action in &self.actions {
            for part in [&action.cv, &action.nf, &action.rk, &action.cmx] {
                to.extend_from_slice(part);
            }
            action.sealed.write(to);
        }
        to.push(self.flags);
        to.extend_from_slice(&self.value_balance.to_le_bytes());
        to.extend_from_slice(&self.anchor);
        compact(to, self.proof.len());
        to.extend_from_slice(&self.proof);
        for action in &self.actions {
            to.extend_from_slice(&action.sig.0);
        }
        to.extend_from_slice(&self.binding.0);
    }
}
