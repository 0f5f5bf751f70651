//! Where a connection waits until it has said what it wants.
//!
//! HTTP's own machinery takes tens of kilobytes for a connection, most of them
//! for buffers, from its first byte on. Here it takes what it has sent so far:
//! whoever is silent, or sends the head of its first request byte by byte,
//! gets no more.

use std::{
    future::poll_fn,
    task::{Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{frames::Speech, guarded::Guarded, watch::Watch};
use crate::{counts::Cut, defaults, house::House};

/// Waits until HTTP has something to do with what came on `io`; `None` if that
/// is not going to be, because the peer left, was cut, or the door closes.
/// `hello` is what HTTP/2 says first: many clients wait for it before they ask
/// for anything.
pub(super) fn wait<S, H>(
    house: &House,
    io: Guarded<S, H>,
    watch: &Watch,
    hello: Bytes,
) -> impl Future<Output = Option<Guarded<S, H>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut waiting = Some(io);
    let mut visit = Visit {
        looked: 0,
        hello,
        since: house.clock.now(),
    };
    watch.waits_in_lobby(true);
    // No async block: that would have room for `io` twice.
    poll_fn(move |cx| {
        watch.task.register(cx.waker());
        if house.is_cutting() {
            watch.cut(Cut::Drain);
        }
        let Some(io) = waiting.as_mut().filter(|_| !watch.is_cut()) else {
            return Poll::Ready(None);
        };
        loop {
            match io.poll_gather(cx) {
                Poll::Pending if house.is_stopping() => return Poll::Ready(None),
                Poll::Pending if !matches!(io.speech(), Speech::Http2(_)) => return Poll::Pending,
                Poll::Pending => {
                    return match ready!(io.poll_say(cx, &mut visit.hello)) {
                        Err(_) => Poll::Ready(None),
                        Ok(()) if visit.is_over(io, watch.clock.now()) => {
                            Poll::Ready(waiting.take())
                        }
                        Ok(()) => Poll::Pending,
                    };
                }
                Poll::Ready(Err(_) | Ok(None)) => return Poll::Ready(None),
                Poll::Ready(Ok(Some(length))) => {
                    if length > defaults::HTTP1_BUFFER || visit.is_enough(io) {
                        return Poll::Ready(waiting.take());
                    }
                }
            }
        }
    })
}

/// One connection's time in here.
struct Visit {
    /// How much of HTTP/1's head was looked at.
    looked: usize,
    /// What HTTP/2 still has to say first.
    hello: Bytes,
    /// When it came, in milliseconds of the door's clock.
    since: u64,
}

impl Visit {
    /// Whether there is something for HTTP to do.
    fn is_enough<S, H>(&mut self, io: &Guarded<S, H>) -> bool {
        match io.speech() {
            Speech::Unknown(_) => false,
            Speech::Http1 => {
                let from = std::mem::replace(&mut self.looked, io.gathered().len());
                is_whole(io.gathered(), from)
            }
            Speech::Http2(frames) => frames.is_between() && frames.has_asked(),
        }
    }

    /// Whether an HTTP/2 connection at rest was here for long enough: HTTP/2
    /// confirms the client's settings, and finds out with pings whether it is
    /// still there.
    fn is_over<S, H>(&self, io: &Guarded<S, H>, now: u64) -> bool {
        let Speech::Http2(frames) = io.speech() else {
            return false;
        };
        let lingered = now.saturating_sub(self.since);
        frames.is_between() && lingered >= defaults::LINGER.as_millis() as u64
    }
}

/// Whether an HTTP/1 head (RFC 9112, section 2.1) is whole, or can be told to
/// be none; `from` bytes were looked at before.
fn is_whole(said: &[u8], from: usize) -> bool {
    let is_text = |byte: &u8| !byte.is_ascii_control() || b"\r\n\t".contains(byte);
    if !said[from..].iter().all(is_text) {
        return true;
    }
    // Empty lines before a request mean nothing.
    let start = said.iter().position(|byte| !b"\r\n".contains(byte));
    let Some(start) = start else {
        return false;
    };
    let said = &said[start..];
    let Some(line) = said.iter().position(|&byte| byte == b'\n') else {
        return false;
    };
    let request = said[..line].trim_ascii_end();
    if !request.ends_with(b"HTTP/1.1") && !request.ends_with(b"HTTP/1.0") {
        return true;
    }
    // The end of a line and an empty one: what was looked at may have ended
    // within them.
    let from = from.saturating_sub(start).saturating_sub(2).max(line);
    let rest = &said[from..];
    let ends = |end: &[u8]| rest.windows(end.len()).any(|window| window == end);
    ends(b"\n\r\n") || ends(b"\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many bytes the head is whole, byte by byte and at once.
    fn whole_after(said: &[u8]) -> Option<usize> {
        let end = (1..=said.len()).find(|&end| is_whole(&said[..end], end - 1));
        for step in 2..said.len() {
            let mut from = 0;
            let mut found = None;
            while from < said.len() && found.is_none() {
                let end = (from + step).min(said.len());
                found = is_whole(&said[..end], from).then_some(end);
                from = end;
            }
            assert_eq!(found.is_some(), end.is_some(), "in steps of {step}");
            assert!(found >= end, "in steps of {step}");
        }
        end
    }

    #[test]
    fn a_head_is_whole_with_its_empty_line() {
        for head in [
            &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
            b"GET / HTTP/1.1\nhost: x\n\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"\r\n\r\n\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(whole_after(head), Some(head.len()));
            let more = [head, b"GET / HT"].concat();
            assert_eq!(whole_after(&more), Some(head.len()));
            assert_eq!(whole_after(&head[..head.len() - 1]), None);
        }
        assert_eq!(whole_after(b"\r\n\r\n\r\n"), None);
    }

    #[test]
    fn what_is_no_http1_is_told_at_once() {
        for (said, after) in [
            (&b"\x16\x03\x01\x02\x00"[..], 1),
            (b"hello\r\nworld", 7),
            (b"GET / HTTP/3\nhost: x", 13),
            (b"GET / HTTP/1.1\r\nx: \0", 20),
        ] {
            assert_eq!(whole_after(said), Some(after), "{said:?}");
        }
    }
}
