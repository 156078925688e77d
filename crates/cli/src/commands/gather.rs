//! One pass over the layers of an image that collects the tree, databases of packages, secrets and certificates.

mod sink;

use porthole_contents::{
    certificates::LeafCertificate,
    collect::Collected,
    digests::LayerDigests,
    inventory::Inventory,
    limits::SCANNED_BYTES,
    secrets::{FileSecrets, redact},
};
use porthole_core::{
    image::{Image, instruction},
    layer::{BlobDigests, LayerNumber},
    manifest::Document,
    path,
    tree::FileTree,
};
use porthole_inspect::{
    stack::{LayerStack, unpackable},
    waste::LayerBlob,
};

pub(super) use self::sink::{Sink, Sought};
use super::stack::{blob, end};
use crate::{
    error::Error,
    layers::{Job, Known, Reading, Want},
    progress::Meter,
    session::Session,
    source::Source,
    ui::size,
};

/// An image with what was collected from its layers.
pub(super) struct Gathered {
    /// `None` for a layer that belongs to no image.
    pub(super) image: Option<Image>,
    /// The index that led to it.
    pub(super) index: Option<Document>,
    pub(super) jobs: Vec<Job>,
    /// The digest of the blob of each layer.
    pub(super) digests: BlobDigests,
    /// The instruction that made each layer, with its secrets masked.
    instructions: Vec<Option<String>>,
    pub(super) tree: FileTree,
    /// The databases of packages in each layer, bottom first. Empty unless packages are sought.
    pub(super) layers: Vec<Collected>,
    /// The secrets in the files of each layer, bottom first. Empty unless secrets are sought.
    pub(super) secrets: Vec<FileSecrets>,
    /// The certificates of each layer, bottom first. Empty unless they are sought.
    pub(super) certificates: Vec<Vec<LeafCertificate>>,
    /// The digests of the files of each layer, bottom first. Empty unless modified files are sought.
    pub(super) hashes: Vec<LayerDigests>,
    /// The blob of each layer, bottom first.
    pub(super) blobs: Vec<LayerBlob>,
}

impl Gathered {
    /// Reads, verifies and stacks the layers.
    ///
    /// # Errors
    ///
    /// [`Error::Layers`] if any layer is wrong. Then nothing of the image may be shown.
    pub(super) fn read(session: &Session<'_>, source: &Source, sought: Sought) -> Result<Self, Error> {
        let resolved = match source.is_bare() {
            true => None,
            false => Some(source.image(session, &mut |_| {})?),
        };
        let (image, index) = resolved.map(|resolved| (resolved.image, resolved.index)).unzip();
        let index = index.flatten();
        let jobs = image.as_ref().map_or_else(Job::bare, |image| Job::of(&image.layers));
        let mut tree = FileTree::new(session.limits.tree_nodes);
        let (mut layers, mut secrets, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut certificates, mut hashes) = (Vec::new(), Vec::new());
        let mut stack = LayerStack::new(&mut tree);
        let meter = Meter::new(session.ui, &jobs);
        let reading = Reading::new(session, source, &meter, Want::Entries);
        reading.collect(
            &jobs,
            || Sink::new(sought),
            Sink::finish,
            |job, held, report| {
                held.entries.iter().for_each(|listed| stack.entry(job, &listed.entry, listed.digest));
                let known = Known::Read(Box::new(report), None);
                end(session, &mut stack, job, &known)?;
                blobs.push(blob(job, &known));
                layers.push(held.databases);
                secrets.push(held.secrets);
                certificates.push(held.certificates);
                hashes.push(held.hashes);
                Ok(())
            },
        )?;
        stack.finish().map_err(Error::Layers)?;
        drop(meter);
        let of_layers = image.iter().flat_map(|image| &image.layers);
        let instructions = of_layers
            .map(|layer| layer.created_by.as_deref().map(|text| redact(&instruction(text).to_string())))
            .collect();
        let digests = Job::digests(&jobs);
        let gathered =
            Self { image, index, jobs, digests, instructions, tree, layers, secrets, certificates, hashes, blobs };
        gathered.note_unread(session);
        Ok(gathered)
    }

    /// The packages of the image.
    pub(super) fn inventory(&self) -> Inventory {
        Inventory::of(&self.tree, &self.layers)
    }

    /// Number of text files that were searched for secrets, and their total bytes.
    pub(super) fn searched(&self) -> (u64, u64) {
        let sum = |(files, bytes), found: &FileSecrets| (files + found.files, bytes + found.bytes);
        self.secrets.iter().fold((0, 0), sum)
    }

    /// The instruction that made a layer, with its secrets masked. `layer` is an index from 0.
    pub(super) fn created_by(&self, layer: u32) -> Option<&str> {
        self.instructions.get(layer as usize)?.as_deref()
    }

    /// Checks that a runtime can unpack the image. The error names the entry at which it would stop.
    pub(super) fn unpackable(&self) -> Result<(), Error> {
        unpackable(&self.tree, &self.jobs).map_err(|(layer, error)| Error::Unpack { layer, error })
    }

    fn note_unread(&self, session: &Session<'_>) {
        note_unlisted(session, 0, &self.layers);
        for (layer, found) in (0..).zip(&self.secrets) {
            for unread in &found.unread {
                let (layer, path) = (LayerNumber::of_index(layer), path::escape(&unread.path));
                let (size, limit) = (size(unread.size), size(SCANNED_BYTES));
                session
                    .ui
                    .note(format_args!("layer {layer}: `{path}` is not searched: {size}, expected at most {limit}"));
            }
        }
    }
}

/// Prints a note for each database that could not be read. `first` is the index of the first of these layers.
pub(super) fn note_unlisted(session: &Session<'_>, first: usize, layers: &[Collected]) {
    for (layer, collected) in (first as u32..).zip(layers) {
        for unread in &collected.unread {
            let (layer, path) = (LayerNumber::of_index(layer), path::escape(&unread.path));
            session.ui.note(format_args!("layer {layer}: packages of `{path}` are not listed: {}", unread.why));
        }
    }
}
