//! Probes: passes over the contents of all layers, by workers that have an engine.
//!
//! A probe reads every layer once more, because nothing keeps contents. What it finds is sent at once; what later layers made of it
//! when the look has stacked all of them.

mod run;

pub(super) use run::{ProbeRun, place};

use super::{Front, Session};
use crate::{
    layer::{LayerFindings, WorkerOrder, WorkerReport},
    pool::{Assignment, CONFIG, Pool, Task},
    protocol::{Event, ListedBill, PackageView, ProbeKind, ProbeState, ProbeWish},
};
use porthole_core::{digest::Digest, image::Layer};
use porthole_registry::transport::{Environment, Transport};
use std::{rc::Rc, time::Duration};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins a probe, in place of the one before of its kind.
    pub(super) fn begin_probe(&self, run: u32, wish: ProbeWish) {
        let kind = wish.kind();
        self.cancel_probe(kind);
        let (look, layers) = {
            let mut desk = self.desk.borrow_mut();
            let Some((look, body)) = desk.probed(kind) else { return };
            let known = |layer: &Layer| kind.is_of_other() && desk.twin_of_other(layer).is_some();
            let shown = desk.look.as_ref().map_or(look, |shown| shown.number);
            let mut probe = ProbeRun { shown, ..ProbeRun::new(look, run, wish, body, known) };
            probe.packages.set_bills(&desk.bills);
            probe.end_if_done();
            let mut layers: Vec<u32> = probe.layers.keys().filter(|layer| !probe.is_twin(**layer)).copied().collect();
            // The configuration first: it takes no time.
            layers.sort_by_key(|layer| *layer != CONFIG);
            desk.probes.insert(kind, probe);
            (look, layers)
        };
        if !layers.is_empty() {
            self.wake_contents();
        }
        {
            let mut desk = self.desk.borrow_mut();
            layers.into_iter().for_each(|layer| desk.roster.enqueue(look, layer, Task::Probe(kind)));
        }
        self.tell_probe(kind, true);
        self.dispatch();
        self.judge_probes();
    }

    /// Shows other packages.
    pub(super) fn show_packages(&self, view: PackageView) {
        self.change_probe(ProbeKind::Packages, |probe, out| {
            probe.packages.show(view);
            out.push(probe.shown_packages());
        });
    }

    /// Takes the bills of materials that are attached to the image, beside those that were given as files.
    pub(super) fn take_bills(&self, bills: Vec<ListedBill>) {
        self.change_bills(|known| {
            known.retain(|bill| bill.name.parse::<Digest>().is_err());
            known.extend(bills);
        });
    }

    /// Takes a bill of materials that a person has as a file.
    pub(super) fn take_bill(&self, name: String, text: &str) {
        let bill = ListedBill::parse(name, text);
        self.change_bills(|known| {
            known.retain(|other| other.name != bill.name);
            known.push(bill);
        });
    }

    fn change_bills(&self, change: impl FnOnce(&mut Vec<ListedBill>)) {
        let bills = {
            let mut desk = self.desk.borrow_mut();
            change(Rc::make_mut(&mut desk.bills));
            Rc::clone(&desk.bills)
        };
        self.change_probe(ProbeKind::Packages, |probe, out| {
            probe.packages.set_bills(&bills);
            out.push(probe.shown_packages());
        });
    }

    /// Ends a probe, and keeps what it found.
    pub(super) fn stop_probe(&self, kind: ProbeKind) {
        self.cancel_probe(kind);
        self.change_probe(kind, |probe, _| {
            if probe.progress.state == ProbeState::Running {
                probe.progress.state = ProbeState::Stopped;
            }
        });
        self.tell_probe(kind, true);
        self.judge_probes();
    }

    /// Ends all probes: nothing more is fetched.
    pub(super) fn stop_probes(&self) {
        let running = |(kind, probe): (&ProbeKind, &ProbeRun)| {
            Some(*kind).filter(|_| probe.progress.state == ProbeState::Running)
        };
        let kinds: Vec<_> = self.desk.borrow().probes.iter().filter_map(running).collect();
        kinds.into_iter().for_each(|kind| self.stop_probe(kind));
    }

    fn cancel_probe(&self, kind: ProbeKind) {
        let begun = self.desk.borrow_mut().roster.cancel_probe(kind);
        self.stop_jobs(begun);
    }

    /// Has a worker look into the configuration of a look.
    pub(super) fn order_config(&self, worker: usize, Assignment { job, look, .. }: Assignment) {
        let order = {
            let desk = self.desk.borrow();
            let image = desk.body_of(look).map(|body| &body.resolved.image);
            image.map(|image| WorkerOrder::Config {
                job,
                config: String::from_utf8_lossy(image.config_raw.bytes()).into_owned(),
                instructions: image.layers.iter().map(|layer| layer.created_by.clone().unwrap_or_default()).collect(),
            })
        };
        // A look that has ended has taken its jobs with it.
        if let Some(order) = order {
            self.pool.send(worker, order);
        }
    }

    /// The wish that a worker gets.
    pub(super) fn wish_of(&self, task: Task) -> Option<ProbeWish> {
        let Task::Probe(kind) = task else { return None };
        self.desk.borrow().probes.get(&kind).map(|probe| probe.wish.clone())
    }

    /// A worker that reads a layer for a probe reports.
    pub(super) fn hear_probe(&self, worker: usize, kind: ProbeKind, layer: u32, report: WorkerReport) {
        match report {
            WorkerReport::Progress { compressed, .. } => {
                self.change_probe(kind, |probe, _| {
                    if let Some(of) = probe.layers.get_mut(&layer) {
                        of.read = compressed;
                    }
                });
                self.tell_probe(kind, false);
            }
            WorkerReport::Found { found, .. } => self.change_probe(kind, |probe, out| {
                for twin in probe.twins_of(layer) {
                    probe.find(twin, (*found).clone(), out);
                }
                probe.find(layer, *found, out);
            }),
            WorkerReport::Refused { text, .. } => {
                self.desk.borrow_mut().roster.free(worker);
                self.cancel_probe(kind);
                self.change_probe(kind, |probe, _| probe.progress.state = ProbeState::Refused(text));
                self.tell_probe(kind, true);
            }
            WorkerReport::Done { findings, .. } => {
                self.desk.borrow_mut().roster.free(worker);
                self.change_probe(kind, |probe, _| {
                    for twin in probe.twins_of(layer) {
                        // It was read once.
                        probe.end(twin, LayerFindings { compressed: 0, ..findings.clone() });
                    }
                    probe.end(layer, findings);
                });
                self.dispatch();
                // Finds are sent before the report that the probe is complete.
                self.judge_probes();
                self.tell_probe(kind, true);
                self.turn_soon();
            }
            _ => {}
        }
    }

    /// A layer could not be read for a probe.
    pub(super) fn lose_probe(&self, kind: ProbeKind, layer: u32, text: String) {
        self.change_probe(kind, |probe, _| {
            probe.twins_of(layer).into_iter().for_each(|twin| probe.lose(twin, text.clone()));
            probe.lose(layer, text);
        });
        self.judge_probes();
        self.tell_probe(kind, true);
    }

    fn change_probe(&self, kind: ProbeKind, change: impl FnOnce(&mut ProbeRun, &mut Vec<Event>)) {
        let mut out = Vec::new();
        if let Some(probe) = self.desk.borrow_mut().probes.get_mut(&kind) {
            change(probe, &mut out);
        }
        self.tell(out);
    }

    /// Sends how far a probe is: at once, or at its pace.
    fn tell_probe(&self, kind: ProbeKind, at_once: bool) {
        let now = self.now();
        let mut fetched = None;
        self.change_probe(kind, |probe, out| {
            if at_once || probe.told.is_due(now) {
                probe.told.rest(now, PULSE);
                let progress = probe.progress();
                fetched = Some((
                    probe.shown,
                    progress.read.saturating_sub(std::mem::replace(&mut probe.counted, progress.read)),
                ));
                out.push(Event::Probe { look: probe.shown, progress: Box::new(progress) });
            }
        });
        if let Some((look, bytes)) = fetched.filter(|(_, bytes)| *bytes > 0) {
            self.of_look(look, |look, _| look.fetched(bytes));
            self.turn_soon();
        }
    }

    /// Sends what later layers made of what was found, once the look has all of them.
    pub(super) fn judge_probes(&self) {
        let mut out = Vec::new();
        {
            let mut desk = self.desk.borrow_mut();
            let desk = &mut *desk;
            let settled = desk.look.as_ref().filter(|look| look.is_settled());
            let Some(body) = settled.and_then(|look| look.body.as_ref()) else { return };
            let mut weigh = false;
            for probe in desk.probes.values_mut().filter(|probe| probe.stale) {
                let now = self.now();
                if probe.progress.state != ProbeState::Running || probe.judged.is_due(now) {
                    probe.judge(body, &mut out);
                    weigh |= matches!(probe.progress.kind, ProbeKind::Packages | ProbeKind::Recorded)
                        && probe.progress.state == ProbeState::Done;
                    probe.judged.rest(now, (self.now().saturating_sub(now) * 10).max(PULSE));
                }
            }
            if weigh {
                desk.weigh_packages(&mut out);
            }
        }
        self.tell(out);
    }
}

/// Time between two reports.
const PULSE: Duration = Duration::from_millis(100);
