//! Where things stand in a serialized transaction.
//!
//! Written for the simulated node alone, from the field tables of the
//! protocol specification (section 7.1), so that a test that compares the
//! product with this node compares two readings of the same bytes.

/// What the node has to know of a transaction: its frame, its transparent
/// part, and the value that moves in and out of each pool.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub version: u32,
    pub overwintered: bool,
    pub group: Option<u32>,
    pub lock_time: u32,
    pub expiry: Option<u32>,
    pub inputs: Vec<Input<'a>>,
    pub outputs: Vec<Output<'a>>,
    /// Zatoshis that enter the Sprout pool (negative: leave it).
    pub sprout: i64,
    /// The same for Sapling, Orchard and Ironwood.
    pub sapling: i64,
    pub orchard: i64,
    pub ironwood: i64,
    /// Bytes the transaction takes.
    pub size: usize,
}

/// A transparent input. `txid` is in internal byte order.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub txid: [u8; 32],
    pub index: u32,
    pub script: &'a [u8],
    pub sequence: u32,
}

/// A transparent output; `value` in zatoshis.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub value: i64,
    pub script: &'a [u8],
}

impl Input<'_> {
    /// Whether this is the input of a coinbase transaction.
    pub fn is_coinbase(&self) -> bool {
        self.txid == [0; 32] && self.index == u32::MAX
    }
}

/// JoinSplit descriptions: with a BCTV14 proof up to version 3, with a Groth16
/// proof in version 4.
const JOINSPLIT_BCTV14: usize = 1802;
const JOINSPLIT_GROTH16: usize = 1698;

/// Reads one transaction from the front of `bytes`; `None` where they end
/// early or are of a version that is not known.
pub(super) fn read(bytes: &[u8]) -> Option<Layout<'_>> {
    let mut at = Reader { rest: bytes };
    let header = at.u32()?;
    let (overwintered, version) = (header >> 31 == 1, header & 0x7fff_ffff);
    let mut tx = Layout {
        version,
        overwintered,
        group: None,
        lock_time: 0,
        expiry: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
        sprout: 0,
        sapling: 0,
        orchard: 0,
        ironwood: 0,
        size: 0,
    };
    if overwintered {
        tx.group = Some(at.u32()?);
    }
    match (overwintered, version) {
        (false, 1..) | (true, 3 | 4) => at.up_to_v4(&mut tx)?,
        (true, 5 | 6) => at.v5_on(&mut tx)?,
        _ => return None,
    }
    tx.size = bytes.len() - at.rest.len();
    Some(tx)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A CompactSize.
    fn count(&mut self) -> Option<usize> {
        let value = match self.array::<1>()?[0] {
            0xfd => u64::from(u16::from_le_bytes(self.array()?)),
            0xfe => u64::from(self.u32()?),
            0xff => u64::from_le_bytes(self.array()?),
            small => u64::from(small),
        };
        usize::try_from(value).ok()
    }

    /// `count` elements of `stride` bytes each.
    fn many(&mut self, count: usize, stride: usize) -> Option<&'a [u8]> {
        self.take(count.checked_mul(stride)?)
    }

    fn transparent(&mut self, tx: &mut Layout<'a>) -> Option<()> {
        for _ in 0..self.count()? {
            let (txid, index) = (self.array()?, self.u32()?);
            let length = self.count()?;
            tx.inputs.push(Input {
                txid,
                index,
                script: self.take(length)?,
                sequence: self.u32()?,
            });
        }
        for _ in 0..self.count()? {
            let value = self.i64()?;
            let length = self.count()?;
            let script = self.take(length)?;
            tx.outputs.push(Output { value, script });
        }
        Some(())
    }

    /// Versions 1 to 4.
    fn up_to_v4(&mut self, tx: &mut Layout<'a>) -> Option<()> {
        self.transparent(tx)?;
        tx.lock_time = self.u32()?;
        if tx.overwintered {
            tx.expiry = Some(self.u32()?);
        }
        let mut sapling_parts = 0;
        if tx.overwintered && tx.version == 4 {
            tx.sapling = self.i64()?.checked_neg()?;
            for stride in [384, 948] {
                let count = self.count()?;
                self.many(count, stride)?;
                sapling_parts += count;
            }
        }
        if tx.version >= 2 {
            let stride = match tx.version {
                4 if tx.overwintered => JOINSPLIT_GROTH16,
                _ => JOINSPLIT_BCTV14,
            };
            let count = self.count()?;
            for joinsplit in self.many(count, stride)?.chunks_exact(stride) {
                let mut at = Reader { rest: joinsplit };
                tx.sprout = tx.sprout.checked_add(at.i64()?)?.checked_sub(at.i64()?)?;
            }
            if count > 0 {
                self.take(32 + 64)?;
            }
        }
        if sapling_parts > 0 {
            self.take(64)?;
        }
        Some(())
    }

    /// Versions 5 and 6: version 6 has a second bundle of Orchard's shape.
    fn v5_on(&mut self, tx: &mut Layout<'a>) -> Option<()> {
        let _branch = self.u32()?;
        tx.lock_time = self.u32()?;
        tx.expiry = Some(self.u32()?);
        self.transparent(tx)?;
        let spends = self.count()?;
        self.many(spends, 96)?;
        let outputs = self.count()?;
        self.many(outputs, 756)?;
        if spends + outputs > 0 {
            tx.sapling = self.i64()?.checked_neg()?;
        }
        if spends > 0 {
            self.take(32)?;
        }
        self.many(spends, 192 + 64)?;
        self.many(outputs, 192)?;
        if spends + outputs > 0 {
            self.take(64)?;
        }
        tx.orchard = self.actions()?;
        if tx.version == 6 {
            tx.ironwood = self.actions()?;
        }
        Some(())
    }

    /// A bundle of Orchard's shape; the value that enters its pool.
    fn actions(&mut self) -> Option<i64> {
        let count = self.count()?;
        self.many(count, 820)?;
        if count == 0 {
            return Some(0);
        }
        let _flags = self.take(1)?;
        let balance = self.i64()?;
        let _anchor = self.take(32)?;
        let proof = self.count()?;
        self.take(proof)?;
        self.many(count, 64)?;
        self.take(64)?;
        balance.checked_neg()
    }
}

/// The byte range of every transaction of a serialized block.
pub(super) fn ranges(block: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut at = Reader { rest: block };
    at.take(140)?;
    let solution = at.count()?;
    at.take(solution)?;
    let count = at.count()?;
    let mut ranges = Vec::new();
    for _ in 0..count {
        let start = block.len() - at.rest.len();
        let size = read(at.rest)?.size;
        at.take(size)?;
        ranges.push(start..start + size);
    }
    at.rest.is_empty().then_some(ranges)
}
