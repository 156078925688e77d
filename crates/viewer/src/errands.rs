//! Pieces of work that one future drives, so that this crate spawns nothing.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Poll, Waker},
};

/// A future whose code is a function of its own, because it is a trait object.
///
/// A browser optimises a function as a whole, even if only a small part of it runs. The code of a future that awaits others in place
/// contains theirs, and one with all kinds of work would keep a core busy for a second.
pub(crate) type Apart<'f, T> = Pin<Box<dyn Future<Output = T> + 'f>>;

/// A piece of work that has begun.
pub(crate) type Running<'r> = Apart<'r, ()>;

/// Pieces of work by key. Work that is begun replaces the work with the same key.
///
/// [`run`](Self::run) drives them all. Work that is stopped or replaced is dropped before it is polled again, and with it
/// the requests that it holds.
pub(crate) struct Errands<K, W> {
    inner: RefCell<Inner<K, W>>,
}

struct Inner<K, W> {
    changes: Vec<(K, Option<W>)>,
    waker: Option<Waker>,
    running: usize,
}

impl<K, W> Default for Errands<K, W> {
    fn default() -> Self {
        Self { inner: RefCell::new(Inner { changes: Vec::new(), waker: None, running: 0 }) }
    }
}

impl<K: Copy + PartialEq, W> Errands<K, W> {
    /// Begins a piece of work.
    pub(crate) fn begin(&self, key: K, work: W) {
        self.change(key, Some(work));
    }

    /// Drops the work with this key.
    pub(crate) fn stop(&self, key: K) {
        self.change(key, None);
    }

    /// Number of pieces of work that had not ended when this was last polled.
    pub(crate) fn count(&self) -> usize {
        let inner = self.inner.borrow();
        inner.running + inner.changes.len()
    }

    /// Drives the work for as long as it is polled. `start` makes a future of a piece of work.
    pub(crate) async fn run<'r>(&self, start: impl Fn(W) -> Running<'r>) {
        let mut running: Vec<(K, Running<'r>)> = Vec::new();
        poll_fn(|context| {
            self.inner.borrow_mut().waker = Some(context.waker().clone());
            loop {
                for (key, work) in self.take_changes() {
                    running.retain(|(other, _)| *other != key);
                    running.extend(work.map(|work| (key, start(work))));
                }
                let mut at = 0;
                while let Some((_, future)) = running.get_mut(at) {
                    match future.as_mut().poll(context) {
                        Poll::Ready(()) => drop(running.remove(at)),
                        Poll::Pending => at += 1,
                    }
                    if self.has_changes() {
                        break;
                    }
                }
                if !self.has_changes() {
                    self.inner.borrow_mut().running = running.len();
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn change(&self, key: K, work: Option<W>) {
        let waker = {
            let mut inner = self.inner.borrow_mut();
            inner.changes.push((key, work));
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take_changes(&self) -> Vec<(K, Option<W>)> {
        std::mem::take(&mut self.inner.borrow_mut().changes)
    }

    fn has_changes(&self) -> bool {
        !self.inner.borrow().changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        rc::Rc,
        task::{Context, Waker},
    };

    #[test]
    fn work_is_replaced_stopped_and_dropped() {
        let errands: Errands<u8, Rc<()>> = Errands::default();
        let held = Rc::new(());
        let mut run = pin!(errands.run(|work| {
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(work);
            })
        }));
        let mut context = Context::from_waker(Waker::noop());
        let mut turn = || run.as_mut().poll(&mut context);
        errands.begin(1, Rc::clone(&held));
        errands.begin(2, Rc::clone(&held));
        assert_eq!(turn(), Poll::Pending);
        assert_eq!((Rc::strong_count(&held), errands.count()), (3, 2));
        errands.begin(1, Rc::clone(&held));
        assert_eq!(turn(), Poll::Pending);
        assert_eq!(Rc::strong_count(&held), 3, "the first was replaced");
        errands.stop(1);
        errands.stop(2);
        assert_eq!(turn(), Poll::Pending);
        assert_eq!((Rc::strong_count(&held), errands.count()), (1, 0));
    }

    #[test]
    fn work_that_is_begun_by_other_work_starts_at_once() {
        let errands: Errands<u8, u8> = Errands::default();
        let seen = RefCell::new(Vec::new());
        let mut run = pin!(errands.run(|work| {
            let (errands, seen) = (&errands, &seen);
            Box::pin(async move {
                seen.borrow_mut().push(work);
                if work < 3 {
                    errands.begin(work + 1, work + 1);
                }
            })
        }));
        errands.begin(1, 1);
        assert_eq!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert_eq!(*seen.borrow(), [1, 2, 3]);
    }
}
