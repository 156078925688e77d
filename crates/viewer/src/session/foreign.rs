//! Foreign layers: blobs that registries need not have. The page fetches one from a host that the image names when the person allows it.

use super::{Front, Session, Wish};
use crate::{
    failure,
    pool::Pool,
    pretty,
    protocol::{FailureCause, FailureNotice, RegistryRoute, Remedy},
    router::is_on_this_machine,
};
use porthole_core::{
    descriptor::Descriptor, digest::Digest, failure::FailureClass, image::Image, reference::Reference,
};
use porthole_inspect::artifact::foreign;
use porthole_registry::{
    Error,
    client::{FOREIGN_URLS, foreign_hosts},
    endpoint::Base,
    error::Subject,
    policy::{RefusedUrl, Url},
    transport::{self, Environment, Transport},
};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Looks again, with the foreign layers that the image places on these hosts.
    pub(super) fn allow_foreign(&self, look: u32, hosts: &str) {
        let allowed: Vec<_> = {
            let desk = self.desk.borrow();
            let body = desk.look.as_ref().and_then(|look| look.body.as_ref());
            let layers = body.iter().flat_map(|body| body.resolved.image.layers.iter().map(|layer| (*body, layer)));
            let placed = layers.filter(|(body, layer)| self.hosts(&body.reference, &layer.descriptor) == hosts);
            placed.map(|(_, layer)| (layer.descriptor.digest, hosts.to_owned())).collect()
        };
        self.look_again(|mut wish| {
            wish.foreign.extend(allowed);
            Wish { look, ..wish }
        });
    }

    /// Lets the layers be fetched that the person allowed, from the hosts that were named in the question.
    pub(super) fn permit_foreign(&self, wish: &Wish, reference: &Reference, image: &Image) {
        let layers = image.layers.iter().map(|layer| &layer.descriptor);
        let allowed = layers.filter(|layer| wish.foreign.contains(&(layer.digest, self.hosts(reference, layer))));
        let allowed = allowed.map(|layer| {
            let urls = self.usable_urls(reference, layer);
            (layer.digest, urls.iter().flat_map(|url| self.ways(url, &layer.digest)).collect())
        });
        self.registry.allow_foreign_blobs(allowed.collect());
    }

    /// The requests for a foreign layer: the URL itself, or the same blob through a relay, which reads registries alone.
    fn ways(&self, url: &Url, digest: &Digest) -> Vec<Url> {
        let Some(repository) = repository(url, digest) else { return vec![url.clone()] };
        let registry = url.origin().authority();
        let desk = self.desk.borrow();
        let way = |route| match route {
            RegistryRoute::Relay => {
                let base = Base::relay(&desk.router.relay()?.url, &registry).ok()?;
                Some(base.api(&format!("{repository}/blobs/{digest}")))
            }
            _ => Some(url.clone()),
        };
        desk.router.ways(&registry).into_iter().filter_map(way).collect()
    }

    /// The URLs of a foreign layer that a page may request: those that the command line accepts, without TLS only on this machine.
    fn usable_urls(&self, reference: &Reference, layer: &Descriptor) -> Vec<Url> {
        self.judged_urls(reference, layer).into_iter().flatten().collect()
    }

    fn judged_urls(&self, reference: &Reference, layer: &Descriptor) -> Vec<Result<Url, String>> {
        let base = Url::parse(&self.place());
        let own = |url: &Url| base.as_ref().is_ok_and(|base| base.origin() == url.origin());
        let urls = self.registry.foreign_urls(reference, layer).unwrap_or_default();
        let judge = |(url, text): (Result<Url, RefusedUrl>, &String)| match url {
            _ if text.starts_with("http:") && !is_on_this_machine(text) => {
                Err("browsers refuse a page requests without TLS (mixed content)".to_owned())
            }
            Ok(url) if own(&url) => Err("it is the host of this page".to_owned()),
            url => url.map_err(|error| error.to_string()),
        };
        urls.into_iter().zip(&layer.urls).map(judge).take(FOREIGN_URLS).collect()
    }

    fn hosts(&self, reference: &Reference, layer: &Descriptor) -> String {
        foreign_hosts(&self.usable_urls(reference, layer))
    }

    /// Says of a foreign layer that could not be read where it would come from, and offers to fetch it from there. `host` is
    /// the host that failed, if it is not the registry.
    pub(super) fn blame_publisher(
        &self,
        look: u32,
        layer: u32,
        host: Option<String>,
        mut failure: FailureNotice,
    ) -> FailureNotice {
        let (reference, layer) = {
            let desk = self.desk.borrow();
            let body = desk.body_of(look);
            let layer = body.and_then(|body| Some((body, body.resolved.image.layers.get(layer as usize)?)));
            let Some((body, layer)) = layer else { return failure };
            (body.reference.clone(), layer.descriptor.clone())
        };
        let Some(urls) = foreign(&layer) else { return failure };
        if let Some(host) = host {
            return self.blame_host(&reference, &layer, host, failure);
        }
        let place = urls.first().map_or_else(|| "its publisher".to_owned(), |url| pretty::visible(url));
        failure.text =
            format!("{}. It is a foreign layer: it comes from {place}, and registries need not have it", failure.text);
        if failure.kind != FailureClass::NotFound {
            return failure;
        }
        let judged = self.judged_urls(&reference, &layer);
        let usable: Vec<_> = judged.iter().flatten().cloned().collect();
        let remedy = match (self.registry.allowed_foreign_urls(&layer.digest), judged.into_iter().next()) {
            (Some(_), _) => {
                let hosts = foreign_hosts(&usable);
                return FailureNotice { layer: failure.layer, ..self.needs_relay(&hosts) };
            }
            (None, Some(Err(why))) if usable.is_empty() => {
                Remedy::Text { text: format!("This page does not fetch it from there: {why}.") }
            }
            (None, Some(_)) => Remedy::AllowForeign { hosts: foreign_hosts(&usable) },
            (None, None) => return failure,
        };
        if !failure.remedies.contains(&remedy) {
            failure.remedies.insert(0, remedy);
        }
        failure
    }

    /// The host that an image names for a foreign layer did not send it.
    fn blame_host(
        &self,
        reference: &Reference,
        layer: &Descriptor,
        host: String,
        failure: FailureNotice,
    ) -> FailureNotice {
        let relay = self.desk.borrow().router.relay();
        let relay = relay.and_then(|relay| Url::parse(&relay.url).ok());
        if relay.is_some_and(|relay| relay.origin().authority() == host) {
            let hosts = self.hosts(reference, layer);
            return FailureNotice {
                text: format!("{hosts} was asked through the relay: {}", failure.text),
                registry: Some(hosts),
                ..failure
            };
        }
        if failure.cause != Some(FailureCause::NoCors) {
            return FailureNotice { registry: Some(host), ..failure };
        }
        let error = Error::Transport {
            registry: host.clone(),
            what: Subject::new("blob", layer.digest.to_string()),
            error: transport::Error { kind: transport::ErrorKind::Cors, message: String::new() },
        };
        let mut failure = self.explain(&host, RegistryRoute::Direct, &error);
        let urls = self.usable_urls(reference, layer);
        if !urls.iter().any(|url| url.origin().authority() == host && repository(url, &layer.digest).is_some()) {
            // A relay reads registries alone.
            failure.remedies.clear();
        }
        let platform = self.desk.borrow().wish.as_ref().and_then(|wish| wish.platform.clone());
        failure.remedies.push(failure::pull_foreign(&reference.familiar(), platform.as_deref()));
        failure
    }
}

/// The repository of which a URL is a blob, if it is one of a registry (`https://HOST/v2/REPOSITORY/blobs/DIGEST`).
fn repository<'u>(url: &'u Url, digest: &Digest) -> Option<&'u str> {
    let (path, query) = url.split_target();
    let repository = path.strip_prefix("/v2/")?.strip_suffix(&format!("/blobs/{digest}"))?;
    let named: Result<Reference, _> = format!("{}/{repository}@{digest}", url.origin().authority()).parse();
    (query.is_none() && named.is_ok_and(|named| named.repository() == repository)).then_some(repository)
}
