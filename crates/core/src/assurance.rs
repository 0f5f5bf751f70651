//! How an answer was checked.

use std::{cmp::Ordering, fmt, str::FromStr};

/// The grade every answer carries. Greater is better:
/// `Proven > Agreed > Relayed`, and of two agreements the one that more
/// upstreams would have had to collude in is the greater.
///
/// An answer made of several parts has the grade of its weakest part, so
/// combining grades is [`Ord::min`].
///
/// The text form, the same in headers, metrics, configuration and JSON, is
/// `proven`, `agreed 2/3` or `relayed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// Checked here by hash, proof, proof-of-work, signature or re-execution.
    Proven,
    /// `k` of `n` independent upstreams committed to the same bytes. `k` is
    /// at least 2: one voice agrees with nobody.
    Agreed {
        /// How many gave these bytes, the serving one counted.
        k: u16,
        /// How many were asked.
        n: u16,
    },
    /// Passed through unchecked.
    Relayed,
}

impl Assurance {
    /// The name of the header, metadata key or field that carries a grade.
    pub const FIELD: &'static str = "heliostat-assurance";

    /// The grade of bytes that `k` of `n` upstreams committed to.
    pub fn agreed(k: usize, n: usize) -> Self {
        if k < 2 {
            return Self::Relayed;
        }
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Self::Agreed {
            k: small(k),
            n: small(n.max(k)),
        }
    }

    /// The grade without its counts, for metric labels: `proven`, `agreed` or
    /// `relayed`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Agreed { .. } => "agreed",
            Self::Relayed => "relayed",
        }
    }

    /// Orders by kind, then by how many agreed, then by how few did not.
    fn rank(&self) -> (u8, u16, u16) {
        match *self {
            Self::Proven => (2, 0, 0),
            Self::Agreed { k, n } => (1, k, u16::MAX - n),
            Self::Relayed => (0, 0, 0),
        }
    }
}

impl Ord for Assurance {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Assurance {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreed { k, n } => write!(f, "agreed {k}/{n}"),
            plain => f.write_str(plain.label()),
        }
    }
}

/// The text is none of `proven`, `agreed k/n` (2 ≤ k ≤ n) and `relayed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAssurance(String);

impl fmt::Display for NotAnAssurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an assurance; write proven, agreed k/n (such as agreed 2/3) or relayed",
            self.0
        )
    }
}

impl std::error::Error for NotAnAssurance {}

impl FromStr for Assurance {
    type Err = NotAnAssurance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let agreed = |counts: &str| {
            let (k, n) = counts.split_once('/')?;
            let (k, n) = (k.parse().ok()?, n.parse().ok()?);
            (2 <= k && k <= n).then_some(Self::Agreed { k, n })
        };
        match text {
            "proven" => Ok(Self::Proven),
            "relayed" => Ok(Self::Relayed),
            other => other
                .strip_prefix("agreed ")
                .and_then(agreed)
                .ok_or_else(|| NotAnAssurance(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_ordered_by_how_many_would_have_to_lie() {
        let mut grades = [
            Assurance::agreed(3, 3),
            Assurance::Relayed,
            Assurance::Proven,
            Assurance::agreed(2, 3),
            Assurance::agreed(2, 2),
        ];
        grades.sort();
        let text: Vec<_> = grades.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "relayed",
                "agreed 2/3",
                "agreed 2/2",
                "agreed 3/3",
                "proven"
            ]
        );
    }

    #[test]
    fn one_voice_is_no_agreement() {
        assert_eq!(Assurance::agreed(1, 1), Assurance::Relayed);
        assert_eq!(Assurance::agreed(1, 5), Assurance::Relayed);
        assert!("agreed 1/1".parse::<Assurance>().is_err());
        assert!("agreed 3/2".parse::<Assurance>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn the_text_form_reads_back(k in 0usize..70_000, n in 0usize..70_000) {
            for grade in [Assurance::agreed(k, n), Assurance::Proven, Assurance::Relayed] {
                proptest::prop_assert_eq!(grade.to_string().parse(), Ok(grade));
            }
        }
    }
}
