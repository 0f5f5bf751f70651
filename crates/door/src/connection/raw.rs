//! A connection that does not speak HTTP: everything the door does below the
//! protocol, and what the protocol asks it for.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::{either::Either, sync::CancellationToken};

use super::{
    Ends, Guest, Held, Secure,
    guarded::{Guarded, Socket},
    shake_hands, shown, stranger,
    watch::{Entrant, Watch},
};
use crate::{
    counts::{Cut, Refused},
    house::House,
    identity::{Identity, Peer, enode::NodeId},
    limits::memory::Account,
    refusal::Refusal,
};

type Plain = Socket<TcpStream>;
type Line = Either<Plain, Secure>;

/// Serves one connection until it or the door ends.
pub(crate) async fn serve<P, F>(house: Arc<House>, guest: Guest, protocol: P, ends: Ends)
where
    P: FnOnce(RawStream) -> F,
    F: Future<Output = ()>,
{
    if guest.unwelcome.is_some() {
        // Counted already.
        return;
    }
    let watch = house.watch(guest.address.ip());
    let socket = Socket::new(guest.stream, Arc::clone(&watch));
    let mut peer = Peer {
        address: guest.address,
        certificate: None,
    };
    let line = match &house.tls {
        None => Either::Left(socket),
        Some(tls) => {
            let Some(stream) = shake_hands(&house, tls, socket, &watch, &ends).await else {
                return;
            };
            peer.certificate = shown(&stream);
            Either::Right(stream)
        }
    };
    // The protocol has its own handshake, of which the door knows the end.
    watch.has_to_enter();
    watch.upgrade(None);
    let stream = RawStream {
        io: Guarded::new(line, 0, Arc::clone(&watch), guest.held),
        peer,
        house,
        watch: Arc::clone(&watch),
        account: guest.account,
        stop: ends.stop,
    };
    tokio::select! {
        () = protocol(stream) => {}
        () = watch.until_cut() => return,
        () = ends.cut.cancelled() => return watch.cut(Cut::Drain),
    }
    // The protocol may have handed the stream on.
    tokio::select! {
        () = ends.gone.cancelled() => {}
        () = ends.cut.cancelled() => watch.cut(Cut::Drain),
    }
}

/// A connection of a protocol that is not HTTP: a stream of bytes, decrypted
/// if the door has TLS. It breaks when the door cuts it.
pub struct RawStream {
    io: Guarded<Line, Held>,
    peer: Peer,
    house: Arc<House>,
    watch: Arc<Watch>,
    account: Arc<Account>,
    stop: CancellationToken,
}

impl fmt::Debug for RawStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStream").finish_non_exhaustive()
    }
}

impl RawStream {
    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Ends when the door is told to stop: finish what is under way.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Lets the peer in, by its certificate and by the `node` it has proven to
    /// be, if the protocol has such: one of them has to be on the allow list,
    /// none on the deny list. Ends the time the handshake may take. From here
    /// on the connection is cut when the lists no longer let it in.
    ///
    /// # Errors
    /// The lists do not let it in: say so, or close.
    pub fn enter(&self, node: Option<NodeId>) -> Result<(), Refusal> {
        let entrant = Entrant {
            certificate: self.peer.certificate.clone(),
            node,
        };
        if !self.house.knows(&entrant) {
            self.house.counters.refused(Refused::Identity);
            return Err(stranger());
        }
        self.watch.entered(entrant);
        self.watch.even();
        Ok(())
    }

    /// Who a token (without `Bearer`) stands for, if it may call `method`;
    /// `None` where the door asks for no tokens. The connection is cut when
    /// the token ends, unless a later one was given before.
    ///
    /// # Errors
    /// It does not hold, does not cover the method, or comes too often.
    pub async fn authorize(&self, token: &str, method: &str) -> Result<Option<Identity>, Refusal> {
        let Some(tokens) = self.house.rules().tokens.clone() else {
            return Ok(None);
        };
        let identity = self.house.authorize(&tokens, token, method).await;
        let identity =
            identity.inspect_err(|refusal| self.house.counters.refused(refusal.reason))?;
        let expires = identity.expires.unwrap_or(0);
        self.watch.expires.store(expires, Relaxed);
        Ok(Some(identity))
    }

    /// One more message of `bytes`, before it is read into memory.
    ///
    /// # Errors
    /// It is larger than the limit, comes too fast, or there is no memory.
    pub fn message(&self, bytes: u64) -> Result<Holding, Refusal> {
        let admitted = self.house.admit(&self.peer, Some(bytes));
        admitted.inspect_err(|refusal| self.house.counters.refused(refusal.reason))?;
        self.account.hold(bytes);
        Ok(Holding {
            account: Arc::clone(&self.account),
            bytes,
        })
    }
}

/// Bytes that count against the memory budget, until dropped.
pub struct Holding {
    account: Arc<Account>,
    bytes: u64,
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holding({})", self.bytes)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.account.release(self.bytes);
    }
}

impl AsyncRead for RawStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for RawStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
