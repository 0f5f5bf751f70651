//! A server of ranges on loopback, its client, and the engine underneath.

use std::sync::{Arc, Mutex};

use heliostat_core::{Assurance, Id};
use heliostat_store::{Options, Store, testing::PrivatePostgres};
use heliostat_zcash::{
    chunk::TABLES,
    range::{RangeContext, RangeEnd, range_routes},
    replica::{BlockLog, NewBlock},
};
use heliostat_zcash_proto::{
    BlockId, BlockRange, CompactBlock, compact_tx_streamer_client::CompactTxStreamerClient,
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::blocks::run;

/// Where the blocks lie.
pub enum Engine {
    Memory,
    Sqlite(TempDir),
    Postgres(PrivatePostgres),
}

impl Engine {
    /// A new file.
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    /// A store without anything in it, called `name` by this engine.
    async fn store(&self, name: &str) -> Arc<dyn Store> {
        let address = match self {
            Self::Memory => "memory:".to_owned(),
            Self::Sqlite(folder) => format!("sqlite:{}/{name}.sqlite", folder.path().display()),
            Self::Postgres(server) => server.url(name),
        };
        heliostat_store::open(&address, "regtest", &TABLES, Options::default())
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What is called once, from within the server.
type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Blocks, served.
pub struct Rig {
    pub log: Arc<BlockLog>,
    /// Called before the next slice is graded.
    pub before_grade: Hook,
    pub blocks: Vec<NewBlock>,
    pub client: CompactTxStreamerClient<Channel>,
    pub ends: Arc<Mutex<Vec<RangeEnd>>>,
    _stop: tokio_util::sync::DropGuard,
    _server: AbortOnDropHandle<()>,
}

/// Serves blocks from height 10 on out of a new store.
pub async fn rig(on: &Engine, name: &str, blocks: Vec<NewBlock>, least: Assurance) -> Rig {
    let store = on.store(name).await;
    let log = BlockLog::open(store, "regtest", 32 << 20, false)
        .await
        .expect("the store is new");
    for part in blocks.chunks(500) {
        log.commit(None, part.to_vec(), false)
            .await
            .expect("the store is there");
    }
    let ends: Arc<Mutex<Vec<RangeEnd>>> = Arc::default();
    let seen = ends.clone();
    let before_grade: Hook = Arc::default();
    let hook = before_grade.clone();
    let context = RangeContext {
        shared: log.shared().clone(),
        chain_grade: Arc::new(move |height| {
            let before = hook.lock().expect("no hook panics").take();
            before.into_iter().for_each(|before| before());
            match height {
                ..=1000 => Assurance::Proven,
                _ => Assurance::agreed(2, 3),
            }
        }),
        minimum: [("GetBlockRange".to_owned(), least)].into(),
        observer: Some(Arc::new(move |end| {
            seen.lock().expect("no observer panics").push(end.clone());
        })),
    };
    let routes = tonic::service::Routes::from(range_routes(context));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tokio::spawn(async move {
        tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stopped)
            .await
            .expect("the server runs until it is stopped");
    });
    let client = CompactTxStreamerClient::connect(format!("http://{address}"))
        .await
        .expect("the server listens");
    Rig {
        log: Arc::new(log),
        before_grade,
        blocks,
        client,
        ends,
        _stop: stop.drop_guard(),
        _server: AbortOnDropHandle::new(server),
    }
}

pub fn chain(count: u64) -> Vec<NewBlock> {
    run(3, 10, Id([0; 32]), count, 3)
}

pub fn request(start: u64, end: u64, pool_types: &[i32]) -> BlockRange {
    let at = |height| {
        Some(BlockId {
            height,
            ..Default::default()
        })
    };
    BlockRange {
        start: at(start),
        end: at(end),
        pool_types: pool_types.to_vec(),
    }
}

/// Everything a stream gives: blocks, how it ended, its grade.
pub async fn drain(
    stream: Result<tonic::Response<Streaming<CompactBlock>>, Status>,
) -> (Vec<CompactBlock>, Code, String, Option<String>) {
    let mut blocks = Vec::new();
    let mut stream = match stream {
        Ok(response) => response.into_inner(),
        Err(status) => return (blocks, status.code(), status.message().into(), None),
    };
    loop {
        match stream.message().await {
            Ok(Some(block)) => blocks.push(block),
            Ok(None) => break,
            Err(status) => {
                assert!(status.metadata().get(Assurance::FIELD).is_none());
                return (blocks, status.code(), status.message().into(), None);
            }
        }
    }
    let trailers = stream.trailers().await.expect("they were read already");
    let grade = trailers.and_then(|trailers| {
        let value = trailers.get(Assurance::FIELD)?;
        Some(value.to_str().expect("a grade is plain text").to_owned())
    });
    (blocks, Code::Ok, String::new(), grade)
}
