//! What each client holds: connections, requests of the last seconds, and bodies on their way.

use crate::{
    credit::Credit,
    limits::{Limits, PIECE, PerClient},
    metrics::{Limit, Metrics},
};
use porthole_native::PieceSize;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The clients that hold something, and what all of them hold together.
pub(crate) struct Clients {
    limits: PerClient,
    streams: u64,
    fast: u64,
    piece: PieceSize,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    clients: HashMap<IpAddr, Client>,
    streams: u64,
}

struct Client {
    connections: u32,
    streams: u64,
    /// Requests that it may send at once.
    credit: Credit,
}

impl Clients {
    /// `piece` is set to what a connection to a registry may read at a time.
    pub(crate) fn new(limits: &Limits, listen: IpAddr, piece: PieceSize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limits: limits.per_client(listen),
            streams: limits.streams(),
            fast: limits.fast_streams(),
            piece,
            metrics,
            table: Mutex::default(),
        })
    }

    /// A place for one more connection of this client.
    pub(crate) fn connect(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = group(address);
        let mut table = self.table();
        let client = table.client(address, &self.limits);
        if client.connections >= self.limits.connections {
            self.metrics.limited(Limit::ClientConnections);
            return None;
        }
        client.connections += 1;
        Some(Seat { clients: Arc::clone(self), address })
    }

    /// Whether this client may send a request now.
    pub(crate) fn may_ask(&self, address: IpAddr) -> bool {
        let mut table = self.table();
        let may = table.client(group(address), &self.limits).credit.take(self.limits.rate);
        if !may {
            self.metrics.limited(Limit::ClientRate);
        }
        may
    }

    /// Memory for one more body on its way to this client.
    pub(crate) fn stream(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = group(address);
        let mut table = self.table();
        if table.streams >= self.streams {
            self.metrics.limited(Limit::Buffers);
            return None;
        }
        let client = table.client(address, &self.limits);
        if client.streams >= self.limits.streams {
            self.metrics.limited(Limit::ClientBuffers);
            return None;
        }
        client.streams += 1;
        table.streams += 1;
        self.streams_changed(table.streams);
        Some(Place { clients: Arc::clone(self), address })
    }

    /// Bodies on their way now.
    pub(crate) fn streams(&self) -> u64 {
        self.table().streams
    }

    /// How many bytes of a body are read at a time now.
    pub(crate) fn piece(&self) -> usize {
        if self.table().streams <= self.fast { usize::MAX } else { PIECE }
    }

    fn streams_changed(&self, streams: u64) {
        self.piece.set(if streams <= self.fast { usize::MAX } else { PIECE });
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn client(&mut self, address: IpAddr, limits: &PerClient) -> &mut Client {
        if self.clients.len() >= REMEMBERED && !self.clients.contains_key(&address) {
            // A client is remembered after its last connection until it has all its credit again.
            self.clients.retain(|_, client| client.connections > 0 || client.streams > 0 || !client.credit.is_full());
        }
        self.clients.entry(address).or_insert_with(|| Client {
            connections: 0,
            streams: 0,
            credit: Credit::full(limits.rate),
        })
    }
}

/// A connection; dropping it frees its place.
pub(crate) struct Seat {
    clients: Arc<Clients>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(client) = self.clients.table().clients.get_mut(&self.address) {
            client.connections -= 1;
        }
    }
}

/// A body on its way; dropping it frees its memory.
pub(crate) struct Place {
    clients: Arc<Clients>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.clients.table();
        table.streams -= 1;
        self.clients.streams_changed(table.streams);
        if let Some(client) = table.clients.get_mut(&self.address) {
            client.streams -= 1;
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which is what a household gets.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

const REMEMBERED: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(edit: impl FnOnce(&mut Limits)) -> (Arc<Clients>, Arc<Metrics>) {
        let mut limits = crate::limits::tests::limits();
        edit(&mut limits);
        let metrics = Arc::new(Metrics::default());
        (Clients::new(&limits, [192, 0, 2, 1].into(), PieceSize::default(), Arc::clone(&metrics)), metrics)
    }

    #[test]
    fn one_client_cannot_take_every_connection() {
        let (clients, metrics) = clients(|limits| limits.client_connections = Some(2));
        let first: IpAddr = [203, 0, 113, 1].into();
        let seats = [clients.connect(first), clients.connect(first)];
        assert!(clients.connect(first).is_none());
        assert!(clients.connect([203, 0, 113, 2].into()).is_some());
        drop(seats);
        assert!(clients.connect(first).is_some());
        assert!(metrics.exposition().contains("porthole_relay_limited_total{limit=\"client-connections\"} 1\n"));
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let (clients, _) = clients(|limits| limits.client_connections = Some(1));
        let _seat = clients.connect("2001:db8::1".parse().unwrap()).unwrap();
        assert!(clients.connect("2001:db8::ffff:2".parse().unwrap()).is_none());
        assert!(clients.connect("2001:db8:0:1::1".parse().unwrap()).is_some());
        let _mapped = clients.connect("::ffff:203.0.113.1".parse().unwrap()).unwrap();
        assert!(clients.connect([203, 0, 113, 1].into()).is_none());
    }

    #[test]
    fn requests_have_a_rate() {
        let (clients, metrics) = clients(|limits| limits.client_rate = Some(1));
        let client: IpAddr = [203, 0, 113, 1].into();
        let allowed = (0..100).filter(|_| clients.may_ask(client)).count();
        assert!((5..50).contains(&allowed), "{allowed}");
        assert!(clients.may_ask([203, 0, 113, 2].into()));
        assert!(!metrics.exposition().contains("porthole_relay_limited_total{limit=\"client-rate\"} 0\n"));
    }

    #[test]
    fn bodies_are_read_in_small_pieces_when_there_are_many() {
        let (clients, metrics) = clients(|limits| {
            limits.buffers = 2 << 20;
            limits.client_buffers = Some(144 << 10);
        });
        let client: IpAddr = [203, 0, 113, 1].into();
        let size = |clients: &Clients| format!("{:?}", clients.piece);
        let first = clients.stream(client).unwrap();
        assert!(size(&clients).contains(&usize::MAX.to_string()));
        let more = [clients.stream(client).unwrap(), clients.stream(client).unwrap()];
        assert!(size(&clients).contains(&PIECE.to_string()));
        assert!(clients.stream(client).is_none());
        let others: Vec<_> = (0..100).map_while(|n| clients.stream([198, 51, 100, n].into())).collect();
        assert_eq!(others.len() + 3, usize::try_from(clients.streams).unwrap());
        drop((first, more, others));
        assert_eq!(clients.streams(), 0);
        assert!(size(&clients).contains(&usize::MAX.to_string()));
        let text = metrics.exposition();
        for limit in ["client-buffers", "buffers"] {
            assert!(text.contains(&format!("porthole_relay_limited_total{{limit=\"{limit}\"}} 1\n")), "{text}");
        }
    }
}
