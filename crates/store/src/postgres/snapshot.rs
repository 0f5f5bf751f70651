//! Reading in one transaction.

use std::{ops::Range, sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::Object;
use futures::FutureExt;
use tokio::time;

use super::link::Link;
use crate::{
    Direction, Snapshot, StoreError, Table,
    defaults::{POSTGRES_READ, SNAPSHOT_LIFETIME},
};

/// A session inside a read-only transaction, given back when dropped.
pub(super) struct Moment {
    link: Arc<Link>,
    session: Object,
    since: Instant,
}

impl Moment {
    /// Takes charge of the session before its transaction begins, so that it
    /// is ended even if the caller gives up in between.
    pub(super) fn new(link: Arc<Link>, session: Object) -> Self {
        Self {
            link,
            session,
            since: Instant::now(),
        }
    }

    /// Fixes the moment. `BEGIN` alone would leave that to the first read; all
    /// goes in one round trip. A snapshot that is kept and not read is ended by
    /// the server, which cannot clean up behind it.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        let text = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL idle_in_transaction_session_timeout = {}; SELECT 1",
            SNAPSHOT_LIFETIME.as_millis()
        );
        self.read(async {
            let begun = self.session.batch_execute(&text).await;
            begun.map_err(|error| self.link.fault(&error))
        })
        .await
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    async fn read<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.since.elapsed() > SNAPSHOT_LIFETIME {
            let limit = SNAPSHOT_LIFETIME.as_secs();
            return Err(self.link.unavailable(format_args!(
                "the snapshot was held for more than {limit} s; take a new one"
            )));
        }
        let slow = |_| Err(self.link.slow(POSTGRES_READ));
        time::timeout(POSTGRES_READ, work)
            .await
            .unwrap_or_else(slow)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        // The first poll queues the statement on the session; whoever uses it
        // next is queued behind, and nobody needs to wait for the answer.
        let _ = self.session.batch_execute("ROLLBACK").now_or_never();
    }
}

/// The value of a key, in one statement.
pub(super) async fn get(
    link: &Link,
    session: &Object,
    table: Table,
    key: &[u8],
) -> Result<Option<Bytes>, StoreError> {
    let text = &link.statements(table)?.get;
    let row = async {
        let statement = session.prepare_cached(text).await?;
        session.query_opt(&statement, &[&key]).await
    };
    let row = row.await.map_err(|error| link.fault(&error))?;
    row.map(|row| row.try_get(0).map(Bytes::copy_from_slice))
        .transpose()
        .map_err(|error| link.fault(&error))
}

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read(get(&self.link, &self.session, table, key)).await
    }

    async fn range(
        &self,
        table: Table,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let statements = self.link.statements(table)?;
        let text = match direction {
            Direction::Forward => &statements.forward,
            Direction::Backward => &statements.backward,
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = async {
            let statement = self.session.prepare_cached(text).await?;
            let ends: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                [&range.start, &range.end, &limit];
            let rows = self.session.query(&statement, &ends).await?;
            let own =
                |row: &tokio_postgres::Row, column| row.try_get(column).map(Bytes::copy_from_slice);
            rows.iter()
                .map(|row| Ok((own(row, 0)?, own(row, 1)?)))
                .collect::<Result<Vec<_>, tokio_postgres::Error>>()
        };
        self.read(async { rows.await.map_err(|error| self.link.fault(&error)) })
            .await
    }
}
