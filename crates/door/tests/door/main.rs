//! The door through its public surface, on loopback.

mod http2;
mod identities;
mod lasting;
mod limits;
mod networks;
mod patience;
mod penalties;
mod pki;
mod raw;
mod replace;
mod serving;
mod sockets;
mod tls;
mod tls_clients;
mod tls_reload;
