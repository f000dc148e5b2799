//! A connection, or one stream of an HTTP/2 connection, that can be cut from elsewhere, at once: also while its client reads
//! slowly and nobody writes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Cuts its connection or stream; put into every request that comes over it.
#[derive(Clone, Default)]
pub struct Line(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_cut: AtomicBool,
    waker: AtomicWaker,
}

impl Line {
    /// Ends the connection or stream. What has not been sent yet is thrown away.
    pub fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Waits until it is cut. One task may wait.
    pub async fn is_cut(&self) {
        poll_fn(|cx| match self.look(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Whether it is cut; the task is woken when it will be.
    fn look(&self, cx: &Context<'_>) -> bool {
        self.0.waker.register(cx.waker());
        self.0.is_cut.load(Ordering::Acquire)
    }
}

/// A connection, and what cuts it.
pub struct Cuttable {
    stream: TcpStream,
    line: Line,
}

impl Cuttable {
    /// `stream`, ended by `line`.
    pub fn new(stream: TcpStream, line: Line) -> Self {
        Cuttable { stream, line }
    }

    /// An error once the connection is cut. Reads and writes of one connection are polled by one task.
    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        if !self.line.look(cx) {
            return Ok(());
        }
        // Without this, closing would go on sending what is in the kernel's buffer.
        self.stream.set_zero_linger()?;
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the account's access has ended",
        ))
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
