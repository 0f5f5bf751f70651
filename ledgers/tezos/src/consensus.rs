//! How many endpoints must agree: Octez's arithmetic, in the same floating
//! point, and its words.

/// The least number of agreeing endpoints among `n`: the share times `n`,
/// rounded up. At least 1 for any share above 0.
pub fn needed(min_agreement: f64, n: usize) -> usize {
    let exact = (min_agreement * n as f64).ceil();
    // Between 1 and n for a share in (0, 1]; the cast saturates otherwise.
    (exact as usize).clamp(1, n.max(1))
}

/// Whether `k` of `n` are enough.
pub fn is_reached(min_agreement: f64, k: usize, n: usize) -> bool {
    k >= needed(min_agreement, n)
}

/// Octez's warning when they are not.
pub fn shortfall(min_agreement: f64, k: usize, n: usize) -> String {
    let only = if k < n { "only " } else { "" };
    let needed = needed(min_agreement, n);
    format!(
        "Light mode: min_agreement={min_agreement:.6}, {n} endpoints, {only}{k} agreeing endpoints, whereas {needed} ({n}*{min_agreement:.6} rounded up) is the minimum; so about to fail."
    )
}

/// Octez's error when they are not, about one key.
pub fn not_reached(chain: &str, block: &str, key: &str) -> String {
    format!(
        "Light mode (chain: {chain}, block: {block}): Consensus cannot be reached for key: {key}"
    )
}

/// Octez's error when no endpoint delivers at all.
pub fn nobody(chain: &str, block: &str, n: usize, key: &str) -> String {
    format!(
        "Light mode (chain: {chain}, block: {block}): None of the {n} endpoints could provide data for key: {key}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octez's own table: share, honest, rogue; honest ones include the one
    /// that gave the data.
    #[test]
    fn the_truth_table_of_octez_holds() {
        let reached = |share, honest, rogue| is_reached(share, honest, honest + rogue);
        for (share, honest, rogue) in [
            (1.0, 2, 0),
            (1.0, 3, 0),
            (1.0, 4, 0),
            (0.01, 1, 1),
            (0.01, 1, 2),
            (0.01, 1, 99),
            (0.6, 2, 1),
            (0.6, 3, 1),
            (0.6, 4, 1),
            (0.6, 5, 1),
            (0.5, 2, 2),
        ] {
            assert!(reached(share, honest, rogue), "{share} {honest} {rogue}");
        }
        for (share, honest, rogue) in [
            (1.0, 2, 1),
            (0.7, 2, 1),
            (0.7, 1, 2),
            (0.7, 1, 3),
            (0.01, 1, 100),
        ] {
            assert!(!reached(share, honest, rogue), "{share} {honest} {rogue}");
        }
    }

    #[test]
    fn the_words_count_as_octez_does() {
        assert_eq!(
            shortfall(0.7, 2, 3),
            "Light mode: min_agreement=0.700000, 3 endpoints, only 2 agreeing endpoints, whereas 3 (3*0.700000 rounded up) is the minimum; so about to fail."
        );
        assert_eq!(
            not_reached("main", "B", "a/b"),
            "Light mode (chain: main, block: B): Consensus cannot be reached for key: a/b"
        );
    }

    proptest::proptest! {
        /// Octez's fuzz: shares of 0 to 100 %, 1 to 1000 honest endpoints and
        /// up to 1000 rogue ones.
        #[test]
        fn a_share_is_reached_exactly_when_the_part_that_agrees_is_as_large(
            percent in 1u32..=100, honest in 1usize..=1000, rogue in 0usize..=1000
        ) {
            let share = f64::from(percent) / 100.0;
            let n = honest + rogue;
            let needed = needed(share, n);
            proptest::prop_assert!(1 <= needed && needed <= n);
            proptest::prop_assert_eq!(
                is_reached(share, honest, n),
                honest as f64 >= (share * n as f64).ceil()
            );
            proptest::prop_assert!(is_reached(share, n, n));
            proptest::prop_assert!(!is_reached(1.0, n - 1, n) || n == 1);
        }
    }
}
