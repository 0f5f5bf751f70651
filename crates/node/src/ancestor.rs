//! Where two branches part.

use std::future::Future;

/// The highest height in `low..high` at which both chains have the same
/// position, given that they differ at `high`; `None` when they differ at
/// `low` already. `same` says whether they agree at a height.
///
/// Chains that agree at a height agree below it, so a binary search finds the
/// place. It starts at the top with growing steps: forks are short. With a
/// fork of depth d it asks at most 2·log2(d) + 2 times.
pub(crate) async fn search<E, F: Future<Output = Result<bool, E>>>(
    low: u64,
    high: u64,
    mut same: impl FnMut(u64) -> F,
) -> Result<Option<u64>, E> {
    let mut differs = high;
    let mut step = 1;
    let mut agrees = loop {
        if differs <= low {
            return Ok(None);
        }
        let height = high.saturating_sub(step).max(low);
        match same(height).await? {
            true => break height,
            false => differs = height,
        }
        step = step.saturating_mul(2);
    };
    while differs - agrees > 1 {
        let middle = agrees + (differs - agrees) / 2;
        match same(middle).await? {
            true => agrees = middle,
            false => differs = middle,
        }
    }
    Ok(Some(agrees))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn every_fork_is_found_with_few_questions() {
        for low in [0, 1, 7] {
            for high in low..low + 130 {
                for parted in 0..=high {
                    // The chains differ from `parted` on.
                    let mut asked = 0;
                    let found = search(low, high, |height| {
                        asked += 1;
                        assert!((low..high).contains(&height));
                        std::future::ready(Ok::<_, Infallible>(height < parted))
                    });
                    let expected = parted.checked_sub(1).filter(|last| *last >= low);
                    assert_eq!(found.await, Ok(expected.filter(|_| high > low)));
                    let depth = high - parted + 1;
                    assert!(asked <= 2 * depth.ilog2() + 2, "{asked} for {depth}");
                }
            }
        }
    }
}
