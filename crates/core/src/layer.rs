//! Reads one layer: compressed bytes in, entries out, verified on the way.

pub(crate) mod contents;
mod named;
mod notes;
mod number;
mod report;

use contents::Contents;
pub use named::{BlobDigests, NamedLayer};
pub(crate) use notes::Notes;
use notes::Recorder;
pub use number::{LayerNumber, NotANumber};
pub use report::{Finding, LayerReport};

use std::collections::VecDeque;

use crate::{
    decode::{self, Checkpoint, Decoder, Format, MIN_OUTPUT},
    digest::{Algorithm, Digest, HashBeside, Hasher, Hashing},
    limits::Limits,
    media_type::{Compression, MediaType, Role},
    seek::{IndexEnd, IndexOptions, IndexWriter, Offsets, SPAN},
    tar::{self, EntrySink},
};

/// Bytes hashed and decoded at a time. Small enough to be in the cache when the decoder reads what the hash just read.
const INPUT: usize = 64 << 10;
const OUTPUT: usize = 256 << 10;
const _: () = assert!(OUTPUT >= MIN_OUTPUT);

/// Properties of a layer in its descriptor and configuration. `None` means unknown, as for a layer in a local file.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Digest of the compressed blob.
    pub digest: Option<Digest>,
    /// Size of the compressed blob in bytes.
    pub size: Option<u64>,
    /// Digest of the uncompressed archive.
    pub diff_id: Option<Digest>,
    /// The declared media type. As in container runtimes, the first bytes select the decoder; the media type is used
    /// only if they are inconclusive. A contradiction is reported as a [`Finding`].
    pub media_type: Option<MediaType>,
}

/// Reads a layer pushed in any split: verify (digest, size), decode, verify (diff_id), scan.
///
/// [`push`](LayerReader::push) the blob's bytes in order, then call [`finish`](LayerReader::finish). Entries go to the
/// sink as they are decoded. They are provisional until the report says that the layer is verified. To cancel, drop the
/// reader.
pub struct LayerReader {
    expected: Expected,
    /// File name for a blob that may be something other than an archive.
    file: Option<Vec<u8>>,
    limits: Limits,
    blob: Hashing,
    /// For the seek index: the number of unpacked bytes at each end of a span whose hash state has not arrived yet.
    edges: VecDeque<u64>,
    size: u64,
    stage: Stage,
    compression: Option<Compression>,
    /// The detected format, if it contradicts the media type.
    contradiction: Option<Format>,
    offsets: Offsets,
    content: Unpacked,
}

enum Stage {
    /// The first bytes, until there are enough to detect the format.
    Sniffing(Vec<u8>),
    /// The blob is the uncompressed archive.
    Plain,
    Decoding(Box<Decoder>),
    Failed(Fault),
}

/// Why decoding stopped.
enum Fault {
    Decode(decode::Error),
    /// The format is not allowed for a layer.
    Format(Format),
    /// The blob is longer than its descriptor says.
    Overlong,
}

/// Handles unpacked bytes.
struct Unpacked {
    /// `None` if the blob is uncompressed: digest and diff_id are then the same, and are computed once.
    diff_id: Option<Hashing>,
    contents: Contents,
    error: Option<tar::Error>,
    size: u64,
    buffer: Vec<u8>,
    /// Collects the seek index, if one is wanted.
    notes: Option<Box<dyn Notes>>,
    /// Whether the sink itself wants the data of the current entry, while `notes` may want it too.
    wanted: bool,
}

impl LayerReader {
    /// A reader at the start of a layer.
    pub fn new(expected: Expected, limits: Limits) -> Self {
        Self {
            blob: Hashing::new(Hasher::new(algorithm(expected.digest.as_ref()))),
            edges: VecDeque::new(),
            size: 0,
            stage: Stage::Sniffing(Vec::new()),
            compression: None,
            contradiction: None,
            offsets: Offsets::default(),
            content: Unpacked {
                diff_id: Some(Hashing::new(Hasher::new(algorithm(expected.diff_id.as_ref())))),
                contents: Contents::archive(&limits),
                error: None,
                size: 0,
                buffer: Vec::new(),
                notes: None,
                wanted: false,
            },
            expected,
            file: None,
            limits,
        }
    }

    /// Allows the blob to be something other than an archive, as for an artifact. Its only entry is then a file of this name
    /// with the bytes of the blob. No effect after the first byte was pushed, or if the expected size is unknown.
    pub fn or_file(mut self, name: Vec<u8>) -> Self {
        self.file = Some(name).filter(|_| self.size == 0 && self.expected.size.is_some());
        self
    }

    /// Takes the next bytes of the blob, in chunks of any size.
    ///
    /// Never fails. After an error in the content the rest is still hashed, so that [`finish`](LayerReader::finish) can
    /// report first whether these are the right bytes at all.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl EntrySink) -> Progress {
        self.take(chunk, sink);
        self.progress()
    }

    /// Not generic, so that this crate compiles it, optimised for speed in every program.
    fn take(&mut self, chunk: &[u8], sink: &mut dyn EntrySink) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = (SPAN - self.size % SPAN) as usize;
            let (part, after) = rest.split_at(rest.len().min(INPUT).min(room));
            rest = after;
            self.blob.update(part);
            self.size += part.len() as u64;
            if self.overlong() {
                self.stage = Stage::Failed(Fault::Overlong);
            }
            match &mut self.stage {
                Stage::Sniffing(head) => {
                    head.extend_from_slice(part);
                    self.sniff(false, sink);
                }
                _ => self.decode(part, sink),
            }
            if self.size.is_multiple_of(SPAN) {
                self.offsets.edge(self.content.size);
                if self.content.notes.is_some() {
                    self.blob.mark();
                    self.edges.push_back(self.content.size);
                    self.note_edges();
                }
            }
        }
    }

    /// Ends the blob and reports digest, size, diff_id and every finding.
    pub fn finish(self, sink: &mut impl EntrySink) -> LayerReport {
        self.finish_index(sink).0
    }

    /// Hashes with the results of `beside`. It is called with a new hasher for the blob, then with one for the archive; the
    /// second result is dropped unused if the blob is the archive. No effect after the first byte was pushed.
    pub fn hashing(mut self, mut beside: impl FnMut(Hasher) -> Box<dyn HashBeside>) -> Self {
        if self.size == 0 {
            self.blob = Hashing::Beside(beside(Hasher::new(algorithm(self.expected.digest.as_ref()))));
            self.hash_archive_beside(beside);
        }
        self
    }

    /// Hashes the rest of the archive with the result of `beside`, which is called with the hasher of the bytes so far. Returns
    /// `false`, and does not call it, if the blob is the archive, or the archive is hashed beside already.
    pub fn hash_archive_beside(&mut self, beside: impl FnOnce(Hasher) -> Box<dyn HashBeside>) -> bool {
        self.content.diff_id.as_mut().is_some_and(|hashing| hashing.move_beside(beside))
    }

    /// Writes a seek index while the layer is read: see [`take_index`](LayerReader::take_index) and
    /// [`finish_index`](LayerReader::finish_index). No effect after the first byte was pushed.
    pub fn with_index(mut self, options: IndexOptions) -> Self {
        if self.size > 0 {
            return self;
        }
        self.content.notes = Some(Box::new(IndexWriter::new(options, algorithm(self.expected.digest.as_ref()))));
        self
    }

    /// Takes the bytes added to the index since the last call. A caller that appends them to a file after each
    /// [`push`](LayerReader::push) holds a few MiB at most.
    pub fn take_index(&mut self) -> Vec<u8> {
        self.content.notes.as_mut().map(|notes| notes.take()).unwrap_or_default()
    }

    /// Takes the entries that the sink got since the last batch, encoded for a [`BatchReader`](crate::seek::BatchReader), if
    /// they have `bytes` or more. Only with an index whose options ask for [batches](IndexOptions::batches). Batches
    /// continue after the index itself is given up.
    pub fn take_batch(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.content.notes.as_mut()?.take_batch(bytes)
    }

    /// Ends the blob, and gives the sink the entries that were held back until the format was known.
    /// [`finish`](LayerReader::finish) and [`finish_index`](LayerReader::finish_index) do this too.
    pub fn flush(&mut self, sink: &mut impl EntrySink) {
        self.sniff(true, sink);
        self.content.end(sink);
    }

    /// Ends the blob as [`finish`](LayerReader::finish) does, and ends the index started by
    /// [`with_index`](LayerReader::with_index). There is an index only if decoding and scan reached their ends, no entry has
    /// names or attributes beyond [`INDEX_GROUP_BYTES`](crate::limits::INDEX_GROUP_BYTES), and the index is not longer than
    /// [`INDEX_BYTES`](crate::limits::INDEX_BYTES).
    pub fn finish_index(self, sink: &mut impl EntrySink) -> (LayerReport, Option<IndexEnd>) {
        self.end(sink)
    }

    fn end(mut self, sink: &mut dyn EntrySink) -> (LayerReport, Option<IndexEnd>) {
        self.sniff(true, sink);
        self.content.end(sink);
        let notes = self.content.notes.take();
        let edges = std::mem::take(&mut self.edges);
        let (report, states) = report::report(self);
        let end = notes.and_then(|mut notes| {
            states.iter().zip(edges).for_each(|(state, unpacked)| notes.edge(state, unpacked));
            notes.finish(&report)
        });
        (report, end)
    }

    /// Gives the index the ends of spans whose hash states have arrived.
    fn note_edges(&mut self) {
        let Some(notes) = &mut self.content.notes else { return };
        while let Some(state) = self.blob.state()
            && let Some(unpacked) = self.edges.pop_front()
        {
            notes.edge(&state, unpacked);
        }
    }

    /// The current progress.
    pub fn progress(&self) -> Progress {
        Progress {
            compressed: self.size,
            uncompressed: self.content.size,
            entries: self.content.contents.entries(),
            broken: matches!(self.stage, Stage::Failed(_)) || self.content.error.is_some(),
            overlong: self.overlong(),
        }
    }

    fn overlong(&self) -> bool {
        self.expected.size.is_some_and(|size| self.size > size)
    }

    /// Selects and starts the decoder: by the first bytes, or by the media type if they are inconclusive.
    fn sniff(&mut self, over: bool, sink: &mut dyn EntrySink) {
        let Stage::Sniffing(head) = &mut self.stage else { return };
        if let (Some(name), Some(size)) = (&self.file, self.expected.size) {
            match contents::is_archive(head, over, &self.limits) {
                None => return,
                Some(true) => {}
                Some(false) => {
                    self.content.contents = Contents::file(name.clone(), size);
                    self.compression = Some(Compression::None);
                    let head = std::mem::take(head);
                    self.start(Compression::None, sink);
                    return self.decode(&head, sink);
                }
            }
        }
        let declared = match self.expected.media_type.as_ref().map(MediaType::role) {
            Some(Role::Layer(compression)) => Some(compression),
            _ => None,
        };
        let found = Format::sniff(head);
        if found.is_none() && head.len() < Format::PREFIX && !over {
            return;
        }
        // Container runtimes decode by content. Report a wrong media type, but show what they would unpack.
        let compression = match found {
            Some(found) => found.compression(),
            None => Some(declared.unwrap_or(Compression::None)),
        };
        if let (Some(declared), Some(found)) = (declared, found)
            && compression.is_some_and(|compression| compression != declared)
        {
            self.contradiction = Some(found);
        }
        let head = std::mem::take(head);
        self.compression = compression;
        match (compression, found) {
            (Some(compression), _) => {
                self.start(compression, sink);
                if !head.is_empty() {
                    self.decode(&head, sink);
                }
            }
            (None, Some(found)) => self.stage = Stage::Failed(Fault::Format(found)),
            // An unrecognised format was assigned a compression above.
            (None, None) => {}
        }
    }

    fn start(&mut self, compression: Compression, sink: &mut dyn EntrySink) {
        if compression != Compression::None {
            self.content.buffer = vec![0; OUTPUT];
            sink.checkpoint(Checkpoint::default());
            let mut decoder = Box::new(Decoder::new(compression, &self.limits));
            if let Some(notes) = &self.content.notes {
                decoder.find_blocks(notes.spacing());
            }
            self.stage = Stage::Decoding(decoder);
            return;
        }
        self.stage = Stage::Plain;
        if algorithm(self.expected.digest.as_ref()) == algorithm(self.expected.diff_id.as_ref()) {
            self.content.diff_id = None;
        }
    }

    fn decode(&mut self, mut input: &[u8], sink: &mut dyn EntrySink) {
        match &mut self.stage {
            Stage::Sniffing(_) | Stage::Failed(_) => {}
            Stage::Plain => {
                self.content.take(input, sink);
                let limit = self.limits.unpacked_bytes;
                if self.content.size > limit {
                    self.stage = Stage::Failed(Fault::Decode(decode::Error::TooLarge { limit }));
                }
            }
            Stage::Decoding(decoder) => {
                let mut buffer = std::mem::take(&mut self.content.buffer);
                loop {
                    let step = match decoder.decode(input, &mut buffer) {
                        Ok(step) => step,
                        Err(error) => {
                            self.stage = Stage::Failed(Fault::Decode(error));
                            return;
                        }
                    };
                    input = input.get(step.read..).unwrap_or_default();
                    self.content.take(buffer.get(..step.written).unwrap_or_default(), sink);
                    if let (Some(notes), Some(block)) = (&mut self.content.notes, decoder.take_block()) {
                        notes.block(&block);
                    }
                    if let Some(checkpoint) = decoder.take_checkpoint() {
                        if let Some(notes) = &mut self.content.notes {
                            notes.fresh(checkpoint);
                        }
                        sink.checkpoint(checkpoint);
                    }
                    if step.starved {
                        break;
                    }
                }
                self.content.buffer = buffer;
            }
        }
    }
}

impl Unpacked {
    fn take(&mut self, bytes: &[u8], sink: &mut dyn EntrySink) {
        if let Some(hasher) = &mut self.diff_id {
            hasher.update(bytes);
        }
        self.size += bytes.len() as u64;
        if self.error.is_none() {
            let notes = self.notes.as_deref_mut();
            let mut recorder = Recorder { notes, wanted: &mut self.wanted, sink };
            self.error = self.contents.push(bytes, &mut recorder).err();
        }
    }

    fn end(&mut self, sink: &mut dyn EntrySink) {
        let notes = self.notes.as_deref_mut();
        self.contents.end(&mut Recorder { notes, wanted: &mut self.wanted, sink });
    }
}

/// The algorithm to hash with: that of the expected digest, else SHA-256.
fn algorithm(expected: Option<&Digest>) -> Algorithm {
    expected.map_or(Algorithm::Sha256, Digest::algorithm)
}

/// Progress through a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the compressed blob pushed.
    pub compressed: u64,
    /// Bytes of the uncompressed archive decoded.
    pub uncompressed: u64,
    /// Entries passed to the sink.
    pub entries: u64,
    /// Whether the content is invalid or too long: no more entries will follow.
    pub broken: bool,
    /// Whether the blob is longer than its descriptor says: pushing more is pointless.
    pub overlong: bool,
}
