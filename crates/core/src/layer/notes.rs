use super::LayerReport;
use crate::{
    decode::{BlockEnd, Checkpoint},
    digest::HashState,
    seek::IndexEnd,
    tar::{Entry, EntrySink, Flow},
};

/// Collects a seek index while a layer is read. A trait object, so that programs without an index do not link the code.
pub(crate) trait Notes: Send + Sync {
    /// Maximum distance between checkpoints, in unpacked bytes.
    fn spacing(&self) -> u64;

    /// Records the end of a span of the blob: the hash state there, and the number of bytes unpacked so far.
    fn edge(&mut self, state: &HashState, unpacked: u64);

    /// Records the start of a gzip member or zstd frame.
    fn fresh(&mut self, at: Checkpoint);

    /// Records the end of a deflate block where decoding can resume.
    fn block(&mut self, block: &BlockEnd);

    /// Records the next entry. Returns whether the notes want its data.
    fn entry(&mut self, entry: &Entry) -> bool;

    /// Takes data of the current entry.
    fn data(&mut self, bytes: &[u8]);

    /// Ends the data of the current entry.
    fn end_of_data(&mut self);

    /// Notes that the sink returned [`Flow::Stop`]: the scan will not reach the end.
    fn stopped(&mut self);

    /// Takes the bytes added to the index since the last call.
    fn take(&mut self) -> Vec<u8>;

    /// Takes the entries since the last batch, if they have `bytes` or more.
    fn take_batch(&mut self, bytes: usize) -> Option<Vec<u8>>;

    /// Ends the index. `None` if the layer with this report cannot have one.
    fn finish(self: Box<Self>, report: &LayerReport) -> Option<IndexEnd>;
}

/// Forwards entries and data to the sink, and to the notes if there are any.
pub(super) struct Recorder<'a> {
    pub(super) notes: Option<&'a mut (dyn Notes + 'static)>,
    /// Whether the sink itself wants the data of the current entry.
    pub(super) wanted: &'a mut bool,
    pub(super) sink: &'a mut dyn EntrySink,
}

impl EntrySink for Recorder<'_> {
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
