//! Prepared layers: listed from their tables of contents, without reading them.

use crate::layer::BATCH_BYTES;
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    seek::BatchWriter,
    tar::{Entry, EntrySink, Flow},
    toc::{Toc, TocReader, Trust},
};
use std::rc::Rc;

/// A layer as its table of contents lists it.
pub(crate) struct TocListing {
    /// Entries, as layer workers send them.
    pub batches: Vec<Vec<u8>>,
    /// Number of entries.
    pub entries: u64,
    /// Bytes received for it.
    pub fetched: u64,
    /// Bytes of the unpacked layer, 0 if the table does not say.
    pub uncompressed: u64,
    /// In words, what the table proves and what not.
    pub note: String,
    /// The table itself.
    pub toc: Rc<Toc>,
}

/// Whether a layer names a table of contents.
pub(crate) fn announced(layer: &Descriptor, limits: &Limits) -> bool {
    TocReader::new(layer, limits).is_ok_and(|reader| reader.announced())
}

impl TocListing {
    /// The listing of a table of contents. `fetched` bytes were received for it.
    pub(crate) fn of(toc: Toc, fetched: u64) -> Self {
        let mut batches = Batches::default();
        toc.replay(&mut batches);
        batches.flush();
        Self {
            entries: toc.entries(),
            uncompressed: toc.uncompressed().unwrap_or_default(),
            batches: batches.done,
            fetched,
            note: note(&toc),
            toc: Rc::new(toc),
        }
    }
}

fn note(toc: &Toc) -> String {
    let vouched = match toc.trust() {
        Trust::Annotation(_) => "for which the manifest vouches",
        _ => "for which nothing vouches",
    };
    format!("from its {} table of contents, {vouched}; not checked against the archive", toc.format())
}

/// Entries in batches.
#[derive(Default)]
struct Batches {
    writer: BatchWriter,
    done: Vec<Vec<u8>>,
}

impl Batches {
    fn flush(&mut self) {
        self.done.extend(self.writer.take(1));
    }
}

impl EntrySink for Batches {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.writer.push(&entry);
        self.done.extend(self.writer.take(BATCH_BYTES));
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{digest::Digest, media_type::MediaType, seek::BatchReader, tar::Kind};

    #[test]
    fn a_table_of_contents_is_named_by_an_annotation() {
        let limits = Limits::default();
        let mut layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(b""), 10 << 20);
        assert!(!announced(&layer, &limits));
        let digest = layer.digest.to_string();
        layer.annotations.insert("containerd.io/snapshot/stargz/toc.digest".into(), digest);
        assert!(announced(&layer, &limits));
    }

    #[test]
    fn entries_come_in_batches_that_can_be_read() {
        let mut batches = Batches::default();
        let names: Vec<String> = (0..20_000).map(|number| format!("a/long/name/of/a/file/{number:08}")).collect();
        for name in &names {
            batches.entry(Entry::new(name.as_str(), Kind::File));
        }
        batches.flush();
        assert!(batches.done.len() > 1);
        let read = batches.done.into_iter().flat_map(BatchReader::new);
        assert!(read.map(|entry| entry.path).eq(names.iter().map(|name| name.clone().into_bytes())));
    }
}
