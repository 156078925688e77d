//! Layer workers on the thread of the test.

use super::Task;
use porthole_core::limits::Limits;
use porthole_testkit::registry::Internet;
use porthole_viewer::{
    contents::ContentsEngine,
    session::Pool,
    worker::{HashOrder, HashThread, HashWorker, LayerWorker, WorkerOrder, WorkerReport},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

/// Workers that look into contents.
const CONTENTS: usize = 2;

/// Layer workers on this thread.
#[derive(Clone)]
pub(crate) struct Crew(pub(super) Rc<Inner>);

pub(crate) struct Inner {
    internet: Internet,
    limits: Limits,
    pub(super) members: RefCell<Vec<Option<Member>>>,
    /// Members from this number on look into contents.
    pub(super) contents: Cell<usize>,
    pub(super) reports: Rc<RefCell<VecDeque<(usize, WorkerReport)>>>,
    pub(super) orders: RefCell<Vec<(usize, WorkerOrder)>>,
    pub(super) refuses: Cell<bool>,
    pub(super) hashes: Rc<Hashes>,
}

/// What the threads that hash for layer workers do.
#[derive(Default)]
pub(crate) struct Hashes {
    /// Bytes that they hashed.
    pub(crate) bytes: Cell<u64>,
    /// They end instead of hashing more than this.
    pub(crate) most: Cell<Option<u64>>,
}

pub(crate) struct Member {
    pub(super) worker: Rc<LayerWorker<Internet>>,
    task: Rc<RefCell<Task>>,
}

impl Crew {
    pub(super) fn new(internet: &Internet, size: usize, limits: Limits) -> Self {
        let inner = Inner {
            internet: internet.clone(),
            limits,
            members: RefCell::default(),
            contents: Cell::new(size),
            reports: Rc::default(),
            orders: RefCell::default(),
            refuses: Cell::new(false),
            hashes: Rc::default(),
        };
        let members = (0..size).map(|worker| Some(inner.start(worker))).collect();
        *inner.members.borrow_mut() = members;
        Self(Rc::new(inner))
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) {
        let tasks: Vec<_> = self.0.members.borrow().iter().flatten().map(|member| Rc::clone(&member.task)).collect();
        for task in tasks {
            let polled = task.borrow_mut().as_mut().poll(context);
            assert_eq!(polled, Poll::Pending, "a worker runs for as long as it is polled");
        }
    }

    pub(super) fn stop(&self, worker: usize) {
        if let Some(member) = self.0.members.borrow_mut().get_mut(worker) {
            *member = None;
        }
    }
}

impl Inner {
    fn start(&self, number: usize) -> Member {
        let reports = Rc::clone(&self.reports);
        let tell = move |report| reports.borrow_mut().push_back((number, report));
        let worker = LayerWorker::new(self.internet.clone(), self.limits, tell);
        let looks_into_contents = number >= self.contents.get();
        let worker = Rc::new(match looks_into_contents {
            true => worker.with_engine(ContentsEngine),
            false => worker.with_hashes(thread(&self.hashes)),
        });
        let driven = Rc::clone(&worker);
        let task: Task = Box::pin(async move { driven.run().await });
        Member { worker, task: Rc::new(RefCell::new(task)) }
    }
}

/// A thread that hashes, on this one.
fn thread(hashes: &Rc<Hashes>) -> Rc<HashThread> {
    Rc::new_cyclic(|thread: &Weak<HashThread>| {
        let (thread, hashes) = (thread.clone(), Rc::clone(hashes));
        let worker = RefCell::new(HashWorker::default());
        let started = thread.clone();
        let start = move || started.upgrade().iter().for_each(|thread| thread.ready());
        HashThread::new(start, move |order| {
            let Some(thread) = thread.upgrade() else { return };
            if let HashOrder::Bytes { bytes } = &order {
                hashes.bytes.set(hashes.bytes.get() + bytes.len() as u64);
                if hashes.most.get().is_some_and(|most| hashes.bytes.get() > most) {
                    return thread.bury();
                }
            }
            if let Some(report) = worker.borrow_mut().obey(&order) {
                thread.hear(report);
            }
        })
    })
}

impl Pool for Crew {
    fn size(&self) -> usize {
        self.0.contents.get()
    }

    fn start_contents(&self) -> usize {
        if self.0.refuses.get() {
            return 0;
        }
        let first = self.0.members.borrow().len();
        let members: Vec<_> = (first..first + CONTENTS).map(|number| Some(self.0.start(number))).collect();
        self.0.members.borrow_mut().extend(members);
        CONTENTS
    }

    fn send(&self, worker: usize, order: WorkerOrder) {
        self.0.orders.borrow_mut().push((worker, order.clone()));
        let member = self.0.members.borrow()[worker].as_ref().map(|member| Rc::clone(&member.worker));
        if let Some(member) = member {
            member.obey(order);
        }
    }

    fn end(&self, worker: usize) {
        self.stop(worker);
    }

    fn restart(&self, worker: usize) -> bool {
        if self.0.refuses.get() {
            self.stop(worker);
            return false;
        }
        let member = self.0.start(worker);
        self.0.members.borrow_mut()[worker] = Some(member);
        true
    }
}
