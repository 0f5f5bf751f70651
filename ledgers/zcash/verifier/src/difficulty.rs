//! The contextual rules about a header: its time and its `nBits` (protocol
//! specification, "difficulty adjustment"; ZIP 205 and 208 for the test
//! network's minimum difficulty; ZIP 218 for the wider window of NU7).

use crate::{
    Header, Network,
    rules::{Broken, rule},
    target::Target,
};

/// Headers a median time is taken over (`PoWMedianBlockSpan`).
pub(crate) const MEDIAN_SPAN: usize = 11;
/// `PoWDampingFactor`.
const DAMPING: i64 = 4;
/// `1 − PoWMaxAdjustUp` and `1 + PoWMaxAdjustDown`, in hundredths.
const SHORTEST: i64 = 84;
const LONGEST: i64 = 132;
/// A block's time is at most this many seconds past the median time past.
const MAX_AHEAD: i64 = 90 * 60;

/// What the rules want of an earlier header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) time: u32,
    pub(crate) bits: u32,
}

impl From<Header<'_>> for Past {
    fn from(header: Header<'_>) -> Self {
        Self {
            time: header.time(),
            bits: header.bits(),
        }
    }
}

/// Checks time and `nBits` of a header at `height` against the headers before
/// it, newest first. `Ok(false)` when those are too few to tell.
pub(crate) fn check(
    network: Network,
    height: u64,
    header: &Header<'_>,
    past: &[Past],
) -> Result<bool, Broken> {
    let needed = network.context(height);
    if needed == 0 {
        return Ok(true);
    }
    let Some(past) = past.get(..needed) else {
        return Ok(false);
    };
    let time = i64::from(header.time());
    let median = median_time(past);
    if time <= median {
        return Err(Broken::new(
            rule::TIME,
            format!("block time {time} is not after the median {median} of the blocks before it"),
        ));
    }
    if network.has_max_time(height) && time > median + MAX_AHEAD {
        return Err(Broken::new(
            rule::TIME,
            format!(
                "block time {time} is more than {MAX_AHEAD} seconds after the median {median} of the blocks before it"
            ),
        ));
    }
    let expected = expected_bits(network, height, header.time(), past);
    if header.bits() != expected {
        let words = format!(
            "nBits is {:#010x}, but the blocks before require {expected:#010x}",
            header.bits()
        );
        return Err(
            Broken::new(rule::DIFFICULTY, words).with("nBits required", &expected.to_be_bytes())
        );
    }
    Ok(true)
}

/// `ThresholdBits` of a block, or the test network's minimum when the gap to
/// its parent allows it. `past` holds all headers the rule looks at, newest
/// first, and at least one.
///
/// Up to the height of the window's size the limit itself is required, as the
/// first blocks of both networks show; the specification's formula would
/// already adjust it there.
fn expected_bits(network: Network, height: u64, time: u32, past: &[Past]) -> u32 {
    let pace = network.pace(height);
    let limit = network.limit();
    let gap = past
        .first()
        .map(|parent| i64::from(time) - i64::from(parent.time));
    if let (Some(gap), Some(allowed)) = (gap, pace.min_difficulty_gap)
        && gap > allowed
    {
        return limit.to_compact();
    }
    let Some((window, older)) = past
        .split_at_checked(pace.window)
        .filter(|(_, older)| !older.is_empty())
    else {
        return limit.to_compact();
    };
    // Headers in the past were checked, so their nBits are targets.
    let targets = window
        .iter()
        .filter_map(|past| Target::from_compact(past.bits));
    let mean = Target::mean(targets).unwrap_or(limit);

    let window_time = pace.spacing * pace.window as i64;
    let actual = median_time(past) - median_time(older);
    let damped = window_time + (actual - window_time) / DAMPING;
    let bounded = damped.clamp(window_time * SHORTEST / 100, window_time * LONGEST / 100);
    // Both are positive: spacing, window and bounds are.
    mean.divided_by(window_time.unsigned_abs())
        .unwrap_or(limit)
        .times(bounded.unsigned_abs())
        .min(limit)
        .to_compact()
}

/// `MedianTime`: the median of the newest eleven times, the later of the two
/// in the middle when they are even in number.
fn median_time(past: &[Past]) -> i64 {
    let mut times = [0u32; MEDIAN_SPAN];
    let count = past.len().min(MEDIAN_SPAN);
    for (time, past) in times.iter_mut().zip(past) {
        *time = past.time;
    }
    let times = &mut times[..count];
    times.sort_unstable();
    times.get(count / 2).map_or(0, |time| i64::from(*time))
}

#[cfg(test)]
mod mainnet;
#[cfg(test)]
mod tests;
