//! Work that can be dropped from outside.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Drops its future when cancelled or dropped itself, and with it whatever the future holds: readers, requests.
#[derive(Debug, Default)]
pub struct Task {
    stop: Rc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Task {
    /// Starts `future` on this thread.
    pub fn spawn(future: impl Future<Output = ()> + 'static) -> Self {
        let (task, stoppable) = Self::wrap(future);
        wasm_bindgen_futures::spawn_local(stoppable);
        task
    }

    fn wrap(future: impl Future<Output = ()> + 'static) -> (Self, Stoppable) {
        let stop = Rc::new(Stop::default());
        (Self { stop: Rc::clone(&stop) }, Stoppable { future: Some(Box::pin(future)), stop })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.stop.stopped.set(true);
        let waker = self.stop.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Stoppable {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    stop: Rc<Stop>,
}

impl Future for Stoppable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stop.stopped.get() {
            self.future = None;
            return Poll::Ready(());
        }
        *self.stop.waker.borrow_mut() = Some(context.waker().clone());
        match &mut self.future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_task_drops_its_future() {
        let held = Rc::new(());
        let inside = Rc::clone(&held);
        let (task, stoppable) = Task::wrap(async move {
            std::future::pending::<()>().await;
            drop(inside);
        });
        let mut stoppable = Box::pin(stoppable);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(stoppable.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(Rc::strong_count(&held), 2);
        drop(task);
        assert_eq!(stoppable.as_mut().poll(&mut context), Poll::Ready(()));
        assert_eq!(Rc::strong_count(&held), 1);
    }
}
