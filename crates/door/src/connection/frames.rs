//! Where the peer is within what it sends: between two HTTP/2 frames, or in
//! the middle of something it has to finish. And how many frames it sends
//! that do no work.
//!
//! This looks at frame headers only (RFC 9113, section 4.1) and leaves what
//! they mean to HTTP. Without it a peer could hold a connection with half a
//! frame, or keep it busy with frames that cost it nothing: HTTP/2 libraries
//! bound what such frames cost in memory, not how many come.

use crate::defaults;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length (3 bytes), type, flags, stream (4 bytes).
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Before each message of gRPC: whether it is compressed (1 byte), and its
/// length (4 bytes, big-endian).
const MESSAGE_HEADER: usize = 5;

/// The largest payload a frame may have (SETTINGS_MAX_FRAME_SIZE, which the
/// door leaves as it is).
const MAX_PAYLOAD: usize = 16 << 10;

/// What a control frame costs; a WINDOW_UPDATE costs one, because clients that
/// read small answers send two for each.
const CONTROL: i64 = 8;

/// Where the peer is after some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing is begun.
    Between,
    /// The peer has to send the rest of something.
    Within,
    /// HTTP/1: whether something is begun, only HTTP knows.
    Http1,
    /// More than it is owed.
    Flood,
}

/// The state of one connection's incoming bytes.
#[derive(Debug)]
pub(crate) enum Speech {
    /// So many bytes look like HTTP/2's first.
    Unknown(usize),
    /// Anything that is not HTTP/2.
    Http1,
    /// HTTP/2, after its preface.
    Http2(Frames),
}

impl Speech {
    pub(crate) fn new() -> Self {
        Self::Unknown(0)
    }

    /// Takes the next bytes. `credit` earns control frames: see
    /// [`Frames::earn`].
    pub(crate) fn hear(&mut self, mut bytes: &[u8], allowance: &Allowance) -> Heard {
        if let Self::Unknown(matched) = self {
            let rest = &PREFACE[*matched..];
            let length = rest.len().min(bytes.len());
            if rest[..length] != bytes[..length] {
                *self = Self::Http1;
                return Heard::Http1;
            }
            *matched += length;
            if *matched < PREFACE.len() {
                return Heard::Within;
            }
            bytes = &bytes[length..];
            *self = Self::Http2(Frames::new(allowance));
        }
        match self {
            Self::Http2(frames) => frames.hear(bytes, allowance),
            _ => Heard::Http1,
        }
    }

    /// How many of the last bytes are a frame, not whole yet, that HTTP/2 can
    /// do nothing with before it is.
    pub(crate) fn unfinished(&self) -> usize {
        match self {
            Self::Http2(frames) => frames.unfinished(),
            _ => 0,
        }
    }
}

/// What a peer is owed, as of now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Control frames ahead.
    pub(crate) ahead: u32,
    /// Milliseconds of the door's clock.
    pub(crate) now: u64,
    /// Bytes written to the peer so far.
    pub(crate) written: u64,
}

/// HTTP/2's frames, as far as they have come.
#[derive(Debug)]
pub(crate) struct Frames {
    header: [u8; HEADER],
    have: usize,
    payload_left: usize,
    payload_is_data: bool,
    /// A header block is open, with so many CONTINUATIONs.
    block: Option<u32>,
    /// The first frame (SETTINGS) has come.
    started: bool,
    /// A frame has come that HTTP has something to do for, whatever follows.
    asked: bool,
    /// A request has begun whose body may follow.
    begun: bool,
    /// The last frame ends its stream.
    ends: bool,
    body: Body,
    credit: i64,
    at: u64,
    written: u64,
}

impl Frames {
    fn new(allowance: &Allowance) -> Self {
        Self {
            header: [0; HEADER],
            have: 0,
            payload_left: 0,
            payload_is_data: false,
            block: None,
            started: false,
            asked: false,
            begun: false,
            ends: false,
            body: Body::default(),
            credit: full(allowance),
            at: allowance.now,
            written: allowance.written,
        }
    }

    fn hear(&mut self, mut bytes: &[u8], allowance: &Allowance) -> Heard {
        self.earn(allowance);
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let length = self.payload_left.min(bytes.len());
                if self.payload_is_data {
                    self.body.hear(&bytes[..length]);
                }
                self.payload_left -= length;
                self.asked |= self.ends && self.payload_left == 0;
                bytes = &bytes[length..];
                continue;
            }
            let length = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + length].copy_from_slice(&bytes[..length]);
            self.have += length;
            bytes = &bytes[length..];
            if self.have == HEADER && !self.frame() {
                return Heard::Flood;
            }
        }
        match self.is_between() {
            true => Heard::Between,
            false => Heard::Within,
        }
    }

    /// Whether the peer has begun nothing that it has to finish.
    pub(crate) fn is_between(&self) -> bool {
        let within_payload = self.payload_left > 0 && !self.payload_is_data;
        self.started && self.have == 0 && !within_payload && self.block.is_none()
    }

    /// Whether the peer has asked for something, and not only told what it is
    /// like: for a request with a body, when that has ended, so many `bytes`
    /// of it are there, or a message of gRPC.
    pub(crate) fn has_asked(&self, bytes: u64) -> bool {
        self.asked || self.begun && (self.body.length >= bytes || self.body.has_message())
    }

    /// Whether a request has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    fn payload(&self) -> usize {
        let [a, b, c, ..] = self.header;
        usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
    }

    /// See [`Speech::unfinished`]. Data are passed on as they come, and frames
    /// that are too large too: HTTP/2 has words for them.
    fn unfinished(&self) -> usize {
        if self.have > 0 {
            return self.have;
        }
        let payload = self.payload();
        match self.payload_left > 0 && !self.payload_is_data && payload <= MAX_PAYLOAD {
            true => HEADER + payload - self.payload_left,
            false => 0,
        }
    }

    /// Takes a complete frame header; false if it is one too many.
    fn frame(&mut self) -> bool {
        let [_, _, _, kind, flags, ..] = self.header;
        let length = self.payload();
        self.have = 0;
        self.payload_left = length;
        self.payload_is_data = kind == DATA;
        let first = !std::mem::replace(&mut self.started, true);
        let of_request = matches!(kind, HEADERS | DATA | CONTINUATION);
        self.begun |= of_request;
        self.ends = matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
        self.asked |= self.ends && length == 0;
        self.asked |= !of_request && !matches!(kind, SETTINGS | WINDOW_UPDATE | PRIORITY);
        match kind {
            HEADERS => self.block = (flags & END_HEADERS == 0).then_some(0),
            CONTINUATION => {
                let count = self.block.unwrap_or(0) + 1;
                self.block = (flags & END_HEADERS == 0).then_some(count);
                return count <= defaults::MAX_CONTINUATIONS;
            }
            DATA if length > 0 || flags & END_STREAM != 0 => {}
            WINDOW_UPDATE => self.credit -= 1,
            _ if first => {}
            _ => self.credit -= CONTROL,
        }
        self.credit >= 0
    }

    /// Time and bytes of answer give credit, up to what a new connection has.
    fn earn(&mut self, allowance: &Allowance) {
        let passed = allowance.now.saturating_sub(self.at);
        let written = allowance.written.saturating_sub(self.written);
        self.at = allowance.now;
        let per_second = i64::from(defaults::CONTROL_FRAMES_PER_SECOND) * CONTROL;
        let per_frame = u64::from(defaults::BYTES_PER_CONTROL_FRAME) / CONTROL as u64;
        // What does not make a whole credit yet is kept for the next time.
        let by_bytes = written / per_frame;
        self.written += by_bytes * per_frame;
        let by_time = i64::try_from(passed).unwrap_or(i64::MAX / per_second);
        let by_time = by_time.saturating_mul(per_second) / 1_000;
        let by_bytes = i64::try_from(by_bytes).unwrap_or(i64::MAX);
        let earned = by_time.saturating_add(by_bytes);
        self.credit = self.credit.saturating_add(earned).min(full(allowance));
    }
}

/// What has come of the bodies of requests.
#[derive(Debug, Default)]
struct Body {
    /// The first of it, in which gRPC tells the length of its first message.
    start: [u8; MESSAGE_HEADER],
    /// Bytes in all.
    length: u64,
}

impl Body {
    fn hear(&mut self, bytes: &[u8]) {
        let have = self.length.min(MESSAGE_HEADER as u64) as usize;
        let length = (MESSAGE_HEADER - have).min(bytes.len());
        self.start[have..have + length].copy_from_slice(&bytes[..length]);
        self.length += bytes.len() as u64;
    }

    /// Whether a whole message of gRPC is there. Its peer may wait for the
    /// answer to that before it says more (server reflection).
    fn has_message(&self) -> bool {
        let [compressed, length @ ..] = self.start;
        let whole = MESSAGE_HEADER as u64 + u64::from(u32::from_be_bytes(length));
        compressed <= 1 && self.length >= whole
    }
}

fn full(allowance: &Allowance) -> i64 {
    i64::from(allowance.ahead) * CONTROL
}

#[cfg(test)]
mod tests;
