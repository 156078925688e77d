//! What a page in a browser would see (Fetch standard, "CORS protocol").

use crate::{
    challenge,
    client::{Asker, Probed},
    endpoint::manifest::Accept,
    policy::{self, Realm},
    scope::Scopes,
    transport::{Environment, Request, Transport},
};
use http::{HeaderMap, Method};

use super::{
    examined::ExaminedRegistry,
    finding::{ProbeFinding, ProbeName, ProbeVerdict},
};

/// Whether the page can read the registry by itself, or needs the relay.
pub async fn page<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>) -> [ProbeFinding; 2] {
    let path = registry.path(&format!("manifests/{}", registry.reference.target()));
    let headers = [("origin", registry.page), ("accept", Accept::Oci.value())];
    let read = match registry.ask(Method::GET, &path, &headers, Asker::Anyone).await {
        Ok(answer) => answer,
        Err(error) => {
            return [ProbeFinding::failed(ProbeName::Page, &error), ProbeFinding::failed(ProbeName::Preflight, &error)];
        }
    };
    let preflight = preflight(registry, &path).await;
    let lets_sign_in = preflight.verdict == ProbeVerdict::Ok;
    let obstacle = if !allows(&read.headers, registry.page) {
        Some("does not allow this origin by CORS")
    } else if read.status == 401 {
        obstacle_to_sign_in(registry, &read, lets_sign_in).await
    } else {
        None
    };
    let page = match obstacle {
        Some(obstacle) => ProbeFinding::no(ProbeName::Page, format!("{obstacle}: the page needs the relay")),
        None if read.status == 401 => {
            ProbeFinding::ok(ProbeName::Page, "allows a page to sign in and read it: no relay is needed")
        }
        None => ProbeFinding::ok(ProbeName::Page, "allows a page to read it: no relay is needed"),
    };
    [page.with("relay", obstacle.is_some()).with("origin", registry.page), preflight]
}

/// What keeps a page from what takes a token or a password.
async fn obstacle_to_sign_in<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    read: &Probed,
    lets_sign_in: bool,
) -> Option<&'static str> {
    if !exposes(&read.headers, "www-authenticate") {
        return Some("does not expose WWW-Authenticate to pages");
    }
    if !lets_sign_in {
        return Some("refuses the preflight of a request with a token or a password");
    }
    let challenges = challenge::parse_headers(&read.headers);
    let bearer = challenges.iter().find(|challenge| challenge.scheme == "bearer")?;
    let realm = policy::realm(registry.base.origin(), bearer.parameter("realm")?, false, registry.trusted);
    let Ok(Realm::Anonymous(realm) | Realm::Send(realm) | Realm::Untrusted(realm)) = realm else {
        return Some("requires a token from a realm that is refused");
    };
    let scopes = Scopes::pull(registry.reference.repository()).to_string();
    let service = bearer.parameter("service").map(|service| ("service", service));
    let url = realm.with_query(service).with_query([("scope", scopes.as_str())]);
    let mut request = Request::default();
    *request.uri_mut() = url.to_uri().ok()?;
    request.headers_mut().insert(http::header::ORIGIN, registry.page.parse().ok()?);
    match registry.client.probe(&registry.reference, request, Asker::Anyone).await {
        Ok(answer) if allows(&answer.headers, registry.page) => None,
        _ => Some("has a token server that does not allow this origin by CORS"),
    }
}

/// Whether a page may send a token or a password.
async fn preflight<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>, path: &str) -> ProbeFinding {
    let headers = [
        ("origin", registry.page),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    let answer = match registry.ask(Method::OPTIONS, path, &headers, Asker::Anyone).await {
        Ok(answer) => answer,
        Err(error) => return ProbeFinding::failed(ProbeName::Preflight, &error),
    };
    let status = answer.status.as_u16();
    // A star stands for every header but this one.
    let named = lists(&answer.headers, "access-control-allow-headers", "authorization");
    let says = "signing in from the page needs the relay";
    if !answer.status.is_success() {
        ProbeFinding::no(ProbeName::Preflight, format!("is answered {status}: {says}"))
    } else if !allows(&answer.headers, registry.page) || !named {
        ProbeFinding::no(ProbeName::Preflight, format!("allows no page to send a token or a password: {says}"))
    } else {
        ProbeFinding::ok(ProbeName::Preflight, "allows a page to send a token or a password")
    }
}

/// Whether an answer may be read by a page of an origin that sends no cookies.
fn allows(headers: &HeaderMap, origin: &str) -> bool {
    let allowed = headers.get("access-control-allow-origin").and_then(|value| value.to_str().ok());
    allowed.is_some_and(|allowed| allowed == "*" || allowed == origin)
}

/// Whether a page may see a header of an answer that it may read.
fn exposes(headers: &HeaderMap, name: &str) -> bool {
    const LIST: &str = "access-control-expose-headers";
    lists(headers, LIST, name) || lists(headers, LIST, "*")
}

fn lists(headers: &HeaderMap, list: &str, name: &str) -> bool {
    let values = headers.get_all(list).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(name))
}
