//! The same requests to a real lightwalletd and to us, over the same node:
//! the same bytes, codes and words, but for the entries of the compatibility
//! table. Needs the binary: `HELIOSTAT_LIGHTWALLETD=/path/to/lightwalletd`.

// Of the shared parts, this test uses only some.
#[allow(dead_code)]
#[path = "api/rig.rs"]
mod rig;

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use bytes::{Buf, BufMut, Bytes};
use heliostat_zcash_proto::{
    AddressList, BlockId, BlockRange, ChainSpec, Duration, Empty, GetAddressUtxosArg,
    GetMempoolTxRequest, GetSubtreeRootsArg, RawTransaction, TransparentAddressBlockFilter,
    TxFilter,
};
use prost::Message;
use tonic::{
    Code, Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

use rig::{BLOCKS, Rig, address, at, by_hash, until};

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

/// Requests whose answers must be equal.
async fn questions(rig: &Rig) -> Vec<(&'static str, Bytes)> {
    fn ask(message: impl Message) -> Bytes {
        message.encode_to_vec().into()
    }
    let address = address(&rig.node).await;
    let range = |start, end, pool_types: &[i32]| BlockRange {
        start: Some(at(start)),
        end: Some(at(end)),
        pool_types: pool_types.to_vec(),
    };
    let txid = |hash: &[u8]| TxFilter {
        hash: hash.to_vec().into(),
        ..TxFilter::default()
    };
    let addresses = |list: &[&str]| AddressList {
        addresses: list.iter().map(|one| (*one).to_owned()).collect(),
    };
    let history = |address: &str, range| TransparentAddressBlockFilter {
        address: address.to_owned(),
        range,
    };
    let utxos = |list: &[&str], start_height, max_entries| GetAddressUtxosArg {
        addresses: list.iter().map(|one| (*one).to_owned()).collect(),
        start_height,
        max_entries,
    };
    let mempool = |pools: &[i32], exclude: &[&[u8]]| GetMempoolTxRequest {
        pool_types: pools.to_vec(),
        exclude_txid_suffixes: exclude.iter().map(|one| one.to_vec().into()).collect(),
    };
    let roots = |shielded_protocol, start_index, max_entries| GetSubtreeRootsArg {
        start_index,
        shielded_protocol,
        max_entries,
    };
    let mut shown = rig.block(9).hash;
    shown.reverse();
    let mut all = vec![
        ("GetLatestBlock", ask(ChainSpec {})),
        ("GetBlock", ask(BlockId::default())),
        ("GetBlock", ask(at(BLOCKS + 1))),
        ("GetBlockNullifiers", ask(BlockId::default())),
        ("GetBlockNullifiers", ask(at(BLOCKS + 5))),
        ("GetBlockRange", ask(BlockRange::default())),
        ("GetBlockRange", ask(range(1, 9, &[0]))),
        ("GetBlockRange", ask(range(BLOCKS - 3, BLOCKS + 3, &[]))),
        ("GetBlockRangeNullifiers", ask(range(1, BLOCKS, &[1]))),
        ("GetTransaction", ask(TxFilter::default())),
        ("GetTransaction", ask(txid(&[7; 32]))),
        ("GetTransaction", ask(txid(&[7; 31]))),
        ("GetTransaction", ask(txid(&rig.block(5).txids[0]))),
        ("SendTransaction", ask(RawTransaction::default())),
        (
            "SendTransaction",
            ask(RawTransaction {
                data: vec![0; 9].into(),
                height: 0,
            }),
        ),
        (
            "SendTransaction",
            ask(RawTransaction {
                data: vec![0; 2_000_001].into(),
                height: 0,
            }),
        ),
        ("GetTreeState", ask(BlockId::default())),
        ("GetTreeState", ask(at(9))),
        ("GetTreeState", ask(at(BLOCKS + 9))),
        ("GetTreeState", ask(by_hash(&shown))),
        ("GetTreeState", ask(by_hash(&[1; 32]))),
        ("GetTreeState", ask(by_hash(&[1; 3]))),
        ("GetLatestTreeState", ask(Empty {})),
        ("GetSubtreeRoots", ask(roots(0, 0, 0))),
        ("GetSubtreeRoots", ask(roots(2, 3, 4))),
        ("GetSubtreeRoots", ask(roots(9, 0, 0))),
        ("GetTaddressBalance", ask(addresses(&[&address, &address]))),
        ("GetTaddressBalance", ask(addresses(&["tbad"]))),
        ("GetTaddressBalance", ask(addresses(&[&*address; 10_001]))),
        ("GetAddressUtxos", ask(utxos(&[&address], 0, 0))),
        ("GetAddressUtxos", ask(utxos(&[&address], 40, 1))),
        (
            "GetAddressUtxosStream",
            ask(utxos(&[&address, &address], 0, 3)),
        ),
        ("GetAddressUtxosStream", ask(utxos(&["t"], 0, 3))),
        ("GetTaddressTransactions", ask(history(&address, None))),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(BlockRange::default()))),
        ),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(range(1, 0, &[])))),
        ),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(range(1, 20_000_000, &[])))),
        ),
        (
            "GetTaddressTxids",
            ask(history(&address, Some(range(1, BLOCKS, &[])))),
        ),
        ("GetTaddressTxids", ask(history("x", None))),
        ("GetMempoolTx", ask(mempool(&[], &[]))),
        ("GetMempoolTx", ask(mempool(&[2, 3], &[]))),
        ("GetMempoolTx", ask(mempool(&[9], &[]))),
        ("GetMempoolTx", ask(mempool(&[0], &[]))),
        (
            "GetMempoolTx",
            ask(mempool(&[], &[&rig.unmined()[0].0, &[1, 2], &[]])),
        ),
        ("GetMempoolTx", ask(mempool(&[], &[&[7; 33]]))),
    ];
    for height in 1..=BLOCKS {
        all.push(("GetBlock", ask(at(height))));
        all.push(("GetBlockNullifiers", ask(at(height))));
    }
    for set in 0..16_i32 {
        let pools: Vec<i32> = (1..=4).filter(|pool| set >> (pool - 1) & 1 == 1).collect();
        for method in ["GetBlockRange", "GetBlockRangeNullifiers"] {
            all.push((method, ask(range(0, BLOCKS, &pools))));
            all.push((method, ask(range(BLOCKS, 0, &pools))));
        }
    }
    all
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
