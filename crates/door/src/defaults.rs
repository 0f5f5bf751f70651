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

/// Connections that may wait to be accepted, as far as the system lets us
/// (Linux: `net.core.somaxconn`, 4,096 unless changed). Thousands of attackers
/// that come back at the same moment filled 1,024 places, and the system then
/// reset some good clients' connections (SYN cookies that could not be
/// redeemed) before the door saw them.
pub const BACKLOG: u32 = 4_096;

/// The pause after a failed `accept`: when descriptors have run out, retrying
/// at once would only burn a core.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a new connection may stay silent, and how long a client may take
/// to send the headers of a request. Slow mobile networks need a few seconds; a
/// peer that needs longer is holding a place without using it. With the
/// [`TICK`] on top, whoever dawdles is out within ten seconds.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a TLS handshake may take: two round trips and one signature.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a client may take for the next [`MIN_PROGRESS`] bytes of a request
/// body while the service waits for them.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a client may take to read the next [`MIN_PROGRESS`] bytes of an
/// answer that is ready for it. Wallets stop reading while they scan what they
/// have, on a phone for tens of seconds; what they do not read counts against
/// the memory budget meanwhile.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes a peer has to send or read within one of the time-outs above, so that
/// one byte now and then is no way to hold a place. 1 KiB in 8 s is a
/// thirtieth of the slowest mobile network in use.
pub const MIN_PROGRESS: u64 = 1 << 10;

/// How long an HTTP/1 connection may wait for its next request; the usual
/// value of proxies that keep connections open.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How often connections are looked at for these time-outs. A time-out of a
/// body is noticed two ticks late at worst: one until it is seen to be waited
/// for, one until the time is seen to be over. A shorter tick would wake an
/// idle process for nothing.
pub const TICK: Duration = Duration::from_millis(500);

/// How often certificate and list files are compared with what is in use. Reading a
/// handful of small files costs nothing, and polling works on every file
/// system and with every way of replacing a file.
pub const FILE_POLL: Duration = Duration::from_secs(3);

/// The largest certificate, key, CA or list file that is read. A CA bundle of
/// all public authorities is about 250 KB; a list of 10,000 enodes 1.7 MB.
pub const MAX_FILE: u64 = 4 << 20;

/// Requests at once on one HTTP/2 connection; further ones wait at the
/// client. Wallets use under ten; a balancer's pooled connection more.
pub const MAX_STREAMS: u32 = 256;

/// An HTTP/2 ping goes out after this much silence, so that connections whose
/// peer vanished (a phone out of reach) do not stay open for ever.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// How long the answer to that ping may take.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// HTTP/2 receive windows, per stream and per connection: the smallest the
/// protocol has. They bound what a client may send before anybody asked for
/// it, [`MAX_CONNECTIONS`] times over. A 2 MB transaction takes some thirty
/// round trips more than with large windows, which nobody waits for. The
/// windows that make downloads fast are the client's.
pub const STREAM_WINDOW: u32 = (64 << 10) - 1;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = (64 << 10) - 1;

/// Bytes of answer queued per HTTP/2 stream before its body is asked for
/// more. Enough to keep a fast reader busy between two wake-ups.
pub const SEND_BUFFER: usize = 400 << 10;

/// Bytes of answers queued on one connection, over all its streams, before
/// its bodies are asked for more. Ten streams at full speed.
pub const CONNECTION_BUFFER: u64 = 4 << 20;

/// What a connection costs without any answer: its receive window and the
/// state of socket, TLS and HTTP.
pub const CONNECTION_SHARE: u64 = 96 << 10;

/// Memory for all connections of a process: every open one counts
/// [`CONNECTION_SHARE`], every byte of an answer that waits for its reader and
/// of a request that is being read counts itself. [`MAX_CONNECTIONS`] fit with
/// their shares; a machine with 2 GB keeps half for the rest.
pub const MEMORY: u64 = 1 << 30;

/// The largest request body. The largest that any ledger takes is a 2 MB
/// transaction, 4 MB where it travels as hex.
pub const MAX_REQUEST: u64 = 8 << 20;

/// Total size of the headers of one HTTP/2 request, counted as HTTP/2 does:
/// names, values and 32 bytes for each. gRPC metadata is well below 1 KiB;
/// 16 KiB leaves room for tokens.
pub const MAX_HEADERS: usize = 16 << 10;

/// The HTTP/1 read buffer, which bounds an HTTP/1 request's headers.
pub const HTTP1_BUFFER: usize = 64 << 10;

/// How long an HTTP/2 connection that has asked for nothing yet waits before
/// HTTP/2's own machinery is made for it. Clients ask at once, and wait for
/// the confirmation of their settings for tens of seconds.
pub const LINGER: Duration = Duration::from_secs(1);

/// What HTTP/2 itself answers with an error, without anybody seeing the
/// request, as far as HTTP/1: what is between [`MAX_HEADERS`] and this is
/// refused in our own words, and counted.
pub const HTTP2_HEADERS: u32 = 64 << 10;

/// Connections open at once from one address (IPv4) or one /64 (IPv6, the
/// smallest network a provider hands out). A household or office behind one
/// address stays far below; a proxy in front of the node wants an exemption.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 256;

/// Connections over that limit, or of somebody on a list, that are told why at
/// once; further ones are closed without a word. A word costs a task.
pub const COURTESIES: usize = 64;

/// The first time an address is refused after a connection of it was cut for a
/// flood. Long enough that coming back at once, thousands of times a second,
/// comes to nothing; short enough for whoever shares the address.
pub const FIRST_PENALTY: Duration = Duration::from_secs(1);

/// The longest time an address is refused. Each penalty is twice as long as
/// the one before; after six of them a flood is down to one connection a
/// minute, and more would only punish who gets the address next.
pub const LONGEST_PENALTY: Duration = Duration::from_secs(60);

/// How long a refused socket is kept before it is closed: whoever comes back
/// when it is disconnected comes twice a second. To a good client it is a slow
/// network.
pub const PARKING: Duration = Duration::from_millis(500);

/// Refused sockets that are kept. Each takes a descriptor, and the system
/// some memory for what it does not stop to send; further ones are closed at
/// once.
pub const PARKED: usize = 256;

/// A quiet time after which the next penalty is doubled once less.
pub const PENALTY_FORGOTTEN: Duration = Duration::from_secs(60);

/// Slow headers, bodies and handshakes, and connections that end because
/// their bytes make no sense, that count as much as a flood. One is forgotten
/// each second: a bad network makes a few, an attacker hundreds.
pub const SMALL_OFFENCES: u64 = 16;

/// Addresses whose offences are remembered. 100 bytes each; further ones go
/// unpunished until old ones are forgotten.
pub const MAX_PENALTIES: usize = 100_000;

/// Requests a second from one address, in the long run. A syncing wallet makes
/// some ten; a busy office behind one address some hundred.
pub const ADDRESS_RATE: u32 = 500;

/// Requests from one address at once. Wallets ask for hundreds of
/// transactions in one go after a long absence.
pub const ADDRESS_BURST: u32 = 2_000;

/// Requests a second by one identity, in the long run. Identities are known
/// and can be spoken to: four times an address.
pub const IDENTITY_RATE: u32 = 2_000;

/// Requests by one identity at once.
pub const IDENTITY_BURST: u32 = 8_000;

/// Addresses and identities whose rate is remembered. 100 bytes each; further
/// ones share one bucket until old ones are forgotten.
pub const MAX_RATE_KEYS: usize = 100_000;

/// HTTP/2 frames that do no work (SETTINGS, PING, RST_STREAM, PRIORITY, empty
/// DATA, unknown ones) a client may send ahead of what it is owed: enough to
/// cancel all of [`MAX_STREAMS`] at once. Each costs a server some microseconds,
/// and a flooding client comes back with a new allowance.
pub const CONTROL_FRAMES: u32 = 320;

/// How many of these a client gets back each second. Clients that cancel every
/// request stay below.
pub const CONTROL_FRAMES_PER_SECOND: u32 = 100;

/// Bytes of answer that earn a client one such frame: clients that measure the
/// connection send a ping or two for every round trip of data.
pub const BYTES_PER_CONTROL_FRAME: u32 = 256;

/// CONTINUATION frames after one HEADERS frame. [`MAX_HEADERS`] fit into one
/// frame; clients that split smaller exist. The h2 library takes no more than
/// these for headers of that size.
pub const MAX_CONTINUATIONS: u32 = 5;

/// Streams a client reset before we took them up (HTTP/2 rapid reset), at
/// once; the connection ends with the next. hyper's own default.
pub const MAX_PENDING_RESETS: usize = 20;

/// Streams we reset for a client's errors before the connection ends.
/// A client that is wrong this often is not going to get better.
pub const MAX_ERROR_RESETS: usize = 100;

/// The longest bearer token. JWTs with many claims reach 4 KiB.
pub const MAX_TOKEN: usize = 8 << 10;

/// How far the clocks of issuer and node may be apart.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(60);

/// How long a request to the tokens' issuer may take. A client waits for it.
pub const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);

/// The shortest time between two fetches of the issuer's keys, so that tokens
/// with made-up key names do not turn us against the issuer.
pub const JWKS_REFRESH: Duration = Duration::from_secs(60);

/// After this time keys are fetched again although they are known, so that a
/// withdrawn key stops working.
pub const JWKS_FRESH: Duration = Duration::from_secs(3_600);

/// Keys this old are not used, even when the issuer cannot be reached.
pub const JWKS_STALE: Duration = Duration::from_secs(24 * 3_600);

/// The largest key set or discovery document. Large issuers have ten keys of
/// 2 KiB.
pub const MAX_JWKS: usize = 256 << 10;

/// Keys in a set; see [`MAX_JWKS`].
pub const MAX_KEYS: usize = 100;

/// The largest introspection answer.
pub const MAX_INTROSPECTION: usize = 64 << 10;

/// Introspections at once; further ones wait.
pub const INTROSPECTIONS: usize = 16;

/// How long an opaque token counts as active without a new question: what a
/// withdrawn token can still do.
pub const ACTIVE_KEPT: Duration = Duration::from_secs(30);

/// How long one counts as not active.
pub const INACTIVE_KEPT: Duration = Duration::from_secs(10);

/// Opaque tokens that are remembered.
pub const MAX_INTROSPECTED: usize = 10_000;
