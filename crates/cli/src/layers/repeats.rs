//! Layers with the same blob. The blob is read for the first of them, and its results are repeated for the others.

use std::{collections::HashMap, sync::mpsc::Receiver};

use porthole_inspect::layer::first_of_blob;

use super::{Job, Place};
use crate::{error::Error, progress::Meter};

type Sent<T> = Result<T, Error>;
/// Layers to read, each with the sender for its results.
type Sending<'j, S> = Vec<(&'j Job, S)>;

/// Layers of an image, with those that share a blob.
pub(super) struct Repeats<'j> {
    jobs: &'j [Job],
    /// For each layer, the index of the first layer with the same blob.
    first: Vec<usize>,
}

impl<'j> Repeats<'j> {
    pub(super) fn new(jobs: &'j [Job]) -> Self {
        Self { jobs, first: first_of_blob(jobs) }
    }

    /// Opens a channel for each layer that is read. Returns these layers with the senders, and the receivers.
    pub(super) fn channels<T, S>(
        &self,
        channel: impl Fn() -> (S, Receiver<Sent<T>>),
    ) -> (Sending<'j, S>, Vec<Receiver<Sent<T>>>) {
        let read = self.first.iter().zip(0..).filter(|(first, place)| **first == *place);
        let open = |(_, place): (&usize, usize)| {
            let (sender, receiver) = channel();
            ((&self.jobs[place], sender), receiver)
        };
        read.map(open).unzip()
    }

    /// Calls `receive` with all results of all layers, bottom first. The results of a blob that occurs again are kept until its last
    /// occurrence.
    pub(super) fn in_order<T: Clone>(
        &self,
        meter: &Meter<'_>,
        receivers: Vec<Receiver<Sent<T>>>,
        mut receive: impl FnMut(&Job, T, Place) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut receivers = receivers.into_iter();
        let mut to_come = vec![0_usize; self.jobs.len()];
        self.first.iter().for_each(|&first| to_come[first] += 1);
        let mut kept: HashMap<usize, Vec<T>> = HashMap::new();
        for ((place, job), &first) in self.jobs.iter().enumerate().zip(&self.first) {
            to_come[first] -= 1;
            let last = to_come[first] == 0;
            if place == first {
                for sent in receivers.next().iter().flatten() {
                    let sent = sent?;
                    if !last {
                        kept.entry(first).or_default().push(sent.clone());
                    }
                    receive(job, sent, Place::First)?;
                }
                continue;
            }
            meter.repeated(job.layer, self.jobs[first].layer);
            match last {
                true => {
                    kept.remove(&first).into_iter().flatten().try_for_each(|sent| receive(job, sent, Place::Again))?
                }
                false => kept
                    .get(&first)
                    .into_iter()
                    .flatten()
                    .try_for_each(|sent| receive(job, sent.clone(), Place::Again))?,
            }
        }
        Ok(())
    }
}
