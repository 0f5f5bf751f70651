//! The door through its public surface, on loopback.

mod identities;
mod limits;
mod pki;
mod serving;
mod sockets;
mod tls;
mod tls_clients;
mod tls_reload;
