//! Who is asking.

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::token::scopes::Grants;

pub mod certificate;
pub mod enode;
pub mod lists;

pub use certificate::Certificate;
pub use lists::{Identities, IdentityFiles};

/// Where a request came from; in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end of the socket, IPv4 addresses as such.
    pub address: SocketAddr,
    /// The certificate it showed, if it showed one; checked against the
    /// client CA.
    pub certificate: Option<Arc<Certificate>>,
}

/// Who a request's token stands for; in the extensions of requests with a
/// token that holds.
#[derive(Clone)]
pub struct Identity {
    /// The token's subject; the client where a token has no subject.
    pub subject: String,
    /// The token's scopes.
    pub scopes: Vec<String>,
    /// When the token ends, in seconds since 1970.
    pub expires: Option<u64>,
    pub(crate) grants: Arc<Grants>,
}

impl Identity {
    /// Whether the token's scopes cover `method` of `ledger`. A gRPC method is
    /// its bare name, an HTTP one `GET /path`.
    pub fn may(&self, ledger: &str, method: &str) -> bool {
        self.grants.cover(&self.scopes, ledger, method)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
