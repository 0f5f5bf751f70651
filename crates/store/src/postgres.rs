//! The engine on a server.
//!
//! One schema per chain, one table per [`Table`]; one process writes, any
//! number read, on any host.
//!
//! | module | what it holds |
//! |---|---|
//! | `link` | the address, connecting, names of tables as SQL |
//! | `tls` | whether and to whom the connection is encrypted |
//! | `schema` | the layout on the server, its versions and their migrations |
//! | `writer` | the writing session: its lock, batches, reconnecting |
//! | `effect` | what a batch comes to, so that it takes few statements |
//! | `snapshot` | reading in one transaction |
//! | `fault` | PostgreSQL's error codes as [`StoreError`] |
//!
//! Values are stored `EXTERNAL`, that is uncompressed: what ledgers store is
//! mostly hashes and ciphertexts, and decompressing would cost every read.
//! A value read is copied once, out of the row; PostgreSQL's own path to it
//! costs several times that.

mod effect;
mod fault;
mod link;
mod schema;
mod snapshot;
mod tls;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::{sync::Mutex, time};

use crate::{
    Access, Batch, Options, Snapshot, Store, StoreError, Table,
    defaults::{CONNECT, POSTGRES_READ},
};
use link::Link;
use writer::Writer;

/// A store on a server.
pub(crate) struct Postgres {
    link: Arc<Link>,
    readers: Pool,
    /// `None` in a process that only reads.
    writer: Option<Mutex<Writer>>,
}

/// Opens or creates the schema `namespace` in the database at `url`.
pub(crate) async fn open(
    url: &str,
    namespace: &str,
    tables: &[Table],
    options: Options,
) -> Result<Postgres, StoreError> {
    let link = Arc::new(Link::parse(url, namespace, tables)?);
    let writer = match options.access {
        Access::Write => Some(Mutex::new(Writer::open(link.clone()).await?)),
        Access::Read => None,
    };
    let settings = ManagerConfig {
        // A dead connection is noticed when it is used, which costs nothing.
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(link.config.clone(), link.tls.clone(), settings);
    let readers = Pool::builder(manager)
        .max_size(options.readers.max(1))
        .wait_timeout(Some(options.reader_wait))
        .create_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| link.unavailable(error))?;
    let store = Postgres {
        link,
        readers,
        writer,
    };
    let reader = store.reader().await?;
    schema::check(&store.link, &reader).await?;
    drop(reader);
    Ok(store)
}

impl Postgres {
    async fn reader(&self) -> Result<Object, StoreError> {
        let reader = self.readers.get().await;
        reader.map_err(|error| fault::of_pool(&self.link.name, &error))
    }

    /// How often a read may meet a connection that died while it was idle:
    /// after a restart of the server, all of them did.
    fn tries(&self) -> usize {
        self.readers.status().max_size + 1
    }

    fn writer(&self) -> Result<&Mutex<Writer>, StoreError> {
        self.writer.as_ref().ok_or_else(|| StoreError::ReadOnly {
            store: self.link.name.clone(),
            reason: "this process opened it for reading only".into(),
        })
    }
}

#[async_trait]
impl Store for Postgres {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        crate::open::check_keys(&self.link.name, &batch)?;
        self.writer()?.lock().await.commit(&batch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let mut tries = self.tries();
        loop {
            let moment = snapshot::Moment::new(self.link.clone(), self.reader().await?);
            tries -= 1;
            match moment.begin().await {
                Ok(()) => return Ok(Box::new(moment)),
                Err(_) if moment.is_closed() && tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut tries = self.tries();
        loop {
            let reader = self.reader().await?;
            tries -= 1;
            match time::timeout(
                POSTGRES_READ,
                snapshot::get(&self.link, &reader, table, key),
            )
            .await
            {
                Ok(Err(_)) if reader.is_closed() && tries > 0 => {}
                Ok(done) => return done,
                Err(_) => {
                    // The session hangs; the next reader gets another one.
                    drop(Object::take(reader));
                    return Err(self.link.slow(POSTGRES_READ));
                }
            }
        }
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let reader = self.reader().await?;
        let text = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r'";
        let row = reader.query_one(text, &[&self.link.schema]).await;
        let bytes: i64 = row
            .and_then(|row| row.try_get(0))
            .map_err(|error| self.link.fault(&error))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.writer()?.lock().await.settle().await
    }
}
