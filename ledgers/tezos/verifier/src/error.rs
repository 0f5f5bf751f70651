//! Why bytes or text are not accepted.

/// Bytes or text from outside that do not have the form their place calls for.
/// What a rule then finds wrong with well-formed data is said by the rule's
/// own result, not by this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end inside a field.
    #[error("bytes end within {what} at offset {at}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// Bytes after the last field.
    #[error("{count} bytes follow the end of {what}")]
    Trailing {
        /// The thing that ended.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// More of something than this crate looks at.
    #[error("{what} has size {size}, more than the {most} that are read")]
    TooLong {
        /// The thing.
        what: &'static str,
        /// Its size, in bytes or elements.
        size: usize,
        /// The limit, from [`crate::defaults`].
        most: usize,
    },
    /// A value outside the field's range.
    #[error("{what} is {found}, expected {expected}")]
    Value {
        /// The field.
        what: &'static str,
        /// What stands there, cut.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A text that is not the base58check text its field calls for.
    #[error("{what}: {reason}")]
    Base58 {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A JSON answer without a field, or with another type there.
    #[error("field {field:?} of the JSON is missing or not {expected}")]
    Json {
        /// The field's name.
        field: &'static str,
        /// The type it should have.
        expected: &'static str,
    },
    /// A protocol whose header layout this release does not know.
    #[error(
        "protocol {protocol} has a header layout unknown to this release; a newer release may know it, the raw protocol data stays usable"
    )]
    UnknownProtocol {
        /// The protocol's hash.
        protocol: String,
    },
}

impl Error {
    /// A value outside its range; the shown value is cut.
    pub(crate) fn value(
        what: &'static str,
        found: impl std::fmt::Display,
        expected: &'static str,
    ) -> Self {
        let found = found.to_string().chars().take(96).collect();
        Self::Value {
            what,
            found,
            expected,
        }
    }
}
