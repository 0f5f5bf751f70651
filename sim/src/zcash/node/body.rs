//! Reply bodies that follow a script.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::server::Shared;

/// One step of a reply.
pub(super) enum Step {
    Send(Bytes),
    /// The same bytes again and again, until so many are sent.
    Repeat(Bytes, u64),
    Pause(Duration),
    /// The connection breaks off here.
    Break,
    /// The whole node goes away here for a while.
    Restart(Arc<Shared>, Duration),
}

/// A body that follows a script.
#[derive(Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Script {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of([Step::Send(bytes.into())])
    }

    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            pause: None,
        }
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
                Step::Send(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Step::Repeat(bytes, left) => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
                    if length < left {
                        let again = Step::Repeat(bytes.clone(), left - length);
                        self.steps.push_front(again);
                    }
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    return Poll::Ready(Some(Ok(Frame::data(bytes.slice(..length)))));
                }
                Step::Pause(time) => self.pause = Some(Box::pin(sleep(time))),
                Step::Break => {
                    let error = io::Error::from(io::ErrorKind::ConnectionAborted);
                    return Poll::Ready(Some(Err(error)));
                }
                Step::Restart(shared, down) => {
                    shared.go_down(Some(down));
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
