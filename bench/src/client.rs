//! A neutral GetBlockRange client: it counts gRPC messages in the raw HTTP/2
//! body and checks, for every block, that its height is the next one asked for
//! and that its hashes link it to the one before, without decoding the rest.
//! So the generator is cheap next to the server it loads, does the same work
//! for every server, and works against any `CompactTxStreamer`. What a client
//! that decodes everything sees is measured by [`decode`](crate::decode).

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use heliostat_zcash_proto::{BlockId, BlockRange};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Stream and connection windows: large enough that flow control never paces
/// a loopback stream.
const WINDOW: u32 = 16 << 20;

/// One HTTP/2 connection to a server.
pub struct Connection {
    send: SendRequest<Full<Bytes>>,
    authority: String,
}

/// What a range request brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Blocks received.
    pub blocks: u64,
    /// Message bytes received, without the five-byte prefixes.
    pub bytes: u64,
    /// CRC-32 of all messages one after the other, when it was asked for.
    pub crc: Option<u32>,
}

impl Connection {
    /// Connects in plaintext to `http://host:port`.
    pub async fn open(server: &str) -> Result<Self> {
        let authority = server
            .strip_prefix("http://")
            .with_context(|| format!("{server:?} is not of the form http://host:port"))?
            .trim_end_matches('/')
            .to_owned();
        let stream = TcpStream::connect(&authority)
            .await
            .with_context(|| format!("cannot connect to {authority}"))?;
        stream.set_nodelay(true)?;
        Self::over(stream, &authority).await
    }

    /// The same over a stream that is open, encrypted or not.
    pub async fn over<S>(stream: S, authority: &str) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(connection);
        Ok(Self {
            send,
            authority: authority.to_owned(),
        })
    }

    /// Streams `from..=to` (descending when `from > to`) and checks every
    /// height and link. `method` is `GetBlockRange` or
    /// `GetBlockRangeNullifiers`.
    pub async fn range(
        &mut self,
        method: &str,
        from: u64,
        to: u64,
        pools: &[i32],
    ) -> Result<Tally> {
        self.stream(method, from, to, pools, false).await
    }

    /// The same, with the CRC-32 of what came: servers that agree on it sent
    /// the same bytes.
    pub async fn digest(
        &mut self,
        method: &str,
        from: u64,
        to: u64,
        pools: &[i32],
    ) -> Result<Tally> {
        self.stream(method, from, to, pools, true).await
    }

    async fn stream(
        &mut self,
        method: &str,
        from: u64,
        to: u64,
        pools: &[i32],
        digest: bool,
    ) -> Result<Tally> {
        let id = |height| {
            Some(BlockId {
                height,
                ..Default::default()
            })
        };
        let range = BlockRange {
            start: id(from),
            end: id(to),
            pool_types: pools.to_vec(),
        };
        let request = Request::post(format!(
            "http://{}/cash.z.wallet.sdk.rpc.CompactTxStreamer/{method}",
            self.authority
        ))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(frame(&range)))?;
        self.send.ready().await?;
        let response = self.send.send_request(request).await?;
        ensure!(
            response.status() == 200,
            "HTTP status {}",
            response.status()
        );
        check_status(response.headers(), false)?;
        let mut body = response.into_body();
        let mut counter = Counter::new(from, from > to);
        counter.crc = digest.then(crc32fast::Hasher::new);
        let mut ended = false;
        while let Some(part) = body.frame().await {
            match part?.into_data() {
                Ok(data) => counter.feed(data)?,
                Err(part) => {
                    let Ok(trailers) = part.into_trailers() else {
                        continue;
                    };
                    check_status(&trailers, true)?;
                    ended = true;
                }
            }
        }
        ensure!(ended, "the stream ended without trailers");
        counter.finish(from.abs_diff(to) + 1)
    }
}

/// A message behind its gRPC prefix.
fn frame(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(0);
    out.extend((body.len() as u32).to_be_bytes());
    out.extend(body);
    out.into()
}

/// Fails unless `grpc-status` is 0; it may be absent outside trailers.
fn check_status(headers: &http::HeaderMap, required: bool) -> Result<()> {
    match headers.get("grpc-status") {
        Some(code) if code == "0" => Ok(()),
        Some(code) => bail!(
            "grpc-status {:?}: {:?}",
            code,
            headers.get("grpc-message").cloned()
        ),
        None => {
            ensure!(!required, "the trailers carry no grpc-status");
            Ok(())
        }
    }
}

/// Counts messages in a body that arrives in pieces.
struct Counter {
    tally: Tally,
    /// The height of the next block.
    height: u64,
    /// The hash the next block must be linked to.
    link: Option<[u8; 32]>,
    descending: bool,
    /// The start of a message whose rest has not arrived.
    carry: BytesMut,
    crc: Option<crc32fast::Hasher>,
}

impl Counter {
    fn new(height: u64, descending: bool) -> Self {
        Self {
            tally: Tally::default(),
            height,
            link: None,
            descending,
            carry: BytesMut::new(),
            crc: None,
        }
    }

    fn feed(&mut self, mut data: Bytes) -> Result<()> {
        while !self.carry.is_empty() && !data.is_empty() {
            let want = match message_len(&self.carry) {
                Some(len) => len + 5,
                None => 5,
            };
            let take = (want - self.carry.len()).min(data.len());
            self.carry.extend_from_slice(&data[..take]);
            data.advance(take);
            if message_len(&self.carry).is_some_and(|len| self.carry.len() == len + 5) {
                let whole = self.carry.split();
                self.message(&whole[5..])?;
            }
        }
        let mut rest = &data[..];
        while let Some(len) = message_len(rest) {
            let Some(message) = rest.get(5..5 + len) else {
                break;
            };
            self.message(message)?;
            rest = &rest[5 + len..];
        }
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    fn message(&mut self, message: &[u8]) -> Result<()> {
        let (height, hash, prev) = head(message).context("a block has no hash or prevHash")?;
        ensure!(
            height == self.height,
            "block {height} came instead of {}",
            self.height
        );
        self.height = match self.descending {
            true => height.wrapping_sub(1),
            false => height + 1,
        };
        let (linked, next) = if self.descending {
            (hash, prev)
        } else {
            (prev, hash)
        };
        if let Some(expected) = self.link {
            ensure!(
                *linked == expected,
                "block {} of the stream does not link to the one before",
                self.tally.blocks
            );
        }
        self.link = Some(*next);
        self.tally.blocks += 1;
        self.tally.bytes += message.len() as u64;
        if let Some(crc) = &mut self.crc {
            crc.update(message);
        }
        Ok(())
    }

    fn finish(self, expected: u64) -> Result<Tally> {
        ensure!(self.carry.is_empty(), "the stream ended inside a message");
        ensure!(
            self.tally.blocks == expected,
            "{} blocks came instead of {expected}",
            self.tally.blocks
        );
        let crc = self.crc.map(crc32fast::Hasher::finalize);
        Ok(Tally { crc, ..self.tally })
    }
}

/// The length a five-byte gRPC prefix announces.
fn message_len(data: &[u8]) -> Option<usize> {
    let prefix = data.first_chunk::<5>()?;
    Some(u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize)
}

/// Fields 2 (height), 3 (hash) and 4 (prevHash) of a CompactBlock, which
/// precede the transactions in every encoder known. Height 0 is not written.
fn head(message: &[u8]) -> Option<(u64, &[u8; 32], &[u8; 32])> {
    let mut rest = message;
    let (mut height, mut hash) = (0, None);
    loop {
        let (&tag, after) = rest.split_first()?;
        match tag {
            0x1a | 0x22 => {
                let (len, after) = after.split_first()?;
                let value = after.first_chunk::<32>().filter(|_| *len == 32)?;
                if tag == 0x22 {
                    return Some((height, hash?, value));
                }
                hash = Some(value);
                rest = &after[32..];
            }
            // protoVersion (older servers) and height: varints.
            0x08 | 0x10 => {
                let (value, after) = varint(after)?;
                if tag == 0x10 {
                    height = value;
                }
                rest = after;
            }
            _ => return None,
        }
    }
}

/// A varint and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use heliostat_zcash_proto::CompactBlock;

    fn block(height: u64) -> CompactBlock {
        CompactBlock {
            height,
            hash: vec![height as u8; 32].into(),
            prev_hash: vec![(height as u8).wrapping_sub(1); 32].into(),
            time: 7,
            ..Default::default()
        }
    }

    #[test]
    fn messages_are_counted_however_the_body_is_cut() {
        let body: Vec<u8> = (0..20).flat_map(|h| frame(&block(h))).collect();
        for piece in [1, 3, 5, 7, 64, 100, body.len()] {
            let mut counter = Counter::new(0, false);
            for part in body.chunks(piece) {
                counter.feed(Bytes::copy_from_slice(part)).unwrap();
            }
            assert_eq!(counter.finish(20).unwrap().blocks, 20);
        }
    }

    #[test]
    fn a_broken_link_is_noticed_in_both_directions() {
        for descending in [false, true] {
            let mut counter = Counter::new(5, descending);
            counter.feed(frame(&block(5))).unwrap();
            let height = if descending { 4 } else { 6 };
            let stray = CompactBlock { height, ..block(9) };
            let error = counter.feed(frame(&stray)).unwrap_err();
            assert!(error.to_string().contains("link"), "{error}");
        }
    }

    #[test]
    fn a_block_of_another_height_is_noticed() {
        let mut counter = Counter::new(300, false);
        let linked = CompactBlock {
            height: 301,
            ..block(5)
        };
        let error = counter.feed(frame(&linked)).unwrap_err();
        assert_eq!(error.to_string(), "block 301 came instead of 300");
    }

    #[test]
    fn a_missing_block_or_a_cut_message_is_noticed() {
        let mut counter = Counter::new(5, false);
        counter.feed(frame(&block(5))).unwrap();
        assert!(counter.finish(2).is_err());
        let mut counter = Counter::new(5, false);
        counter.feed(frame(&block(5)).slice(..20)).unwrap();
        assert!(counter.finish(0).is_err());
    }
}
