//! Connections of clients that may stop listening.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

/// A connection that fails when its other end takes nothing for too long: a transfer that nobody reads must not hold
/// its upstream open.
pub(crate) struct Guarded {
    tcp: TcpStream,
    stall: Duration,
    alarm: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Guarded {
    pub(crate) fn new(tcp: TcpStream, stall: Duration) -> Self {
        Self { tcp, stall, alarm: Box::pin(tokio::time::sleep(stall)), waiting: false }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.alarm.as_mut().reset(Instant::now() + self.stall);
        }
        match self.alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buffer);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, buffers);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const STALL: Duration = Duration::from_secs(1);

    async fn pair() -> (Guarded, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Guarded::new(listener.accept().await.unwrap().0, STALL), client)
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
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_is_only_slow_is_served() {
        let (mut guarded, mut client) = pair().await;
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 4 << 20];
            let mut total = 0;
            for _ in 0..8 {
                tokio::time::sleep(STALL / 10).await;
                total += client.read(&mut buffer).await.unwrap();
            }
            total + client.read_to_end(&mut Vec::new()).await.unwrap()
        });
        let piece = vec![0; 16 << 20];
        guarded.write_all(&piece).await.unwrap();
        drop(guarded);
        assert_eq!(reader.await.unwrap(), piece.len());
    }
}
