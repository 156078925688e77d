//! One run of a probe: what is read, what was found, and how far it is.

use crate::{
    hits::{self, HitList},
    layer::LayerFindings,
    listing,
    look::{Access, LookBody},
    pace::Pace,
    packages::{MarkedFiles, PackageList},
    pool::CONFIG,
    probe::ProbeFound,
    protocol::{
        ContentFateFact, Event, FileView, LayerState, LostPart, PathProblem, ProbeKind, ProbeProgress, ProbeState,
        ProbeSums, ProbeWish, SecretFact, ShownConfidence, ShownFate, ViewMode,
    },
    secrets::SecretList,
};
use porthole_contents::{digests::LayerDigests, report::SecretReport};
use porthole_core::{
    digest::Digest,
    image::Layer,
    layer::{BlobDigests, LayerNumber},
    path,
    tree::{ContentFate, ContentFates, Mode, View},
};
use porthole_inspect::{layer::BlobIdentity, report::SearchRow, search::HELD_HITS};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};

/// A probe that runs, or ran last.
pub(in crate::session) struct ProbeRun {
    pub(super) look: u32,
    /// The look that gets its reports.
    pub(super) shown: u32,
    pub(super) wish: ProbeWish,
    pub(super) progress: ProbeProgress,
    pub(super) layers: BTreeMap<u32, ProbedLayer>,
    /// For a layer that is read, the layers above it that are the same blob.
    pub(super) twins: BTreeMap<u32, Vec<u32>>,
    pub(super) packages: PackageList,
    pub(super) secrets: SecretList,
    pub(super) hits: HitList,
    pub(super) digests: BTreeMap<u32, HashMap<u64, [u8; 32]>>,
    /// By the algorithms of package managers, bottom first.
    pub(super) hashes: Vec<LayerDigests>,
    /// They were given to the tree.
    pub(super) learnt: bool,
    /// Bytes that the look counts as fetched.
    pub(super) counted: u64,
    /// Something was found since the fates were sent.
    pub(super) stale: bool,
    pub(super) told: Pace,
    pub(super) judged: Pace,
}

/// A layer that a probe reads.
#[derive(Default)]
pub(super) struct ProbedLayer {
    pub(super) read: u64,
    pub(super) ended: bool,
    pub(super) sums: ProbeSums,
    /// Rows that were sent.
    pub(super) held: u64,
    /// Files that they are about: where the content starts, and the escaped path.
    pub(super) files: BTreeMap<u64, String>,
}

impl ProbeRun {
    /// A probe of the layers of an image that are not `known`.
    pub(super) fn new(look: u32, run: u32, wish: ProbeWish, body: &LookBody, known: impl Fn(&Layer) -> bool) -> Self {
        let mut skipped = Vec::new();
        let mut layers = BTreeMap::new();
        let mut total = 0;
        let (mut first, mut twins) = (HashMap::new(), BTreeMap::<u32, Vec<u32>>::new());
        if wish.kind() != ProbeKind::Search && body.resolved.image.is_image() {
            layers.insert(CONFIG, ProbedLayer::default());
        }
        for layer in body.resolved.image.layers.iter().filter(|layer| !known(layer)) {
            match unreadable(body, layer) {
                Some(why) => skipped.push((layer.index, why.to_owned())),
                None => {
                    match first.entry(BlobIdentity::of(layer)) {
                        Entry::Occupied(below) => twins.entry(*below.get()).or_default().push(layer.index),
                        Entry::Vacant(place) => {
                            place.insert(layer.index);
                            total += layer.descriptor.size;
                        }
                    }
                    layers.insert(layer.index, ProbedLayer::default());
                }
            }
        }
        let progress = ProbeProgress {
            kind: wish.kind(),
            run,
            state: ProbeState::Running,
            read: 0,
            total,
            ended: 0,
            layers: layers.keys().filter(|layer| **layer != CONFIG).count() as u32,
            lost: Vec::new(),
            skipped,
            sums: ProbeSums::default(),
            held: 0,
        };
        Self {
            look,
            shown: look,
            wish,
            progress,
            layers,
            twins,
            packages: PackageList::default(),
            secrets: SecretList::default(),
            hits: HitList::default(),
            digests: BTreeMap::new(),
            hashes: Vec::new(),
            learnt: false,
            counted: 0,
            stale: false,
            told: Pace::default(),
            judged: Pace::default(),
        }
    }

    pub(super) fn is_twin(&self, layer: u32) -> bool {
        self.twins.values().flatten().any(|twin| *twin == layer)
    }

    /// The layers that are the same blob as this one, which is read for them.
    pub(super) fn twins_of(&self, layer: u32) -> Vec<u32> {
        self.twins.get(&layer).cloned().unwrap_or_default()
    }

    /// Takes what was found in a layer, as far as there is room for it.
    pub(super) fn find(&mut self, layer: u32, found: ProbeFound, out: &mut Vec<Event>) {
        let held: u64 = self.layers.values().map(|layer| layer.held).sum();
        let room = (HELD_HITS as u64).saturating_sub(held);
        let Some(of) = self.layers.get_mut(&layer) else { return };
        let of_packages = matches!(self.progress.kind, ProbeKind::Packages | ProbeKind::OtherPackages);
        if of_packages && layer == CONFIG {
            return self.packages.set_instructions(found.instructions);
        }
        of.sums = found.sums;
        if of_packages {
            self.packages.add_certificates(layer, found.certificates);
            return self.packages.add(layer, found.databases, found.unread);
        }
        if !found.digests.is_empty() {
            return self.digests.entry(layer).or_default().extend(found.digests);
        }
        if self.progress.kind == ProbeKind::Recorded && layer != CONFIG {
            let count = self.hashes.len().max(layer as usize + 1);
            self.hashes.resize_with(count, LayerDigests::default);
            let hashes = found.hashes.into_iter().map(|(content, hashes)| (content, hashes.original()));
            return self.hashes[layer as usize].extend(hashes);
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let (look, run) = (self.look, self.progress.run);
        let hits: Vec<_> = found.hits.iter().take(room).map(hits::shown).collect();
        let (mut secrets, mut config) = (found.secrets, found.config);
        self.hits.add(layer, found.hits, found.files);
        secrets.truncate(room);
        config.truncate(room);
        of.held += (hits.len() + secrets.len() + config.len()) as u64;
        let places = hits.iter().map(|hit| (hit.content, &hit.path));
        for (content, path) in places.chain(secrets.iter().map(|secret| (secret.content, &secret.path))) {
            of.files.entry(content).or_insert_with(|| path.clone());
            self.stale = true;
        }
        if !hits.is_empty() {
            out.push(Event::Hits { look, run, layer, hits });
        }
        self.secrets.add(layer, &secrets);
        if layer == CONFIG {
            self.secrets.set_config(&config, found.places, &found.instructions);
            out.push(Event::ConfigSecrets { look, run, secrets: config, instructions: found.instructions });
        } else if self.progress.kind == ProbeKind::Secrets && !(secrets.is_empty() && found.unread.is_empty()) {
            let unread = found.unread.into_iter().map(|(path, why)| PathProblem { layer, path, why }).collect();
            out.push(Event::Secrets { look, run, layer, secrets, unread });
        }
    }

    /// A layer was read to its end.
    pub(super) fn end(&mut self, layer: u32, findings: LayerFindings) {
        if findings.no_files {
            self.layers.insert(layer, ProbedLayer { read: findings.compressed, ended: true, ..ProbedLayer::default() });
            self.progress.skipped.push((layer, NO_ARCHIVE.into()));
        } else if !findings.verified {
            let worst = findings.texts.into_iter().next();
            return self.lose(layer, worst.unwrap_or_else(|| "what came is not what was promised".into()));
        } else if let Some(of) = self.layers.get_mut(&layer) {
            (of.read, of.ended) = (findings.compressed, true);
        }
        self.stale |= matches!(self.progress.kind, ProbeKind::Packages | ProbeKind::Recorded);
        self.end_if_done();
    }

    /// Discards what was found in a layer.
    pub(super) fn lose(&mut self, layer: u32, text: String) {
        let read = self.layers.get(&layer).map_or(0, |of| of.read);
        self.layers.insert(layer, ProbedLayer { read, ended: true, ..ProbedLayer::default() });
        self.progress.lost.push(LostPart { layer: Some(layer).filter(|layer| *layer != CONFIG), text });
        self.packages.lose(layer);
        self.secrets.lose(layer);
        self.hits.lose(layer);
        self.digests.remove(&layer);
        self.stale = true;
        self.end_if_done();
    }

    pub(super) fn end_if_done(&mut self) {
        if self.layers.values().all(|layer| layer.ended) && self.progress.state == ProbeState::Running {
            self.progress.state = ProbeState::Done;
        }
    }

    pub(super) fn progress(&mut self) -> ProbeProgress {
        let progress = &mut self.progress;
        progress.sums = ProbeSums::default();
        self.layers.values().for_each(|layer| progress.sums += layer.sums);
        progress.read = self.layers.values().map(|layer| layer.read).sum();
        progress.held = self.layers.values().map(|layer| layer.held).sum();
        let ended = |(number, layer): &(&u32, &ProbedLayer)| layer.ended && **number != CONFIG;
        progress.ended = self.layers.iter().filter(ended).count() as u32;
        progress.clone()
    }

    /// Puts together what was found and what the look knows.
    pub(super) fn judge(&mut self, body: &LookBody, out: &mut Vec<Event>) {
        self.stale = false;
        match self.progress.kind {
            ProbeKind::Search | ProbeKind::Secrets => out.push(self.fates(body)),
            ProbeKind::Packages => {
                let layers = body.resolved.image.layers.len() as u32;
                let ended = |layer: &u32| self.layers.get(layer).is_none_or(|of| of.ended);
                // What a layer did not change is known only if all layers below are.
                let count = (0..layers).take_while(ended).count() as u32;
                let place = |layer, content, path: &str| place(body, layer, content, path);
                self.packages.take_stock(body.stack.tree(), count, place);
                out.push(self.shown_packages());
            }
            ProbeKind::Digests | ProbeKind::OtherDigests | ProbeKind::Recorded | ProbeKind::OtherPackages => {}
        }
    }

    /// Whether it runs, and how it ended.
    pub(in crate::session) fn state(&self) -> &ProbeState {
        &self.progress.state
    }

    /// How the probe ended. `None`: it runs.
    pub(in crate::session) fn outcome(&self) -> Option<Result<(), String>> {
        let lost = self.progress.lost.first().map(|lost| match lost.layer {
            Some(layer) => format!("layer {}: {}", LayerNumber::of_index(layer), lost.text),
            None => lost.text.clone(),
        });
        match &self.progress.state {
            ProbeState::Running => None,
            ProbeState::Done => Some(lost.map_or(Ok(()), Err)),
            ProbeState::Stopped => Some(Err("it was stopped".into())),
            ProbeState::Refused(why) => Some(Err(why.clone())),
        }
    }

    /// Whether its digests are complete and were given to no tree; from now on they were.
    pub(in crate::session) fn take_learnt(&mut self) -> bool {
        let digests = matches!(self.progress.kind, ProbeKind::Digests | ProbeKind::OtherDigests);
        digests && self.outcome() == Some(Ok(())) && !std::mem::replace(&mut self.learnt, true)
    }

    /// Whether it ended, and the trees have its digests if it computes those by which they compare contents.
    pub(in crate::session) fn is_over(&self) -> bool {
        let learns = matches!(self.progress.kind, ProbeKind::Digests | ProbeKind::OtherDigests);
        match self.outcome() {
            Some(Ok(())) => self.learnt || !learns,
            ended => ended.is_some(),
        }
    }

    /// The digest of a content, as far as the layers are read.
    pub(in crate::session) fn digest(&self, layer: u32, content: u64) -> Option<Digest> {
        let digest = self.digests.get(&layer)?.get(&content)?;
        Some(Digest::of_sha256_value(digest))
    }

    /// The lines that match, as the command line prints them.
    pub(in crate::session) fn search_rows<'d>(&self, body: &LookBody, digests: &'d BlobDigests) -> Vec<SearchRow<'d>> {
        let sums = self.layers.iter().filter(|(layer, _)| **layer != CONFIG).map(|(layer, of)| (*layer, of.sums));
        let place = |layer, content, path: &str| place(body, layer, content, path);
        self.hits.rows(body.stack.tree(), digests, &sums.collect::<Vec<_>>(), place)
    }

    /// The packages that were read.
    pub(in crate::session) fn packages(&self) -> &PackageList {
        &self.packages
    }

    /// The packages that were read, to be put together with those of layers that another probe read.
    pub(in crate::session) fn packages_mut(&mut self) -> &mut PackageList {
        &mut self.packages
    }

    /// Finds what the packages of this run say about files. `recorded` is the run that computed the digests of files, if one did.
    pub(in crate::session) fn weigh(&mut self, recorded: Option<&Self>, body: &LookBody) -> MarkedFiles {
        let digests = recorded.filter(|run| run.outcome() == Some(Ok(()))).map(|run| run.hashes.as_slice());
        let place = |layer, content, path: &str| place(body, layer, content, path);
        self.packages.weigh(body.stack.tree(), &body.resolved.image, digests, place)
    }

    /// The secrets that are at least as certain, as the command line prints them.
    pub(in crate::session) fn secret_reports(&self, body: &LookBody, least: ShownConfidence) -> Vec<SecretReport> {
        let place = |secret: &SecretFact, layer| place(body, layer, secret.content, &secret.path);
        self.secrets.reports(body.stack.tree(), &body.resolved.image, least, place)
    }

    pub(in crate::session) fn shown_packages(&self) -> Event {
        let packages = Box::new(self.packages.window());
        Event::Packages { look: self.look, run: self.progress.run, packages }
    }

    /// What the layers above made of the files in which something was found.
    pub(super) fn fates(&self, body: &LookBody) -> Event {
        let places: Vec<(u32, u64, &str, u64)> = self
            .layers
            .iter()
            .flat_map(|(&layer, of)| of.files.iter().map(move |(&content, path)| (layer, content, path)))
            .map(|(layer, content, path)| (layer, content, path.as_str(), place(body, layer, content, path)))
            .collect();
        let tree = body.stack.tree();
        let fates = ContentFates::of(tree, places.iter().map(|&(layer, .., place)| (layer, place)));
        let whole = body.crowded.is_empty() && body.missing().is_empty();
        let views = [ViewMode::Merged, ViewMode::Deleted].map(|mode| {
            let view = FileView { mode, ..FileView::default() };
            (mode, tree.view(listing::mode(&view, 0)))
        });
        let shown_in = |layer: u32, path: &str, place: u64| {
            let path = path::unescape(path)?;
            let shows = |(_, view): &&(ViewMode, View<'_>)| {
                let content = view.find(&path).and_then(|node| view.content(node));
                content.is_some_and(|content| (content.layer, content.offset) == (layer, place))
            };
            views.iter().find(shows).map(|(mode, _)| *mode)
        };
        let fate = |&(layer, content, path, place): &(u32, u64, &str, u64)| ContentFateFact {
            layer,
            content,
            fate: match fates.find(layer, place) {
                ContentFate::Visible => ShownFate::Visible,
                ContentFate::Deleted(by) => ShownFate::Deleted(by),
                ContentFate::Replaced(by) => ShownFate::Replaced(by),
                ContentFate::Hidden if whole => ShownFate::Hidden,
                ContentFate::Hidden => ShownFate::Unknown,
            },
            view: shown_in(layer, path, place).unwrap_or(ViewMode::Only),
        };
        let fates = places.iter().map(fate).collect();
        Event::Fates { look: self.look, kind: self.progress.kind, run: self.progress.run, fates }
    }
}

/// Where the tree says that a content starts. A table of contents numbers its entries instead.
pub(in crate::session) fn place(body: &LookBody, layer: u32, content: u64, path: &str) -> u64 {
    let Some(Access::Toc(_)) = body.access(layer) else { return content };
    let view = body.stack.tree().view(Mode::Only(layer));
    let found = path::unescape(path).and_then(|path| view.content(view.find(&path)?));
    found.filter(|found| found.layer == layer).map_or(content, |found| found.offset)
}

/// Why there are no files to read in a layer, as far as that is known.
fn unreadable(body: &LookBody, layer: &Layer) -> Option<&'static str> {
    let progress = body.layers.get(layer.index as usize);
    // A blob of an artifact that the look has read, and that lists nothing.
    let empty = |state, entries| matches!(state, LayerState::Verified) && entries == 0 && !layer.archive;
    if layer.descriptor.media_type.is_encrypted() {
        return Some("it is encrypted");
    }
    progress.filter(|progress| empty(progress.state, progress.entries)).map(|_| NO_ARCHIVE)
}

const NO_ARCHIVE: &str = "it is no archive, so it has no files";
