//! Layers that were prepared for reading in parts: listed from their tables of contents, without reading them.

use crate::batch::Writer;
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    tar::{Entry, EntrySink, Flow},
    toc::{Reader, Toc, Trust},
};
use std::rc::Rc;

/// A smaller layer is read whole: that takes hardly longer, and proves more.
const WORTH_IT: u64 = 4 << 20;
/// As in batches of layer workers.
const BATCH_BYTES: usize = 128 << 10;

/// What a table of contents says.
pub struct Listing {
    /// Entries, as layer workers send them.
    pub batches: Vec<Vec<u8>>,
    /// How many.
    pub entries: u64,
    /// Bytes received for it.
    pub fetched: u64,
    /// Bytes of the unpacked layer, if that is said.
    pub uncompressed: u64,
    /// What to know of it, in words.
    pub note: String,
    /// The table itself.
    pub toc: Rc<Toc>,
}

/// Whether a layer names a table of contents, and is large enough for it to be worth asking for.
pub fn is_worth_it(layer: &Descriptor) -> bool {
    layer.size >= WORTH_IT && announced(layer)
}

/// Whether a layer names a table of contents.
pub fn announced(layer: &Descriptor) -> bool {
    Reader::new(layer, &Limits::of_a_tab()).is_ok_and(|reader| reader.announced())
}

impl Listing {
    /// What a table of contents says, which took so many bytes.
    pub fn of(toc: Toc, fetched: u64) -> Self {
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

/// Entries in batches that belong to no job.
#[derive(Default)]
struct Batches {
    writer: Option<Writer>,
    done: Vec<Vec<u8>>,
}

impl Batches {
    fn flush(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.done.push(writer.bytes().to_vec());
        }
    }
}

impl EntrySink for Batches {
    fn entry(&mut self, entry: Entry) -> Flow {
        let writer = self.writer.get_or_insert_with(|| Writer::new(0));
        writer.push(&entry);
        if writer.bytes().len() >= BATCH_BYTES {
            self.flush();
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{digest::Digest, media_type::MediaType, tar::Kind};

    #[test]
    fn only_large_layers_that_say_so_are_prepared() {
        let mut layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(b""), 10 << 20);
        assert!(!is_worth_it(&layer));
        let digest = layer.digest.to_string();
        layer.annotations.insert("containerd.io/snapshot/stargz/toc.digest".into(), digest);
        assert!(is_worth_it(&layer));
        layer.size = 1 << 20;
        assert!(!is_worth_it(&layer) && announced(&layer));
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
        let read = batches.done.into_iter().flat_map(crate::batch::Reader::new);
        assert!(read.map(|entry| entry.path).eq(names.iter().map(|name| name.clone().into_bytes())));
    }
}
