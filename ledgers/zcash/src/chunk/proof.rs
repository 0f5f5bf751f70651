//! Raw headers and ordered txids: what `heliostat verify` and transaction
//! proofs read.

use bytes::{Buf, Bytes};
use heliostat_core::Id;

use super::{Broken, close_blob, new_blob, open_blob};

/// What proves a block, as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The block's id.
    pub id: Id,
    /// The raw header with its solution.
    pub header: Bytes,
    /// Txids in block order, 32 bytes each, in internal byte order.
    pub txids: Bytes,
}

impl Proof {
    /// The txids one by one.
    pub fn txids(&self) -> &[[u8; 32]] {
        self.txids.as_chunks::<32>().0
    }
}

/// The proofs of consecutive heights that share a row.
#[derive(Clone, Debug, Default)]
pub struct ProofPage {
    /// The height of the first proof.
    pub first: u64,
    /// In ascending height.
    pub proofs: Vec<Proof>,
}

impl ProofPage {
    /// The proof of a height.
    pub fn get(&self, height: u64) -> Option<&Proof> {
        let index = usize::try_from(height.checked_sub(self.first)?).ok()?;
        self.proofs.get(index)
    }

    /// The value of the row. The page must not be empty.
    pub fn encode(&self) -> Bytes {
        let size = |proof: &Proof| 40 + proof.header.len() + proof.txids.len();
        let total = self.proofs.iter().map(size).sum::<usize>();
        let last = self.proofs.last().map(|proof| proof.id).unwrap_or_default();
        let mut blob = new_blob(self.proofs.len() as u32, last, 8 + total);
        blob.extend_from_slice(&self.first.to_le_bytes());
        for proof in &self.proofs {
            blob.extend_from_slice(&proof.id.0);
            for part in [&proof.header, &proof.txids] {
                blob.extend_from_slice(&(part.len() as u32).to_le_bytes());
                blob.extend_from_slice(part);
            }
        }
        close_blob(blob)
    }

    /// Reads a row and checks its checksum. The proofs share its buffer.
    pub fn decode(blob: Bytes) -> Result<Self, Broken> {
        let (count, _, mut rest) = open_blob("a row of proofs", blob)?;
        let short = || "a row of proofs is cut short".to_owned();
        let first = rest.try_get_u64_le().map_err(|_| short())?;
        let mut proofs = Vec::new();
        for _ in 0..count {
            let mut id = [0; 32];
            rest.try_copy_to_slice(&mut id).map_err(|_| short())?;
            let header = part(&mut rest).ok_or_else(short)?;
            let txids = part(&mut rest).ok_or_else(short)?;
            proofs.push(Proof {
                id: Id(id),
                header,
                txids,
            });
        }
        Ok(Self { first, proofs })
    }
}

fn part(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}
