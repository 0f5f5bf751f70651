//! The response body of a range call: stored slices as HTTP/2 DATA, then the
//! trailers.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use heliostat_core::Assurance;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status};

use super::{Method, Policy, RangeEnd, failure};
use crate::{
    frames::{FrameStream, Slab},
    view::{ReadError, View},
};

/// A read under way, and what it hands back.
type Reading = Pin<Box<dyn Future<Output = (FrameStream, Result<Option<Slab>, ReadError>)> + Send>>;

/// Streams a range. Hyper asks for the next slice when the connection has
/// room, so a slow client holds two chunks at most and costs nothing else.
pub struct RangeBody {
    method: Method,
    policy: Policy,
    /// `None` once the trailers are out.
    reading: Option<Reading>,
    deadline: Option<Pin<Box<Sleep>>>,
    end: RangeEnd,
    reported: bool,
}

impl RangeBody {
    pub(super) fn new(
        method: Method,
        policy: Policy,
        stream: FrameStream,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            method,
            policy,
            reading: Some(read(stream)),
            deadline: timeout.map(|time| Box::pin(tokio::time::sleep(time))),
            end: RangeEnd {
                method: method.name(),
                // What it is when the client goes away.
                code: Code::Cancelled,
                blocks: 0,
                bytes: 0,
                grade: None,
            },
            reported: false,
        }
    }

    /// Counts a slice, and grades it. What upstreams say of a height is about
    /// the block that is there now, so the slice has to be of that chain still.
    fn sent(&mut self, slab: &Slab, view: &View) -> Result<(), Status> {
        let grade = self.policy.grade(slab.cap, *slab.heights.end());
        if view.touched(*slab.heights.end()) {
            return Err(failure(ReadError::Reorged, view));
        }
        self.policy.admit(self.method, grade)?;
        self.end.blocks += slab.heights.end() - slab.heights.start() + 1;
        self.end.bytes += slab.bytes.len() as u64;
        self.end.grade = Some(self.end.grade.map_or(grade, |lowest| lowest.min(grade)));
        Ok(())
    }

    /// Ends the stream with a status. Only a good end carries a grade.
    fn trailers(&mut self, status: &Status) -> HeaderMap {
        self.reading = None;
        self.end.code = status.code();
        let mut trailers = HeaderMap::new();
        // Our messages are plain text, so they can always be written.
        if status.add_header(&mut trailers).is_err() {
            trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("13"));
        }
        if status.code() == Code::Ok
            && let Some(grade) = self.end.grade
            && let Ok(value) = HeaderValue::try_from(grade.to_string())
        {
            trailers.insert(Assurance::FIELD, value);
        }
        self.report();
        trailers
    }

    fn report(&mut self) {
        if !std::mem::replace(&mut self.reported, true) {
            self.policy.report(&self.end);
        }
    }
}

fn read(mut stream: FrameStream) -> Reading {
    Box::pin(async move {
        let piece = stream.next().await;
        (stream, piece)
    })
}

impl http_body::Body for RangeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(reading) = &mut this.reading else {
            return Poll::Ready(None);
        };
        // The clock decides: a stream that never waits would starve the timer.
        if let Some(deadline) = &mut this.deadline
            && (deadline.deadline() <= Instant::now() || deadline.as_mut().poll(cx).is_ready())
        {
            let status = Status::deadline_exceeded("context deadline exceeded");
            let trailers = this.trailers(&status);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let (stream, piece) = std::task::ready!(reading.as_mut().poll(cx));
        let status = match piece {
            Ok(Some(slab)) => match this.sent(&slab, stream.view()) {
                Ok(()) => {
                    this.reading = Some(read(stream));
                    return Poll::Ready(Some(Ok(Frame::data(slab.bytes))));
                }
                Err(status) => status,
            },
            Ok(None) => Status::new(Code::Ok, ""),
            Err(error) => failure(error, stream.view()),
        };
        let trailers = this.trailers(&status);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }
}

impl Drop for RangeBody {
    fn drop(&mut self) {
        self.report();
    }
}
