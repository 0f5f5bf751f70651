//! What an operator may write as an address, and where plaintext is allowed.

use std::{borrow::Cow, net::SocketAddr};

use crate::DoorError;

/// Where unencrypted connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// On loopback only: nobody can listen in.
    Loopback,
    /// Everywhere. An operator says so with `--no-tls-very-insecure`, for
    /// instance behind a proxy that ends TLS.
    Anywhere,
}

/// Turns `HOST:PORT` into what can be bound.
pub(crate) async fn resolve(
    address: &str,
    plaintext: Plaintext,
) -> Result<Vec<SocketAddr>, DoorError> {
    let found: Vec<_> = tokio::net::lookup_host(with_host(address).as_ref())
        .await
        .map_err(|error| DoorError::Address {
            given: address.to_owned(),
            reason: error.to_string(),
        })?
        .collect();
    if found.is_empty() {
        return Err(DoorError::Address {
            given: address.to_owned(),
            reason: "the name has no address".to_owned(),
        });
    }
    let exposed = found.iter().any(|found| !found.ip().is_loopback());
    if exposed && plaintext == Plaintext::Loopback {
        return Err(DoorError::Plaintext {
            given: address.to_owned(),
        });
    }
    Ok(found)
}

/// `:9067` means every address of the machine.
fn with_host(address: &str) -> Cow<'_, str> {
    if address.starts_with(':') {
        Cow::Owned(format!("0.0.0.0{address}"))
    } else {
        Cow::Borrowed(address)
    }
}
