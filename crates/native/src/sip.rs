//! Reads of a bounded size.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes a connection reads at a time. Clones share the number, and it may change at any time.
///
/// Bodies are passed on in the pieces in which they were read, so this bounds what a reader that stopped reading holds.
#[derive(Clone, Debug)]
pub struct PieceSize(Arc<AtomicUsize>);

impl PieceSize {
    /// Sets the most bytes that later reads take, at least 1.
    pub fn set(&self, bytes: usize) {
        self.0.store(bytes.max(1), Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for PieceSize {
    /// No limit: as many bytes as the buffer takes.
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

/// A connection that reads at most `size` bytes at a time.
#[derive(Debug)]
pub(crate) struct Sip<T> {
    pub(crate) inner: T,
    pub(crate) size: PieceSize,
}

impl<T: AsyncRead + Unpin> AsyncRead for Sip<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = self.size.get();
        if buffer.remaining() <= size {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(size));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
        let count = piece.filled().len();
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Sip<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn pieces_are_as_small_as_asked_for() {
        let size = PieceSize::default();
        let mut sip = Sip { inner: &[7; 100][..], size: size.clone() };
        let mut buffer = [0; 40];
        assert_eq!(sip.read(&mut buffer).await.unwrap(), 40);
        size.set(8);
        assert_eq!(sip.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(buffer[..8], [7; 8]);
        size.set(0);
        assert_eq!(sip.read(&mut buffer).await.unwrap(), 1);
    }
}
