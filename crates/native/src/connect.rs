//! Connections: resolve, check, connect, TLS.

use crate::{
    Options, Proxies, Timeouts, error, failure,
    proxy::Proxy,
    ready::{Origins, REQUEST, Wanted},
    resolve::Rules,
    sip::{PieceSize, Sip},
    stream::Stream,
    tls::Tls,
};
use http::{Uri, uri::Scheme};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use porthole_registry::{
    policy::is_localhost,
    transport::{self, Error, ErrorKind},
};
use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::client::TlsStream;
use tower_service::Service;

#[derive(Clone, Debug)]
pub(crate) struct Connector(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    rules: Rules,
    tls: Tls,
    timeouts: Timeouts,
    proxies: Proxies,
    piece: PieceSize,
    /// Whether a request opens a connection at once, and does not wait for that of another request.
    at_once: bool,
    /// Connections so far.
    made: AtomicU64,
    origins: Origins<Wire>,
}

impl Connector {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let tls = Tls::new(&options)?;
        let rules = Rules { addresses: options.addresses, never: options.never, resolver: options.resolver };
        let (timeouts, proxies, piece, at_once) =
            (options.timeouts, options.proxies, options.piece, options.connects_at_once);
        Ok(Self(Arc::new(Parts {
            rules,
            tls,
            timeouts,
            proxies,
            piece,
            at_once,
            made: AtomicU64::new(0),
            origins: Origins::default(),
        })))
    }
}

impl Connector {
    /// The addresses of a host, each of them checked.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        self.0.rules.resolve(host, port).await
    }

    /// Returns a connection that was opened early, else a new one.
    pub(crate) async fn connect(&self, uri: &Uri) -> Result<Wire, Error> {
        self.0.connect_for(uri, None).await
    }

    /// Opens connections for the next requests to an origin.
    pub(crate) fn prepare(&self, uri: &Uri, connections: usize) {
        for _ in 0..connections {
            let (parts, wanted) = (Arc::clone(&self.0), uri.clone());
            self.0.origins.keep(uri, tokio::spawn(async move { parts.connect(&wanted).await }));
        }
    }

    /// Opens a new connection, makes the TLS handshake on it, and closes it.
    pub(crate) async fn shake(&self, host: &str, port: u16) -> Result<(), Error> {
        let uri = format!("https://{host}:{port}/").parse::<Uri>();
        let uri = uri.map_err(|failure| error(ErrorKind::Other, failure.to_string()))?;
        self.0.connect(&uri).await.map(|_| ())
    }
}

#[cfg(test)]
impl Connector {
    /// Whether the first early connection is open or has failed.
    pub(crate) fn early(&self, origin: &str) -> Option<bool> {
        self.0.origins.early(&origin.parse().ok()?)
    }

    /// Counts a connection to an origin 20 ms away, until the returned value is dropped.
    pub(crate) fn is_far(&self, origin: &str) -> Option<Arc<()>> {
        self.0.origins.opened(&origin.parse().ok()?, Duration::from_millis(20))
    }

    pub(crate) async fn connect_for(&self, origin: &str, request: Arc<Wanted>) -> Result<Wire, Error> {
        self.0.connect_for(&origin.parse().unwrap_or_default(), Some(request)).await
    }
}

impl Parts {
    /// Returns a connection for a request: one that was opened early, else a new one. Fails if the request meanwhile
    /// uses another connection that became free.
    async fn connect_for(&self, uri: &Uri, request: Option<Arc<Wanted>>) -> Result<Wire, Error> {
        if let Some(wire) = self.origins.take(uri).await {
            return Ok(wire);
        }
        if let Some(request) = request.filter(|_| !self.at_once)
            && let Some(wait) = self.origins.wait(uri, request.is_brief())
        {
            tokio::time::sleep(wait).await;
            // The request uses another connection, which became free meanwhile.
            if !request.waits() {
                return Err(error(ErrorKind::Other, "another connection became free"));
            }
        }
        self.connect(uri).await
    }

    async fn connect(&self, uri: &Uri) -> Result<Wire, Error> {
        let host = uri.host().ok_or_else(|| error(ErrorKind::Other, "expected a URL with a host"))?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let limit = self.timeouts.connect;
        let proxy = self.proxies.between(uri)?;
        let begun = Instant::now();
        let reach = async {
            match &proxy {
                None => {
                    let addresses = self.rules.resolve(host, port).await?;
                    if !secure && is_localhost(host) && !addresses.iter().all(|address| address.ip().is_loopback()) {
                        let message =
                            format!("{host} has an address of another machine, and would be reached without TLS");
                        return Err(error(ErrorKind::Forbidden, message));
                    }
                    let tcp = dial(host, addresses).await.map_err(|failure| {
                        // A redirect may lead to another port of the same host.
                        let place = uri.authority().map_or(host, |authority| authority.as_str());
                        error(ErrorKind::Connect, format!("cannot connect to {place}: {}", in_words(&failure)))
                    })?;
                    Ok(Stream::Tcp(tcp))
                }
                Some(proxy) => self.reach_through(proxy, secure, host, port).await,
            }
        };
        let stream = timeout(limit, reach).await.map_err(|_| {
            let through = proxy.as_ref().map_or_else(String::new, |proxy| format!(" through {proxy}"));
            failure::stalled(&format!("a connection to {host}:{port}{through}"), limit)
        })??;
        // Small requests must not wait for the acknowledgement of the one before. If this fails, they are only slower.
        let _ = stream.tcp().set_nodelay(true);
        let id = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let mut made = Made::new(id, stream.tcp().peer_addr().ok(), begun.elapsed());
        let live = self.origins.opened(uri, made.connect);
        if !secure {
            let proxied = proxy.is_some_and(|proxy| proxy.takes_whole_urls());
            return Ok(Wire::Plain { io: TokioIo::new(self.sip(stream)), proxied, made, _live: live });
        }
        let begun = Instant::now();
        let tls = timeout(limit, self.tls.handshake(host, port, stream))
            .await
            .map_err(|_| failure::stalled(&format!("TLS with {host}:{port}"), limit))?
            .map_err(|failure| match &proxy {
                Some(proxy) => Error { message: format!("{} (through {proxy})", failure.message), ..failure },
                None => failure,
            })?;
        made.tls = Some(begun.elapsed());
        Ok(Wire::Tls { io: Box::new(TokioIo::new(self.sip(tls))), made, _live: live })
    }

    fn sip<T>(&self, inner: T) -> Sip<T> {
        Sip { inner, size: self.piece.clone() }
    }

    /// Connects to a proxy, and through it to the host unless it takes requests for `http` URLs itself.
    async fn reach_through(&self, proxy: &Proxy, secure: bool, host: &str, port: u16) -> Result<Stream, Error> {
        let blame = |failure: Error| error(ErrorKind::Proxy, format!("{proxy}: {}", failure.message));
        let addresses = self.rules.resolve(&proxy.host, proxy.port).await.map_err(blame)?;
        let tcp = dial(&proxy.host, addresses)
            .await
            .map_err(|failure| error(ErrorKind::Proxy, format!("cannot connect to {proxy}: {}", in_words(&failure))))?;
        let stream = if proxy.has_tls() {
            Stream::Proxy(Box::new(self.tls.handshake(&proxy.host, proxy.port, tcp).await.map_err(blame)?))
        } else {
            Stream::Tcp(tcp)
        };
        if secure || !proxy.takes_whole_urls() { proxy.open_tunnel(stream, host, port).await } else { Ok(stream) }
    }
}

/// Describes a failure of the network, with its meaning where that is known.
fn in_words(failure: &io::Error) -> String {
    match failure.kind() {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            format!("this machine has no connection to that network: {failure}")
        }
        _ => failure.to_string(),
    }
}

/// Connects to the address that answers first. The next one is tried when one fails or is slow (RFC 8305, section 5).
async fn dial(host: &str, addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut ahead = interleave(addresses).into_iter();
    let mut last = None;
    loop {
        let next = ahead.next();
        if next.is_none() && attempts.is_empty() {
            return Err(last.unwrap_or_else(|| io::Error::other(format!("no connection to {host} was made"))));
        }
        let wait = match next {
            Some(address) => {
                attempts.spawn(TcpStream::connect(address));
                STAGGER
            }
            None => Duration::MAX,
        };
        match timeout(wait, attempts.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(failure)))) => last = Some(failure),
            Ok(Some(Err(_)) | None) | Err(_) => {}
        }
    }
}

/// Alternates between IPv4 and IPv6 addresses, beginning with the family that the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut mixed: Vec<_> = preferred.into_iter().flat_map(|a| [Some(a), other.next()]).flatten().collect();
    mixed.extend(other);
    mixed
}

/// RFC 8305, section 8: the recommended delay between two attempts.
const STAGGER: Duration = Duration::from_millis(250);

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let parts = Arc::clone(&self.0);
        let request = REQUEST.try_with(Arc::clone).ok();
        Box::pin(async move { parts.connect_for(&uri, request).await })
    }
}

/// A connection, with TLS or without.
pub(crate) enum Wire {
    Plain {
        io: TokioIo<Sip<Stream>>,
        /// Whether the other end is a proxy, which needs the absolute form of URLs (RFC 9112, section 3.2.2).
        proxied: bool,
        made: Made,
        _live: Option<Arc<()>>,
    },
    Tls {
        io: Box<TokioIo<Sip<TlsStream<Stream>>>>,
        made: Made,
        _live: Option<Arc<()>>,
    },
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub(crate) fn made(&self) -> &Made {
        let (Self::Plain { made, .. } | Self::Tls { made, .. }) = self;
        made
    }

    pub(crate) fn is_proxied(&self) -> bool {
        matches!(self, Self::Plain { proxied: true, .. })
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxied()).extra(self.made().clone())
    }
}

/// How a connection was made, in the extensions of every answer that comes over it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    id: u64,
    peer: Option<SocketAddr>,
    connect: Duration,
    tls: Option<Duration>,
    used: Arc<AtomicBool>,
}

impl Made {
    fn new(id: u64, peer: Option<SocketAddr>, connect: Duration) -> Self {
        Self { id, peer, connect, tls: None, used: Arc::default() }
    }

    /// Notes an answer over the connection, and describes the connection for the answer.
    pub(crate) fn used(&self) -> transport::Connection {
        let reused = self.used.swap(true, Ordering::Relaxed);
        transport::Connection { id: self.id, reused, peer: self.peer, connect: self.connect, tls: self.tls }
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { io, .. } => Pin::new(io).poll_read(cx, buffer),
            Self::Tls { io, .. } => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain { io, .. } => Pin::new(io).poll_write(cx, buffer),
            Self::Tls { io, .. } => Pin::new(io).poll_write(cx, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain { io, .. } => Pin::new(io).poll_write_vectored(cx, buffers),
            Self::Tls { io, .. } => Pin::new(io).poll_write_vectored(cx, buffers),
        }
    }

    /// If this is false, every byte of an upload is copied to one buffer before it is written.
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain { io, .. } => io.is_write_vectored(),
            Self::Tls { io, .. } => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { io, .. } => Pin::new(io).poll_flush(cx),
            Self::Tls { io, .. } => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { io, .. } => Pin::new(io).poll_shutdown(cx),
            Self::Tls { io, .. } => Pin::new(io).poll_shutdown(cx),
        }
    }
}
