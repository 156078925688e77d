use super::LayerReport;
use crate::{
    decode::{BlockEnd, Checkpoint},
    digest::Hasher,
    seek::Index,
    tar::{Entry, EntrySink, Flow},
};

/// Notes what a seek index is made of while a layer is read. An object, so that a program that makes no index holds no
/// code for it.
pub(crate) trait Notes: Send + Sync {
    /// How far apart checkpoints may be.
    fn spacing(&self) -> u64;

    /// A span of the blob went by, and all that could be unpacked of it.
    fn edge(&mut self, blob: &Hasher, unpacked: u64);

    /// A member or frame starts.
    fn fresh(&mut self, at: Checkpoint);

    /// A block ended where decoding can go on.
    fn block(&mut self, block: &BlockEnd);

    /// An entry; whether its data is wanted, too.
    fn entry(&mut self, entry: &Entry) -> bool;

    /// Data of that entry.
    fn data(&mut self, bytes: &[u8]);

    /// That was all of it.
    fn end_of_data(&mut self);

    /// The sink wants no more: the scan will not come to its end.
    fn stopped(&mut self);

    /// The index of the layer that was reported so, if there can be one.
    fn finish(self: Box<Self>, report: &LayerReport) -> Option<Index>;
}

/// Passes everything on to a sink, and to the notes if there are any.
pub(super) struct Recorder<'a, S> {
    pub(super) notes: Option<&'a mut (dyn Notes + 'static)>,
    /// Whether the sink wants the data of the current entry.
    pub(super) wanted: &'a mut bool,
    pub(super) sink: &'a mut S,
}

impl<S: EntrySink> EntrySink for Recorder<'_, S> {
    fn entry(&mut self, entry: Entry) -> Flow {
        let Some(notes) = &mut self.notes else { return self.sink.entry(entry) };
        let noted = notes.entry(&entry);
        let flow = self.sink.entry(entry);
        *self.wanted = flow == Flow::WantData;
        match flow {
            Flow::Stop => notes.stopped(),
            Flow::Continue if noted => return Flow::WantData,
            _ => {}
        }
        flow
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let Some(notes) = &mut self.notes else { return self.sink.data(bytes) };
        notes.data(bytes);
        let flow = if *self.wanted { self.sink.data(bytes) } else { Flow::Continue };
        if flow == Flow::Stop {
            notes.stopped();
        }
        flow
    }

    fn end_of_data(&mut self) {
        let Some(notes) = &mut self.notes else { return self.sink.end_of_data() };
        notes.end_of_data();
        if *self.wanted {
            self.sink.end_of_data();
        }
    }
}
