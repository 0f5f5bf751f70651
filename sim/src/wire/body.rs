//! Reply bodies that follow a script.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Switch;

/// One step of a reply.
pub(crate) enum Step {
    Send(Bytes),
    /// The same bytes again and again, until so many are sent.
    Repeat(Bytes, u64),
    /// Everything that a stream gives.
    Stream(BoxStream<'static, Bytes>),
    Pause(Duration),
    /// The connection breaks off here.
    Break,
    /// The whole node goes away here for a while.
    Restart(Arc<Switch>, Duration),
}

/// A body that follows a script.
#[derive(Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    sent: Option<Arc<AtomicU64>>,
}

impl Script {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of([Step::Send(bytes.into())])
    }

    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds the bytes that are sent to a counter.
    pub fn counted(self, sent: Arc<AtomicU64>) -> Self {
        Self {
            sent: Some(sent),
            ..self
        }
    }

    fn frame(&self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(sent) = &self.sent {
            sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let Some(step) = self.steps.pop_front() else {
                return Poll::Ready(None);
            };
            match step {
                Step::Send(bytes) => return self.frame(bytes),
                Step::Repeat(bytes, left) => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
                    if length < left {
                        let again = Step::Repeat(bytes.clone(), left - length);
                        self.steps.push_front(again);
                    }
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    return self.frame(bytes.slice(..length));
                }
                Step::Stream(mut stream) => {
                    let next = stream.poll_next_unpin(context);
                    if !matches!(next, Poll::Ready(None)) {
                        self.steps.push_front(Step::Stream(stream));
                    }
                    match next {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(bytes)) => return self.frame(bytes),
                        Poll::Ready(None) => (),
                    }
                }
                Step::Pause(time) => self.pause = Some(Box::pin(sleep(time))),
                Step::Break => {
                    let error = io::Error::from(io::ErrorKind::ConnectionAborted);
                    return Poll::Ready(Some(Err(error)));
                }
                Step::Restart(switch, down) => {
                    switch.go_down(Some(down));
                    // The server drops this connection with all the others.
                    self.pause = Some(Box::pin(sleep(down)));
                    self.steps.push_front(Step::Break);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.steps.iter().next() {
            Some(Step::Send(bytes)) if self.steps.len() == 1 => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            None => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
