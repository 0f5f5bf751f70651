//! The socket, watched: below TLS for bytes that the peer takes, above it for
//! what the peer says.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frames::{Allowance, Heard, Speech},
    watch::Watch,
};
use crate::counts::Cut;

/// A TCP stream whose writes are watched.
pub(crate) struct Socket<S> {
    inner: S,
    watch: Arc<Watch>,
}

impl<S> Socket<S> {
    pub(crate) fn new(inner: S, watch: Arc<Watch>) -> Self {
        Self { inner, watch }
    }

    /// Notes what became of a write.
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.watch.written.moved(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.written.wait(),
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A stream, encrypted or not, whose incoming bytes are watched. Whatever has
/// to live as long as the socket, an upgraded one too, is `held` here.
pub(crate) struct Guarded<S, H> {
    inner: S,
    speech: Speech,
    control_frames: u32,
    watch: Arc<Watch>,
    _held: H,
}

impl<S, H> Guarded<S, H> {
    pub(crate) fn new(inner: S, control_frames: u32, watch: Arc<Watch>, held: H) -> Self {
        Self {
            inner,
            speech: Speech::new(),
            control_frames,
            watch,
            _held: held,
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        let allowance = Allowance {
            ahead: self.control_frames,
            now: self.watch.clock.now(),
            written: self.watch.written.bytes(),
        };
        match self.speech.hear(bytes, &allowance) {
            Heard::Between => self.watch.even(),
            Heard::Within => self.watch.begun(),
            // While a request is under way these may be its body.
            Heard::Http1 if self.watch.requests.load(Relaxed) > 0 => {}
            Heard::Http1 => {
                self.watch.speaks_http1();
                self.watch.begun();
            }
            Heard::Flood => {
                self.watch.cut(Cut::Flood);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Guarded<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.poll_cut(&self.watch.reader, cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let heard = &buffer.filled()[before..];
        if heard.is_empty() || self.watch.upgraded.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.hear(heard))
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Guarded<S, H> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.watch.poll_cut(&self.watch.writer, cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.watch.poll_cut(&self.watch.writer, cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.poll_cut(&self.watch.writer, cx.waker()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
