mod report;

pub use report::{AuditReport, Disagreement, TocDifference};

use std::{
    borrow::Borrow,
    hash::{BuildHasher, RandomState},
};

use hashbrown::{HashTable, hash_table::Entry as Slot};

use super::{Toc, TocFormat, estargz, listing::Chunk};
use crate::{
    digest::{Algorithm, Digest, Hasher},
    layer::LayerReport,
    path,
    tar::{Entry, EntrySink, Flow, Kind},
};

/// Compares a TOC with the archive it describes, while the whole layer is read.
///
/// Use it as the [`EntrySink`] of a [`LayerReader`](crate::layer::LayerReader), then call [`finish`](Audit::finish). A
/// sink that needs the entries itself calls [`compare`](Audit::compare) and forwards the data. The order of entries
/// does not matter. If a path occurs several times, the n-th entry in the TOC is compared with the n-th in the archive.
pub struct Audit<T> {
    toc: T,
    /// First unmatched row of each path.
    rows: HashTable<u32>,
    hash: RandomState,
    /// For each row, the next row with the same path.
    next: Vec<u32>,
    met: Vec<bool>,
    reading: Option<Reading>,
    /// Whether the entry with the TOC itself was seen. Nothing may follow it.
    own: bool,
    report: AuditReport,
}

/// A file whose data is being compared.
struct Reading {
    path: Vec<u8>,
    expected: Option<Digest>,
    file: Hasher,
    chunks: std::vec::IntoIter<Chunk>,
    chunk: Option<(Chunk, Hasher)>,
    at: u64,
}

const NONE: u32 = u32::MAX;

impl<T: Borrow<Toc>> Audit<T> {
    /// An audit of `toc`: a `Toc`, a `&Toc` or any other owner of one.
    pub fn new(toc: T) -> Self {
        let listing = &toc.borrow().listing;
        let hash = RandomState::new();
        let mut rows: HashTable<u32> = HashTable::with_capacity(listing.len());
        let mut next = vec![NONE; listing.len()];
        let name = |row: u32| path::clean(listing.name(row as usize));
        for (row, next) in next.iter_mut().enumerate().rev() {
            // Each row takes at least one byte of text, whose length fits 32 bits.
            let row = row as u32;
            let path = name(row);
            match rows.entry(hash.hash_one(&path), |other| name(*other) == path, |other| hash.hash_one(name(*other))) {
                Slot::Occupied(mut slot) => *next = std::mem::replace(slot.get_mut(), row),
                Slot::Vacant(slot) => {
                    slot.insert(row);
                }
            }
        }
        let met = vec![false; listing.len()];
        Self { toc, rows, hash, next, met, reading: None, own: false, report: AuditReport::default() }
    }

    /// The TOC under audit.
    pub fn toc(&self) -> &Toc {
        self.toc.borrow()
    }

    /// Compares the next entry of the archive. Returns [`Flow::WantData`] if its data must be compared too.
    pub fn compare(&mut self, entry: &Entry) -> Flow {
        self.reading = None;
        self.report.entries += 1;
        let path = path::clean(&entry.path);
        if self.own {
            self.report.add(&path, TocDifference::AfterToc);
        }
        let Some(row) = self.take(&path) else {
            if self.toc().format == TocFormat::EStargz && path == estargz::NAME && entry.kind == Kind::File && !self.own
            {
                self.own = true;
                self.read(path, Some(self.toc().digest), Vec::new());
                return Flow::WantData;
            }
            self.report.add(&path, TocDifference::NotInToc);
            return Flow::Continue;
        };
        let toc = self.toc.borrow();
        let listed = toc.listing.entry(row);
        for difference in differences(&listed, entry) {
            self.report.add(&path, difference);
        }
        if listed.kind != Kind::File || entry.kind != Kind::File {
            return Flow::Continue;
        }
        let chunks = toc.listing.chunks(row);
        let expected = toc.listing.digest(row);
        if chunks.is_none() {
            self.report.add(&path, TocDifference::Chunks);
        }
        let chunks = chunks.unwrap_or_default();
        if entry.size == 0 || expected.is_none() && chunks.iter().all(|chunk| chunk.digest.is_none()) {
            return Flow::Continue;
        }
        // A single chunk with the file's digest is checked with the file.
        let alone = matches!(chunks.as_slice(), [chunk] if chunk.digest == expected);
        self.read(path, expected, if alone { Vec::new() } else { chunks });
        Flow::WantData
    }

    /// Ends the audit. `layer` is the report of the layer whose entries were compared; only that report says whether the
    /// layer itself is verified.
    pub fn finish(mut self, layer: &LayerReport) -> AuditReport {
        let toc = self.toc.borrow();
        for (row, _) in self.met.iter().enumerate().filter(|(_, met)| !**met) {
            self.report.add(&path::clean(toc.listing.name(row)), TocDifference::NotInArchive);
        }
        if toc.format == TocFormat::EStargz && !self.own {
            self.report.add(estargz::NAME, TocDifference::NotInArchive);
        }
        if let Some(expected) = toc.uncompressed.filter(|expected| *expected != layer.uncompressed) {
            self.report.add(b"", TocDifference::Uncompressed { toc: expected, archive: layer.uncompressed });
        }
        self.report
    }

    /// The first unmatched row with a path; marks it as matched.
    fn take(&mut self, path: &[u8]) -> Option<usize> {
        let listing = &self.toc.borrow().listing;
        let same = |row: &u32| path::clean(listing.name(*row as usize)) == path;
        let mut slot = self.rows.find_entry(self.hash.hash_one(path), same).ok()?;
        let row = *slot.get() as usize;
        match self.next.get(row) {
            Some(&next) if next != NONE => *slot.get_mut() = next,
            _ => {
                slot.remove();
            }
        }
        if let Some(met) = self.met.get_mut(row) {
            *met = true;
        }
        Some(row)
    }

    /// Starts hashing the data of a file.
    fn read(&mut self, path: Vec<u8>, expected: Option<Digest>, chunks: Vec<Chunk>) {
        let (file, chunks) = (Hasher::new(algorithm(expected)), chunks.into_iter());
        self.reading = Some(Reading { path, expected, file, chunks, chunk: None, at: 0 });
    }
}

impl<T: Borrow<Toc>> EntrySink for Audit<T> {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.compare(&entry)
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(reading) = &mut self.reading {
            reading.file.update(bytes);
            reading.chunks(bytes, &mut self.report);
        }
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        let Some(mut reading) = self.reading.take() else { return };
        reading.end_chunk(&mut self.report);
        let archive = reading.file.finish();
        if let Some(toc) = reading.expected.filter(|toc| *toc != archive) {
            let own = self.own && reading.path == estargz::NAME;
            let difference =
                if own { TocDifference::OtherToc { toc, archive } } else { TocDifference::Content { toc, archive } };
            self.report.add(&reading.path, difference);
        }
    }
}

impl Reading {
    /// Hashes file data chunk by chunk.
    fn chunks(&mut self, mut bytes: &[u8], report: &mut AuditReport) {
        while !bytes.is_empty() {
            if self.chunk.is_none() {
                let Some(chunk) = self.chunks.next() else { return };
                let hasher = Hasher::new(algorithm(chunk.digest));
                self.chunk = Some((chunk, hasher));
            }
            let Some((chunk, hasher)) = &mut self.chunk else { return };
            let left = chunk.start + chunk.size - self.at;
            let (part, rest) = bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
            hasher.update(part);
            bytes = rest;
            self.at += part.len() as u64;
            if part.len() as u64 == left {
                self.end_chunk(report);
            }
        }
    }

    fn end_chunk(&mut self, report: &mut AuditReport) {
        let Some((chunk, hasher)) = self.chunk.take() else { return };
        let archive = hasher.finish();
        if let Some(toc) = chunk.digest.filter(|toc| *toc != archive) {
            report.add(&self.path, TocDifference::Chunk { offset: chunk.start, toc, archive });
        }
    }
}

fn algorithm(expected: Option<Digest>) -> Algorithm {
    expected.map_or(Algorithm::Sha256, |digest| digest.algorithm())
}

/// Differences between an entry of the TOC and that of the archive.
fn differences(toc: &Entry, archive: &Entry) -> Vec<TocDifference> {
    if toc.kind != archive.kind {
        return vec![TocDifference::Kind { toc: toc.kind, archive: archive.kind }];
    }
    let mut found = Vec::new();
    if toc.kind == Kind::File && toc.size != archive.size {
        found.push(TocDifference::Size { toc: toc.size, archive: archive.size });
    }
    if toc.permissions() != archive.permissions() {
        found.push(TocDifference::Mode { toc: toc.permissions(), archive: archive.permissions() });
    }
    if (toc.uid, toc.gid) != (archive.uid, archive.gid) {
        found.push(TocDifference::Owner { toc: (toc.uid, toc.gid), archive: (archive.uid, archive.gid) });
    }
    if !same_time(toc, archive) {
        let time = |entry: &Entry| (entry.mtime, entry.mtime_nsec);
        found.push(TocDifference::Time { toc: time(toc), archive: time(archive) });
    }
    let same_link = match toc.kind {
        Kind::Symlink => toc.link == archive.link,
        Kind::Hardlink => path::clean(&toc.link) == path::clean(&archive.link),
        _ => true,
    };
    if !same_link {
        found.push(TocDifference::Link { toc: toc.link.clone(), archive: archive.link.clone() });
    }
    let device = |entry: &Entry| (entry.major, entry.minor);
    if matches!(toc.kind, Kind::Char | Kind::Block) && device(toc) != device(archive) {
        found.push(TocDifference::Device { toc: device(toc), archive: device(archive) });
    }
    if let Some(name) = other_xattr(&toc.xattrs, &archive.xattrs) {
        found.push(TocDifference::Xattr { name });
    }
    found
}

/// Compares times. A missing time has several encodings, and stargz-snapshotter rounds to seconds in both formats.
fn same_time(toc: &Entry, archive: &Entry) -> bool {
    let time = |entry: &Entry| match (entry.mtime, entry.mtime_nsec) {
        (NO_TIME, 0) => (0, 0),
        time => time,
    };
    let (told, (seconds, nanoseconds)) = (time(toc), time(archive));
    let rounded = seconds.saturating_add(i64::from(nanoseconds >= 500_000_000));
    // stargz-snapshotter treats a time in the first second of 1970 as missing.
    told == (seconds, nanoseconds) || told == (rounded, 0) || told == (0, 0) && seconds == 0
}

/// Go's zero time, of an entry without a time: the first second of year 1.
const NO_TIME: i64 = -62_135_596_800;

/// Name of the first attribute, in the order of names, that differs or that one side lacks. Attributes with empty values are
/// ignored: some builders leave them out.
fn other_xattr(toc: &[(Vec<u8>, Vec<u8>)], archive: &[(Vec<u8>, Vec<u8>)]) -> Option<Vec<u8>> {
    let sorted = |xattrs: &[(Vec<u8>, Vec<u8>)]| {
        let mut xattrs = xattrs.to_vec();
        xattrs.retain(|(_, value)| !value.is_empty());
        xattrs.sort();
        xattrs
    };
    let (toc, archive) = (sorted(toc), sorted(archive));
    let same = toc.iter().zip(&archive).take_while(|(toc, archive)| toc == archive).count();
    let names = [toc.get(same), archive.get(same)].into_iter().flatten();
    names.map(|(name, _)| name.clone()).min()
}
