//! The image that the image of the look was built on: one that a person names, or one that was opened before.

use super::{Front, Session, compare::HIDDEN, resolve::Found};
use crate::{
    pool::Pool,
    protocol::{BaseLayers, Event},
    router::{GIVEN, SAMPLE},
    summary,
};
use porthole_core::{config::History, image::Image, reference::Reference};
use porthole_inspect::{
    base::{BaseBoundary, LayerIdentity},
    report::ComparedBase,
};
use porthole_registry::transport::{Environment, Transport};
use std::collections::VecDeque;

/// Images that were opened, the latest last. What their layers unpack to is all that is kept.
#[derive(Default)]
pub(super) struct OpenedImages(VecDeque<OpenedImage>);

struct OpenedImage {
    /// Pinned to the digest of what was opened.
    reference: String,
    manifest: String,
    layers: Vec<LayerIdentity>,
    history: Vec<Option<String>>,
}

/// Most images that are kept.
const OPENED: usize = 100;

impl OpenedImages {
    /// The opened image with the most layers, all of which are the lowest layers of `image`.
    fn base_of(&self, image: &Image) -> Option<(BaseLayers, ComparedBase)> {
        let own = LayerIdentity::of(image);
        let proved = self.0.iter().filter_map(|opened| {
            let found = BaseBoundary::between(&own, &opened.layers);
            (found.is_proved() && found.shared < own.len() as u32).then_some((found, opened))
        });
        let (found, opened) = proved.max_by_key(|(found, _)| found.shared)?;
        let compared = ComparedBase::at(opened.reference.clone(), opened.manifest.clone(), found);
        let history = common_history(image, &opened.history);
        let facts = BaseLayers { opened: true, ..facts(&compared, opened.reference.clone(), history) };
        Some((facts, compared))
    }

    fn add(&mut self, image: &Image, reference: String) {
        self.0.retain(|opened| opened.reference != reference);
        if self.0.len() >= OPENED {
            self.0.pop_front();
        }
        let manifest = image.manifest.raw.digest().to_string();
        self.0.push_back(OpenedImage { reference, manifest, layers: LayerIdentity::of(image), history: steps(image) });
    }
}

fn steps(image: &Image) -> Vec<Option<String>> {
    image.config.history.iter().map(|entry: &History| entry.created_by.clone()).collect()
}

/// How many entries of a history are those of a base, if it has all of them.
fn common_history(image: &Image, base: &[Option<String>]) -> u32 {
    if steps(image).starts_with(base) { base.len() as u32 } else { 0 }
}

/// What a front end shows of a base that a person named.
fn facts(compared: &ComparedBase, resolved: String, history: u32) -> BaseLayers {
    let ComparedBase { reference, shared, layers, proved, .. } = compared;
    let (shared, layers, proved) = (*shared, *layers, *proved);
    BaseLayers { given: reference.clone(), resolved, shared, layers, proved, history, opened: false }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Looks among the images that were opened for the base of another one, which counts as opened from now on.
    pub(super) fn find_opened_base(&self, look: u32, reference: &Reference) {
        let facts = {
            let mut desk = self.desk.borrow_mut();
            let desk = &mut *desk;
            // Its image is compared with those of another field.
            let own = desk.look.as_ref().filter(|of| of.number == look);
            let Some(body) = own.and_then(|look| look.body.as_ref()) else { return };
            let image = &body.resolved.image;
            let (facts, compared) = desk.opened.base_of(image).unzip();
            if !matches!(reference.registry(), GIVEN | SAMPLE) && image.is_image() {
                desk.opened.add(image, summary::summarize(reference, &body.resolved).pinned);
            }
            desk.built_on = compared;
            facts
        };
        self.tell(facts.map(|facts| Event::Base { look, base: Ok(facts) }).into_iter().collect());
    }

    /// Reads the documents of an image, and compares its layers with those of the look.
    pub(super) async fn compare_base(&self, look: u32, given: String) {
        self.desk.borrow_mut().built_on = None;
        let base = self.read_base(look, &given).await;
        self.tell(vec![Event::Base { look, base }]);
    }

    async fn read_base(&self, look: u32, given: &str) -> Result<BaseLayers, String> {
        let reference = Reference::parse_typed(given.as_bytes()).map_err(|error| error.to_string())?;
        let platform = {
            let desk = self.desk.borrow();
            let body = desk.body_of(look).ok_or("the image was left")?;
            summary::summarize(&body.reference, &body.resolved).platform
        };
        let found = self.find(HIDDEN, &reference, platform.as_deref()).await.map_err(|failure| failure.text)?;
        let Found { resolved: base, .. } = found.ok_or_else(|| {
            format!("{} asks for a password through a relay: look at that image first", reference.registry())
        })?;
        let mut desk = self.desk.borrow_mut();
        let body = desk.body_of(look).ok_or("the image was left")?;
        let image = &body.resolved.image;
        let compared = ComparedBase::of(given.to_owned(), image, &base.image);
        let resolved = summary::summarize(&reference, &base).pinned;
        let facts = facts(&compared, resolved, common_history(image, &steps(&base.image)));
        // The command line has no name for a file beside this one.
        desk.built_on = Some(compared).filter(|_| reference.registry() != GIVEN);
        Ok(facts)
    }
}
