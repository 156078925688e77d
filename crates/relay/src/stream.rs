//! Connections of clients that may stop listening.

use crate::metrics::{Limit, Metrics};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// How slow a client may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// It may take nothing for this long.
    pub(crate) idle: Duration,
    /// It takes at least this many bytes a second, measured over `window` of waiting for it.
    pub(crate) rate: u64,
    pub(crate) window: Duration,
}

/// A connection that fails when its other end takes nothing, or too little, of what is sent to it: a transfer without a reader must not
/// hold its upstream open.
pub(crate) struct Guarded<T> {
    inner: T,
    pace: Pace,
    metrics: Arc<Metrics>,
    alarm: Pin<Box<Sleep>>,
    /// Since when the client takes nothing.
    waiting: Option<Instant>,
    /// How long it was waited for in this window, and what it took.
    waited: Duration,
    taken: u64,
    /// All bytes that it took.
    moved: Arc<AtomicU64>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, pace: Pace, metrics: Arc<Metrics>) -> Self {
        let alarm = Box::pin(tokio::time::sleep(pace.idle));
        let moved = Arc::default();
        Self { inner, pace, metrics, alarm, waiting: None, waited: Duration::ZERO, taken: 0, moved }
    }

    /// Counts the bytes that the client takes.
    pub(crate) fn moved(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.moved)
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.taken += count as u64;
                self.moved.fetch_add(count as u64, Ordering::Relaxed);
                if let Some(since) = self.waiting.take() {
                    self.waited += since.elapsed();
                    if self.waited >= self.pace.window {
                        let least = self.pace.rate.saturating_mul(self.waited.as_secs());
                        if self.taken < least {
                            return self.fail(Limit::ClientMinRate);
                        }
                        (self.waited, self.taken) = (Duration::ZERO, 0);
                    }
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if self.waiting.is_none() {
                    let now = Instant::now();
                    self.waiting = Some(now);
                    self.alarm.as_mut().reset(now + self.pace.idle);
                }
                match self.alarm.as_mut().poll(cx) {
                    Poll::Ready(()) => self.fail(Limit::ClientIdle),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn fail(&self, limit: Limit) -> Poll<io::Result<usize>> {
        self.metrics.limited(limit);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed),
            // TLS takes a write before the socket does, and then waits here.
            Poll::Pending => self.watch(cx, Poll::Pending).map(|waited| waited.map(|_| ())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => self.watch(cx, Poll::Pending).map(|waited| waited.map(|_| ())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        net::{TcpListener, TcpStream},
    };

    const IDLE: Duration = Duration::from_secs(1);
    const PACE: Pace = Pace { idle: IDLE, rate: 0, window: IDLE };

    async fn pair() -> (Guarded<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Guarded::new(listener.accept().await.unwrap().0, PACE, Arc::default()), client)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut guarded, client) = pair().await;
        let piece = vec![0; 1 << 20];
        let failure = loop {
            if let Err(failure) = guarded.write_all(&piece).await {
                break failure;
            }
        };
        assert_eq!(failure.kind(), io::ErrorKind::TimedOut);
        assert!(guarded.metrics.exposition().contains("limit=\"client-idle\"} 1\n"));
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_is_only_slow_is_served() {
        let (mut guarded, mut client) = pair().await;
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 4 << 20];
            let mut total = 0;
            for _ in 0..8 {
                tokio::time::sleep(IDLE / 10).await;
                total += client.read(&mut buffer).await.unwrap();
            }
            total + client.read_to_end(&mut Vec::new()).await.unwrap()
        });
        let piece = vec![0; 16 << 20];
        guarded.write_all(&piece).await.unwrap();
        drop(guarded);
        assert_eq!(reader.await.unwrap(), piece.len());
    }

    /// Reads `step` bytes each tenth of a second, without an end.
    async fn read_slowly(mut client: DuplexStream, step: usize) {
        let mut buffer = vec![0; step];
        while client.read_exact(&mut buffer).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// One byte at a time is always in time for the idle limit.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_too_little_is_given_up() {
        let pace = Pace { idle: Duration::from_secs(30), rate: 1000, window: Duration::from_secs(30) };
        for (step, served) in [(1, false), (99, false), (120, true)] {
            let (near, far) = duplex(64);
            let reader = tokio::spawn(read_slowly(far, step));
            let mut guarded = Guarded::new(near, pace, Arc::default());
            let written = guarded.write_all(&[0; 200_000]).await;
            assert_eq!(written.is_ok(), served, "{step}");
            let counted = guarded.metrics.exposition().contains("limit=\"client-min-rate\"} 1\n");
            assert_eq!(counted, !served);
            reader.abort();
        }
    }
}
