//! Where this relay goes: what its flags say, on top of the rules that hold for every server-given URL.

use crate::{refusal::Refusal, registries::Rules};
use porthole_registry::{
    policy::{self, Authority, Denied, Origin, Realm, RefusedUrl, Scheme, Url},
    relay_code,
};
use std::sync::Arc;

/// The destinations that the options allow. Every list holds `host` or `host:port`, in canonical form;
/// a bare host stands for all its ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// Registries; any, if empty.
    pub(crate) only: Vec<String>,
    /// Hosts that may have private addresses and any port.
    pub(crate) private: Vec<String>,
    /// Hosts spoken to without TLS.
    pub(crate) plain: Vec<String>,
    /// Hosts that any registry may have its users sign in at.
    pub(crate) realms: Vec<String>,
    /// What holds for single registries.
    pub(crate) rules: Arc<Rules>,
    /// Names of this relay: asking itself would never end.
    pub(crate) own: Vec<String>,
}

impl Policy {
    /// The base URL of a registry's API.
    pub(crate) fn registry(&self, registry: &str, host: &str) -> Result<Url, Refusal> {
        if self.rules.denies(registry) {
            return Err(Refusal::destination(format!("this relay does not go to {registry} (--registry)")));
        }
        if !self.only.is_empty() && !lists(&self.only, registry) {
            return Err(Refusal::destination(format!("this relay does not go to {registry} (--allow)")));
        }
        let authority = Authority::parse(host)
            .map_err(|error| Refusal::bad_request("NAMESPACE_INVALID", format!("{registry}: {error}")))?;
        let plain = authority.host.is_loopback_literal() || lists(&self.plain, host);
        let origin = Origin::new(if plain { Scheme::Http } else { Scheme::Https }, authority);
        self.check(&origin)?;
        Url::parse(&format!("{origin}/v2/")).map_err(|error| Refusal::destination(format!("{registry}: {error}")))
    }

    /// How an origin writes this authority: without the port that its scheme has anyway.
    pub(crate) fn authority(authority: &Authority) -> String {
        let plain = authority.host.is_loopback_literal();
        Origin::new(if plain { Scheme::Http } else { Scheme::Https }, authority.clone()).authority()
    }

    /// Whether an origin may be reached, by its name; its addresses are judged when the name is resolved.
    pub(crate) fn check(&self, origin: &Origin) -> Result<(), Refusal> {
        let authority = origin.authority();
        if self.own.contains(&authority) {
            return Err(Refusal::destination(format!("{authority} is this relay itself")));
        }
        if policy::is_listed(origin, &self.private) {
            return Ok(());
        }
        match policy::destination(&authority) {
            Ok(_) => Ok(()),
            // A port that was written on the command line is meant.
            Err(Denied::Port(_)) if self.only.contains(&authority) || self.plain.contains(&authority) => Ok(()),
            // Without TLS, the port of HTTP is allowed as well.
            Err(Denied::Port(80)) if origin.scheme == Scheme::Http => Ok(()),
            Err(denied) => {
                Err(Refusal::destination(format!("{authority} is not allowed here: {denied} (--allow-private)")))
            }
        }
    }

    /// The URL to which an answer from `from` points, if it may be followed.
    pub(crate) fn hop(&self, from: &Url, to: Result<Url, RefusedUrl>) -> Result<Url, Refusal> {
        let refused = |reason: String| {
            let host = from.origin().authority();
            Refusal::upstream(relay_code::UPSTREAM_REFUSED, format!("{host} points elsewhere: {reason}"))
        };
        let to = to.map_err(|error| refused(error.to_string()))?;
        let (before, after) = (from.origin(), to.origin());
        if before != after {
            let plain = after.host.is_loopback_literal() || policy::is_listed(after, &self.plain);
            if after.scheme == Scheme::Http && !plain {
                return Err(refused("it leads to a host without TLS".to_owned()));
            }
            self.check(after).map_err(|refusal| refused(refusal.message))?;
        }
        Ok(to)
    }

    /// What may be done with the realm of a challenge of the registry `name`; `credential` says whether the caller sent one.
    pub(crate) fn realm(&self, name: &str, registry: &Url, realm: &str, credential: bool) -> Result<Realm, Refusal> {
        let refused = |reason: String| {
            Refusal::upstream(relay_code::UPSTREAM_REFUSED, format!("its token realm is no place to ask: {reason}"))
        };
        let trusted = [&self.realms, self.rules.realms(name)].concat();
        let verdict =
            policy::realm(registry.origin(), realm, credential, &trusted).map_err(|e| refused(e.to_string()))?;
        let (Realm::Send(url) | Realm::Anonymous(url) | Realm::Untrusted(url)) = &verdict;
        if url.origin() != registry.origin() {
            self.check(url.origin()).map_err(|refusal| refused(refusal.message))?;
        }
        Ok(verdict)
    }
}

/// Whether a list names this `host[:port]` as it is written.
fn lists(list: &[String], authority: &str) -> bool {
    let host = Authority::parse(authority).map(|parsed| parsed.host.to_string());
    list.iter().any(|entry| entry == authority || host.as_ref().is_ok_and(|host| entry == host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;
    use http::Method;

    /// Where a request for this registry would go.
    fn judge(policy: &Policy, registry: &str) -> Result<Url, Refusal> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("ns", registry).finish();
        let uri = format!("/v2/?{query}").parse().unwrap();
        match Route::parse(&Method::GET, &uri, None, false)? {
            Route::Registry(call) => policy.registry(&call.registry, &call.host),
            route => panic!("{route:?}"),
        }
    }

    #[test]
    fn destinations_of_a_public_relay() {
        let mut rows = 0;
        for line in include_str!("../../registry/tests/destinations.tsv").lines().skip(2) {
            let [text, expected, why] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            // What a name resolves to is judged where it is resolved.
            if text.contains('(') || text == "127.0.0.1.nip.io" {
                continue;
            }
            // An API has one spelling for each registry; what folds to it is not it.
            let allowed = expected == "ALLOW" && text != "EXAMPLE.com";
            let text = text.replace("\\t", "\t").replace("\\n", "\n");
            assert_eq!(judge(&Policy::default(), &text).is_ok(), allowed, "{text}: {why}");
            rows += 1;
        }
        assert!(rows > 60, "{rows} rows");
    }

    #[test]
    fn flags_widen_and_narrow() {
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>();
        let url = |policy: &Policy, registry| judge(policy, registry).map(|url| url.to_string()).map_err(|r| r.code);
        let policy = Policy {
            private: list(&["10.0.0.5:5000", "registry.corp.internal", "127.0.0.1"]),
            plain: list(&["10.0.0.5:5000"]),
            own: list(&["relay.example.com"]),
            ..Policy::default()
        };
        assert_eq!(url(&policy, "10.0.0.5:5000").unwrap(), "http://10.0.0.5:5000/v2/");
        assert_eq!(url(&policy, "10.0.0.5"), Err("DESTINATION_DENIED"));
        assert_eq!(url(&policy, "10.0.0.6:5000"), Err("DESTINATION_DENIED"));
        assert_eq!(url(&policy, "registry.corp.internal:7777").unwrap(), "https://registry.corp.internal:7777/v2/");
        assert_eq!(url(&policy, "127.0.0.1:7777").unwrap(), "http://127.0.0.1:7777/v2/");
        assert_eq!(url(&policy, "docker.io").unwrap(), "https://registry-1.docker.io/v2/");
        assert_eq!(url(&policy, "relay.example.com"), Err("DESTINATION_DENIED"));
        assert_eq!(url(&policy, "relay.example.com:443"), Err("DESTINATION_DENIED"));

        let rules = ["ghcr.io deny", "quay.io realm=login.corp.com"].map(|rule| rule.parse().unwrap());
        let policy = Policy { rules: Arc::new(Rules::new(rules.to_vec()).unwrap()), ..Policy::default() };
        assert_eq!(url(&policy, "ghcr.io"), Err("DESTINATION_DENIED"));
        let realm = |name: &'static str| {
            let registry = judge(&policy, name).unwrap();
            policy.realm(name, &registry, "https://login.corp.com/token", true).unwrap()
        };
        assert!(matches!(realm("quay.io"), Realm::Send(_)));
        assert!(matches!(realm("docker.io"), Realm::Untrusted(_)));

        let policy = Policy { only: list(&["docker.io", "r.example.com:7777"]), ..Policy::default() };
        assert_eq!(url(&policy, "docker.io").unwrap(), "https://registry-1.docker.io/v2/");
        assert_eq!(url(&policy, "r.example.com:7777").unwrap(), "https://r.example.com:7777/v2/");
        assert_eq!(url(&policy, "ghcr.io"), Err("DESTINATION_DENIED"));
        assert_eq!(url(&policy, "r.example.com"), Err("DESTINATION_DENIED"));
    }

    #[test]
    fn hops_leave_neither_tls_nor_the_public() {
        let from = Url::parse("https://ghcr.io/v2/a/blobs/x").unwrap();
        let ours = Policy { private: vec!["10.0.0.5:9000".into()], ..Policy::default() };
        let hop = |location| {
            ours.hop(&from, policy::hop(&from, location)).map(|url| url.to_string()).map_err(|refusal| refusal.code)
        };
        assert_eq!(hop("/v2/b?x=1").unwrap(), "https://ghcr.io/v2/b?x=1");
        assert_eq!(hop("https://cdn.example.com/x?sig=1").unwrap(), "https://cdn.example.com/x?sig=1");
        for location in [
            "http://ghcr.io/v2/b",
            "http://cdn.example.com/x",
            "https://10.0.0.5:9000/x",
            "https://10.0.0.6/x",
            "https://cdn.example.com:22/x",
            "https://metadata/x",
            "ftp://cdn.example.com/x",
        ] {
            assert_eq!(hop(location), Err("UPSTREAM_REFUSED"), "{location}");
        }
    }
}
