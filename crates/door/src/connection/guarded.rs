//! The socket, watched: below TLS for bytes that the peer takes, above it for
//! what the peer says.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

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

impl Socket<TcpStream> {
    /// Waits until the peer has said something, or left. A look at its first
    /// byte: a new socket is taken to be readable until it was tried.
    pub(super) async fn first_byte(&self) -> io::Result<()> {
        self.inner.peek(&mut [0]).await.map(|_| ())
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

/// Bytes that are read at once while they are kept back. On the stack.
const GULP: usize = 1 << 10;

/// Bytes that are handed on at once. HTTP/1 looks at its buffer after each
/// piece, and finds it too full at [`HTTP1_BUFFER`](crate::defaults::HTTP1_BUFFER) and not beyond.
const PIECE: usize = 4 << 10;

/// A stream, encrypted or not, whose incoming bytes are watched. Whatever has
/// to live as long as the socket, an upgraded one too, is `held` here.
///
/// What HTTP can do nothing with yet is kept back: before it begins, until
/// there is a request ([`gather`](Self::poll_gather)); afterwards, HTTP/2's
/// unfinished frames. HTTP's own buffers are made for what comes whole, and
/// an attacker who sends byte by byte should not get them.
pub(crate) struct Guarded<S, H> {
    inner: S,
    speech: Speech,
    /// Heard and not handed on.
    kept: BytesMut,
    /// How many of these may be handed on.
    ripe: usize,
    /// How many of the bytes that HTTP is going to say first were said
    /// already.
    said: usize,
    control_frames: u32,
    watch: Arc<Watch>,
    _held: H,
}

impl<S, H> Guarded<S, H> {
    pub(crate) fn new(inner: S, control_frames: u32, watch: Arc<Watch>, held: H) -> Self {
        Self {
            inner,
            speech: Speech::new(),
            kept: BytesMut::new(),
            ripe: 0,
            said: 0,
            control_frames,
            watch,
            _held: held,
        }
    }

    /// What was gathered.
    pub(crate) fn gathered(&self) -> &[u8] {
        &self.kept
    }

    /// What that is.
    pub(crate) fn speech(&self) -> &Speech {
        &self.speech
    }

    /// Lets everything go that is of use to HTTP.
    fn ripen(&mut self) {
        self.ripe = self.kept.len() - self.speech.unfinished().min(self.kept.len());
    }

    /// Hands on what is ripe, in pieces.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.ripe.min(buffer.remaining()).min(PIECE);
        buffer.put_slice(&self.kept[..length]);
        self.kept.advance(length);
        self.ripe -= length;
        if self.kept.is_empty() {
            self.kept = BytesMut::new();
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

impl<S: AsyncRead + Unpin, H> Guarded<S, H> {
    /// Keeps what comes next; how much is kept now, or `None` at the end.
    pub(crate) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let mut gulp = [MaybeUninit::uninit(); GULP];
        let mut gulp = ReadBuf::uninit(&mut gulp);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut gulp))?;
        if gulp.filled().is_empty() {
            return Poll::Ready(Ok(None));
        }
        self.hear(gulp.filled())?;
        self.kept.extend_from_slice(gulp.filled());
        self.ripen();
        Poll::Ready(Ok(Some(self.kept.len())))
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
        loop {
            if self.ripe > 0 {
                self.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
            let heard = &buffer.filled()[before..];
            if heard.is_empty() || self.watch.upgraded.load(Relaxed) {
                return Poll::Ready(Ok(()));
            }
            self.hear(heard)?;
            if self.kept.is_empty() && self.speech.unfinished() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.kept.extend_from_slice(heard);
            buffer.set_filled(before);
            self.ripen();
        }
    }
}

impl<S: AsyncWrite + Unpin, H> Guarded<S, H> {
    /// Says on HTTP's behalf what it is going to say first; `hello` is what of
    /// that is still to be said. HTTP's own is then swallowed.
    pub(crate) fn poll_say(
        &mut self,
        cx: &mut Context<'_>,
        hello: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        while !hello.is_empty() {
            let said = ready!(Pin::new(&mut self.inner).poll_write(cx, hello))?;
            if said == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            hello.advance(said);
            self.said += said;
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// How many of the next so many bytes were said already.
    fn swallow(&mut self, bytes: usize) -> usize {
        let swallowed = self.said.min(bytes);
        self.said -= swallowed;
        swallowed
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
        let swallowed = self.swallow(bytes.len());
        if swallowed > 0 {
            return Poll::Ready(Ok(swallowed));
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
        let swallowed = self.swallow(slices.iter().map(|slice| slice.len()).sum());
        if swallowed > 0 {
            return Poll::Ready(Ok(swallowed));
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
