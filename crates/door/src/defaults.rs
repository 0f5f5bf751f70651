//! Every limit and time-out of the door, with its reason.

use std::time::Duration;

/// How long answers under way may take after the stop. Service managers send
/// `SIGKILL` after 30 s (Kubernetes) or 90 s (systemd); a range of 10,000
/// blocks takes well under a second.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Connections open at once. Each costs a file descriptor and some tens of
/// kilobytes; usual descriptor limits are 1,024 (shells) to 65,536 (services),
/// and the store and upstreams need some too.
pub const MAX_CONNECTIONS: usize = 10_000;

/// The pause after a failed `accept`: when descriptors have run out, retrying
/// at once would only burn a core.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a new connection may stay silent, and how long an HTTP/1 client
/// may take to send its headers. Slow mobile networks need a few seconds; a
/// peer that needs longer is holding a place without using it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests at once on one HTTP/2 connection; further ones wait at the
/// client. Wallets use under ten; a balancer's pooled connection more.
pub const MAX_STREAMS: u32 = 256;

/// An HTTP/2 ping goes out after this much silence, so that connections whose
/// peer vanished (a phone out of reach) do not stay open for ever.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// How long the answer to that ping may take.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// HTTP/2 receive windows, per stream and per connection. They bound what a
/// client may send ahead of us: the largest request is a 2 MB transaction in
/// hex-free form, everything else is small. The windows that make downloads
/// fast are the client's.
pub const STREAM_WINDOW: u32 = 1 << 20;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 4 << 20;

/// Bytes of answer queued per HTTP/2 stream before its body is asked for
/// more. Enough to keep a fast reader busy between two wake-ups, small enough
/// that a thousand stalled readers cost some hundred megabytes at worst.
pub const SEND_BUFFER: usize = 400 << 10;

/// Total size of the headers of one request. gRPC metadata is well below
/// 1 KiB; 16 KiB leaves room for tokens.
pub const MAX_HEADERS: u32 = 16 << 10;

/// The HTTP/1 read buffer, which bounds an HTTP/1 request's headers.
pub const HTTP1_BUFFER: usize = 64 << 10;
