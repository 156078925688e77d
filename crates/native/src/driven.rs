//! Connections that are driven by the requests that use them.
//!
//! In the pool of the HTTP library, each connection has a task: a request wakes it, is woken by it for the head and for each piece of the
//! body, and needs one more task to return the connection. Here, a request polls its connection itself, and an idle connection is polled
//! when it is taken. A small answer arrives in one piece with its head, so that a server passes it on with one write.

use crate::{
    BUFFER,
    connect::{Connector, Made, Wire},
    error, failure,
    outgoing::Outgoing,
};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri, header,
    uri::{Authority, Scheme},
};
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http1::{self, SendRequest},
};
use porthole_registry::transport::{Error, ErrorKind};
use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    runtime::{Handle, Id},
    time::{Instant, sleep},
};

/// Idle connections. Clones share them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    /// The most idle connections of one place.
    most: usize,
    /// How long a connection may be idle.
    longest: Duration,
    places: Mutex<HashMap<Place, Vec<Idle>>>,
}

/// Where connections lead, and the runtime that their sockets wake: on another one, each answer would wake two threads.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    scheme: Scheme,
    authority: Authority,
    runtime: Id,
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, HashMap<Place, Vec<Idle>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Idle {
    link: Box<Link>,
    since: Instant,
}

struct Link {
    sender: SendRequest<Outgoing>,
    /// `None` after the end of the connection.
    connection: Option<http1::Connection<Wire, Outgoing>>,
    made: Made,
    /// Whether the other end is a proxy, which needs the absolute form of URLs (RFC 9112, section 3.2.2).
    proxied: bool,
}

impl Link {
    async fn open(connector: &Connector, uri: &Uri) -> Result<Box<Self>, Error> {
        let wire = connector.connect(uri).await?;
        let (made, proxied) = (wire.made().clone(), wire.is_proxied());
        let mut builder = http1::Builder::new();
        let opened = builder.max_buf_size(BUFFER).handshake(wire).await;
        let (sender, connection) = opened.map_err(|failure| failure::of_body(&failure))?;
        Ok(Box::new(Self { sender, connection: Some(connection), made, proxied }))
    }

    /// Does what the socket allows now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        // The request or the body gets the reason of an end.
        if self.connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(cx).is_ready()) {
            self.connection = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// The connection of an answer, which returns to its pool when it is dropped at the end of the body. Before that, it is closed.
pub(crate) struct Driven {
    link: Option<Box<Link>>,
    /// Why the body failed, for the next poll.
    failed: Option<hyper::Error>,
    place: Place,
    pool: Pool,
}

impl Driven {
    /// The next frame of the body that comes over this connection.
    ///
    /// An error comes a poll later than it could: a server that passes the body on first sends what came before the error.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Some(Err(failed)));
        }
        let mut frame = Pin::new(&mut *body).poll_frame(cx);
        if let (Poll::Pending, Some(link)) = (&frame, &mut self.link) {
            link.drive(cx);
            frame = Pin::new(body).poll_frame(cx);
        }
        match frame {
            Poll::Ready(Some(Err(failed))) => {
                self.failed = Some(failed);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => frame,
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(link) = self.link.take().filter(|link| link.is_idle()) {
            self.pool.keep(&self.place, link);
        }
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driven")
    }
}

impl Pool {
    pub(crate) fn new(most: usize, longest: Duration) -> Self {
        Self(Arc::new(Shared { most, longest, places: Mutex::default() }))
    }

    /// Sends a request over an idle connection, else over a new one. If an idle one ends before any of the request was sent, the next is
    /// taken.
    pub(crate) async fn request(
        &self,
        connector: &Connector,
        mut request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Driven), Error> {
        let uri = request.uri().clone();
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(error(ErrorKind::Other, "expected a URL with a host"));
        };
        request.headers_mut().entry(header::HOST).or_insert(host(&uri, authority)?);
        let place = Place { scheme: scheme.clone(), authority: authority.clone(), runtime: Handle::current().id() };
        loop {
            let (reused, mut link) = match self.take(&place) {
                Some(link) => (true, link),
                None => (false, Box::pin(Link::open(connector, &uri)).await?),
            };
            *request.uri_mut() = if link.proxied { uri.clone() } else { origin_form(&uri) };
            let mut answer = pin!(link.sender.try_send_request(request));
            let answer = poll_fn(|cx| {
                link.drive(cx);
                answer.as_mut().poll(cx)
            });
            match answer.await {
                Ok(mut response) => {
                    response.extensions_mut().insert(link.made.clone());
                    return Ok((response, Driven { link: Some(link), failed: None, place, pool: self.clone() }));
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(failure::of_exchange(&failed.into_error())),
                },
            }
        }
    }

    /// An idle connection that the other end has not closed.
    fn take(&self, place: &Place) -> Option<Box<Link>> {
        loop {
            // The last one was used last.
            let Idle { mut link, since } = self.0.places().get_mut(place)?.pop()?;
            if since.elapsed() > self.0.longest {
                continue;
            }
            // The request drives it again. With its waker, it would be woken by itself.
            link.drive(&mut Context::from_waker(Waker::noop()));
            if link.is_idle() {
                return Some(link);
            }
        }
    }

    fn keep(&self, place: &Place, link: Box<Link>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut places = self.0.places();
        let idle = places.entry(place.clone()).or_insert_with(|| {
            runtime.spawn(sweep(Arc::downgrade(&self.0), place.clone()));
            Vec::new()
        });
        if idle.len() < self.0.most {
            idle.push(Idle { link, since: Instant::now() });
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// Closes the connections of a place that were idle for too long, until none is left.
async fn sweep(pool: Weak<Shared>, place: Place) {
    while let Some(longest) = pool.upgrade().map(|pool| pool.longest) {
        sleep(longest).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut places = pool.places();
        let Some(idle) = places.get_mut(&place) else { return };
        idle.retain(|idle| idle.since.elapsed() < longest);
        if idle.is_empty() {
            places.remove(&place);
            return;
        }
    }
}

/// The `Host` of a request: without the port if it is that of the scheme.
pub(crate) fn host(uri: &Uri, authority: &Authority) -> Result<HeaderValue, Error> {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let whole = authority.as_str();
    let whole = whole.rsplit_once('@').map_or(whole, |(_, place)| place);
    let host = if authority.port_u16() == Some(default) { authority.host() } else { whole };
    HeaderValue::from_str(host).map_err(|failure| error(ErrorKind::Other, failure.to_string()))
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map(Uri::from).unwrap_or_default()
}
