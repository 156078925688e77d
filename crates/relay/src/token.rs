//! `/token`: the way to the token service that a registry names in its challenge.
//!
//! Where to ask is never a parameter: it is what that registry's own challenge said, remembered for a while and asked
//! for again when it is not. The caller's authorization goes there only where policy lets it.

use crate::{
    body::Body,
    layout,
    refusal::Refusal,
    route::{self, TokenCall},
    server::Relay,
    upstream,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use porthole_core::limits::{ERROR_BODY_BYTES, TOKEN_BYTES};
use porthole_registry::{
    challenge::{self, Challenge},
    policy::{Realm, Url},
    relay_code,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What a registry wants to see before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Door {
    /// A token that is made at this realm, for this service.
    Token { realm: String, service: Option<String> },
    /// The credentials themselves.
    Password,
    /// No credentials: the registry is open.
    Open,
}

impl Door {
    fn of(challenges: &[Challenge]) -> Option<Self> {
        let bearer = challenges.iter().find(|challenge| challenge.scheme == "bearer");
        if let Some((bearer, realm)) = bearer.and_then(|bearer| Some((bearer, bearer.parameter("realm")?))) {
            let service = bearer.parameter("service").map(str::to_owned);
            return Some(Self::Token { realm: realm.to_owned(), service });
        }
        challenges.iter().any(|challenge| challenge.scheme == "basic").then_some(Self::Password)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Token { realm, service } => realm.len() + service.as_ref().map_or(0, String::len),
            Self::Password | Self::Open => 0,
        }
    }
}

/// What registries want to see, as their own challenges said a while ago.
#[derive(Debug, Default)]
pub(crate) struct Realms(Mutex<Doors>);

#[derive(Debug, Default)]
struct Doors {
    known: HashMap<String, (Door, Instant)>,
    /// Of all names, realms and services.
    bytes: usize,
}

impl Realms {
    /// Remembers what a registry's own challenges say.
    pub(crate) fn learn(&self, registry: &str, challenges: &[Challenge]) {
        let Some(door) = Door::of(challenges) else { return };
        let bytes = registry.len() + door.bytes();
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.forget(registry);
        // A realm of this length is not remembered: its registry is asked again each time.
        if bytes > DOOR_BYTES {
            return;
        }
        while doors.bytes + bytes > REMEMBERED_BYTES || doors.known.len() >= REMEMBERED {
            let oldest = doors.known.iter().min_by_key(|(_, (_, learned))| *learned);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            doors.forget(&name);
        }
        doors.bytes += bytes;
        doors.known.insert(registry.to_owned(), (door, Instant::now()));
    }

    fn get(&self, registry: &str) -> Option<Door> {
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.known.get(registry).filter(|(_, learned)| learned.elapsed() < FRESH).map(|(door, _)| door.clone())
    }
}

impl Doors {
    fn forget(&mut self, registry: &str) {
        if let Some((door, _)) = self.known.remove(registry) {
            self.bytes -= registry.len() + door.bytes();
        }
    }
}

const REMEMBERED: usize = 1024;
const REMEMBERED_BYTES: usize = 256 << 10;
/// Of one registry. The realms of public registries have less than 100 bytes.
const DOOR_BYTES: usize = 4 << 10;
const FRESH: Duration = Duration::from_secs(600);

/// A request for a token, once it is known which registry it is for.
struct Wish {
    registry: String,
    host: String,
    parameters: Vec<(String, String)>,
    /// The registry was found in the scope: the version check of this relay sent the client here.
    by_scope: bool,
}

impl Wish {
    /// Where the registry asks for authorization, if anywhere: the version check, and the repository that the token is for.
    fn protected_paths(&self) -> Vec<String> {
        let mut paths = vec!["/v2/".to_owned()];
        let scope = self.parameters.iter().find(|(key, _)| key == "scope");
        let name = scope.and_then(|(_, scope)| scope.strip_prefix("repository:")?.split_once(':'));
        if let Some(Ok(reference)) = name.map(|(name, _)| route::read_name(&self.registry, name)) {
            paths.push(format!("/v2/{}/tags/list?n=1", reference.repository()));
        }
        paths
    }
}

/// Asks the token service of a registry. `form` is the body of a POST (OAuth2), decoded.
pub(crate) async fn answer(
    relay: &Relay,
    call: TokenCall,
    client: &HeaderMap,
    form: Option<Vec<(String, String)>>,
) -> Result<Response<Body>, Refusal> {
    let post = form.is_some();
    let wish = Wish::new(call.place, form.unwrap_or(call.query), relay.default_registry.as_deref())?;
    let registry = wish.registry.clone();
    ask(relay, wish, client, post).await.map_err(|refusal| refusal.at(&registry, "token"))
}

async fn ask(relay: &Relay, wish: Wish, client: &HeaderMap, post: bool) -> Result<Response<Body>, Refusal> {
    if wish.by_scope && wish.registry == layout::REGISTRY {
        return Ok(token_answer(json!({ "token": enclose(&wish.registry, None) })));
    }
    let registry = relay.upstream.registry(&wish.registry, &wish.host)?;
    relay.upstream.admit(&wish.registry)?;
    let door = match relay.realms.get(&wish.registry) {
        Some(door) => door,
        None => discover(relay, &wish, &registry).await?,
    };
    let authorization = client.get(header::AUTHORIZATION);
    let (realm, service) = match door {
        Door::Token { realm, service } => (realm, service),
        Door::Password | Door::Open if !wish.by_scope => {
            return Err(Refusal::not_found("NOT_FOUND", format!("{} issues no tokens", wish.registry)));
        }
        Door::Open => return Ok(token_answer(json!({ "token": enclose(&wish.registry, None) }))),
        Door::Password => {
            let Some(basic) = authorization.and_then(basic_credentials) else {
                let message = format!("{} wants a user name and a password", wish.registry);
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message));
            };
            return match check_password(relay, &wish, &registry, basic).await? {
                true => Ok(token_answer(json!({ "token": enclose(&wish.registry, Some(basic)) }))),
                false => {
                    let message = format!("{} refuses this user name and password", wish.registry);
                    Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message))
                }
            };
        }
    };

    let secret = |(key, _): &(String, String)| matches!(key.as_str(), "password" | "refresh_token");
    let credential = authorization.is_some() || post && wish.parameters.iter().any(secret);
    let url = match relay.upstream.policy.realm(&wish.registry, &registry, &realm, credential)? {
        Realm::Send(url) | Realm::Anonymous(url) => url,
        Realm::Untrusted(url) => {
            let realm = url.origin().authority();
            let message =
                format!("{} signs in at {realm}, which is not its own: the credentials were not sent", wish.registry);
            return Err(Refusal::new(StatusCode::FORBIDDEN, relay_code::REALM_UNTRUSTED, message));
        }
    };
    let service = service.as_deref().map(|service| ("service", service));
    let keys: &[&str] = if post { &FORM } else { &QUERY };
    let parameters = wish.parameters.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    let parameters = service.into_iter().chain(parameters.map(|(key, value)| (key.as_str(), value.as_str())));
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    let response = if post {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        relay.upstream.send(&upstream::request(&Method::POST, &url, headers, Bytes::from(body))?).await?
    } else {
        relay.upstream.fetch(&Method::GET, url.with_query(parameters), headers).await?.response
    };
    read(response, &url).await
}

impl Wish {
    fn new(
        place: Option<(String, String)>,
        mut parameters: Vec<(String, String)>,
        default: Option<&str>,
    ) -> Result<Self, Refusal> {
        if let Some((registry, host)) = place {
            return Ok(Self { registry, host, parameters, by_scope: false });
        }
        // A form may name the registry as a query does.
        if let Some(at) = parameters.iter().position(|(key, _)| key == "ns") {
            let (_, registry) = parameters.remove(at);
            let host = route::read_name(&registry, "name")?.api_host().to_owned();
            return Ok(Self { registry, host, parameters, by_scope: false });
        }
        let mut found: Option<(String, String)> = None;
        for (_, scopes) in parameters.iter_mut().filter(|(key, _)| key == "scope") {
            let mut own = Vec::new();
            for scope in scopes.split(' ').filter(|scope| !scope.is_empty()) {
                let Some(rest) = scope.strip_prefix("repository:") else {
                    // `registry:catalog:*` names no registry, but may stand beside a scope that does.
                    own.push(scope.to_owned());
                    continue;
                };
                let (name, actions) = rest.rsplit_once(':').ok_or_else(route::no_namespace)?;
                let (registry, name) = route::split_registry(name, default)?;
                let reference = route::read_name(&registry, name)?;
                own.push(format!("repository:{}:{actions}", reference.repository()));
                let place = (registry, reference.api_host().to_owned());
                if found.get_or_insert_with(|| place.clone()) != &place {
                    return Err(Refusal::bad_request("REQUEST_INVALID", "expected scopes of one registry"));
                }
            }
            *scopes = own.join(" ");
        }
        let (registry, host) = match found {
            Some(place) => place,
            None => {
                let registry = default.ok_or_else(route::no_namespace)?.to_owned();
                let host = route::read_name(&registry, "name")?.api_host().to_owned();
                (registry, host)
            }
        };
        Ok(Self { registry, host, parameters, by_scope: true })
    }
}

/// Asks a registry that signs in with passwords whether this one is right. A client that got a token for a wrong one would call the
/// sign-in a success.
async fn check_password(relay: &Relay, wish: &Wish, registry: &Url, basic: &str) -> Result<bool, Refusal> {
    let Ok(authorization) = HeaderValue::from_str(&format!("Basic {basic}")) else { return Ok(false) };
    for path in wish.protected_paths() {
        let url = registry.join(&path).map_err(|error| Refusal::bad_request("NAME_INVALID", error.to_string()))?;
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, authorization.clone())]);
        let response = relay.upstream.send(&upstream::request(&Method::GET, &url, headers, Bytes::new())?).await?;
        // Without rights on a repository the answer is 403: the password was right.
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Provokes the challenge of a registry: its version check, else the repository that the token is for.
async fn discover(relay: &Relay, wish: &Wish, registry: &Url) -> Result<Door, Refusal> {
    for path in wish.protected_paths() {
        let url = registry.join(&path).map_err(|error| Refusal::bad_request("NAME_INVALID", error.to_string()))?;
        let ping = upstream::request(&Method::GET, &url, HeaderMap::new(), Bytes::new())?;
        let response = relay.upstream.send(&ping).await?;
        let challenges = challenge::parse_headers(response.headers());
        relay.realms.learn(&wish.registry, &challenges);
        if let Some(door) = Door::of(&challenges) {
            return Ok(door);
        }
    }
    Ok(Door::Open)
}

/// The challenge of this relay's own version check. Clients that cannot send `ns` read there, once and for all
/// registries, where tokens are made.
pub(crate) fn own_challenge(base: &str) -> Option<HeaderValue> {
    let service = base.split_once("://").map_or(base, |(_, authority)| authority);
    HeaderValue::from_str(&format!("Bearer realm=\"{base}/token\",service=\"{service}\"")).ok()
}

/// A token for a registry that has none: what it wants to see instead, tied to it. The client keeps it, not we.
fn enclose(registry: &str, credentials: Option<&str>) -> String {
    format!("{ENCLOSED}{}~{}", registry.replace(':', "_"), credentials.unwrap_or_default())
}

/// Puts what goes to `registry` in the place of the authorization that a client sent.
pub(crate) fn disclose(headers: &mut HeaderMap, registry: &str) {
    let sent = headers.remove(header::AUTHORIZATION);
    headers.extend(sent.and_then(|sent| disclosed(sent, registry)).map(|value| (header::AUTHORIZATION, value)));
}

fn disclosed(authorization: HeaderValue, registry: &str) -> Option<HeaderValue> {
    let enclosed = authorization.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")?.strip_prefix(ENCLOSED));
    let Some(enclosed) = enclosed else { return Some(authorization) };
    let (place, credentials) = enclosed.split_once('~')?;
    if place != registry.replace(':', "_") || credentials.is_empty() {
        return None;
    }
    HeaderValue::from_str(&format!("Basic {credentials}")).ok()
}

fn basic_credentials(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, credentials) = authorization.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    let base64 = credentials.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    (scheme.eq_ignore_ascii_case("basic") && base64).then_some(credentials)
}

const ENCLOSED: &str = "porthole~";

/// The answer of a token service, rebuilt from the fields that clients know.
async fn read(response: Response<porthole_native::NativeBody>, url: &Url) -> Result<Response<Body>, Refusal> {
    let status = response.status();
    let host = url.origin().authority();
    let retry_after = response.headers().get(header::RETRY_AFTER).cloned();
    let limit = if status.is_success() { TOKEN_BYTES } else { ERROR_BODY_BYTES };
    let body = upstream::read(response.into_body(), limit).await?;
    if status.is_redirection() {
        return Err(Refusal::upstream(
            relay_code::UPSTREAM_INVALID,
            format!("the token service {host} answered {status}"),
        ));
    }
    if !status.is_success() {
        let code = match status {
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "DENIED",
            StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
            _ => "UNKNOWN",
        };
        let mut response = Refusal::new(status, code, format!("the token service {host} answered {status}")).response();
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
        return Ok(response);
    }
    let invalid =
        |reason: &str| Refusal::upstream(relay_code::UPSTREAM_INVALID, format!("the token service {host}: {reason}"));
    let body = body.ok_or_else(|| invalid("its answer is too long"))?;
    let Ok(Value::Object(mut token)) = serde_json::from_slice(&body) else {
        return Err(invalid("expected a JSON object"));
    };
    token.retain(|key, _| ANSWER.contains(&key.as_str()));
    Ok(token_answer(Value::Object(token)))
}

fn token_answer(token: Value) -> Response<Body> {
    let mut response = Response::new(Body::from(token.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Parameters that a GET passes on; the service is the one of the challenge.
const QUERY: [&str; 4] = ["scope", "account", "client_id", "offline_token"];
/// Fields that a POST passes on.
const FORM: [&str; 7] = ["grant_type", "scope", "client_id", "access_type", "username", "password", "refresh_token"];
/// Fields of an answer that are passed back.
const ANSWER: [&str; 7] = ["token", "access_token", "expires_in", "issued_at", "refresh_token", "scope", "token_type"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enclosed_is_for_one_registry() {
        let basic = HeaderValue::from_static("basic YWxpY2U6c2VjcmV0");
        let token = enclose("127.0.0.1:5000", basic_credentials(&basic));
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        assert_eq!(disclosed(bearer.clone(), "127.0.0.1:5000").unwrap(), "Basic YWxpY2U6c2VjcmV0");
        assert_eq!(disclosed(bearer, "127.0.0.1:5001"), None);
        let open = HeaderValue::from_str(&format!("Bearer {}", enclose("a.b", None))).unwrap();
        assert_eq!(disclosed(open, "a.b"), None);
        for other in ["Bearer abc", "Basic YTpi", "Bearer "] {
            assert_eq!(disclosed(HeaderValue::from_static(other), "a.b").unwrap(), other);
        }
        for other in ["Bearer abc", "Basic a:b", "Basic"] {
            assert_eq!(basic_credentials(&HeaderValue::from_static(other)), None);
        }
    }

    #[test]
    fn remembered_realms_are_bounded_by_bytes() {
        let challenges =
            |bytes: usize| challenge::parse(format!("Bearer realm=\"https://a.b/{}\"", "x".repeat(bytes)).as_bytes());
        let realms = Realms::default();
        for number in 0..1500 {
            realms.learn(&format!("r{number}.example"), &challenges(2000));
        }
        let doors = realms.0.lock().unwrap();
        let sum: usize = doors.known.iter().map(|(name, (door, _))| name.len() + door.bytes()).sum();
        assert_eq!(doors.bytes, sum);
        assert!((REMEMBERED_BYTES / 2..=REMEMBERED_BYTES).contains(&sum), "{sum}");
        assert!(doors.known.contains_key("r1499.example"));
        drop(doors);
        realms.learn("r1499.example", &challenges(DOOR_BYTES));
        assert_eq!(realms.get("r1499.example"), None);
    }

    #[test]
    fn scopes_name_the_registry() {
        let wish = |scopes: &[&str], default| {
            let parameters = scopes.iter().map(|scope| ("scope".to_owned(), (*scope).to_owned())).collect();
            let wish = Wish::new(None, parameters, default)?;
            let scopes: Vec<_> = wish.parameters.into_iter().map(|(_, scope)| scope).collect();
            Ok::<_, Refusal>(format!("{} {} {}", wish.registry, wish.host, scopes.join("|")))
        };
        assert_eq!(
            wish(&["repository:docker.io/nginx:pull"], None).unwrap(),
            "docker.io registry-1.docker.io repository:library/nginx:pull"
        );
        assert_eq!(
            wish(
                &[
                    "repository:127.0.0.1_5000/a/b:pull repository:127.0.0.1_5000/c:pull",
                    "repository:127.0.0.1_5000/d:pull,push"
                ],
                None
            )
            .unwrap(),
            "127.0.0.1:5000 127.0.0.1:5000 repository:a/b:pull repository:c:pull|repository:d:pull,push"
        );
        assert_eq!(
            wish(&["registry:catalog:* repository:a.b/c:pull"], None).unwrap(),
            "a.b a.b registry:catalog:* repository:c:pull"
        );
        assert_eq!(wish(&["repository:a/b:pull"], Some("ghcr.io")).unwrap(), "ghcr.io ghcr.io repository:a/b:pull");
        assert_eq!(wish(&[], Some("ghcr.io")).unwrap(), "ghcr.io ghcr.io ");
        for scopes in [
            &["repository:a/b:pull"][..],
            &["registry:catalog:*"],
            &[],
            &["repository:a.b/c:pull", "repository:d.e/f:pull"],
        ] {
            assert!(wish(scopes, None).is_err(), "{scopes:?}");
        }
    }
}
