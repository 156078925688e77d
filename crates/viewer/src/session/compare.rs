//! Comparing the image of the look with another one.
//!
//! The other image is a second look that is not listed and reports nothing. A layer that both images have is not fetched
//! for it: its entries come from the index of the first.

use super::{Errand, Front, Session, Work, resolve::Found};
use crate::{
    batch::BatchWriter,
    compare,
    look::{Access, Look, LookBody},
    overview,
    pool::Pool,
    protocol::{
        ComparedFiles, ComparisonFacts, ComparisonFailure, Event, FailureKind, FailureNotice, FileView, ImageSummary,
        LayerState,
    },
    summary,
};
use porthole_core::{digest::Digest, image::diff::Diff, reference::Reference, tree::Aspects};
use porthole_inspect::{compare as engine, overview::Overview};
use porthole_registry::transport::{Environment, Transport};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// What is to be compared with the image of a look.
#[derive(Clone, Debug)]
pub(super) struct CompareWish {
    /// Number of the look.
    pub(super) look: u32,
    /// Number of the second look.
    pub(super) number: u32,
    /// As typed.
    pub(super) reference: String,
    /// `os/architecture[/variant]`, if one was chosen.
    pub(super) platform: Option<String>,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Compares the image of the look with another, in place of the comparison before.
    pub(super) fn begin_comparison(&self, reference: String, platform: Option<String>) {
        self.end_comparison();
        let wish = {
            let mut desk = self.desk.borrow_mut();
            desk.comparisons += 1;
            let number = HIDDEN | desk.comparisons;
            desk.look.as_ref().map(|look| CompareWish { look: look.number, number, reference, platform })
        };
        if let Some(wish) = wish {
            self.errands.begin(Errand::Comparison, Work::Compare(wish));
        }
    }

    /// Ends the comparison, and what is read for it.
    pub(super) fn end_comparison(&self) {
        self.errands.stop(Errand::Comparison);
        let begun = {
            let mut desk = self.desk.borrow_mut();
            match desk.other.take() {
                Some(other) => desk.roster.cancel_look(other.number),
                None => Vec::new(),
            }
        };
        self.stop_jobs(begun);
    }

    pub(super) async fn compare(&self, wish: CompareWish) {
        let look = wish.look;
        let given = wish.reference.trim().to_owned();
        if let Err(failure) = self.compare_images(&wish, &given).await {
            let failed = Box::new(ComparisonFailure { given, failure: *failure });
            self.tell(vec![Event::CompareFailed { look, failure: failed }]);
        }
        self.desk.borrow_mut().other = None;
    }

    async fn compare_images(&self, wish: &CompareWish, given: &str) -> Result<(), Box<FailureNotice>> {
        let plain = |kind, text: String| Box::new(FailureNotice::plain(kind, text));
        let reference: Reference = given.parse().map_err(|error| plain(FailureKind::Reference, format!("{error}")))?;
        let view = FileView::default();
        let other = Look::begin(wish.number, &reference.target(), view, None, self.options.limits).hidden();
        self.desk.borrow_mut().other = Some(other);
        let found = self.find(wish.number, &reference, wish.platform.as_deref()).await?;
        let text = format!("{} asks for a password through a relay: look at that image first", reference.registry());
        let found = found.ok_or_else(|| plain(FailureKind::Unauthorized, text))?;

        let summary = summary::summarize(&reference, &found.resolved);
        let Some((mut facts, diff)) = self.compare_documents(wish.look, given, &summary, &found) else {
            return Err(plain(FailureKind::Other, "there is no image to compare with yet".into()));
        };
        let tell = |facts: &ComparisonFacts| {
            let comparison = Box::new(facts.clone());
            self.tell(vec![Event::Compared { look: wish.look, comparison }]);
        };
        let archives = |image: &porthole_core::image::Image| image.layers.iter().all(|layer| layer.archive);
        let diff = diff.filter(|diff| !diff.layers.same_files && archives(&found.resolved.image));
        let Some(diff) = diff else {
            tell(&facts);
            return Ok(());
        };
        facts.files = ComparedFiles::Reading { fetched: 0, total: 0 };
        tell(&facts);
        self.wait_for(|desk| desk.look.as_ref().is_none_or(Look::is_settled)).await;
        let fetched = self.read_other(wish, given, &reference, found, summary).await;
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
        if let Some(files) = self.compare_trees(&diff, fetched) {
            facts.files = files;
            tell(&facts);
        }
        Ok(())
    }

    /// What the documents of both tell. `None`: the look has no image.
    fn compare_documents(
        &self,
        look: u32,
        given: &str,
        other: &ImageSummary,
        found: &Found,
    ) -> Option<(ComparisonFacts, Option<Diff>)> {
        let desk = self.desk.borrow();
        let body = desk.look.as_ref().filter(|now| now.number == look)?.body.as_ref()?;
        let (before, after) = (&body.resolved, &found.resolved);
        let diff = engine::documents(&before.image, &after.image, true);
        let own = summary::summarize(&body.reference, before);
        Some((compare::documents(given, &own, other, diff.as_ref()), diff))
    }

    /// Begins to read the layers of the other image: those that both have by the index of the first, the rest by workers.
    /// Returns the bytes that are fetched.
    async fn read_other(
        &self,
        wish: &CompareWish,
        given: &str,
        reference: &Reference,
        found: Found,
        summary: ImageSummary,
    ) -> u64 {
        let Found { resolved, page } = found;
        let facts = overview::facts(given, &summary, &resolved, &Overview::of(&resolved));
        let layers: Vec<_> = resolved.image.layers.clone();
        self.of_look(wish.number, |look, out| look.install(reference.clone(), resolved, page, summary, facts, out));
        let mut fetched: u64 = 0;
        let mut wanted = Vec::new();
        for layer in layers {
            let index = layer.index;
            match self.known_index(&layer.descriptor.digest, layer.diff_id.as_ref()) {
                Some(known) => self.replay(wish.number, index, &known).await,
                None => {
                    fetched = fetched.saturating_add(layer.descriptor.size);
                    wanted.push(index);
                }
            }
        }
        self.enqueue(wish.number, wanted.into_iter());
        fetched
    }

    /// The index of a verified layer of the look that unpacks to the same.
    fn known_index(&self, digest: &Digest, diff_id: Option<&Digest>) -> Option<KnownLayer> {
        let desk = self.desk.borrow();
        let body = desk.look.as_ref()?.body.as_ref()?;
        let same = |layer: &&porthole_core::image::Layer| {
            layer.descriptor.digest == *digest || diff_id.is_some() && layer.diff_id.as_ref() == diff_id
        };
        let number = body.resolved.image.layers.iter().find(same)?.index;
        let progress = body.layers.get(number as usize).filter(|layer| layer.state == LayerState::Verified)?;
        let Access::Index(index) = body.access(number)? else { return None };
        Some(KnownLayer { index: Rc::clone(index), uncompressed: progress.uncompressed, entries: progress.entries })
    }

    /// Gives the entries of an index to the other look, a group at a time.
    async fn replay(&self, number: u32, layer: u32, known: &KnownLayer) {
        let mut from = 0;
        let mut whole = true;
        while from < known.entries {
            let entries = known.index.borrow_mut().ask(|index| index.entries(from));
            let Some(entries) = entries.ok().filter(|entries| !entries.is_empty()) else {
                whole = false;
                break;
            };
            from += entries.len() as u64;
            let mut writer = BatchWriter::default();
            entries.iter().for_each(|(entry, _)| writer.push(entry));
            if let Some(batch) = writer.take() {
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

    async fn wait_for(&self, reached: impl Fn(&super::Desk) -> bool) {
        while !reached(&self.desk.borrow()) {
            self.registry.transport().sleep(PULSE).await;
        }
    }

    fn compare_trees(&self, diff: &Diff, fetched: u64) -> Option<ComparedFiles> {
        let desk = self.desk.borrow();
        let before = desk.look.as_ref()?.body.as_ref()?;
        let after = desk.other.as_ref()?.body.as_ref()?;
        let trees = [before, after].map(|body| body.stack.tree());
        let compared = engine::files(trees[0], trees[1], diff.layers.shared, Aspects::NONE, None);
        Some(compare::files(trees, &compared, fetched, [before, after].map(LookBody::missing)))
    }
}

/// A layer whose entries are known.
struct KnownLayer {
    index: Rc<RefCell<porthole_core::seek::MemoryIndex>>,
    uncompressed: u64,
    entries: u64,
}

/// Numbers of second looks have this bit, which no front end reaches.
const HIDDEN: u32 = 1 << 31;
/// Time between two reports.
const PULSE: Duration = Duration::from_millis(100);
