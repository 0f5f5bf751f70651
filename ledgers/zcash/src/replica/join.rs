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

/// Reads the row; `None` when it is not one. A height fits 32 bits, as in a
/// coinbase.
pub fn decode(network: Network, mut row: Bytes) -> Option<Joined> {
    let height = row.try_get_u64_le().ok()?;
    u32::try_from(height).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(height: u64) -> Bytes {
        encode(&Joined {
            network: Network::Main,
            height,
            headers: vec![Bytes::from_static(b"header"), Bytes::from_static(b"next")],
            sizes: TreeSizes {
                sapling: 1,
                orchard: 2,
                ironwood: 3,
            },
            rooted: true,
            sizes_vouched: false,
        })
    }

    #[test]
    fn the_row_says_what_was_put_in() {
        for height in [0, 2_000_000, u64::from(u32::MAX)] {
            let read = decode(Network::Main, row(height)).expect("it is a row");
            assert_eq!(read.height, height);
            assert_eq!(read.headers, [&b"header"[..], b"next"]);
            assert_eq!((read.sizes.sapling, read.sizes.ironwood), (1, 3));
            assert!(read.rooted && !read.sizes_vouched);
        }
    }

    #[test]
    fn a_row_with_a_height_over_32_bits_or_cut_short_is_none() {
        for height in [1 << 32, u64::MAX] {
            assert!(decode(Network::Main, row(height)).is_none(), "{height}");
        }
        let whole = row(7);
        let headers = 8 + 12 + 2;
        // Cut between two headers it is a row with fewer.
        let seams = [headers, headers + 4 + 6];
        for length in (0..whole.len()).filter(|length| !seams.contains(length)) {
            let cut = decode(Network::Main, whole.slice(..length));
            assert!(cut.is_none(), "{length}");
        }
    }
}
