//! Comparing the image of the look with another one.
//!
//! The other image is a second look that is not listed and reports nothing. A layer that both images have is not fetched
//! for it: its entries come from the index of the first.

use super::{
    Errand, Front, Session, Work,
    content::{ALL, FileContent},
    resolve::Found,
};
use crate::{
    compare,
    index::OpenIndex,
    look::{Access, Look, LookBody},
    overview,
    pool::Pool,
    protocol::{
        ComparedFiles, ComparisonFacts, ComparisonFailure, Event, FailureNotice, FileView, LayerState, VersionDiff,
    },
    summary,
};
use porthole_core::{
    failure::FailureClass,
    image::{Layer, diff::Diff},
    path,
    reference::Reference,
    seek::BatchWriter,
    tree::{Aspect, Aspects, Content, Mode},
};
use porthole_inspect::{compare as engine, overview::Overview};
use porthole_registry::transport::{Environment, Transport};
use std::{rc::Rc, time::Duration};

/// The image to compare with that of a look.
#[derive(Clone, Debug)]
pub(super) struct CompareWish {
    /// Number of the look.
    pub(super) look: u32,
    /// Number of the second look.
    pub(super) number: u32,
    /// The other image's reference as typed.
    pub(super) reference: String,
    /// `os/architecture[/variant]`, if one was chosen.
    pub(super) platform: Option<String>,
    /// What is left out.
    pub(super) ignored: Aspects,
}

/// A comparison whose second look is still there.
pub(super) struct KeptComparison {
    pub(super) wish: CompareWish,
    /// Bytes that were fetched for its files. `None`: its files are not compared.
    pub(super) fetched: Option<u64>,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Compares the image of the look with another, in place of the comparison before. If that was with the same image,
    /// nothing is fetched.
    pub(super) fn begin_comparison(&self, reference: String, platform: Option<String>, ignore: &[String]) {
        let ignored = ignore.iter().filter_map(|name| engine::ignored(name)).flat_map(Aspects::iter).collect();
        let reference = reference.trim().to_owned();
        let wish = {
            let mut desk = self.desk.borrow_mut();
            let number = HIDDEN | (desk.comparisons + 1);
            let Some(look) = desk.look.as_ref().map(|look| look.number) else { return };
            let wish = CompareWish { look, number, reference, platform, ignored };
            if let Some(kept) = desk.compared.as_mut().filter(|kept| kept.wish.is_of_same_image(&wish)) {
                kept.wish.ignored = ignored;
                drop(desk);
                return self.compare_again();
            }
            desk.comparisons += 1;
            wish
        };
        self.end_comparison();
        self.errands.begin(Errand::Comparison, Work::Compare(wish));
    }

    /// Ends the comparison, and what is read for it.
    pub(super) fn end_comparison(&self) {
        self.errands.stop(Errand::Comparison);
        let begun = {
            let mut desk = self.desk.borrow_mut();
            desk.compared = None;
            desk.probes.retain(|kind, _| !kind.is_of_other());
            match desk.other.take() {
                Some(other) => desk.roster.cancel_look(other.number),
                None => Vec::new(),
            }
        };
        self.stop_jobs(begun);
    }

    pub(super) async fn compare(&self, wish: CompareWish) {
        match self.compare_images(&wish).await {
            Ok(fetched) => self.desk.borrow_mut().compared = Some(KeptComparison { wish, fetched }),
            Err(failure) => {
                self.desk.borrow_mut().other = None;
                let failed = Box::new(ComparisonFailure { given: wish.reference, failure: *failure });
                self.tell(vec![Event::CompareFailed { look: wish.look, failure: failed }]);
            }
        }
    }

    /// Compares the same images, with something else left out.
    pub(super) fn compare_again(&self) {
        let kept = self.desk.borrow().compared.as_ref().map(|kept| (kept.wish.clone(), kept.fetched));
        let Some((wish, fetched)) = kept else { return };
        let Some((mut facts, diff)) = self.compare_documents(&wish) else { return };
        if let (Some(diff), Some(fetched)) = (diff, fetched)
            && let Some(files) = self.compare_trees(&diff, fetched, wish.ignored)
        {
            facts.files = files;
        }
        self.tell(vec![Event::Compared { look: wish.look, comparison: Box::new(facts) }]);
    }

    /// Returns the bytes that were fetched for the files, if those were compared.
    async fn compare_images(&self, wish: &CompareWish) -> Result<Option<u64>, Box<FailureNotice>> {
        let plain = |kind, text: String| Box::new(FailureNotice::plain(kind, text));
        let parsed = wish.reference.parse();
        let reference: Reference = parsed.map_err(|error| plain(FailureClass::Input, format!("{error}")))?;
        let view = FileView::default();
        let other = Look::begin(wish.number, &reference.target(), view, None, self.options.limits).hidden();
        self.desk.borrow_mut().other = Some(other);
        let found = self.find(wish.number, &reference, wish.platform.as_deref()).await?;
        let text = format!("{} asks for a password through a relay: look at that image first", reference.registry());
        let Found { resolved, page } = found.ok_or_else(|| plain(FailureClass::Authentication, text))?;

        let archives = resolved.image.layers.iter().all(|layer| layer.archive);
        let summary = summary::summarize(&reference, &resolved);
        let facts = overview::facts(&wish.reference, &summary, &resolved, &Overview::of(&resolved));
        self.of_look(wish.number, |look, out| look.install(reference, resolved, page, summary, facts, out));
        let Some((mut facts, diff)) = self.compare_documents(wish) else {
            return Err(plain(FailureClass::Other, "there is no image to compare with yet".into()));
        };
        let tell = |facts: &ComparisonFacts| {
            let comparison = Box::new(facts.clone());
            self.tell(vec![Event::Compared { look: wish.look, comparison }]);
        };
        let Some(diff) = diff.filter(|diff| !diff.layers.same_files && archives) else {
            tell(&facts);
            return Ok(None);
        };
        facts.files = ComparedFiles::Reading { fetched: 0, total: 0 };
        tell(&facts);
        self.wait_for(|desk| desk.look.as_ref().is_none_or(Look::is_settled)).await;
        let fetched = self.read_other(wish).await;
        let mut told = 0;
        loop {
            let again = self.turn_other();
            if self.other_is_settled() {
                break;
            }
            let total = fetched;
            let now = self.desk.borrow().other.as_ref().map_or(0, Look::layer_bytes).min(total);
            if now > told {
                told = now;
                facts.files = ComparedFiles::Reading { fetched: now, total };
                tell(&facts);
            }
            self.registry.transport().sleep(again.map_or(PULSE, |again| again.min(PULSE))).await;
        }
        if let Some(files) = self.compare_trees(&diff, fetched, wish.ignored) {
            facts.files = files;
            tell(&facts);
        }
        Ok(Some(fetched))
    }

    /// The comparison of the documents. `None`: one of the looks has no image.
    fn compare_documents(&self, wish: &CompareWish) -> Option<(ComparisonFacts, Option<Diff>)> {
        let desk = self.desk.borrow();
        let before = desk.look.as_ref().filter(|now| now.number == wish.look)?.body.as_ref()?;
        let after = desk.other.as_ref()?.body.as_ref()?;
        let times = !wish.ignored.contains(Aspect::Time);
        let diff = engine::documents(&before.resolved.image, &after.resolved.image, times);
        let [own, other] = [before, after].map(|body| summary::summarize(&body.reference, &body.resolved));
        Some((compare::documents(&wish.reference, &own, &other, diff.as_ref()), diff))
    }

    /// Begins to read the layers of the other image: those that both have by the index of the first, the rest by workers.
    /// Returns the bytes that are fetched.
    async fn read_other(&self, wish: &CompareWish) -> u64 {
        let layers = {
            let desk = self.desk.borrow();
            let body = desk.other.as_ref().and_then(|other| other.body.as_ref());
            body.map(|body| body.resolved.image.layers.clone()).unwrap_or_default()
        };
        let mut fetched: u64 = 0;
        let mut wanted = Vec::new();
        for layer in layers {
            let index = layer.index;
            match self.known_index(&layer) {
                Some(known) => self.replay(wish.number, index, &known).await,
                None => {
                    fetched = fetched.saturating_add(layer.descriptor.size);
                    wanted.push(index);
                }
            }
        }
        for index in self.without_twins(wish.number, wanted) {
            if self.recall(wish.number, index).await {
                let desk = self.desk.borrow();
                let body = desk.body_of(wish.number);
                let layer = body.and_then(|body| body.resolved.image.layers.get(index as usize));
                fetched -= layer.map_or(0, |layer| layer.descriptor.size).min(fetched);
            }
            self.enqueue(wish.number, [index].into_iter());
        }
        fetched
    }

    /// How a file differs between the two images.
    pub(super) async fn diff_file(&self, look: u32, path: String, anyway: bool) {
        let tell = |diff| self.front.tell(Event::FileDiff { look, path: path.clone(), diff: Box::new(diff) });
        let Some([old, new]) = self.compared_files(&path) else { return };
        match (self.open(old, ALL).await, self.open(new, ALL).await) {
            (Ok(old), Ok(new)) => self.diff_contents(old, new, anyway, tell).await,
            (Err(text), _) | (_, Err(text)) => tell(VersionDiff::Failed { wrong: false, text }),
        }
    }

    /// A path of both images, about to be read. `None`: it has no content in one of them.
    fn compared_files(&self, path: &str) -> Option<[FileContent; 2]> {
        let desk = self.desk.borrow();
        let [before, after] = [&desk.look, &desk.other].map(|look| look.as_ref().and_then(|look| look.body.as_ref()));
        let (before, after, path) = (before?, after?, path::unescape(path)?);
        let content = |body: &LookBody| {
            let view = body.stack.tree().view(Mode::Merged);
            view.content(view.find(&path)?)
        };
        let (old, new) = (content(before)?, content(after)?);
        // A layer that both images have was read only for the first.
        let twin = after.resolved.image.layers.get(new.layer as usize).and_then(|layer| verified_twin(before, layer));
        let new = match twin {
            Some(layer) if after.access(new.layer).is_none() => FileContent::of(before, Content { layer, ..new }),
            _ => FileContent::of(after, new),
        };
        Some([FileContent::of(before, old)?, new?])
    }

    /// The index of a verified layer of the look that unpacks to the same.
    fn known_index(&self, layer: &Layer) -> Option<KnownLayer> {
        let desk = self.desk.borrow();
        let body = desk.look.as_ref()?.body.as_ref()?;
        KnownLayer::of(body, verified_twin(body, layer)?)
    }

    /// Gives the entries of an index to the other look, a group at a time.
    pub(super) async fn replay(&self, number: u32, layer: u32, known: &KnownLayer) {
        let mut from = 0;
        let mut whole = true;
        while from < known.entries {
            if self.desk.borrow().look_of(number).is_none() {
                return;
            }
            let entries = known.index.ask(|index| index.entries(from)).await;
            let Some(entries) = entries.ok().filter(|entries| !entries.is_empty()) else {
                whole = false;
                break;
            };
            from += entries.len() as u64;
            let mut writer = BatchWriter::default();
            entries.iter().for_each(|(entry, _)| writer.push(entry));
            if let Some(batch) = writer.take(1) {
                self.of_look(number, |look, _| look.receive(layer, batch));
            }
            let _ = self.turn_other();
            self.registry.transport().sleep(Duration::ZERO).await;
        }
        self.of_look(number, |look, _| look.reuse(layer, known.uncompressed, known.entries, whole));
    }

    /// Takes a turn of the other look. Returns the time until there is more to do.
    fn turn_other(&self) -> Option<Duration> {
        let mut desk = self.desk.borrow_mut();
        desk.other.as_mut()?.turn(|| self.now(), &mut Vec::new())
    }

    fn other_is_settled(&self) -> bool {
        self.desk.borrow().other.as_ref().is_none_or(Look::is_settled)
    }

    pub(super) async fn wait_for(&self, reached: impl Fn(&super::Desk) -> bool) {
        while !reached(&self.desk.borrow()) {
            self.registry.transport().sleep(PULSE).await;
        }
    }

    fn compare_trees(&self, diff: &Diff, fetched: u64, ignored: Aspects) -> Option<ComparedFiles> {
        let desk = self.desk.borrow();
        let before = desk.look.as_ref()?.body.as_ref()?;
        let after = desk.other.as_ref()?.body.as_ref()?;
        let trees = [before, after].map(|body| body.stack.tree());
        let compared = engine::files(trees[0], trees[1], diff.layers.shared, ignored, None);
        Some(compare::files(trees, &compared, fetched, [before, after].map(LookBody::missing)))
    }
}

impl CompareWish {
    /// Whether both are about the same images.
    fn is_of_same_image(&self, other: &Self) -> bool {
        (self.look, &self.reference, &self.platform) == (other.look, &other.reference, &other.platform)
    }
}

/// The verified layer of an image that unpacks to the same as a layer of another image.
pub(super) fn verified_twin(body: &LookBody, layer: &Layer) -> Option<u32> {
    let same = |own: &&Layer| {
        own.descriptor.digest == layer.descriptor.digest || layer.diff_id.is_some() && own.diff_id == layer.diff_id
    };
    let number = body.resolved.image.layers.iter().find(same)?.index;
    let progress = body.layers.get(number as usize)?;
    (progress.state == LayerState::Verified).then_some(number)
}

/// A layer whose entries are known.
pub(super) struct KnownLayer {
    pub(super) index: Rc<OpenIndex>,
    uncompressed: u64,
    entries: u64,
}

impl KnownLayer {
    /// `None`: there is no index of the layer.
    pub(super) fn of(body: &LookBody, layer: u32) -> Option<Self> {
        let progress = body.layers.get(layer as usize)?;
        let Access::Index(index) = body.access(layer)? else { return None };
        Some(Self { index: Rc::clone(index), uncompressed: progress.uncompressed, entries: progress.entries })
    }
}

/// Numbers of second looks have this bit, which no front end reaches.
pub(super) const HIDDEN: u32 = 1 << 31;
/// Time between two reports.
const PULSE: Duration = Duration::from_millis(100);
