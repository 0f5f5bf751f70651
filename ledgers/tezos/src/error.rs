//! Why a request is not answered, and how that is said to a client.

use heliostat_core::Assurance;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too few endpoints agree; in Octez's words.
    #[error("{0}")]
    NoAgreement(String),
    /// The answer would be of a lower grade than the operator wants.
    #[error("{method}: the answer is {grade}, and this server is set to give {least} or better")]
    TooLow {
        /// The method, as the settings name it.
        method: String,
        /// What the answer would have.
        grade: Assurance,
        /// What is wanted.
        least: Assurance,
    },
    /// No endpoint can be asked, or none answers.
    #[error("{0}")]
    Unavailable(String),
    /// An operation of which nobody has a byte; in words.
    #[error("{0}")]
    NotSent(String),
    /// An operation that was sent, and nobody knows what became of it.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The block is not known.
    #[error("{0}")]
    NoBlock(String),
    /// The node would answer 404: there is no such thing at this block.
    #[error("No service found at this URL")]
    NotFound(Assurance),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// More than we read or send.
    #[error("{0}")]
    TooLarge(String),
    /// What was read cannot be decoded; it was verified nevertheless.
    #[error("{0}")]
    Undecodable(String),
}

impl ReadError {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoAgreement(_)
            | Self::TooLow { .. }
            | Self::Unavailable(_)
            | Self::NotSent(_)
            | Self::OutcomeUnknown(_) => 503,
            Self::NoBlock(_) | Self::NotFound(_) => 404,
            Self::BadRequest(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Undecodable(_) => 500,
        }
    }

    /// The id in the node's JSON array of errors.
    pub fn id(&self) -> &'static str {
        match self {
            Self::NoAgreement(_) => "heliostat.no_agreement",
            Self::TooLow { .. } => "heliostat.assurance_too_low",
            Self::Unavailable(_) => "heliostat.no_endpoint",
            Self::NotSent(_) => "heliostat.not_sent",
            Self::OutcomeUnknown(_) => "heliostat.outcome_unknown",
            Self::NoBlock(_) => "heliostat.block_not_found",
            Self::NotFound(_) => "heliostat.not_found",
            Self::BadRequest(_) => "heliostat.bad_request",
            Self::TooLarge(_) => "heliostat.too_large",
            Self::Undecodable(_) => "heliostat.undecodable",
        }
    }

    /// Whether asking again later may help.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoAgreement(_)
            | Self::Unavailable(_)
            | Self::NotSent(_)
            | Self::OutcomeUnknown(_)
            | Self::NoBlock(_) => "temporary",
            _ => "permanent",
        }
    }

    /// The node's JSON array of errors.
    pub fn json(&self) -> String {
        serde_json::json!([{
            "kind": self.kind(), "id": self.id(), "msg": self.to_string(),
        }])
        .to_string()
    }
}
