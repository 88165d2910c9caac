//! The connections that the simulator accepts, and the hold that faults have on them.
//!
//! Owns accepting, resetting a connection for real (the peer sees a reset, not an end), and a restart, after which all
//! connections are gone and for a while none is accepted. Rule: a connection is touched only through its own hold, or
//! with all others by a restart; the port stays the server's own throughout.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long it waits before it tries again what the system has refused.
const PAUSE: Duration = Duration::from_millis(10);

/// Connections that have arrived and are not accepted yet, at most.
const BACKLOG: u32 = 1024;

/// The hold on all connections.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    restarted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Canceled by a restart, with every connection since the last one.
    connections: CancellationToken,
    /// A restart that was asked for, and how long nothing is accepted.
    restart: Option<Duration>,
}

impl Gate {
    /// Drops every connection, and accepts none for this long.
    pub(super) fn restart(&self, closed: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.restart = Some(closed);
        std::mem::take(&mut state.connections).cancel();
        drop(state);
        self.restarted.notify_one();
    }

    fn hold(&self) -> Hold {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Hold { reset: state.connections.child_token(), after_flush: Arc::default() }
    }

    async fn asked_to_restart(&self) -> Duration {
        loop {
            let asked = self.state.lock().unwrap_or_else(PoisonError::into_inner).restart.take();
            match asked {
                Some(closed) => return closed,
                None => self.restarted.notified().await,
            }
        }
    }
}

/// The hold on one connection.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    reset: CancellationToken,
    after_flush: Arc<AtomicBool>,
}

impl Hold {
    /// Resets the connection at once; what is not sent by now is lost.
    pub(super) fn reset(&self) {
        self.reset.cancel();
    }

    /// Waits until the connection is to be reset.
    pub(super) async fn is_reset(&self) {
        self.reset.cancelled().await;
    }

    /// Resets the connection as soon as everything that was written is sent.
    pub(super) fn reset_after_flush(&self) {
        self.after_flush.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Door>> for Hold {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().hold.clone()
    }
}

/// Accepts connections, and restarts when it is asked to.
#[derive(Debug)]
pub(super) struct Door {
    /// Absent while it is closed.
    listener: Option<TcpListener>,
    address: SocketAddr,
    gate: Arc<Gate>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, gate: Arc<Gate>) -> io::Result<Self> {
        Ok(Self { address: listener.local_addr()?, listener: Some(listener), gate })
    }

    /// Closes for a while. A socket that is bound and does not listen keeps the port meanwhile: whoever connects is
    /// refused, and nobody else can take it.
    async fn reopen_after(&mut self, closed: Duration) {
        self.listener = None;
        let opens = tokio::time::Instant::now() + closed;
        loop {
            let placeholder = bound(self.address);
            tokio::time::sleep_until(opens).await;
            match placeholder.and_then(|socket| socket.listen(BACKLOG)) {
                Ok(listener) => {
                    self.listener = Some(listener);
                    return;
                }
                // A last connection still lingers, or somebody else was quicker.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let accepted = match &self.listener {
                None => {
                    self.reopen_after(PAUSE).await;
                    continue;
                }
                Some(listener) => tokio::select! {
                    biased;
                    closed = self.gate.asked_to_restart() => Err(closed),
                    accepted = listener.accept() => Ok(accepted),
                },
            };
            match accepted {
                Err(closed) => self.reopen_after(closed).await,
                Ok(Ok((stream, address))) => {
                    // Events are small and must leave at once.
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, self.gate.hold()), address);
                }
                // Too many open files, or a peer that is gone already.
                Ok(Err(_)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// One connection, which its hold can reset.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    hold: Hold,
    reset: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: TcpStream, hold: Hold) -> Self {
        Self { stream, reset: Box::pin(hold.reset.clone().cancelled_owned()), hold }
    }

    /// An error once it is to be reset: whoever serves the connection then drops it, and without lingering that is a
    /// reset. The task that asks is woken when it is.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.reset.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        let _ = self.stream.set_zero_linger();
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.hold.after_flush.load(Ordering::Acquire) {
            self.hold.reset();
        }
        Poll::Ready(self.check(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
