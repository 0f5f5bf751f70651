//! Clients that mean no good, from addresses of their own, so that what they
//! are refused is not refused to the wallets.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use reqwest::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

/// Attackers of each kind.
const EACH: u8 = 8;
/// How long one holds on before it begins anew; longer than the door lets it.
const HOLD: Duration = Duration::from_secs(15);
/// The pause between two attempts of one that is quick.
const QUICK: Duration = Duration::from_millis(50);
/// A body that no ledger takes, in bytes.
const HUGE: usize = 5 << 20;
/// The first bytes of HTTP/2, and a SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What those call who should not: a path, a type of content, and a body, for
/// the given turn of the given caller.
pub type Calls = fn(u64, u8) -> (String, &'static str, Vec<u8>);

/// Attacks for ever.
pub async fn all(to: SocketAddr, questions: Calls) {
    let mut all = tokio::task::JoinSet::new();
    for number in 0..EACH {
        all.spawn(forever(to, 2, number, nothing_to_say));
        all.spawn(forever(to, 3, number, half_a_head));
        all.spawn(forever(to, 4, number, garbage));
        all.spawn(forever(to, 5, number, in_and_out));
        all.spawn(forever(to, 6, number, reads_nothing));
        all.spawn(calls(to, number, questions));
    }
    while all.join_next().await.is_some() {}
}

async fn forever<F>(to: SocketAddr, kind: u8, number: u8, attack: impl Fn(TcpStream, u8) -> F)
where
    F: Future<Output = std::io::Result<()>>,
{
    loop {
        if let Ok(stream) = connect(to, kind).await {
            // To be cut off is what it expects.
            let _ = timeout(HOLD, attack(stream, number)).await;
        }
        sleep(QUICK).await;
    }
}

async fn connect(to: SocketAddr, kind: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, kind), 0).into())?;
    socket.connect(to).await
}

/// Reads until it is cut off.
async fn held(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

async fn nothing_to_say(stream: TcpStream, _: u8) -> std::io::Result<()> {
    held(stream).await
}

/// A byte of the preface every second.
async fn half_a_head(mut stream: TcpStream, _: u8) -> std::io::Result<()> {
    for byte in PREFACE {
        stream.write_all(&[*byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    held(stream).await
}

async fn garbage(mut stream: TcpStream, number: u8) -> std::io::Result<()> {
    let mut byte = number;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        byte = byte.wrapping_mul(167).wrapping_add(41);
        byte
    })
    .take(4_096)
    .collect();
    if number.is_multiple_of(2) {
        stream.write_all(PREFACE).await?;
    }
    stream.write_all(&noise).await?;
    held(stream).await
}

async fn in_and_out(mut stream: TcpStream, _: u8) -> std::io::Result<()> {
    stream.write_all(PREFACE).await
}

/// Asks for a range over HTTP/2 with a window of nothing: HEADERS of a POST
/// to GetBlockRange, a message, and not one byte read.
async fn reads_nothing(mut stream: TcpStream, _: u8) -> std::io::Result<()> {
    stream.write_all(PREFACE).await?;
    // :method POST, :scheme http, :path, :authority, content-type, te; each a
    // literal without indexing.
    let mut head = vec![0x83, 0x86];
    let path = b"/cash.z.wallet.sdk.rpc.CompactTxStreamer/GetBlockRange";
    for (name, value) in [(4_u8, &path[..]), (1, b"localhost")] {
        head.extend([name, value.len() as u8]);
        head.extend(value);
    }
    for (name, value) in [
        (&b"content-type"[..], &b"application/grpc"[..]),
        (b"te", b"trailers"),
    ] {
        head.extend([0, name.len() as u8]);
        head.extend(name);
        head.push(value.len() as u8);
        head.extend(value);
    }
    let message = [0, 0, 0, 0, 9, 10, 2, 8, 1, 18, 3, 8, 150, 1];
    frame(&mut stream, 1, 4, &head).await?;
    frame(&mut stream, 0, 1, &message).await?;
    sleep(HOLD).await;
    Ok(())
}

async fn frame(stream: &mut TcpStream, kind: u8, flags: u8, body: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
    stream.write_all(&[&head[..], body].concat()).await
}

/// Calls that nobody should make, and streams that are left at once.
async fn calls(to: SocketAddr, number: u8, questions: Calls) {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
    let client = Client::builder()
        .http2_prior_knowledge()
        .local_address(from)
        .no_proxy()
        .timeout(HOLD)
        .build()
        .expect("a client");
    for turn in u64::from(number).. {
        let (path, content, body) = questions(turn, number);
        let url = format!("http://{to}{path}");
        let call = match body.is_empty() {
            true => client.get(url),
            false => client.post(url).body(body),
        };
        let call = call
            .header("content-type", content)
            .header("te", "trailers")
            .send();
        if let Ok(Ok(reply)) = timeout(Duration::from_secs(2), call).await {
            // Left in the middle of the answer, or read to its end.
            if turn.is_multiple_of(2) {
                let _ = timeout(QUICK, reply.bytes()).await;
            }
        }
        sleep(QUICK * 4).await;
    }
}

/// Of the Zcash chain.
pub fn of_zcash(turn: u64, number: u8) -> (String, &'static str, Vec<u8>) {
    let (method, body) = match turn % 7 {
        0 => ("GetMempoolStream", framed(&[])),
        1 => ("GetBlockRange", framed(&[10, 2, 8, 1, 18, 3, 8, 150, 1])),
        2 => ("GetBlockRange", framed(&[0xff; 64])),
        3 => ("SendTransaction", framed(&vec![0; HUGE])),
        4 => ("SendTransaction", framed(&unique(turn, number))),
        5 => ("GetTaddressBalance", framed(&[10, 1, 120])),
        _ => ("NoSuchMethod", framed(&[1])),
    };
    let path = format!("/cash.z.wallet.sdk.rpc.CompactTxStreamer/{method}");
    (path, "application/grpc", body)
}

/// Of the Tezos chain.
pub fn of_tezos(turn: u64, number: u8) -> (String, &'static str, Vec<u8>) {
    let head = "/chains/main/blocks/head";
    let (path, body) = match turn % 8 {
        0 => ("/monitor/heads/main".to_owned(), Vec::new()),
        1 => (format!("{head}/context/raw/bytes"), Vec::new()),
        2 => (
            format!("{head}/context/contracts/{turn}/balance"),
            Vec::new(),
        ),
        3 => ("/injection/operation".to_owned(), vec![b'0'; HUGE]),
        4 => {
            let operation = format!("\"{}\"", hex::encode(unique(turn, number)));
            ("/injection/operation".to_owned(), operation.into_bytes())
        }
        5 => (
            format!("{head}/helpers/scripts/run_operation"),
            b"{\"operation\":[".repeat(200),
        ),
        6 => (format!("{head}/../../{}", "x/".repeat(900)), Vec::new()),
        _ => (format!("/no/such/{turn}"), Vec::new()),
    };
    (path, "application/json", body)
}

/// A transaction that nobody takes, another one each time.
fn unique(turn: u64, number: u8) -> Vec<u8> {
    let data = [&[number][..], &turn.to_be_bytes(), &[7; 60]].concat();
    [&[10, data.len() as u8][..], &data].concat()
}

/// A gRPC message with its prefix.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}
