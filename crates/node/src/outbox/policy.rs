//! To how many upstreams a write goes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// To how many upstreams a write goes. In text `one` or `broadcast(K)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Policy {
    /// To the best one, and never to another by itself.
    #[default]
    One,
    /// To the best so many at the same time, each once. While nobody is known
    /// to have it, a repetition may reach others than the first time.
    Broadcast(usize),
}

impl Policy {
    pub(super) fn most(self) -> usize {
        match self {
            Self::One => 1,
            Self::Broadcast(most) => most.max(1),
        }
    }

    /// Who gets a write that went to `before` already and that nobody is known
    /// to have; `ways` can be handed one now, best first.
    pub(super) fn again(self, before: &[String], mut ways: Vec<String>) -> Vec<String> {
        match self {
            Self::One => ways.retain(|way| before.contains(way)),
            Self::Broadcast(most) => ways.truncate(most),
        }
        ways
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one"),
            Self::Broadcast(most) => write!(f, "broadcast({most})"),
        }
    }
}

/// A text that names no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no policy; write \"one\", or \"broadcast(K)\" with a K of 2 or more")]
pub struct BadPolicy(String);

impl FromStr for Policy {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        if text == "one" {
            return Ok(Self::One);
        }
        let inner = text
            .strip_prefix("broadcast(")
            .and_then(|rest| rest.strip_suffix(')'));
        let most = inner.and_then(|most| most.trim().parse().ok());
        // A broadcast to one would differ from `one` in what a repetition may
        // do, which nobody would expect.
        match most {
            Some(most @ 2..) => Ok(Self::Broadcast(most)),
            _ => Err(BadPolicy(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Policy {
    type Error = BadPolicy;

    fn try_from(text: String) -> Result<Self, BadPolicy> {
        text.parse()
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for policy in [Policy::One, Policy::Broadcast(2), Policy::Broadcast(17)] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        for wrong in [
            "",
            "two",
            "One",
            "broadcast",
            "broadcast(1)",
            "broadcast(0)",
            "broadcast(-2)",
            "broadcast(2",
        ] {
            let error = wrong.parse::<Policy>().expect_err(wrong).to_string();
            assert!(error.contains("write \"one\""), "{error}");
        }
    }
}
