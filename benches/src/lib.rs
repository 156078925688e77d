//! The measured work, the same natively and in a web worker.

use flate2::{Decompress, FlushDecompress, Status};
use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::IndexOptions,
    tar::{Entry, EntrySink, Flow},
};
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// Typical size of a chunk from the network.
const CHUNK: usize = 256 << 10;
/// Buffer size of the floor: the largest that stays in the cache.
const INPUT: usize = 64 << 10;
const OUTPUT: usize = 256 << 10;

/// Work on a layer in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Inflate, and hash input and output: the minimum for verifying a gzip layer.
    Floor,
    /// List all entries and compute both digests.
    List,
    /// Compute both digests and read the archive to its end; ignore entries.
    Verify,
    /// [`List`](Self::List), plus building and serialising the seek index.
    Index,
}

/// Results, so that the compiler cannot drop the work as unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Unpacked bytes.
    pub unpacked: u64,
    /// Entries listed.
    pub entries: u64,
    /// Size of the index in bytes.
    pub index: u64,
}

impl Work {
    /// All kinds of work in display order.
    pub const ALL: [Self; 4] = [Self::Floor, Self::List, Self::Verify, Self::Index];

    /// Name for display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "inflate and both hashes",
            Self::List => "list",
            Self::Verify => "verify",
            Self::Index => "index",
        }
    }

    /// Runs the work once. `None` if it does not apply: the floor supports gzip with one member only.
    pub fn run(self, blob: &[u8]) -> Option<Done> {
        match self {
            Self::Floor => floor(blob),
            Self::List => Some(read(blob, &mut Names::default())),
            Self::Verify => Some(read(blob, &mut Nothing)),
            Self::Index => Some(index(blob)),
        }
    }
}

fn floor(blob: &[u8]) -> Option<Done> {
    let body = blob.get(gzip_header(blob)?..)?;
    let (mut packed, mut unpacked) = (Sha256::new(), Sha256::new());
    packed.update(blob.get(..blob.len() - body.len())?);
    let mut inflate = Decompress::new(false);
    let mut output = vec![0; OUTPUT];
    for part in body.chunks(INPUT) {
        packed.update(part);
        let start = inflate.total_in();
        loop {
            let (read, before) = ((inflate.total_in() - start) as usize, inflate.total_out());
            let status = inflate.decompress(part.get(read..)?, &mut output, FlushDecompress::None).ok()?;
            let written = (inflate.total_out() - before) as usize;
            unpacked.update(output.get(..written)?);
            if status == Status::StreamEnd || written < OUTPUT && (inflate.total_in() - start) as usize == part.len() {
                break;
            }
        }
    }
    black_box((packed.finalize(), unpacked.finalize()));
    Some(Done { unpacked: inflate.total_out(), ..Done::default() })
}

/// Start of the deflate data (RFC 1952 §2.3). `None` if it is not gzip, or has header fields other than a file name.
fn gzip_header(blob: &[u8]) -> Option<usize> {
    let &[0x1f, 0x8b, 8, flags, ..] = blob else { return None };
    match flags {
        0 => Some(10),
        // A file name follows.
        8 => Some(10 + blob.get(10..)?.iter().position(|&byte| byte == 0)? + 1),
        _ => None,
    }
}

fn read(blob: &[u8], sink: &mut impl EntrySink) -> Done {
    let mut reader = LayerReader::new(Expected::default(), Limits::default());
    for chunk in blob.chunks(CHUNK) {
        reader.push(chunk, sink);
    }
    let report = black_box(reader.finish(sink));
    Done { unpacked: report.uncompressed, entries: report.entries, index: 0 }
}

fn index(blob: &[u8]) -> Done {
    let mut names = Names::default();
    let mut reader = LayerReader::new(Expected::default(), Limits::default()).with_index(IndexOptions::default());
    for chunk in blob.chunks(CHUNK) {
        reader.push(chunk, &mut names);
    }
    let (report, index) = reader.finish_index(&mut names);
    let index = black_box(index.map(|index| index.into_bytes()));
    let length = index.map_or(0, |index| index.len() as u64);
    Done { unpacked: report.uncompressed, entries: report.entries, index: length }
}

/// Median. NaN for an empty list.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A sink that counts names, as a listing would read them.
#[derive(Default)]
struct Names(u64);

impl EntrySink for Names {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0 = black_box(self.0 + entry.path.len() as u64);
        Flow::Continue
    }
}

struct Nothing;

impl EntrySink for Nothing {
    fn entry(&mut self, _entry: Entry) -> Flow {
        Flow::Continue
    }
}
