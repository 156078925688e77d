//! Reads layers with the data of their files. While one is processed, the next ones are read ahead, up to the capacity of a pipe.

use std::{
    ops::ControlFlow,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    time::Duration,
};

use porthole_core::{
    layer::LayerReport,
    tar::{Entry, EntrySink, Flow, Kind},
};

use super::{Job, Reading, Turn, once::FetchedOnce, read_ahead};
use crate::error::Error;

impl Reading<'_> {
    /// Reads layers and passes each to `work` in turn, bottom first. `wanted` returns whether to include the data of a file. A
    /// blob that several layers have is fetched once. The first error ends the reading of all layers.
    pub(crate) fn stream(
        self,
        jobs: &[Job],
        wanted: impl Fn(&Job, &Entry) -> bool + Sync,
        mut work: impl FnMut(&Job, Arriving) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (pipes, arriving): (Vec<_>, Vec<_>) = jobs.iter().map(|_| pipe()).unzip();
        let origin = FetchedOnce::new(&self.source.origin, jobs);
        let read = |job: &Job, (sender, spare): (SyncSender<_>, Receiver<_>), turn: &Turn<'_>| {
            let wanted = |entry: &Entry| wanted(job, entry);
            let mut sink = Packing { wanted, batch: Batch::default(), sender: &sender, spare: &spare };
            let report = self.pump_from(&origin, job, turn, &mut sink).map(Box::new);
            if sink.flush().is_continue() {
                // This fails if an earlier layer has failed and dropped the receiver.
                let _ = sender.send(Message::End(report));
            }
        };
        let pipes = jobs.iter().zip(pipes).collect();
        read_ahead(self.source, pipes, 0, read, || {
            jobs.iter().zip(arriving).try_for_each(|(job, arriving)| work(job, arriving))
        })
    }
}

/// Maximum number of batches in one pipe.
const DEPTH: usize = 16;
/// Maximum size of a batch in bytes, entries and data together.
const BATCH_BYTES: usize = 256 << 10;
/// Bytes that count for an entry in addition to its texts.
const ENTRY_BYTES: usize = 256;
/// How often a waiting thread checks whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

fn pipe() -> ((SyncSender<Message>, Receiver<Batch>), Arriving) {
    let (sender, messages) = sync_channel(DEPTH);
    let (used, spare) = channel();
    ((sender, spare), Arriving { messages, used })
}

enum Message {
    Batch(Batch),
    End(Result<Box<LayerReport>, Error>),
}

/// Entries and data, in archive order.
#[derive(Default)]
struct Batch {
    steps: Vec<Step>,
    data: Vec<u8>,
    /// Bytes of the entries.
    entries: usize,
}

enum Step {
    Entry(Entry),
    /// The next bytes of the batch's data: their number.
    Data(usize),
    EndOfData,
}

/// The receiving end of a layer's pipe.
pub(crate) struct Arriving {
    messages: Receiver<Message>,
    /// Returns empty batches to the sender for reuse.
    used: Sender<Batch>,
}

impl Arriving {
    /// Passes the whole layer to a sink. Calls `go_on` regularly, and stops at its first error.
    ///
    /// If the sink stops, the rest of the layer is still read and hashed, so that the report says first whether the blob has the
    /// right digest.
    pub(crate) fn replay(
        self,
        sink: &mut impl EntrySink,
        mut go_on: impl FnMut() -> Result<(), Error>,
    ) -> Result<LayerReport, Error> {
        let mut stopped = false;
        loop {
            go_on()?;
            let mut batch = match self.messages.recv_timeout(PATIENCE) {
                Ok(Message::Batch(batch)) => batch,
                Ok(Message::End(report)) => return report.map(|report| *report),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::usage("a thread ended early (this is a bug in porthole)"));
                }
            };
            stopped = stopped || batch.replay(sink).is_break();
            batch.clear();
            // This fails if the layer has ended and its thread dropped the receiver.
            let _ = self.used.send(batch);
        }
    }
}

impl Batch {
    fn replay(&mut self, sink: &mut impl EntrySink) -> ControlFlow<()> {
        let mut data = &self.data[..];
        for step in self.steps.drain(..) {
            let flow = match step {
                Step::Entry(entry) => sink.entry(entry),
                Step::Data(length) => {
                    let (bytes, rest) = data.split_at(length);
                    data = rest;
                    sink.data(bytes)
                }
                Step::EndOfData => {
                    sink.end_of_data();
                    Flow::Continue
                }
            };
            if flow == Flow::Stop {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.data.clear();
        self.entries = 0;
    }

    /// Number of bytes that still fit.
    fn room(&self) -> usize {
        BATCH_BYTES.saturating_sub(self.data.len() + self.entries)
    }
}

/// Fills batches and sends them.
struct Packing<'p, W> {
    wanted: W,
    batch: Batch,
    sender: &'p SyncSender<Message>,
    spare: &'p Receiver<Batch>,
}

impl<W> Packing<'_, W> {
    fn flush(&mut self) -> ControlFlow<()> {
        if self.batch.steps.is_empty() {
            return ControlFlow::Continue(());
        }
        let next = self.spare.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        match self.sender.send(Message::Batch(batch)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl<W: Fn(&Entry) -> bool> EntrySink for Packing<'_, W> {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.batch.room() == 0 && self.flush().is_break() {
            return Flow::Stop;
        }
        let wanted = entry.kind == Kind::File && (self.wanted)(&entry);
        let xattrs = entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.batch.entries += ENTRY_BYTES + entry.path.len() + entry.link.len() + xattrs;
        self.batch.steps.push(Step::Entry(entry));
        if wanted { Flow::WantData } else { Flow::Continue }
    }

    fn data(&mut self, mut bytes: &[u8]) -> Flow {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.batch.room()));
            if !now.is_empty() {
                self.batch.data.extend_from_slice(now);
                match self.batch.steps.last_mut() {
                    Some(Step::Data(length)) => *length += now.len(),
                    _ => self.batch.steps.push(Step::Data(now.len())),
                }
            }
            bytes = later;
            if !bytes.is_empty() && self.flush().is_break() {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.batch.steps.push(Step::EndOfData);
    }
}
