//! Results that need all layers of a look: overview, waste, links, maps.

use super::{Access, Look, LookBody};
use crate::{
    listing, overview,
    packages::MarkedFiles,
    protocol::{Event, FindingLink, LayerState, MapMeasure, MapWish, Sizes, ViewMode},
    treemap::{self, Weights},
    waste,
};
use porthole_core::{
    digest::Digest,
    path,
    seek::Offsets,
    tree::{Content, Mode},
};
use porthole_inspect::{
    findings,
    open::{Lost, resolve_path},
    waste::{LayerBlob, WasteReport},
    what_if::{WhatIf, what_if},
};

impl Look {
    /// Wants the waste as soon as every layer is settled.
    pub(crate) fn want_waste(&mut self) {
        self.waste_due = true;
    }

    /// Takes digests of contents, by layer and by where their data starts in its archive; what depends on them is sent again.
    pub(crate) fn learn_contents(&mut self, digest: impl Fn(u32, u64) -> Option<Digest>) {
        let Some(body) = &mut self.body else { return };
        body.stack.learn_contents(digest);
        (self.survey_due, self.waste_due) = (!self.hidden, !self.hidden);
    }

    /// Takes what packages say about files.
    pub(crate) fn mark(&mut self, marked: MarkedFiles) {
        let Some(body) = &mut self.body else { return };
        body.listing.mark(marked);
        self.stale = true;
    }

    /// Says where a symbolic link of the view leads to. What the view does not show may be in the merged one.
    pub(crate) fn follow_link(&self, path: &str, out: &mut Vec<Event>) {
        let (Some(body), Some(link)) = (&self.body, path::unescape(path)) else { return };
        let top = body.layers.len().saturating_sub(1) as u32;
        let shown = body.tree(&self.view).view(listing::mode(&self.view, top));
        let merged = body.stack.tree().view(Mode::Merged);
        let target = match (resolve_path(&shown, &link, true), resolve_path(&merged, &link, true)) {
            (Ok((target, _)), _) => Ok((self.view.mode, target)),
            (Err(_), Ok((target, _))) => Ok((ViewMode::Merged, target)),
            (Err(lost), Err(_)) => Err(lost),
        };
        let target = target
            .map(|(mode, target)| FindingLink::Files {
                mode,
                layer: self.view.layer.filter(|_| mode.wants_layer()),
                path: Some(path::escape(&target).into_owned()).filter(|target| !target.is_empty()),
            })
            .map_err(|lost| match lost {
                Lost::Missing(at) => format!("{path} leads to {}, which is not in this image", path::escape(&at)),
                Lost::TooManyLinks => format!("{path} leads through more links than a kernel follows"),
            });
        out.push(Event::LinkTarget { look: self.number, target });
    }

    /// Sends a map of the files that a view shows.
    pub(crate) fn map(&self, wish: &MapWish, out: &mut Vec<Event>) {
        let Some(body) = &self.body else { return };
        let top = body.layers.len().saturating_sub(1) as u32;
        let view = body.tree(&wish.view).view(listing::mode(&wish.view, top));
        let (width, height) = wish.size;
        let at = path::unescape(&wish.path).and_then(|path| view.find(&path));
        let blobs = (wish.measure == MapMeasure::Download).then(|| body.blobs());
        let weights = blobs.map(|blobs| {
            let held = move |content: Content| {
                let end = content.offset.saturating_add(content.size);
                blobs.get(content.layer as usize).map_or(0, |blob| blob.download(content.offset..end))
            };
            Weights::new(body.tree(&wish.view), &view, held)
        });
        let map = at.map(|at| treemap::map(&view, at, (width, height), weights.as_ref())).unwrap_or_default();
        out.push(Event::Map { look: self.number, map: Box::new(map) });
    }

    /// Sends the results that are due, once every layer is settled.
    pub(super) fn report(&mut self, out: &mut Vec<Event>) {
        if !self.settled || !(self.survey_due || self.waste_due) {
            return;
        }
        let Some(report) = self.body.as_ref().map(LookBody::waste) else { return };
        if std::mem::take(&mut self.survey_due) {
            self.survey(&report, out);
        }
        if let Some(body) = self.body.as_ref().filter(|_| std::mem::take(&mut self.waste_due)) {
            let waste = waste::facts(body.stack.tree(), &report, &body.what_if(&report), body.missing());
            out.push(Event::Waste { look: self.number, waste: Box::new(waste) });
        }
    }

    /// Sends the overview with the facts from the layers.
    fn survey(&mut self, report: &WasteReport, out: &mut Vec<Event>) {
        let Some(body) = &mut self.body else { return };
        let missing = body.missing();
        let tree = body.stack.tree();
        let facts = &mut body.overview;
        facts.findings.truncate(body.stated);
        facts.findings.extend(findings::of_layers(tree, report).iter().map(overview::finding));
        facts.missing = missing;
        facts.sizes = Sizes {
            download: report.download,
            unpacked: report.unpacked,
            visible: tree.view(Mode::Merged).total_size(),
            complete: facts.missing.is_empty(),
        };
        facts.settled = true;
        out.push(Event::Overview { look: self.number, overview: Box::new(facts.clone()) });
    }
}

impl LookBody {
    /// Layers that are wrong, could not be read, were not read, or are encrypted.
    pub(crate) fn missing(&self) -> Vec<u32> {
        let unknown = |state| matches!(state, LayerState::Wrong | LayerState::Lost | LayerState::Stopped);
        let unreadable = |index: u32| {
            let layer = self.resolved.image.layers.get(index as usize);
            layer.is_some_and(|layer| layer.descriptor.media_type.unreadable().is_some())
        };
        let missing = self.layers.iter().filter(|layer| unknown(layer.state) || unreadable(layer.index));
        missing.map(|layer| layer.index).collect()
    }

    /// The waste of the layers as they are stacked.
    pub(crate) fn waste(&self) -> WasteReport {
        WasteReport::of(self.stack.tree(), Some(&self.resolved.image), &self.blobs())
    }

    /// What other ways to build the image would save.
    pub(crate) fn what_if(&self, report: &WasteReport) -> Vec<WhatIf> {
        what_if(report, Some(&self.resolved.image), &self.blobs())
    }

    /// The blobs of the layers, for figures.
    pub(crate) fn blobs(&self) -> Vec<LayerBlob> {
        let blob = |(number, layer): (usize, &porthole_core::image::Layer)| {
            let progress = self.layers.get(number);
            let uncompressed = progress.map_or(0, |progress| progress.uncompressed);
            LayerBlob {
                digest: Some(layer.descriptor.digest),
                size: layer.descriptor.size,
                uncompressed,
                entries: progress.map_or(0, |progress| progress.entries),
                offsets: self.offsets(number).unwrap_or_else(|| Offsets::even(layer.descriptor.size, uncompressed)),
            }
        };
        self.resolved.image.layers.iter().enumerate().map(blob).collect()
    }

    /// Where in the blob of a layer its bytes are, if an index knows it.
    fn offsets(&self, layer: usize) -> Option<Offsets> {
        match self.access.get(layer)?.as_ref()? {
            Access::Index(index) => index.offsets().cloned(),
            Access::Toc(_) => None,
        }
    }
}
