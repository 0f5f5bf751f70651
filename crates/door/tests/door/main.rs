//! The door through its public surface, on loopback.

mod identities;
mod lasting;
mod limits;
mod pki;
mod raw;
mod serving;
mod sockets;
mod tls;
mod tls_clients;
mod tls_reload;
