//! The same requests to a real lightwalletd and to us, over the same node:
//! the same bytes, codes and words, but for the entries of the compatibility
//! table. Needs the binary: `HELIOSTAT_LIGHTWALLETD=/path/to/lightwalletd`.

// Of the shared parts, this test uses only some.
#[allow(dead_code)]
#[path = "api/rig.rs"]
mod rig;

#[path = "api_lightwalletd/questions.rs"]
mod questions;

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use bytes::{Buf, BufMut, Bytes};
use heliostat_zcash_proto::Duration;
use prost::Message;
use tonic::{
    Code, Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

use questions::{questions, wrapping};
use rig::{Rig, by_hash, until};

/// Messages as bytes, so that nothing is lost in decoding.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Everything a client sees of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    messages: Vec<Bytes>,
    code: Code,
    text: String,
}

async fn call(channel: &Channel, method: &str, request: Bytes) -> Seen {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("the server listens");
    let path = format!("/cash.z.wallet.sdk.rpc.CompactTxStreamer/{method}");
    let path = path.parse().expect("a path");
    let mut seen = Seen {
        messages: Vec::new(),
        code: Code::Ok,
        text: String::new(),
    };
    let mut end =
        |status: Status| (seen.code, seen.text) = (status.code(), status.message().into());
    let mut messages = Vec::new();
    match grpc
        .server_streaming(Request::new(request), path, Raw)
        .await
    {
        Err(status) => end(status),
        Ok(reply) => {
            let mut stream = reply.into_inner();
            loop {
                match stream.message().await {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(status) => {
                        end(status);
                        break;
                    }
                }
            }
        }
    }
    Seen { messages, ..seen }
}

struct Lightwalletd {
    child: Child,
    address: String,
    _data: tempfile::TempDir,
}

impl Drop for Lightwalletd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

fn start(binary: &str, rig: &Rig) -> Lightwalletd {
    let data = tempfile::tempdir().expect("a directory");
    let node = rig.node.address();
    let address = format!("127.0.0.1:{}", free_port());
    let child = Command::new(binary)
        .args(["--no-tls-very-insecure", "--grpc-bind-addr", &address])
        .args(["--http-bind-addr", &format!("127.0.0.1:{}", free_port())])
        .args(["--rpcuser", "u", "--rpcpassword", "p"])
        .args([
            "--rpchost",
            &node.ip().to_string(),
            "--rpcport",
            &node.port().to_string(),
        ])
        .arg("--data-dir")
        .arg(data.path())
        .arg("--log-file")
        .arg(data.path().join("log"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Lightwalletd {
        child: child.expect("HELIOSTAT_LIGHTWALLETD names a binary"),
        address,
        _data: data,
    }
}

#[tokio::test]
async fn a_real_lightwalletd_says_the_same() {
    let Ok(binary) = std::env::var("HELIOSTAT_LIGHTWALLETD") else {
        eprintln!("skipped: HELIOSTAT_LIGHTWALLETD does not name a lightwalletd binary");
        return;
    };
    let rig = Rig::new().await;
    for (txid, raw) in rig.unmined() {
        rig.node.mempool_add(txid, raw);
    }
    let theirs = start(&binary, &rig);
    let endpoint = Channel::from_shared(format!("http://{}", theirs.address));
    let endpoint = endpoint.expect("an address makes a URI");
    until("lightwalletd listens", || async {
        endpoint.connect().await.is_ok()
    })
    .await;
    let (theirs, ours) = (endpoint.connect_lazy(), rig.channel().await);
    let (mut differ, mut answered) = (Vec::new(), 0);
    let questions = questions(&rig).await;
    let count = questions.len();
    for (method, request) in questions {
        let expected = call(&theirs, method, request.clone()).await;
        let got = call(&ours, method, request.clone()).await;
        answered += usize::from(!expected.messages.is_empty());
        if expected != got {
            let short = &request[..request.len().min(40)];
            let head = |seen: &Seen| {
                let text = format!("{seen:?}");
                text.chars().take(300).collect::<String>()
            };
            let words = [head(&expected), head(&got)].join("\n   ours: ");
            differ.push(format!("{method} {short:?}\n theirs: {words}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {count} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
    assert!(
        answered > 200,
        "only {answered} of {count} were answered with anything"
    );
    eprintln!("{count} answers are equal, {answered} of them with messages");
    // What the table says is different, is.
    for (method, request) in wrapping() {
        let got = call(&ours, method, request.clone()).await;
        assert_eq!(got.code, Code::OutOfRange, "{method} {request:?}");
        assert!(got.text.contains("is newer than the latest block"));
        assert_ne!(call(&theirs, method, request).await, got);
    }
    let ping = Duration { interval_us: 0 }.encode_to_vec();
    assert_eq!(
        call(&theirs, "Ping", ping.clone().into()).await.code,
        Code::FailedPrecondition
    );
    assert_eq!(
        call(&ours, "Ping", ping.into()).await.code,
        Code::FailedPrecondition
    );
    let by_hash = Bytes::from(by_hash(&rig.block(3).hash).encode_to_vec());
    assert_eq!(
        call(&theirs, "GetBlock", by_hash.clone()).await.code,
        Code::InvalidArgument
    );
    assert_eq!(call(&ours, "GetBlock", by_hash).await.code, Code::Ok);
}
