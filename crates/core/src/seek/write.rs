//! Writes an index while its layer is read.

use super::{
    IndexOptions,
    header::{HEADER_BYTES, Header, IndexEnd, Roots},
    name::NameWriter,
    number::{put, put_text},
    point::PointWriter,
    rows::{Group, Writer},
    span::SpanWriter,
    tree::{Key, Output, TreeWriter},
};
use crate::{
    decode::{BlockEnd, Checkpoint, fresh_spacing},
    digest::{Algorithm, HashState, Hasher},
    layer::{LayerReport, Notes},
    limits::{INDEX_BYTES, INDEX_PAGE_BYTES},
    tar::{Entry, Kind},
};

const MIN_SPACING: u64 = 4 << 10;

/// Writes an index. Its memory does not grow with the layer, apart from bytes that are not [taken](Notes::take).
pub(crate) struct IndexWriter {
    options: IndexOptions,
    algorithm: Algorithm,
    out: Output,
    spans: SpanWriter,
    points: PointWriter,
    names: NameWriter,
    groups: TreeWriter,
    rows: Writer,
    entries: u64,
    /// SHA-256 values of the files in the current group.
    digests: Vec<u8>,
    /// Hash of the current file's content.
    content: Option<Hasher>,
    /// Whether the index is given up: the sink stopped the scan, or a limit is reached.
    given_up: bool,
}

impl IndexWriter {
    pub(crate) fn new(options: IndexOptions, algorithm: Algorithm) -> Self {
        let mut out = Output::default();
        out.append(&[0; HEADER_BYTES]);
        Self {
            options: IndexOptions { spacing: options.spacing.max(MIN_SPACING), ..options },
            algorithm,
            out,
            spans: SpanWriter::default(),
            points: PointWriter::new(),
            names: NameWriter::default(),
            groups: TreeWriter::default(),
            rows: Writer::new(options.batches),
            entries: 0,
            digests: Vec::new(),
            content: None,
            given_up: false,
        }
    }

    fn close(&mut self) {
        let Some(group) = self.rows.close(self.entries) else { return self.give_up() };
        let mut bytes = group.to_leaf();
        bytes.append(&mut self.digests);
        let key = Key { ordinal: group.number, place: group.start };
        self.groups.leaf(&mut self.out, key, &bytes);
        if bytes.len() as u64 > INDEX_PAGE_BYTES || self.out.length() > INDEX_BYTES {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.out = Output::default();
    }
}

impl Notes for IndexWriter {
    fn spacing(&self) -> u64 {
        self.options.spacing
    }

    fn edge(&mut self, state: &HashState, unpacked: u64) {
        if !self.given_up {
            self.spans.push(&mut self.out, unpacked, state.chain());
        }
    }

    fn fresh(&mut self, at: Checkpoint) {
        if !self.given_up && at.uncompressed - self.points.last() >= fresh_spacing(self.options.spacing) {
            self.points.fresh(&mut self.out, at);
        }
    }

    fn block(&mut self, block: &BlockEnd) {
        if !self.given_up {
            self.points.block(&mut self.out, block);
        }
    }

    fn entry(&mut self, entry: &Entry) -> bool {
        if self.given_up {
            if self.options.batches {
                if self.rows.full() {
                    self.rows.clear();
                }
                self.rows.push(entry);
            }
            return false;
        }
        // Not earlier: the group needs the digest of its last entry's content.
        if self.rows.full() {
            self.close();
        }
        self.rows.push(entry);
        self.names.push(&mut self.out, entry, self.entries);
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
        self.give_up();
    }

    fn take(&mut self) -> Vec<u8> {
        self.out.take()
    }

    fn take_batch(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.rows.take_batch(bytes)
    }

    fn finish(mut self: Box<Self>, report: &LayerReport) -> Option<IndexEnd> {
        let (compression, diff_id) = (report.compression?, report.diff_id?);
        if !self.rows.is_empty() && !self.given_up {
            self.close();
        }
        if !report.content_is_whole() || self.given_up || report.digest.algorithm() != self.algorithm {
            return None;
        }
        let Self { mut out, spans, points, groups, names, .. } = *self;
        let edges = spans.finish(&mut out, report.size, self.algorithm.chain_size());
        let (points, point_root) = points.finish(&mut out, report.uncompressed);
        let entries = groups.finish(&mut out);
        let (rows, names) = names.finish(&mut out);
        let offsets = out.page(&report.offsets.to_page());
        let header = Header {
            digest: report.digest,
            size: report.size,
            diff_id,
            uncompressed: report.uncompressed,
            compression,
            verified: report.is_the_blob(),
            file_digests: self.options.file_digests,
            length: out.length(),
            points,
            entries: self.entries,
            rows,
            roots: Roots { edges, points: point_root, entries, names },
            offsets,
        };
        let end = IndexEnd { verified: header.verified, tail: out.take(), header: header.to_bytes() };
        (header.length <= INDEX_BYTES).then_some(end)
    }
}

impl Group {
    /// Encodes a leaf of entries, without the digests.
    fn to_leaf(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, u64::from(self.length));
        put_text(&mut bytes, &self.packed);
        bytes
    }
}
