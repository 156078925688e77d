//! Looks up names on threads of its own.
//!
//! `getaddrinfo` blocks its thread for as long as a name server is silent, often for half a minute. On a runtime's pool
//! of blocking threads, names whose servers never answer would delay all other work there. Here they only block threads
//! of this pool, and their callers wait for a bounded time. For names that resolved before, threads are reserved and
//! the last addresses are kept.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout};

/// Bounds of a pool of look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupLimits {
    /// Most look-ups at once of names that have not resolved yet.
    pub threads: usize,
    /// Further look-ups at once, for names that have resolved before.
    pub reserved: usize,
    /// Longest time that a caller waits.
    pub deadline: Duration,
    /// How long addresses are used without another look-up.
    pub fresh: Duration,
    /// How long a failure is repeated without another look-up.
    pub negative: Duration,
    /// How long old addresses are used where another look-up fails.
    pub stale: Duration,
    /// Names whose answers are remembered.
    pub names: usize,
}

impl Default for LookupLimits {
    fn default() -> Self {
        Self {
            threads: 48,
            reserved: 16,
            deadline: Duration::from_secs(5),
            fresh: Duration::from_secs(30),
            negative: Duration::from_secs(5),
            stale: Duration::from_secs(3600),
            names: 1024,
        }
    }
}

/// Counters of look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// Threads that look up now.
    pub running: usize,
    /// Requests answered from memory.
    pub remembered: u64,
    /// Requests answered with old addresses, because a new look-up failed or found no thread.
    pub stale: u64,
    /// Requests that ended at the deadline.
    pub late: u64,
    /// Requests refused, because every thread was busy.
    pub refused: u64,
}

pub(crate) type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

pub(crate) struct Pool {
    limits: LookupLimits,
    lookup: Box<Lookup>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: HashMap<String, Name>,
    counts: LookupCounts,
}

#[derive(Default)]
struct Name {
    last: Option<(Answer, Instant)>,
    /// The last addresses that it resolved to, and when.
    good: Option<(Vec<IpAddr>, Instant)>,
    /// The look-up that is running, if any.
    running: Option<watch::Receiver<Option<Answer>>>,
}

/// `io::Error` cannot be cloned.
type Answer = Result<Vec<IpAddr>, (io::ErrorKind, String)>;

impl Pool {
    pub(crate) fn new(limits: LookupLimits, lookup: Box<Lookup>) -> Arc<Self> {
        Arc::new(Self { limits, lookup, state: Mutex::default() })
    }

    /// The addresses of a host.
    pub(crate) async fn addresses(self: &Arc<Self>, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut receiver = match self.begin(host) {
            Ok(answer) => return answer.map_err(|(kind, message)| io::Error::new(kind, message)),
            Err(receiver) => receiver,
        };
        let answer = match timeout(self.limits.deadline, receiver.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone(),
            Ok(Err(_)) => None,
            Err(_) => {
                self.state().counts.late += 1;
                None
            }
        };
        let (kind, message) = match answer {
            Some(Ok(addresses)) => return Ok(addresses),
            Some(Err(failure)) => failure,
            None => {
                let seconds = self.limits.deadline.as_secs();
                (io::ErrorKind::TimedOut, format!("no name server answered within {seconds} s"))
            }
        };
        let mut state = self.state();
        let old = state.old_addresses(host, self.limits.stale);
        old.ok_or_else(|| io::Error::new(kind, message))
    }

    pub(crate) fn counts(&self) -> LookupCounts {
        self.state().counts
    }

    /// Returns the answer if it is known at once, else the look-up to wait for as `Err`.
    fn begin(self: &Arc<Self>, host: &str) -> Result<Answer, watch::Receiver<Option<Answer>>> {
        let mut state = self.state();
        let (mut known, mut recent) = (false, None);
        if let Some(name) = state.names.get(host) {
            known = name.good.is_some();
            recent = name.last.as_ref().filter(|(answer, at)| {
                at.elapsed() < if answer.is_ok() { self.limits.fresh } else { self.limits.negative }
            });
            if let (None, Some(running)) = (recent, &name.running) {
                return Err(running.clone());
            }
        }
        if let Some(answer) = recent.map(|(answer, _)| answer.clone()) {
            state.counts.remembered += 1;
            // A name that fails after it resolved keeps its addresses for a while.
            return Ok(match answer {
                Err(failure) => state.old_addresses(host, self.limits.stale).ok_or(failure),
                found => found,
            });
        }
        let limit = self.limits.threads + if known { self.limits.reserved } else { 0 };
        let (sender, receiver) = watch::channel(None);
        if state.counts.running >= limit || !self.spawn(host, sender) {
            let old = state.old_addresses(host, self.limits.stale);
            state.counts.refused += u64::from(old.is_none());
            let busy = || (io::ErrorKind::ResourceBusy, "too many names are being looked up".to_owned());
            return Ok(old.ok_or_else(busy));
        }
        state.counts.running += 1;
        state.make_room(self.limits.names);
        state.names.entry(host.to_owned()).or_default().running = Some(receiver.clone());
        Err(receiver)
    }

    fn spawn(self: &Arc<Self>, host: &str, sender: watch::Sender<Option<Answer>>) -> bool {
        let (pool, host) = (Arc::clone(self), host.to_owned());
        let run = move || {
            let answer = (pool.lookup)(&host).map_err(|failure| (failure.kind(), failure.to_string()));
            let mut state = pool.state();
            state.counts.running -= 1;
            let name = state.names.entry(host).or_default();
            name.running = None;
            if let Ok(addresses) = &answer {
                name.good = Some((addresses.clone(), Instant::now()));
            }
            name.last = Some((answer.clone(), Instant::now()));
            drop(state);
            // Without a receiver every caller has given up; the answer is kept for the next.
            sender.send_replace(Some(answer));
        };
        thread::Builder::new().name("lookup".to_owned()).stack_size(STACK).spawn(run).is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn old_addresses(&mut self, host: &str, stale: Duration) -> Option<Vec<IpAddr>> {
        let (addresses, at) = self.names.get(host)?.good.as_ref()?;
        if at.elapsed() >= stale {
            return None;
        }
        self.counts.stale += 1;
        Some(addresses.clone())
    }

    /// Forgets names beyond the limit: those that never resolved before those that did, the oldest first.
    fn make_room(&mut self, limit: usize) {
        while self.names.len() >= limit {
            let idle = self.names.iter().filter(|(_, name)| name.running.is_none());
            let oldest = idle.min_by_key(|(_, name)| (name.good.is_some(), name.last.as_ref().map(|(_, at)| *at)));
            let Some(host) = oldest.map(|(host, _)| host.clone()) else { return };
            self.names.remove(&host);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Asks the system: the hosts file, name servers, and what else `nsswitch.conf` lists.
pub(crate) fn ask_system(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in (host, 0).to_socket_addrs()? {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    Ok(found)
}

/// glibc's resolver keeps answers of 64 KiB on the stack.
const STACK: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Condvar,
        atomic::{AtomicUsize, Ordering},
    };

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[derive(Default)]
    struct Gate {
        open: Mutex<bool>,
        opened: Condvar,
    }

    /// Names that begin with `silent` are never answered before the gate opens.
    fn pool(limits: LookupLimits) -> (Arc<Pool>, Arc<Gate>, Arc<AtomicUsize>) {
        let gate = Arc::new(Gate::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let (own, count) = (Arc::clone(&gate), Arc::clone(&asked));
        let lookup = move |host: &str| {
            count.fetch_add(1, Ordering::Relaxed);
            if host.starts_with("silent") {
                drop(own.opened.wait_while(own.open.lock().unwrap(), |open| !*open).unwrap());
            }
            if host.starts_with("absent") { Err(io::ErrorKind::NotFound.into()) } else { Ok(vec![ADDRESS]) }
        };
        (Pool::new(limits, Box::new(lookup)), gate, asked)
    }

    fn open(gate: &Gate) {
        *gate.open.lock().unwrap() = true;
        gate.opened.notify_all();
    }

    #[tokio::test]
    async fn names_that_are_never_answered_do_not_stop_known_names() {
        let limits = LookupLimits {
            threads: 2,
            reserved: 1,
            deadline: Duration::from_millis(50),
            fresh: Duration::ZERO,
            ..LookupLimits::default()
        };
        let (pool, gate, _) = pool(limits);
        pool.addresses("good.example").await.unwrap();
        for name in ["silent-1", "silent-2"] {
            assert_eq!(pool.addresses(name).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(pool.addresses("new.example").await.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(pool.addresses("good.example").await.unwrap(), [ADDRESS]);
        let LookupCounts { running, late, refused, .. } = pool.counts();
        assert_eq!((running, late, refused), (2, 2, 1));
        open(&gate);
        while pool.counts().running > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.addresses("new.example").await.unwrap(), [ADDRESS]);
    }

    #[tokio::test]
    async fn answers_and_failures_are_remembered() {
        let (pool, _, asked) = pool(LookupLimits::default());
        for _ in 0..3 {
            pool.addresses("good.example").await.unwrap();
            assert_eq!(pool.addresses("absent.example").await.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert_eq!((asked.load(Ordering::Relaxed), pool.counts().remembered), (2, 4));
    }

    #[tokio::test]
    async fn many_callers_of_a_name_share_one_look_up() {
        let (pool, gate, asked) = pool(LookupLimits::default());
        let callers: Vec<_> = (0..20)
            .map(|_| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.addresses("silent").await })
            })
            .collect();
        while asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        open(&gate);
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap(), [ADDRESS]);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_keeps_names_that_resolved() {
        let limits = LookupLimits { names: 4, negative: Duration::ZERO, ..LookupLimits::default() };
        let (pool, _, _) = pool(limits);
        pool.addresses("good.example").await.unwrap();
        for number in 0..50 {
            assert!(pool.addresses(&format!("absent-{number}")).await.is_err());
        }
        assert!(pool.state().names.len() <= 4);
        assert!(pool.state().names.contains_key("good.example"));
    }
}
