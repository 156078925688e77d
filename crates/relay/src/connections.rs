//! Connections: taking them, ending them, and how many there may be.

use crate::{
    identity::{H2, Looked},
    metrics::Limit,
    server::{Peer, Relay},
    stream::{Guarded, Pace},
    workers::Workers,
};
use http::{HeaderValue, Request, Uri, header};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// Serves until `stop` is ready: it says for how long new connections are still taken, while `/readyz` answers 503. Then lets running
/// requests finish for a while. Returns how many connections were cut.
pub(crate) async fn run(
    listener: TcpListener,
    relay: Arc<Relay>,
    workers: &Workers,
    stop: impl Future<Output = Duration>,
) -> usize {
    let mut stop = pin!(stop);
    let connections = connections(relay.limits.max_connections);
    let room = Arc::new(Semaphore::new(connections as usize));
    let (stopping, stopped) = watch::channel(());
    let mut drained = pin!(None::<tokio::time::Sleep>);
    loop {
        if room.available_permits() == 0 {
            relay.metrics.limited(Limit::Connections);
        }
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let draining = drained.is_some();
        let (place, accepted) = tokio::select! {
            drain = &mut stop, if !draining => {
                relay.stopping.store(true, Ordering::Relaxed);
                drained.set(Some(sleep(drain)));
                continue;
            }
            () = async { if let Some(end) = drained.as_mut().as_pin_mut() { end.await } }, if draining => break,
            next = next => next,
        };
        match accepted {
            Ok((tcp, peer)) => {
                // Closed at once: an answer would cost more than the connection.
                let Some(seat) = relay.clients.connect(peer.ip()) else { continue };
                let (relay, stopped) = (Arc::clone(&relay), stopped.clone());
                workers.spawn(tcp, async move |tcp| {
                    relay.metrics.connected();
                    serve(tcp, peer.ip(), &relay, stopped).await;
                    relay.metrics.disconnected();
                    drop((place, seat));
                });
            }
            // Too many open files, or a client that is gone already: neither ends the relay.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    drop(stopping);
    let ended = timeout(relay.limits.grace, room.acquire_many(connections)).await;
    if ended.is_ok() { 0 } else { connections as usize - room.available_permits() }
}

async fn serve(tcp: TcpStream, address: IpAddr, relay: &Arc<Relay>, stopped: watch::Receiver<()>) {
    let Ok(local) = tcp.local_addr() else { return };
    // Small answers must not wait for the acknowledgement of the one before. If it fails, they wait.
    let _ = tcp.set_nodelay(true);
    // The kernel would keep megabytes for a client that reads nothing. If it fails, it does.
    let _ = SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT);
    let peer = Peer { address, local, tls: relay.identity.is_some() };
    match &relay.identity {
        None => speak(tcp, peer, relay, stopped).await,
        Some(identity) => {
            let acceptor = identity.acceptor(|looked| report(relay, looked));
            if let Ok(Ok(tls)) = timeout(relay.limits.header_time, acceptor.accept(tcp)).await {
                if tls.get_ref().1.alpn_protocol() == Some(H2) {
                    speak_h2(tls, peer, relay, stopped).await;
                } else {
                    speak(tls, peer, relay, stopped).await;
                }
            }
        }
    }
}

async fn speak<T>(stream: T, peer: Peer, relay: &Arc<Relay>, mut stopped: watch::Receiver<()>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &relay.limits;
    let service = service_fn(|request| {
        let relay = Arc::clone(relay);
        async move { Ok::<_, Infallible>(relay.handle(request, peer).await) }
    });
    let pace = Pace { idle: limits.client_idle, rate: limits.client_min_rate, window: limits.client_rate_window };
    let head = usize::try_from(limits.header_size).unwrap_or(usize::MAX);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(head)
        // Also what is queued for a client before the next piece is read.
        .max_buf_size(buffer(head))
        .serve_connection(TokioIo::new(Guarded::new(stream, pace, Arc::clone(&relay.metrics))), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// HTTP/2, whose streams share one connection: a stream without a reader blocks none of the others, and not the connection either, so
/// that an alarm of its own ends a connection whose streams get nowhere.
async fn speak_h2<T>(stream: T, peer: Peer, relay: &Arc<Relay>, mut stopped: watch::Receiver<()>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &relay.limits;
    let service = service_fn(|request: Request<Incoming>| {
        let relay = Arc::clone(relay);
        async move { Ok::<_, Infallible>(relay.handle(as_http1(request), peer).await) }
    });
    let pace = Pace { idle: limits.client_idle, rate: limits.client_min_rate, window: limits.client_rate_window };
    let guarded = Guarded::new(stream, pace, Arc::clone(&relay.metrics));
    let moved = guarded.moved();
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(u32::try_from(limits.header_size).unwrap_or(u32::MAX))
        .max_send_buf_size(H2_UNSENT)
        .initial_stream_window_size(H2_TAKEN)
        .initial_connection_window_size(2 * H2_TAKEN)
        .keep_alive_interval(limits.client_idle)
        .keep_alive_timeout(limits.client_idle)
        .serve_connection(TokioIo::new(guarded), service);
    let mut connection = pin!(connection);
    // A connection without requests answers pings, so that only a quiet one counts as idle.
    let idle = async {
        let mut before = moved.load(Ordering::Relaxed);
        loop {
            sleep(limits.client_idle * 2).await;
            let now = moved.load(Ordering::Relaxed);
            if now.saturating_sub(before) <= PINGS {
                relay.metrics.limited(Limit::ClientIdle);
                return;
            }
            before = now;
        }
    };
    tokio::select! {
        _ = connection.as_mut() => {}
        () = idle => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The target and the host of a request, as HTTP/1.1 has them: routes and names are judged in one form.
fn as_http1<B>(mut request: Request<B>) -> Request<B> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(host) = parts.authority.take().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        // Two names for one request are refused as two Host headers are.
        request.headers_mut().append(header::HOST, host);
    }
    parts.scheme = None;
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

fn report(relay: &Relay, looked: Looked) {
    match looked {
        Looked::Same => {}
        Looked::Changed => relay.log.note("the certificate has changed, and new connections use the new one"),
        Looked::Unusable(reason) => {
            relay.log.note(format_args!("the certificate has changed, but the old one stays in use: {reason}"));
        }
    }
}

/// How many connections are served at once: each may need another one to a registry, and the system has its limit.
fn connections(wanted: u32) -> u32 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // The soft limit is for programs that still use select(2).
        let raised = Rlimit { current: limit.maximum, ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let files = limit.current.unwrap_or(u64::MAX).saturating_sub(OWN_FILES) / 2;
    u32::try_from(files).unwrap_or(wanted).min(wanted).max(1)
}

/// The largest buffer of a connection with heads of this size. Small pieces are a byte shorter than half of 16 KiB, and two of them fill
/// it, so that a reader that stopped does not hold a third.
fn buffer(head: usize) -> usize {
    head.saturating_sub(2).max(SMALLEST_BUFFER)
}

/// Whether other machines can connect to this address.
pub(crate) fn is_exposed(listen: &SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

const OWN_FILES: u64 = 64;
/// Bytes that the kernel keeps for a client beyond those that it has sent.
const UNSENT: u32 = 128 << 10;
/// Requests at once over one connection of HTTP/2.
const H2_STREAMS: u32 = 64;
/// Bytes that are kept for each of them before its client takes some.
const H2_UNSENT: usize = 16 << 10;
/// Bytes of a push that one request may send before its registry takes them; all requests of a connection twice as many.
const H2_TAKEN: u32 = 256 << 10;
/// Bytes that pings and settings take, in both directions of two periods of idleness.
const PINGS: u64 = 512;
/// The smallest that the library takes.
const SMALLEST_BUFFER: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{PIECE, tests::limits};

    #[test]
    fn two_small_pieces_fill_the_buffer_of_a_reader_that_stopped() {
        let head = usize::try_from(limits().header_size).unwrap();
        assert!((PIECE + 1..=2 * PIECE).contains(&buffer(head)), "{}", buffer(head));
        // The library takes no smaller one.
        assert_eq!(buffer(1), 8 << 10);
    }
}
