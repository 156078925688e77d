//! Resolves a reference to an image, and starts its layers.

use super::{Front, OfPage, Session, Wish, crew::twin, page};
use crate::{
    failure,
    given::GivenFile,
    layer::BlobRequest,
    look::Look,
    overview,
    pool::Pool,
    prepared,
    protocol::{Chain, Event, FailureCause, FailureNotice, RegistryRoute, Remedy, RouteReason},
    router::{Decision, GIVEN, SAMPLE},
    summary,
};
use porthole_contents::secrets::SecretMask;
use porthole_core::{failure::FailureClass, image::Layer, platform::Platform, reference::Reference};
use porthole_inspect::resolve::{self, PlatformChoice, ResolveStep, ResolvedImage};
use porthole_inspect::{
    layer::LayerJob,
    local::{self, LocalFormat},
    overview::Overview,
    trace,
};
use porthole_registry::{
    Error,
    client::{self, RemoteImage},
    error::Subject,
    transport::{self, Environment, ErrorKind, Transport},
};
use porthole_source::Place;
use std::sync::Arc;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    pub(super) async fn resolve(&self, wish: Wish) {
        let number = wish.look;
        let reference = match Reference::parse_typed(wish.reference.as_bytes()) {
            Ok(reference) => reference,
            Err(error) => return self.refuse(&wish, FailureClass::Input, error.to_string()),
        };
        if let Some(Err(error)) = wish.platform.as_deref().map(str::parse::<Platform>) {
            return self.refuse(&wish, FailureClass::Input, error.to_string());
        }
        let target = match reference.registry() {
            GIVEN if reference.digest().is_none() => reference.repository().to_owned(),
            _ => reference.tag().map_or_else(|| reference.target(), Into::into),
        };
        let mut look = Look::begin(number, &target, wish.view.clone(), wish.path.as_deref(), self.options.limits);
        if reference.tag().is_some() && reference.digest().is_some() {
            look.chain.without_tag();
        }
        if let Some(window) = self.desk.borrow().window.clone() {
            look.set_window(window, &mut Vec::new());
        }
        let chain = look.chain.clone();
        self.desk.borrow_mut().look = Some(look);
        self.tell(vec![Event::Chain { look: number, chain }]);

        match self.find(number, &reference, wish.platform.as_deref()).await {
            Ok(Some(found)) => {
                self.install(&wish, reference.clone(), found).await;
                self.compare_tag(number, &reference).await;
            }
            Ok(None) => {}
            Err(failure) => self.of_look(number, |look, out| look.fail(*failure, out)),
        }
    }

    /// Follows a reference to its image, for the chosen platform or the first of the usual ones that it has. `None` = a
    /// question was put to the person, and the next try will have the answer.
    pub(super) async fn find(
        &self,
        number: u32,
        reference: &Reference,
        platform: Option<&str>,
    ) -> Result<Option<Found>, Box<FailureNotice>> {
        let platforms = match platform.map(str::parse).transpose() {
            Ok(Some(chosen)) => vec![chosen],
            Ok(None) => self.desk.borrow().platforms.clone(),
            Err(error) => return Err(Box::new(FailureNotice::plain(FailureClass::Input, format!("{error}")))),
        };
        let mut outcome = Ok(None);
        for platform in &platforms {
            outcome = match reference.registry() {
                SAMPLE | GIVEN => self.open_page(number, reference, platform).await.map(Some),
                _ => self.fetch(number, reference, platform).await,
            };
            if outcome.as_ref().err().is_none_or(|failure| failure.kind != FailureClass::Platform) {
                break;
            }
        }
        if let Ok(Some(found)) = &mut outcome {
            self.mask_secrets(number, found);
        }
        outcome
    }

    /// Masks what looks like a secret in the texts of the documents: they are drawn, saved and compared. Raw documents stay as they are.
    /// What the image of the look is compared with shares its masks, so that the same secret looks the same in both.
    fn mask_secrets(&self, number: u32, found: &mut Found) {
        let mut desk = self.desk.borrow_mut();
        let begins = desk.look.as_ref().is_some_and(|look| look.number == number);
        let mut mask = if begins { SecretMask::default() } else { desk.mask.clone() };
        let resolved = &mut found.resolved;
        mask.documents(resolved.index.as_mut(), resolved.chosen.as_mut(), &mut resolved.image);
        if begins {
            desk.mask = mask;
        }
    }

    /// Looks up the tag that was given beside a digest. The digest decides what is looked at; the tag may stand for another
    /// one, or for none.
    async fn compare_tag(&self, number: u32, reference: &Reference) {
        let (Some(tag), Some(asked)) = (reference.tag(), reference.digest()) else { return };
        if matches!(reference.registry(), SAMPLE | GIVEN) {
            return;
        }
        let tagged = format!("{}/{}:{tag}", reference.registry(), reference.repository());
        let Ok(tagged) = tagged.parse::<Reference>() else { return };
        // Without an answer the tag stays unchecked, which the page shows.
        if let Ok(document) = self.registry.fetch_document(&tagged).await {
            let (asked, tagged) = (asked.to_string(), document.raw().digest().to_string());
            self.of_look(number, |look, out| look.compare_tag(&asked, &tagged, out));
        }
    }

    fn refuse(&self, wish: &Wish, kind: FailureClass, text: String) {
        let chain = Chain::default();
        let failure = Box::new(FailureNotice::plain(kind, text));
        self.tell(vec![Event::Chain { look: wish.look, chain }, Event::Failure { look: wish.look, failure }]);
    }

    async fn install(&self, wish: &Wish, reference: Reference, found: Found) {
        let number = wish.look;
        let Found { resolved, page } = found;
        let mut summary = summary::summarize(&reference, &resolved);
        summary.bare = page.as_ref().is_some_and(|page| page.image.files().format() == LocalFormat::Layer);
        let mut overview = overview::facts(wish.reference.trim(), &summary, &resolved, &Overview::of(&resolved));
        if let Some((name, _)) = self.given(&reference) {
            let path = if summary.bare { format!("layer:./{name}") } else { format!("./{name}") };
            (overview.given, overview.reference, overview.resolved) = (path.clone(), path, String::new());
        }
        // What is part of the front end is in memory.
        let prepared = |layer: &Layer| {
            !wish.audit
                && page.is_none()
                && layer.descriptor.size >= self.options.listed_bytes
                && prepared::announced(&layer.descriptor, &self.options.limits)
        };
        let (listed, read): (Vec<_>, Vec<_>) = resolved.image.layers.iter().partition(|layer| prepared(layer));
        let mut listed = LayerJob::of(listed);
        let read: Vec<u32> = read.into_iter().map(|layer| layer.index).collect();
        let of_registry = page.is_none();
        if of_registry {
            self.permit_foreign(wish, &reference, &resolved.image);
        }
        self.of_look(number, |look, out| {
            look.install(reference.clone(), resolved, page, summary, overview, out);
        });
        self.find_opened_base(number, &reference);
        let read = self.without_twins(number, read);
        if of_registry && !wish.audit {
            let mut wanted: Vec<u32> = read.iter().copied().chain(listed.iter().map(|job| job.layer)).collect();
            wanted.sort_unstable();
            for layer in wanted {
                // A layer need not wait for what is kept of those above it.
                let recalled = self.recall(number, layer).await;
                if recalled || read.contains(&layer) {
                    listed.retain(|job| job.layer != layer);
                    self.enqueue(number, [layer].into_iter());
                }
            }
            // An image without layers is whole now.
            self.turn();
        } else {
            self.enqueue(number, read.into_iter());
        }
        for job in listed {
            match self.list(&reference, &job).await {
                Ok(listing) => {
                    self.of_look(number, |look, _| look.listed(job.layer, listing));
                    self.turn();
                }
                // Without its table of contents the layer is read whole.
                Err(why) => {
                    self.of_look(number, |look, _| look.note(job.layer, why));
                    self.enqueue(number, [job.layer].into_iter());
                }
            }
        }
    }

    /// Follows a reference to its image in a registry. `None` = a question was put to the person, and the next try will have the answer.
    async fn fetch(
        &self,
        number: u32,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Option<Found>, Box<FailureNotice>> {
        let registry = reference.registry();
        if !self.desk.borrow().asked_for_relay {
            self.learn_relay().await;
        }
        trace::record_name(&self.options.recorder, reference);
        let first = self.desk.borrow().router.first(registry);
        let mut decision = first.ok_or_else(|| Box::new(self.needs_relay(registry)))?;
        let mut observe = |step: ResolveStep| {
            trace::record_step(&self.options.recorder, &step);
            self.of_look(number, |look, out| look.step(&step, out));
        };
        let source = RemoteImage::new(&self.registry, reference.clone());
        let choice = PlatformChoice::fallback(platform.clone());
        let mut blocked = None;
        loop {
            if !self.take(number, registry, decision)? {
                return Ok(None);
            }
            let error = match resolve::resolve(&source, &choice, &mut observe).await {
                Ok(resolved) => return Ok(Some(Found { resolved, page: None })),
                Err(resolve::Error::Source(error)) => error,
                Err(error) => return Err(Box::new(failure::of_image(registry, &error))),
            };
            if decision.route == RegistryRoute::Relay && self.lost_sign_in(&error).await {
                return Err(Box::new(failure::of_expired_sign_in(registry)));
            }
            let failed = match (&error, decision.route) {
                (Error::Transport { error, .. }, RegistryRoute::Direct) => Some(error.kind),
                (Error::UnreadableChallenge { .. }, RegistryRoute::Direct) => Some(ErrorKind::Cors),
                _ => None,
            };
            let another = failed.and_then(|kind| self.desk.borrow_mut().router.after(registry, kind));
            match (another, blocked) {
                (Some(another), _) => {
                    blocked = Some((decision, error));
                    decision = another;
                }
                (None, Some((direct, blocked))) if failure::is_of_relay(&error) => {
                    let mut failure = self.explain(registry, direct.route, &blocked);
                    let relay = self.explain(registry, decision.route, &error);
                    if (failure.kind, failure.cause) != (relay.kind, relay.cause) {
                        failure.text = format!("{} {}", failure.text, relay.text);
                        failure.remedies = vec![Remedy::Retry { after: None }];
                    }
                    return Err(Box::new(failure));
                }
                _ => return Err(Box::new(self.explain(registry, decision.route, &error))),
            }
        }
    }

    /// Whether a proxy in front of the relay that serves this front end answered in its place, and still does: with a page, with a
    /// refusal, or by leading to another host.
    async fn lost_sign_in(&self, error: &Error) -> bool {
        let elsewhere = match error {
            Error::Page { .. }
            | Error::Unauthorized { .. }
            | Error::UnknownScheme { .. }
            | Error::UnreadableChallenge { .. }
            | Error::Status { status: 401 | 403, .. } => true,
            Error::Transport { error, .. } => matches!(error.kind, ErrorKind::Cors | ErrorKind::Opaque),
            _ => false,
        };
        let served = self.desk.borrow().router.relay().is_some_and(|relay| relay.same_origin);
        elsewhere && served && !self.is_served().await
    }

    /// An image that is part of the front end, or in a file that a person gave to it.
    async fn open_page(
        &self,
        number: u32,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Found, Box<FailureNotice>> {
        let connection = Event::Connection {
            look: number,
            registry: reference.registry().into(),
            route: RegistryRoute::Page,
            reason: RouteReason::Local,
        };
        self.tell(vec![connection]);
        let sample = reference.registry() == SAMPLE;
        let (name, place) = if sample {
            (page::SAMPLE_NAME.to_owned(), Place::File(GivenFile::new(Arc::clone(&self.options.page))))
        } else {
            let (name, place) =
                self.given(reference).ok_or_else(|| Box::new(failure::of_absent_file(reference.repository())))?;
            (format!("./{name}"), place)
        };
        let broken = |error: resolve::Error<_>| Box::new(failure::of_page(reference.registry(), &name, &error));
        let local = |error| broken(resolve::Error::Source(error));
        let images = self.open_given(number, reference, &name, place).await?;
        let image = page::find(&images, reference, sample).map_err(|error| match error {
            local::Error::Choice(error) if !sample => {
                Box::new(failure::of_choice(reference.repository(), &images.names(), &error))
            }
            error => local(error),
        })?;
        let mut observe = |step: ResolveStep| self.of_look(number, |look, out| look.step(&step, out));
        let choice = PlatformChoice::fallback(platform.clone());
        let resolved = resolve::resolve(&image, &choice, &mut observe).await.map_err(broken)?;
        let mut blobs = Vec::new();
        for layer in &resolved.image.layers {
            let blob = page::blob(&image, &layer.descriptor).await;
            blobs.push(blob.map_err(|error| broken(resolve::Error::Source(error)))?);
        }
        Ok(Found { resolved, page: Some(OfPage { image, blobs }) })
    }

    /// Sets the route to the registry. `false`: the user must be asked first.
    fn take(&self, number: u32, registry: &str, decision: Decision) -> Result<bool, Box<FailureNotice>> {
        let (relay, credentials, allowed) = {
            let desk = self.desk.borrow();
            (desk.router.relay(), desk.credentials.get(registry).cloned(), desk.allowed.contains(registry))
        };
        let mut events = vec![Event::Connection {
            look: number,
            registry: registry.into(),
            route: decision.route,
            reason: decision.reason,
        }];
        match (decision.route, relay) {
            (RegistryRoute::Relay, Some(relay)) => {
                if credentials.is_some() && relay.in_the_clear() {
                    let text = format!(
                        "A password for {registry} would go to the relay at {} without encryption. Use a relay with https.",
                        relay.url
                    );
                    return Err(Box::new(FailureNotice {
                        registry: Some(registry.into()),
                        ..FailureNotice::plain(FailureClass::Authentication, text)
                    }));
                }
                if credentials.is_some() && !relay.on_this_machine() && !allowed {
                    events.push(Event::AskRelayPassword { look: number, registry: registry.into(), relay: relay.url });
                    self.tell(events);
                    return Ok(false);
                }
                self.registry.set_route(registry, client::Route::Relay(relay.url));
            }
            _ => self.registry.set_route(registry, client::Route::Direct),
        }
        self.registry.set_credentials(registry, credentials);
        self.tell(events);
        Ok(true)
    }

    pub(super) fn needs_relay(&self, registry: &str) -> FailureNotice {
        let relay = self.desk.borrow().router.relay().map(|relay| relay.url);
        let text = match &relay {
            Some(relay) => format!(
                "{registry} sends no CORS headers, so a page can only read it through a relay. \
                 The relay at {relay} is not on this machine: its operator learns which image you open."
            ),
            None => format!("{registry} is reached through a relay, and no relay is known."),
        };
        FailureNotice {
            registry: Some(registry.into()),
            remedies: vec![Remedy::UseRelay { registry: registry.into(), available: relay.is_some() }],
            cause: Some(FailureCause::NoCors),
            ..FailureNotice::plain(FailureClass::Network, text)
        }
    }

    /// How the client reaches a registry now.
    pub(super) fn route(&self, registry: &str) -> RegistryRoute {
        match self.registry.route(registry) {
            client::Route::Direct => RegistryRoute::Direct,
            client::Route::Relay(_) => RegistryRoute::Relay,
        }
    }

    pub(super) fn explain(&self, registry: &str, route: RegistryRoute, error: &Error) -> FailureNotice {
        let relay = self.desk.borrow().router.relay().map(|relay| relay.url);
        failure::explain(error, failure::Context { registry, route, relay: relay.as_deref() })
    }

    /// A request for a layer whose worker was refused: with fresh authorization, or through the relay.
    pub(super) async fn another_way(
        &self,
        number: u32,
        layer: u32,
        cause: Option<FailureCause>,
    ) -> Result<BlobRequest, Box<FailureNotice>> {
        let (reference, descriptor) = {
            let desk = self.desk.borrow();
            let body = desk.body_of(number);
            let layer = body.and_then(|body| Some((body, body.resolved.image.layers.get(layer as usize)?)));
            let (body, layer) =
                layer.ok_or_else(|| Box::new(FailureNotice::plain(FailureClass::Other, "not wanted any more")))?;
            if body.page.is_some() {
                return Err(Box::new(failure::of_changed_file()));
            }
            (body.reference.clone(), layer.descriptor.clone())
        };
        let registry = reference.registry();
        let now = self.route(registry);
        let request = || {
            let request = self.registry.blob_request(&reference, &descriptor);
            request.map(|request| twin(&request)).map_err(|error| Box::new(self.explain(registry, now, &error)))
        };
        let Some(cause) = cause else {
            // The client settles the challenge; its answer is dropped before the body is read.
            if let Err(error) = self.registry.fetch_blob(&reference, &descriptor, 0).await {
                return Err(Box::new(self.explain(registry, now, &error)));
            }
            return request();
        };
        let another = self.desk.borrow_mut().router.after(registry, cause.error_kind());
        if let Some(decision) = another
            && self.take(number, registry, decision)?
        {
            return request();
        }
        let error = Error::Transport {
            registry: registry.into(),
            what: Subject::new("blob", descriptor.digest.to_string()),
            error: transport::Error { kind: cause.error_kind(), message: String::new() },
        };
        Err(Box::new(self.explain(registry, now, &error)))
    }
}

/// The result of resolving a reference.
pub(super) struct Found {
    pub(super) resolved: ResolvedImage,
    /// Its source, if it is part of the front end or in a given file.
    pub(super) page: Option<OfPage>,
}
