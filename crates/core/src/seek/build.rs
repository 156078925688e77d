//! What is noted while a layer streams past.

use super::{
    IndexOptions, SPAN,
    index::{Head, Index},
    point::{Point, Resume},
    rows::{Group, Packer, Writer},
};
use crate::{
    decode::{BlockEnd, Checkpoint, fresh_spacing},
    digest::{Algorithm, Hasher},
    layer::{LayerReport, Made, Notes},
    tar::{Entry, Kind},
};

const MIN_SPACING: u64 = 4 << 10;
/// Windows are many and small, and time counts while a layer arrives.
const WINDOW_LEVEL: u32 = 1;

/// Notes what an index is made of.
pub(crate) struct Builder {
    options: IndexOptions,
    algorithm: Algorithm,
    chains: Vec<u8>,
    unpacked: Vec<u64>,
    points: Vec<Point>,
    windows: Packer,
    rows: Writer,
    groups: Vec<Group>,
    entries: u64,
    /// Of the files in the group that is being written.
    digests: Vec<u8>,
    /// The content of the current file.
    content: Option<Hasher>,
    /// There will be no index: the sink stopped the scan, or an entry is too large.
    given_up: bool,
}

impl Builder {
    pub(crate) fn new(options: IndexOptions, algorithm: Algorithm) -> Self {
        Self {
            options: IndexOptions { spacing: options.spacing.max(MIN_SPACING), ..options },
            algorithm,
            chains: Vec::new(),
            unpacked: Vec::new(),
            points: Vec::new(),
            windows: Packer::new(WINDOW_LEVEL),
            rows: Writer::new(),
            groups: Vec::new(),
            entries: 0,
            digests: Vec::new(),
            content: None,
            given_up: false,
        }
    }

    fn close(&mut self) {
        match self.rows.close(self.entries) {
            Some(mut group) => {
                group.digests = std::mem::take(&mut self.digests);
                self.groups.push(group);
            }
            None => self.given_up = true,
        }
    }
}

impl Notes for Builder {
    fn spacing(&self) -> u64 {
        self.options.spacing
    }

    fn edge(&mut self, blob: &Hasher, unpacked: u64) {
        let state = blob.state();
        self.chains.extend_from_slice(state.chain());
        self.unpacked.push(unpacked);
    }

    fn fresh(&mut self, at: Checkpoint) {
        let last = self.points.last().map_or(0, |point| point.at.uncompressed);
        if at.uncompressed - last >= fresh_spacing(self.options.spacing) {
            self.points.push(Point { at, resume: Resume::Fresh });
        }
    }

    fn block(&mut self, block: &BlockEnd) {
        let (length, packed) = (block.window.len() as u32, self.windows.pack(&block.window));
        self.points.push(Point { at: block.at, resume: Resume::Block { bits: block.bits, length, packed } });
    }

    fn entry(&mut self, entry: &Entry) -> bool {
        if self.given_up {
            return false;
        }
        // The last entry's digest is known by now.
        if self.rows.full() {
            self.close();
        }
        self.rows.push(entry);
        self.entries += 1;
        self.content = (self.options.file_digests && entry.kind == Kind::File).then(|| Hasher::new(Algorithm::Sha256));
        self.content.is_some()
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
    }

    fn end_of_data(&mut self) {
        if let Some(content) = self.content.take() {
            self.digests.extend_from_slice(content.finish().as_bytes());
        }
    }

    fn stopped(&mut self) {
        self.given_up = true;
    }

    fn finish(mut self: Box<Self>, report: &LayerReport) -> Option<Made> {
        let whole = report.content_is_whole() && !self.given_up;
        let (compression, diff_id) = (report.compression?, report.diff_id?);
        if !self.rows.is_empty() {
            self.close();
        }
        if !whole || self.given_up || report.digest.algorithm() != self.algorithm {
            return None;
        }
        let edges = report.size.saturating_sub(1) / SPAN;
        self.unpacked.truncate(usize::try_from(edges).ok()?);
        self.chains.truncate(self.unpacked.len() * self.algorithm.chain_size());
        // Nothing is to be read behind the end of the last member or frame.
        self.points.retain(|point| point.at.uncompressed < report.uncompressed);
        Some(Made::Index(Box::new(Index {
            head: Head {
                digest: report.digest,
                size: report.size,
                diff_id,
                uncompressed: report.uncompressed,
                compression,
                verified: report.is_the_blob(),
                file_digests: self.options.file_digests,
                entries: self.entries,
            },
            chains: self.chains,
            unpacked: self.unpacked,
            points: self.points,
            groups: self.groups,
        })))
    }
}
