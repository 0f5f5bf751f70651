//! Messages, client and server of Zcash's `CompactTxStreamer`, generated from
//! `proto/`. Every `bytes` field is a [`bytes::Bytes`].

/// The protocol version these files describe, as `LightdInfo` names it.
pub const PROTOCOL_VERSION: &str = "v0.5.0";

/// The encoded `FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[allow(missing_docs, clippy::all, clippy::unwrap_used)]
mod generated {
    tonic::include_proto!("cash.z.wallet.sdk.rpc");
}

pub use generated::*;
