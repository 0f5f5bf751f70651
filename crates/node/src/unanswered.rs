//! Requests to an upstream over HTTP whose answer never began, told apart by
//! whether the request can have left.

use std::error::Error;

/// Why there is no answer's head. In words, without addresses or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Not one byte of the request left: no address, no connection, or no TLS
    /// with a certificate that holds.
    NotSent(String),
    /// There was a connection, and it ended. The upstream may have the
    /// request: even one that reads nothing leaves bytes with its machine.
    Lost(String),
}

/// How rustls begins what it says of a certificate that does not hold.
const DISTRUST: &str = "invalid peer certificate";

/// What to do about a certificate that does not hold.
fn distrust_hint(words: &str) -> &'static str {
    if words.contains("expired") {
        "it has to be renewed there; if it is not over, check this machine's clock"
    } else if words.contains("not valid for name") {
        "write the name that the certificate is for in the address"
    } else {
        "ca-file names the authority to trust for it, SSL_CERT_FILE a file with the certificates \
         of further authorities"
    }
}

impl Unanswered {
    /// The error of an HTTP client; `connecting` is whether the client was still
    /// making the connection.
    pub fn of(error: &(dyn Error + 'static), connecting: bool) -> Self {
        let mut words = innermost(error);
        if words.starts_with(DISTRUST) {
            let hint = distrust_hint(&words);
            words = format!("its certificate is not trusted here ({words}); {hint}");
        }
        match connecting {
            true => Self::NotSent(words),
            false => Self::Lost(words),
        }
    }

    /// The error of a request that was sent with `reqwest`.
    pub fn of_reqwest(error: reqwest::Error) -> Self {
        // What cannot be built is not sent either.
        let connecting = error.is_connect() || error.is_builder();
        Self::of(&error.without_url(), connecting)
    }
}

/// The words of the error at the bottom of a chain: those above it only say
/// that something below failed.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut lowest = error;
    while let Some(source) = lowest.source() {
        lowest = source;
    }
    lowest.to_string()
}
