//! Lists of names: the tags of the image's repository, and the repositories of its registry.

use super::{Errand, Front, Session, Work};
use crate::{
    names::Names,
    pool::Pool,
    protocol::{Event, NameList, NameQuery, NameState, TagFacts},
};
use porthole_core::reference::Reference;
use porthole_inspect::resolve::{PlatformChoice, ResolveStep, resolve};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};
use std::ops::ControlFlow;

/// Lists that were begun in a look.
#[derive(Default)]
pub(super) struct NameLists {
    tags: Option<Names>,
    repositories: Option<Names>,
    shown: (NameQuery, u32),
}

impl NameLists {
    /// The names that are shown.
    fn shown(&mut self, look: u32) -> Option<Event> {
        let (query, most) = self.shown.clone();
        let window = self.list(query.list).as_ref()?.window(&query, most);
        Some(Event::Names { look, window: Box::new(window) })
    }

    /// A list that was begun.
    pub(super) fn list(&mut self, list: NameList) -> &mut Option<Names> {
        match list {
            NameList::Tags => &mut self.tags,
            NameList::Repositories => &mut self.repositories,
        }
    }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Shows names. A list that was not asked for before, or failed before, is fetched.
    pub(super) fn show_names(&self, query: NameQuery, most: u32, again: bool) {
        let shown = {
            let mut desk = self.desk.borrow_mut();
            let desk = &mut *desk;
            let body = desk.look.as_ref().and_then(|look| Some((look.number, look.body.as_ref()?)));
            let Some((look, body)) = body.filter(|(_, body)| body.page.is_none()) else { return };
            let list = query.list;
            desk.names.shown = (query, most);
            let names = desk.names.list(list);
            if names.is_none() || again {
                *names = Some(Names::default());
                let reference = Box::new(body.reference.clone());
                self.errands.begin(Errand::Names(list), Work::ListNames { look, list, reference });
            }
            desk.names.shown(look)
        };
        self.tell(shown.into_iter().collect());
    }

    /// Changes a list of the current look, and sends what is shown.
    fn change_names(&self, look: u32, list: NameList, change: impl FnOnce(&mut Names)) -> ControlFlow<()> {
        let shown = {
            let mut desk = self.desk.borrow_mut();
            if desk.look.as_ref().is_none_or(|of| of.number != look) {
                return ControlFlow::Break(());
            }
            if let Some(names) = desk.names.list(list) {
                change(names);
            }
            desk.names.shown(look)
        };
        self.tell(shown.into_iter().collect());
        ControlFlow::Continue(())
    }

    pub(super) async fn list_names(&self, look: u32, list: NameList, reference: Reference) {
        let take = |page| self.change_names(look, list, |names| names.add(page));
        let fetched = match list {
            NameList::Tags => self.registry.fetch_tag_pages(&reference, take).await,
            NameList::Repositories => self.registry.fetch_catalog_pages(&reference, take).await,
        };
        let state = match fetched {
            Ok(()) => NameState::Done,
            Err(error) => {
                let registry = reference.registry();
                NameState::Failed(Box::new(self.explain(registry, self.route(registry), &error)))
            }
        };
        let _ = self.change_names(look, list, |names| names.state = state);
    }

    /// Begins to ask what a tag stands for.
    pub(super) fn ask_about_tag(&self, tag: String) {
        let asked = {
            let desk = self.desk.borrow();
            let body = desk.look.as_ref().and_then(|look| Some((look.number, look.body.as_ref()?)));
            body.and_then(|(look, body)| {
                let reference = &body.reference;
                let name = format!("{}/{}:{tag}", reference.registry(), reference.repository());
                Some((look, name.parse::<Reference>().ok()?))
            })
        };
        let Some((look, reference)) = asked else { return };
        let mut place = None;
        let _ = self.change_names(look, NameList::Tags, |names| {
            place = names.place(&tag);
            names.learn(&tag, TagFacts::Asking);
        });
        if let Some(place) = place {
            self.errands.begin(Errand::Tag(place), Work::AskAboutTag { look, tag, reference: Box::new(reference) });
        }
    }

    pub(super) async fn find_tag_facts(&self, look: u32, tag: String, reference: Reference) {
        let platform = self.desk.borrow().platforms.first().cloned();
        let Some(platform) = platform else { return };
        let source = RemoteImage::new(&self.registry, reference);
        let mut digest = None;
        let mut observe = |step: ResolveStep| {
            if let (None, ResolveStep::Document(document)) = (&digest, &step) {
                digest = Some(document.raw().digest().to_string());
            }
        };
        let found = resolve(&source, &PlatformChoice::fallback(platform), &mut observe).await;
        let facts = match (digest, found) {
            (Some(digest), Ok(found)) => {
                TagFacts::Known(digest, found.image.config.created.clone(), Some(found.image.download_size()))
            }
            // There is no image for this platform, or it is no image.
            (Some(digest), Err(_)) => TagFacts::Known(digest, None, None),
            (None, Ok(_)) => return,
            (None, Err(error)) => TagFacts::Failed(error.to_string()),
        };
        let _ = self.change_names(look, NameList::Tags, |names| names.learn(&tag, facts));
    }
}
