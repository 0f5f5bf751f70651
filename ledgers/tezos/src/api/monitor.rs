//! `monitor/heads`: one line for each new head that enough endpoints gave,
//! merged from all of them, without gaps where the headers are known.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures::stream;
use heliostat_core::Assurance;
use heliostat_tezos_verifier::{BlockHash, Header};
use tokio::sync::watch;

use super::{admit, reply};
use crate::{
    defaults,
    error::ReadError,
    headers::Head,
    light::{Core, HeadPolicy},
};

/// Its name among the methods.
const METHOD: &str = "monitor_heads";

/// One client's stream.
struct Stream {
    core: Arc<Core>,
    heads: watch::Receiver<Option<Head>>,
    last: Option<BlockHash>,
    /// The grade that was said of all of them, and the head it is the grade of.
    grade: Assurance,
    policy: HeadPolicy,
    /// Lines that are due, the next one last.
    due: Vec<Bytes>,
}

/// Opens a stream, which begins with the head there is.
pub(super) async fn heads(core: &Arc<Core>) -> Result<Response, ReadError> {
    // Every head that is sent has at least this grade.
    let policy = core.head_policy();
    let grade = match policy {
        HeadPolicy::Proven if core.finality_is_on() => Assurance::Proven,
        _ => core.grade_of_votes(core.needed),
    };
    admit(core, METHOD, grade)?;
    let permit = Arc::clone(&core.heads_served)
        .try_acquire_owned()
        .map_err(|_| {
            ReadError::Unavailable(format!(
                "more than {} streams of heads are open",
                defaults::MONITOR_CLIENTS
            ))
        })?;
    let heads = core.headers.subscribe();
    core.head().await?;
    let stream = Stream {
        core: Arc::clone(core),
        heads,
        last: None,
        grade,
        policy,
        due: Vec::new(),
    };
    let lines = stream::unfold((stream, permit), |(mut stream, permit)| async move {
        let line = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), (stream, permit)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    reply::grade_header(response.headers_mut(), grade);
    Ok(response)
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.due.pop() {
                return Some(line);
            }
            self.heads.mark_unchanged();
            let head = self.core.head().await;
            if !self.holds() {
                return None;
            }
            if let Ok(head) = head
                && Some(head.hash) != self.last
            {
                self.queue(&head);
                continue;
            }
            self.heads.changed().await.ok()?;
        }
    }

    /// Whether what was said of the stream when it was opened still holds, and
    /// is enough: an operator can change which block `head` is, and the least
    /// grade.
    fn holds(&self) -> bool {
        let (core, policy) = (&self.core, self.policy);
        core.head_policy() == policy && admit(core, METHOD, self.grade).is_ok()
    }

    /// Queues a head, and the blocks between it and the last one sent where it
    /// descends from that.
    fn queue(&mut self, head: &Head) {
        self.due.push(line(&head.header));
        let last = self.last.replace(head.hash);
        let Some(last) = last.filter(|last| self.core.headers.descends(&head.hash, last)) else {
            return;
        };
        let mut at = head.header.predecessor;
        while at != last && self.due.len() < defaults::MONITOR_LAG {
            let Some(header) = self.core.headers.header(&at) else {
                break;
            };
            self.due.push(line(&header));
            at = header.predecessor;
        }
    }
}

fn line(header: &Header) -> Bytes {
    let mut line = header.heads_json().to_string();
    line.push('\n');
    line.into()
}
