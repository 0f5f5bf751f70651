//! The row that keeps how a chain was joined in the middle.

use bytes::{Buf, Bytes};
use heliostat_zcash_verifier::{Joined, Network, TreeSizes};

/// Height, sizes, rooted, sizes vouched, then each header with its length;
/// numbers little-endian.
pub fn encode(joined: &Joined) -> Bytes {
    let mut out = Vec::new();
    out.extend_from_slice(&joined.height.to_le_bytes());
    let sizes = joined.sizes;
    for size in [sizes.sapling, sizes.orchard, sizes.ironwood] {
        out.extend_from_slice(&size.to_le_bytes());
    }
    out.extend_from_slice(&[joined.rooted.into(), joined.sizes_vouched.into()]);
    for header in &joined.headers {
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
        out.extend_from_slice(header);
    }
    out.into()
}

/// Reads the row; `None` when it is not one.
pub fn decode(network: Network, mut row: Bytes) -> Option<Joined> {
    let height = row.try_get_u64_le().ok()?;
    let sizes = TreeSizes {
        sapling: row.try_get_u32_le().ok()?,
        orchard: row.try_get_u32_le().ok()?,
        ironwood: row.try_get_u32_le().ok()?,
    };
    let rooted = row.try_get_u8().ok()? != 0;
    let sizes_vouched = row.try_get_u8().ok()? != 0;
    let mut headers = Vec::new();
    while row.has_remaining() {
        let length = usize::try_from(row.try_get_u32_le().ok()?).ok()?;
        if length > row.len() {
            return None;
        }
        headers.push(row.split_to(length));
    }
    Some(Joined {
        network,
        height,
        headers,
        sizes,
        rooted,
        sizes_vouched,
    })
}
