//! The writing session: its lock, batches, reconnecting.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use deadpool_postgres::ClientWrapper as Session;
use tokio::time;
use tokio_postgres::{
    Error,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{
    effect::Effect,
    link::{Link, Statements},
    schema,
};
use crate::{
    Batch, StoreError,
    defaults::{
        POSTGRES_COPY_BYTES, POSTGRES_COPY_ROWS, POSTGRES_DELETE_KEYS, POSTGRES_LOCK,
        POSTGRES_LOCK_PAUSE, POSTGRES_WRITE,
    },
};

/// Where rows wait that may replace others. Temporary: each session has its
/// own, outside the server's log.
const STAGE: &str = "CREATE TEMP TABLE IF NOT EXISTS heliostat_stage (k bytea, v bytea)
     ON COMMIT DELETE ROWS;
     ALTER TABLE pg_temp.heliostat_stage ALTER COLUMN v SET STORAGE EXTERNAL;
     TRUNCATE pg_temp.heliostat_stage";

/// The one session that writes. The lock belongs to the session, so a writer
/// that lost the one has lost the other, and can commit nothing.
pub(super) struct Writer {
    link: Arc<Link>,
    session: Session,
    /// Which writer this is; another number on the server means that another
    /// process wrote since.
    term: i64,
    /// Whether a transaction may be open, because the last commit was given
    /// up or failed.
    open: bool,
}

impl Writer {
    pub(super) async fn open(link: Arc<Link>) -> Result<Self, StoreError> {
        let mut session = locked(&link).await?;
        let term = time::timeout(POSTGRES_WRITE, schema::prepare(&link, &mut session)).await;
        Ok(Self {
            term: term.map_err(|_| link.slow(POSTGRES_WRITE))??,
            link,
            session,
            open: false,
        })
    }

    /// Replaces a session that was lost.
    async fn reconnect(&mut self) -> Result<(), StoreError> {
        if !self.session.is_closed() {
            return Ok(());
        }
        let session = locked(&self.link).await?;
        if schema::term(&self.link, &session).await? != self.term {
            return Err(StoreError::ReadOnly {
                store: self.link.name.clone(),
                reason: "another process wrote to it while the connection was lost; stop that \
                         one and restart this one"
                    .into(),
            });
        }
        tracing::info!(store = self.link.name, "writing session restored");
        self.session = session;
        self.open = false;
        Ok(())
    }

    /// Applies a batch whole or not at all.
    pub(super) async fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.reconnect().await?;
        let effects = Effect::of(batch);
        for table in effects.keys() {
            self.link.statements(*table)?;
        }
        let work = async {
            if self.open {
                self.session.batch_execute("ROLLBACK").await?;
            }
            self.open = true;
            self.session.batch_execute("BEGIN").await?;
            for (table, effect) in &effects {
                if let Some(statements) = self.link.tables.get(table) {
                    apply(&self.session, statements, effect).await?;
                }
            }
            self.session.batch_execute("COMMIT").await?;
            self.open = false;
            Ok(())
        };
        match time::timeout(POSTGRES_WRITE, work).await {
            Ok(done) => done.map_err(|error: Error| self.link.fault(&error)),
            Err(_) => Err(self.link.slow(POSTGRES_WRITE)),
        }
    }

    /// Refreshes the planner's statistics, without which ranges are read by
    /// whole-table scans after a bulk load.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        self.reconnect().await?;
        if self.open {
            let ended = self.session.batch_execute("ROLLBACK").await;
            ended.map_err(|error| self.link.fault(&error))?;
            self.open = false;
        }
        for statements in self.link.tables.values() {
            let text = format!("ANALYZE {}", statements.table);
            let done = time::timeout(POSTGRES_WRITE, self.session.batch_execute(&text)).await;
            done.map_err(|_| self.link.slow(POSTGRES_WRITE))?
                .map_err(|error| self.link.fault(&error))?;
        }
        Ok(())
    }
}

/// A new session that holds the writer's lock.
async fn locked(link: &Link) -> Result<Session, StoreError> {
    let session = link.connect().await?;
    let fault = |error| link.fault(&error);
    // A server set up for speed could acknowledge what power loss undoes.
    let durable = "SET synchronous_commit = on";
    session.batch_execute(durable).await.map_err(fault)?;
    let (key, started) = (lock_key(&link.schema), Instant::now());
    loop {
        let text = "SELECT pg_try_advisory_lock($1)";
        let row = session.query_one(text, &[&key]).await.map_err(fault)?;
        if row.get(0) {
            return Ok(session);
        }
        if started.elapsed() > POSTGRES_LOCK {
            return Err(StoreError::ReadOnly {
                store: link.name.clone(),
                reason: format!(
                    "another process writes to schema {:?}; stop that one, or open for reading \
                     only",
                    link.schema
                ),
            });
        }
        time::sleep(POSTGRES_LOCK_PAUSE).await;
    }
}

/// The lock's number in the database: FNV-1a of a name of our own.
fn lock_key(schema: &str) -> i64 {
    let text = format!("heliostat writer {schema}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.cast_signed()
}

async fn apply(session: &Session, on: &Statements, effect: &Effect<'_>) -> Result<(), Error> {
    for range in &effect.ranges {
        let ends: [&(dyn ToSql + Sync); 2] = [&&range.start[..], &&range.end[..]];
        let statement = session.prepare_cached(&on.delete_range).await?;
        session.execute(&statement, &ends).await?;
    }
    for keys in effect.deleted().chunks(POSTGRES_DELETE_KEYS) {
        let statement = session.prepare_cached(&on.delete).await?;
        session.execute(&statement, &[&keys]).await?;
    }
    let (keys, values) = effect.put();
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Ok(());
    };
    let bytes: usize = keys.iter().chain(&values).map(|part| part.len()).sum();
    if keys.len() < POSTGRES_COPY_ROWS && bytes < POSTGRES_COPY_BYTES {
        let statement = session.prepare_cached(&on.put).await?;
        return session
            .execute(&statement, &[&keys, &values])
            .await
            .map(|_| ());
    }
    // Chains grow at their end, so mostly there is nothing to replace and the
    // rows go straight in. Nobody else writes: the answer stays true.
    if session
        .query_opt(&on.overlap, &[first, last])
        .await?
        .is_none()
    {
        return copy(session, &on.copy, &keys, &values).await;
    }
    session.batch_execute(STAGE).await?;
    let stage = "COPY pg_temp.heliostat_stage (k, v) FROM STDIN (FORMAT binary)";
    copy(session, stage, &keys, &values).await?;
    session.execute(&on.unstage, &[]).await.map(|_| ())
}

async fn copy(session: &Session, to: &str, keys: &[&[u8]], values: &[&[u8]]) -> Result<(), Error> {
    let sink = session.copy_in::<_, Bytes>(to).await?;
    let writer = BinaryCopyInWriter::new(sink, &[Type::BYTEA, Type::BYTEA]);
    let mut writer = std::pin::pin!(writer);
    for (key, value) in keys.iter().zip(values) {
        writer.as_mut().write(&[key, value]).await?;
    }
    writer.finish().await.map(|_| ())
}
