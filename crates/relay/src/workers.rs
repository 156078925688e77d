//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on its thread, and so do the connections to registries that its requests use. On one runtime with many threads, each
//! step of a small request may wake another thread.

use std::{
    future::Future,
    io,
    num::NonZero,
    sync::Arc,
    thread::{self, JoinHandle, available_parallelism},
};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::watch,
};

/// How many workers a relay has: one for each core that it may use.
pub(crate) fn count() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The calling thread as the first worker, and threads of their own. They end when this is dropped.
#[derive(Default)]
pub(crate) struct Workers {
    own: Arc<()>,
    others: Vec<Worker>,
    stop: Option<watch::Sender<()>>,
}

struct Worker {
    runtime: Handle,
    /// Each connection holds a clone.
    load: Arc<()>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count - 1` threads.
    ///
    /// # Errors
    /// From the system.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let worker = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (handle, mut stopped) = (runtime.handle().clone(), stopped.clone());
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                // An error is the end, too.
                let _ = runtime.block_on(stopped.changed());
            })?;
            Ok(Worker { runtime: handle, load: Arc::default(), thread: Some(thread) })
        };
        let others = (1..count).map(worker).collect::<io::Result<_>>()?;
        Ok(Self { own: Arc::default(), others, stop: Some(stop) })
    }

    /// Serves a connection on the worker that has the fewest.
    pub(crate) fn spawn<F>(&self, tcp: TcpStream, serve: impl FnOnce(TcpStream) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let least = self.others.iter().min_by_key(|worker| Arc::strong_count(&worker.load));
        let other = least.filter(|worker| Arc::strong_count(&worker.load) < Arc::strong_count(&self.own));
        let load = Arc::clone(other.map_or(&self.own, |worker| &worker.load));
        let Some(worker) = other else {
            tokio::spawn(async move {
                serve(tcp).await;
                drop(load);
            });
            return;
        };
        // The socket leaves the runtime that accepted it. If that fails, the connection is closed.
        let Ok(tcp) = tcp.into_std() else { return };
        worker.runtime.spawn(async move {
            if let Ok(tcp) = TcpStream::from_std(tcp) {
                serve(tcp).await;
            }
            drop(load);
        });
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop = None;
        for worker in &mut self.others {
            let _ = worker.thread.take().map(JoinHandle::join);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tokio::{io::AsyncReadExt, net::TcpListener, sync::mpsc::unbounded_channel};

    #[tokio::test]
    async fn connections_go_to_the_worker_that_has_the_fewest() {
        let workers = Workers::start(3).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (served, mut threads) = unbounded_channel();
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (tcp, _) = listener.accept().await.unwrap();
            let served = served.clone();
            workers.spawn(tcp, async move |mut tcp| {
                served.send(thread::current().id()).unwrap();
                let _ = tcp.read_u8().await;
            });
        }
        let mut connections = HashMap::<_, u32>::new();
        for _ in 0..6 {
            *connections.entry(threads.recv().await.unwrap()).or_default() += 1;
        }
        assert_eq!(connections.into_values().collect::<Vec<_>>(), [2, 2, 2]);
        drop(clients);
    }
}
