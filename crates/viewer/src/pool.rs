//! Layer workers: what a session needs of them, and which of them reads which layer.

use crate::{layer::WorkerOrder, protocol::ProbeKind};
use std::collections::VecDeque;

/// Workers that read layers, each one layer at a time.
///
/// The front end runs them, as threads, as web workers, or as futures on the thread of the session. Each is a
/// [`LayerWorker`](crate::worker::LayerWorker) or behaves like one. What a worker reports goes to
/// [`Session::hear`](crate::session::Session::hear), in order; that a worker ended without a report goes to
/// [`Session::bury`](crate::session::Session::bury).
pub trait Pool {
    /// Number of workers that list layers. It does not change.
    fn size(&self) -> usize;

    /// Starts workers that have a [`ProbeEngine`](crate::probe::ProbeEngine), and returns how many. Their numbers follow those of all
    /// workers before. Called when a probe needs one and none is left.
    fn start_contents(&self) -> usize {
        0
    }

    /// Sends an order to a worker.
    fn send(&self, worker: usize, order: WorkerOrder);

    /// Ends a worker, also in the middle of a job.
    fn end(&self, worker: usize);

    /// Ends a worker and starts another with its number. `false` = no other can be started.
    fn restart(&self, worker: usize) -> bool;
}

/// A layer that a worker is to read: which layer of which look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Number of the job, never used twice.
    pub(crate) job: u32,
    /// Number of the look.
    pub(crate) look: u32,
    /// 0 = bottom, or [`CONFIG`].
    pub(crate) layer: u32,
    /// What the layer is read for.
    pub(crate) task: Task,
}

/// Stands for the configuration where layers have their numbers.
pub(crate) const CONFIG: u32 = u32::MAX;

/// The purpose of reading a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Its list of files.
    List,
    /// Looking for something in its files.
    Probe(ProbeKind),
}

impl Task {
    /// Which workers can do it.
    fn crew(self) -> CrewKind {
        match self {
            Self::List => CrewKind::Listing,
            Self::Probe(_) => CrewKind::Contents,
        }
    }
}

/// Kinds of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrewKind {
    /// They list layers.
    Listing,
    /// They look into contents.
    Contents,
}

/// Which worker reads which layer, and the layers that wait for a worker.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    workers: Vec<Member>,
    waiting: VecDeque<Assignment>,
    jobs: u32,
}

#[derive(Clone, Debug)]
struct Member {
    kind: CrewKind,
    /// It was started and has not ended.
    alive: bool,
    /// It was ended because there was nothing to do.
    retired: bool,
    /// It has reported that it listens.
    ready: bool,
    assignment: Option<Assignment>,
    /// It was ordered to hash the archive of its layer on another thread.
    beside: bool,
}

impl Roster {
    /// A roster of workers that were started.
    pub(crate) fn new(size: usize) -> Self {
        let mut roster = Self::default();
        roster.add(CrewKind::Listing, size);
        roster
    }

    /// Adds workers that were started.
    pub(crate) fn add(&mut self, kind: CrewKind, count: usize) {
        let member = Member { kind, alive: true, retired: false, ready: false, assignment: None, beside: false };
        self.workers.extend(vec![member; count]);
    }

    /// Whether a worker of this kind is left.
    pub(crate) fn has(&self, kind: CrewKind) -> bool {
        self.workers.iter().any(|member| member.alive && member.kind == kind)
    }

    /// Whether there are workers of this kind, and nothing for them to do.
    pub(crate) fn is_idle(&self, kind: CrewKind) -> bool {
        let busy = |member: &Member| member.kind == kind && member.assignment.is_some();
        let waits = self.waiting.iter().any(|waiting| waiting.task.crew() == kind);
        self.has(kind) && !waits && !self.workers.iter().any(busy)
    }

    /// Marks the workers of a kind as ended. Returns those that were not.
    pub(crate) fn retire(&mut self, kind: CrewKind) -> Vec<usize> {
        let members = self.workers.iter_mut().enumerate();
        let left = members.filter(|(_, member)| member.kind == kind && member.alive);
        left.map(|(worker, member)| {
            (member.alive, member.ready, member.retired) = (false, false, true);
            worker
        })
        .collect()
    }

    /// The workers that were ended because there was nothing to do.
    pub(crate) fn retired(&self) -> Vec<usize> {
        let retired = |(worker, member): (usize, &Member)| member.retired.then_some(worker);
        self.workers.iter().enumerate().filter_map(retired).collect()
    }

    /// Puts a layer at the end of the queue.
    pub(crate) fn enqueue(&mut self, look: u32, layer: u32, task: Task) {
        self.jobs += 1;
        self.waiting.push_back(Assignment { job: self.jobs, look, layer, task });
    }

    /// A worker accepts orders from now on.
    pub(crate) fn ready(&mut self, worker: usize) {
        if let Some(member) = self.workers.get_mut(worker) {
            (member.alive, member.ready) = (true, true);
        }
    }

    /// Frees a worker for another layer. Returns the layer that it read.
    pub(crate) fn free(&mut self, worker: usize) -> Option<Assignment> {
        self.workers.get_mut(worker)?.assignment.take()
    }

    /// The layer that a worker reads.
    pub(crate) fn assignment(&self, worker: usize) -> Option<Assignment> {
        self.workers.get(worker)?.assignment
    }

    /// A worker ended. Returns the layer that it read, and whether it had ever reported ready: a replacement of one that had not would
    /// fail again.
    pub(crate) fn bury(&mut self, worker: usize) -> (Option<Assignment>, bool) {
        let Some(member) = self.workers.get_mut(worker) else { return (None, false) };
        member.alive = false;
        (member.assignment.take(), std::mem::take(&mut member.ready))
    }

    /// A worker was started in place of one that ended.
    pub(crate) fn revive(&mut self, worker: usize) {
        if let Some(member) = self.workers.get_mut(worker) {
            (member.alive, member.retired) = (true, false);
        }
    }

    /// Layers that wait for a worker, and layers that workers read.
    pub(crate) fn jobs(&self) -> (usize, usize) {
        (self.waiting.len(), self.workers.iter().filter(|member| member.assignment.is_some()).count())
    }

    /// The next layer for which there is an idle worker, and that worker.
    pub(crate) fn assign(&mut self) -> Option<(usize, Assignment)> {
        let idle = |kind| {
            let fits = |member: &Member| member.kind == kind && member.ready && member.assignment.is_none();
            self.workers.iter().position(fits)
        };
        let mut waiting = self.waiting.iter().enumerate();
        let (place, worker) = waiting.find_map(|(place, next)| Some((place, idle(next.task.crew())?)))?;
        let assignment = self.waiting.remove(place)?;
        let member = &mut self.workers[worker];
        (member.assignment, member.beside) = (Some(assignment), false);
        Some((worker, assignment))
    }

    /// A worker that lists a layer while another one is idle, and its job: it is to hash on another thread. Each job is returned once.
    pub(crate) fn spread(&mut self) -> Option<(usize, u32)> {
        let listing = |member: &&Member| member.kind == CrewKind::Listing && member.ready;
        let threads = |member: &Member| if member.beside { 2 } else { 1 };
        let cores = self.workers.iter().filter(listing).count();
        let busy: usize = self.workers.iter().filter(|member| member.assignment.is_some()).map(threads).sum();
        if busy >= cores || !self.waiting.is_empty() {
            return None;
        }
        let mut members = self.workers.iter_mut().enumerate().filter(|(_, member)| !member.beside);
        let (worker, member, job) = members.find_map(|(worker, member)| {
            let job = member.assignment.filter(|assignment| assignment.task == Task::List)?.job;
            Some((worker, member, job))
        })?;
        member.beside = true;
        Some((worker, job))
    }

    /// The layers that wait and that no worker is left to read.
    pub(crate) fn give_up(&mut self) -> Vec<Assignment> {
        let (kept, lost) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| self.has(waiting.task.crew()));
        self.waiting = kept;
        Vec::from(lost)
    }

    /// Forgets the jobs of a look. Returns those that workers have begun.
    pub(crate) fn cancel_look(&mut self, look: u32) -> Vec<(usize, u32)> {
        self.cancel_where(|assignment| assignment.look == look)
    }

    /// Forgets the jobs of a probe. Returns those that workers have begun.
    pub(crate) fn cancel_probe(&mut self, kind: ProbeKind) -> Vec<(usize, u32)> {
        self.cancel_where(|assignment| assignment.task == Task::Probe(kind))
    }

    /// Forgets every job. Returns those that workers have begun.
    pub(crate) fn cancel(&mut self) -> Vec<(usize, u32)> {
        self.cancel_where(|_| true)
    }

    fn cancel_where(&mut self, meant: impl Fn(&Assignment) -> bool) -> Vec<(usize, u32)> {
        self.waiting.retain(|waiting| !meant(waiting));
        let begun = |(worker, member): (usize, &mut Member)| {
            Some((worker, member.assignment.take_if(|assignment| meant(assignment))?.job))
        };
        self.workers.iter_mut().enumerate().filter_map(begun).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(size: usize, layers: u32) -> Roster {
        let mut roster = Roster::new(size);
        (0..layers).for_each(|layer| roster.enqueue(1, layer, Task::List));
        roster
    }

    #[test]
    fn layers_wait_for_a_worker_that_listens() {
        let mut roster = roster(2, 3);
        assert_eq!(roster.assign(), None);
        roster.ready(1);
        assert_eq!(roster.assign(), Some((1, Assignment { job: 1, look: 1, layer: 0, task: Task::List })));
        assert_eq!(roster.assign(), None, "the other does not listen yet");
        assert_eq!(roster.free(1).map(|it| it.layer), Some(0));
        assert_eq!(roster.assign().map(|(worker, it)| (worker, it.layer)), Some((1, 1)));
    }

    #[test]
    fn only_a_worker_that_listened_is_replaced() {
        let mut roster = roster(2, 1);
        assert_eq!(roster.bury(0), (None, false));
        roster.ready(1);
        let (worker, assignment) = roster.assign().unwrap();
        assert_eq!(roster.bury(worker), (Some(assignment), true));
        roster.enqueue(1, 5, Task::List);
        assert_eq!(roster.give_up().len(), 1, "none is left");
        roster.revive(1);
        roster.enqueue(1, 6, Task::List);
        assert!(roster.give_up().is_empty());
    }

    #[test]
    fn numbers_of_jobs_are_never_used_twice() {
        let mut roster = roster(1, 2);
        roster.ready(0);
        let (_, first) = roster.assign().unwrap();
        assert_eq!(roster.cancel(), [(0, first.job)]);
        assert_eq!((roster.assign(), roster.assignment(0)), (None, None));
        roster.enqueue(2, 0, Task::List);
        assert_eq!(roster.assign().map(|(_, it)| it.job), Some(3));
    }

    #[test]
    fn probes_wait_for_workers_of_their_own() {
        let mut roster = roster(1, 2);
        roster.ready(0);
        roster.enqueue(1, 0, Task::Probe(ProbeKind::Search));
        assert_eq!(roster.assign().map(|(worker, it)| (worker, it.task)), Some((0, Task::List)));
        assert_eq!(roster.assign(), None);
        assert_eq!(roster.give_up().len(), 1, "none can look into contents");
        roster.add(CrewKind::Contents, 1);
        roster.enqueue(1, 0, Task::Probe(ProbeKind::Search));
        roster.ready(1);
        assert_eq!(roster.assign().map(|(worker, it)| (worker, it.layer)), Some((1, 0)), "the second list waits");
        assert_eq!(roster.cancel_probe(ProbeKind::Search).len(), 1);
        assert_eq!((roster.assignment(1), roster.assignment(0).is_some()), (None, true));
    }

    #[test]
    fn workers_without_work_retire_and_come_back() {
        let mut roster = roster(1, 0);
        roster.add(CrewKind::Contents, 2);
        (0..3).for_each(|worker| roster.ready(worker));
        roster.enqueue(1, 0, Task::Probe(ProbeKind::Search));
        assert!(!roster.is_idle(CrewKind::Contents), "one waits");
        let (worker, _) = roster.assign().unwrap();
        assert!(!roster.is_idle(CrewKind::Contents), "one is read");
        roster.free(worker);
        assert!(roster.is_idle(CrewKind::Contents));
        assert_eq!((roster.retire(CrewKind::Contents), roster.has(CrewKind::Contents)), (vec![1, 2], false));
        assert!(!roster.is_idle(CrewKind::Contents), "there are none");
        assert_eq!((roster.retire(CrewKind::Contents), roster.retired()), (vec![], vec![1, 2]));
        roster.revive(2);
        assert_eq!((roster.has(CrewKind::Contents), roster.retired()), (true, vec![1]));
    }

    #[test]
    fn a_layer_is_spread_over_the_cores_that_others_have_left() {
        let mut roster = roster(2, 3);
        (0..2).for_each(|worker| roster.ready(worker));
        let first = roster.assign().unwrap().1;
        assert_eq!(roster.spread(), None, "one waits");
        roster.assign();
        roster.free(1);
        assert_eq!(roster.assign().map(|(worker, it)| (worker, it.layer)), Some((1, 2)));
        assert_eq!(roster.spread(), None, "both are busy");
        roster.free(1);
        assert_eq!(roster.spread(), Some((0, first.job)));
        assert_eq!(roster.spread(), None, "once");
        roster.free(0);
        roster.enqueue(1, 3, Task::List);
        let next = roster.assign().unwrap().1;
        assert_eq!(roster.spread(), Some((0, next.job)));
    }

    #[test]
    fn workers_that_do_not_exist_do_nothing() {
        let mut roster = roster(0, 1);
        roster.ready(7);
        assert_eq!((roster.free(7), roster.bury(7), roster.assign()), (None, (None, false), None));
        assert_eq!(roster.give_up().len(), 1);
    }
}
