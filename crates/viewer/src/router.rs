//! How each registry is reached: directly, or through a relay.

use crate::protocol::{RegistryRoute, RelayMode, RelaySettings, RouteReason};
use porthole_registry::transport::ErrorKind;
use std::collections::HashMap;

/// The registry of the images that are part of the front end.
pub(crate) const SAMPLE: &str = "sample.localhost";
/// The registry of the images in files that a person gives to the front end.
pub const GIVEN: &str = "file.localhost";
/// The registry of the images that a relay serves from its own disk.
pub(crate) const LAYOUT: &str = "layout.localhost";

/// Registries that send no CORS headers: a direct request would only spend their quota.
const WITHOUT_CORS: [&str; 16] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.k8s.io",
    "registry.gitlab.com",
    "registry.access.redhat.com",
    "registry.redhat.io",
    "registry.fedoraproject.org",
    "registry.opensuse.org",
    "registry.suse.com",
    "cgr.dev",
    "nvcr.io",
    "lscr.io",
];

/// Suffixes of the names of such registries.
const WITHOUT_CORS_BELOW: [&str; 4] = [".gcr.io", ".pkg.dev", ".azurecr.io", ".amazonaws.com"];

/// A relay that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relay {
    /// Base URL without a slash at the end.
    pub url: String,
    /// It serves this page.
    pub same_origin: bool,
}

impl Relay {
    /// Whether its address is a loopback address, so that requests to it do not leave this machine.
    pub(crate) fn on_this_machine(&self) -> bool {
        is_on_this_machine(&self.url)
    }

    /// Whether requests to it are unencrypted on the network.
    pub(crate) fn in_the_clear(&self) -> bool {
        self.url.starts_with("http://") && !self.on_this_machine()
    }
}

/// The route to a registry, and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Way to the registry.
    pub route: RegistryRoute,
    /// Reason for it.
    pub reason: RouteReason,
}

/// Decides for each registry, and remembers what was learned about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    settings: RelaySettings,
    serving: Option<Relay>,
    learned: HashMap<String, RouteReason>,
}

impl Router {
    /// Takes a person's choice. What was learned of registries stays.
    pub(crate) fn set(&mut self, settings: RelaySettings) {
        self.settings = settings;
    }

    /// Sets the relay that serves this front end.
    pub(crate) fn set_serving(&mut self, relay: Option<Relay>) {
        self.serving = relay;
    }

    /// The relay in use: the typed one before the one that serves this page; none if relays are never to be used.
    pub(crate) fn relay(&self) -> Option<Relay> {
        if self.settings.mode == RelayMode::Never {
            return None;
        }
        let typed = self.settings.url.trim().trim_end_matches('/');
        if typed.is_empty() {
            return self.serving.clone();
        }
        let typed = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
        let same_origin = self.serving.as_ref().is_some_and(|serving| serving.url == typed);
        Some(Relay { url: typed, same_origin })
    }

    /// The person asks for the relay for this registry.
    pub(crate) fn use_relay(&mut self, registry: &str) {
        self.learned.insert(registry.into(), RouteReason::Chosen);
        if self.settings.mode == RelayMode::Never {
            self.settings.mode = RelayMode::Auto;
        }
    }

    /// Where to ask first. `None`: only a relay would do, and there is none.
    pub(crate) fn first(&self, registry: &str) -> Option<Decision> {
        if registry == SAMPLE || registry == GIVEN {
            return Some(Decision { route: RegistryRoute::Page, reason: RouteReason::Local });
        }
        let relay = |reason| Some(Decision { route: RegistryRoute::Relay, reason });
        let direct = |reason| Some(Decision { route: RegistryRoute::Direct, reason });
        let available = self.relay().is_some();
        if registry == LAYOUT {
            return if available { relay(RouteReason::Local) } else { None };
        }
        match self.settings.mode {
            RelayMode::Never => direct(RouteReason::Chosen),
            RelayMode::Always if available => relay(RouteReason::Chosen),
            RelayMode::Always => None,
            RelayMode::Auto if !available => direct(RouteReason::First),
            RelayMode::Auto => match self.learned.get(registry) {
                Some(&reason) => relay(reason),
                None if known_without_cors(registry) => {
                    if self.is_near() {
                        relay(RouteReason::KnownWithoutCors)
                    } else {
                        None
                    }
                }
                None => direct(RouteReason::First),
            },
        }
    }

    /// The ways to a host for one request without credentials, best first; none if only a relay would do, and the person did not choose it.
    pub(crate) fn ways(&self, registry: &str) -> Vec<RegistryRoute> {
        let first = self.first(registry).map(|decision| decision.route);
        let direct = first == Some(RegistryRoute::Direct);
        let relay = direct && self.settings.mode == RelayMode::Auto && self.is_near();
        first.into_iter().chain(relay.then_some(RegistryRoute::Relay)).collect()
    }

    /// Whether the relay is of this machine or of this page. Any other learns which image is looked at only when the person
    /// says so.
    fn is_near(&self) -> bool {
        self.relay().is_some_and(|relay| relay.same_origin || relay.on_this_machine())
    }

    /// Where to ask again after a failure on the direct way, if that can help.
    ///
    /// Only a relay of this machine or of this page is used without being asked for: any other learns which image is
    /// looked at, which the user must allow.
    pub(crate) fn after(&mut self, registry: &str, failed: ErrorKind) -> Option<Decision> {
        if self.settings.mode != RelayMode::Auto {
            return None;
        }
        if !self.is_near() {
            return None;
        }
        let reason = match failed {
            ErrorKind::Cors | ErrorKind::Opaque => RouteReason::NoCors,
            ErrorKind::Preflight => RouteReason::Preflight,
            ErrorKind::Connect | ErrorKind::Resolve | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Slow => {
                RouteReason::Unreachable
            }
            _ => return None,
        };
        if reason != RouteReason::Unreachable {
            self.learned.insert(registry.into(), reason);
        }
        Some(Decision { route: RegistryRoute::Relay, reason })
    }
}

fn known_without_cors(registry: &str) -> bool {
    WITHOUT_CORS.contains(&registry) || WITHOUT_CORS_BELOW.iter().any(|end| registry.ends_with(end))
}

/// Whether an absolute URL leads to a loopback host.
pub fn is_on_this_machine(url: &str) -> bool {
    let host = host(url);
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Host of an absolute URL, brackets of an IPv6 address included.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:8090";

    fn router(mode: RelayMode, typed: &str, serving: Option<&str>) -> Router {
        let mut router = Router::default();
        router.set(RelaySettings { mode, url: typed.into() });
        router.set_serving(serving.map(|url| Relay { url: url.into(), same_origin: true }));
        router
    }

    fn first(router: &Router, registry: &str) -> Option<(RegistryRoute, RouteReason)> {
        router.first(registry).map(|decision| (decision.route, decision.reason))
    }

    #[test]
    fn auto_asks_directly_what_might_answer() {
        let router = router(RelayMode::Auto, "", Some(HERE));
        assert_eq!(first(&router, "r.example"), Some((RegistryRoute::Direct, RouteReason::First)));
        for registry in ["docker.io", "europe-docker.pkg.dev", "1.dkr.ecr.eu-west-1.amazonaws.com"] {
            assert_eq!(
                first(&router, registry),
                Some((RegistryRoute::Relay, RouteReason::KnownWithoutCors)),
                "{registry}"
            );
        }
    }

    #[test]
    fn a_relay_on_another_machine_is_told_of_a_registry_only_when_the_person_says_so() {
        let mut router = router(RelayMode::Auto, "https://relay.example", Some(HERE));
        assert_eq!(router.first("docker.io"), None);
        assert_eq!(router.after("r.example", ErrorKind::Cors), None);
        router.use_relay("docker.io");
        assert_eq!(first(&router, "docker.io"), Some((RegistryRoute::Relay, RouteReason::Chosen)));
        assert_eq!(router.first("ghcr.io"), None, "another registry is another question");
    }

    #[test]
    fn without_a_relay_everything_is_direct() {
        let router = router(RelayMode::Auto, "", None);
        assert_eq!(first(&router, "docker.io"), Some((RegistryRoute::Direct, RouteReason::First)));
        assert_eq!(router.first(LAYOUT), None);
    }

    #[test]
    fn always_and_never_are_kept() {
        let mut always = router(RelayMode::Always, "", Some(HERE));
        assert_eq!(first(&always, "r.example"), Some((RegistryRoute::Relay, RouteReason::Chosen)));
        assert_eq!(always.after("r.example", ErrorKind::Cors), None);
        let mut never = router(RelayMode::Never, HERE, Some(HERE));
        assert_eq!(first(&never, "docker.io"), Some((RegistryRoute::Direct, RouteReason::Chosen)));
        assert_eq!(never.after("docker.io", ErrorKind::Cors), None);
        assert_eq!(router(RelayMode::Always, "", None).first("r.example"), None);
    }

    #[test]
    fn the_sample_needs_nothing() {
        for mode in [RelayMode::Auto, RelayMode::Always, RelayMode::Never] {
            let router = router(mode, "", None);
            assert_eq!(first(&router, SAMPLE), Some((RegistryRoute::Page, RouteReason::Local)));
        }
    }

    #[test]
    fn a_blocked_registry_goes_to_the_relay_and_stays_there() {
        let mut router = router(RelayMode::Auto, "", Some(HERE));
        let decision = Some(Decision { route: RegistryRoute::Relay, reason: RouteReason::Preflight });
        assert_eq!(router.after("r.example", ErrorKind::Preflight), decision);
        assert_eq!(router.first("r.example"), decision);
        assert_eq!(router.after("r.example", ErrorKind::Interrupted), None);
    }

    #[test]
    fn a_dead_host_is_asked_through_the_relay_but_not_remembered() {
        let mut router = router(RelayMode::Auto, "", Some(HERE));
        let decision = Some(Decision { route: RegistryRoute::Relay, reason: RouteReason::Unreachable });
        assert_eq!(router.after("r.example", ErrorKind::Connect), decision);
        assert_eq!(first(&router, "r.example"), Some((RegistryRoute::Direct, RouteReason::First)));
    }

    #[test]
    fn a_relay_elsewhere_is_not_used_unasked() {
        let mut router = router(RelayMode::Auto, "https://relay.example/", None);
        assert_eq!(router.after("r.example", ErrorKind::Cors), None);
        router.use_relay("r.example");
        assert_eq!(first(&router, "r.example"), Some((RegistryRoute::Relay, RouteReason::Chosen)));
    }

    #[test]
    fn the_typed_relay_wins() {
        let relay = router(RelayMode::Auto, "localhost:9000/", Some(HERE)).relay();
        assert_eq!(relay, Some(Relay { url: "http://localhost:9000".into(), same_origin: false }));
    }

    #[test]
    fn where_a_relay_is() {
        for (url, here, clear) in [
            ("http://127.0.0.1:8090", true, false),
            ("http://127.8.9.1", true, false),
            ("http://[::1]:8090", true, false),
            ("http://localhost:8090/x", true, false),
            ("http://porthole.localhost", true, false),
            ("http://localhost.example", false, true),
            ("http://127.0.0.1.example:80", false, true),
            ("http://127.0.0.1@relay.example", false, true),
            ("http://192.168.1.2:8090", false, true),
            ("https://relay.example", false, false),
        ] {
            let relay = Relay { url: url.into(), same_origin: false };
            assert_eq!((relay.on_this_machine(), relay.in_the_clear()), (here, clear), "{url}");
        }
    }
}
