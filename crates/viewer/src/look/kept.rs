//! Layers that are listed from what was kept of an earlier look.

use super::{Access, Look};
use crate::{given::GivenFile, index::OpenIndex, kept::KeptRecord, layer::LayerFindings, time};
use porthole_source::ReadAt as _;
use std::rc::Rc;

/// What is kept of a layer.
pub(crate) struct KeptLayer {
    /// Name of the file.
    pub(crate) name: String,
    /// The record in front of the index.
    pub(crate) record: KeptRecord,
    /// The index, in the file.
    pub(crate) file: GivenFile,
    /// Its bytes, where no layer worker can read the file.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The same index, opened for queries.
    pub(crate) index: Rc<OpenIndex>,
}

impl KeptLayer {
    /// Where a layer worker reads the index.
    pub(crate) fn address(&self) -> Option<String> {
        self.file.address(0..self.file.size()).filter(|_| self.bytes.is_none())
    }
}

impl Look {
    /// A layer will be listed from what is kept of it.
    pub(crate) fn recall(&mut self, layer: u32, kept: KeptLayer) {
        if let Some(slot) = self.body.as_mut().and_then(|body| body.kept.get_mut(layer as usize)) {
            *slot = Some(Rc::new(kept));
        }
    }

    /// The index of a layer is kept now, so it need not be in memory.
    pub(crate) fn kept_now(&mut self, layer: u32, kept: KeptLayer) {
        let Some(body) = &mut self.body else { return };
        let Some(Access::Index(index)) = body.access(layer) else { return };
        let (index, held) = (Rc::clone(index), index.held().map_or(0, |held| held.len() as u64));
        for access in body.access.iter_mut().flatten() {
            if matches!(access, Access::Index(other) if Rc::ptr_eq(other, &index)) {
                *access = Access::Index(Rc::clone(&kept.index));
            }
        }
        body.access_bytes -= held.min(body.access_bytes);
        self.recall(layer, kept);
    }

    /// What is kept of a layer.
    pub(crate) fn kept(&self, layer: u32) -> Option<&Rc<KeptLayer>> {
        self.body.as_ref()?.kept.get(layer as usize)?.as_ref()
    }

    /// What is kept of a layer cannot be used: its entries come once more. Returns the name of the file.
    pub(crate) fn restart(&mut self, layer: u32) -> Option<String> {
        let body = self.body.as_mut()?;
        let kept = body.kept.get_mut(layer as usize)?.take();
        match body.reading_alone(layer) {
            Some(alone) => alone.stack.restart(layer),
            None => body.stack.restart(layer),
        }
        self.relist();
        Some(kept?.name.clone())
    }

    /// A layer was listed from what is kept of it: what was found when it was read belongs to it.
    pub(super) fn remember(&mut self, layer: u32, findings: &mut LayerFindings) {
        let Some(kept) = self.kept(layer).cloned() else { return };
        let KeptRecord { verified, note, texts, .. } = &kept.record;
        (findings.note, findings.texts) = (note.clone(), texts.clone());
        let day = time::day(i64::try_from(*verified).unwrap_or(i64::MAX));
        self.keep(layer, Access::Index(Rc::clone(&kept.index)), 0);
        if let Some(progress) = self.layer(layer) {
            progress.since = Some(day);
        }
    }
}
