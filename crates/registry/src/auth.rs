//! Credentials, token requests, and the cache that one fetch fills for many waiters.

use crate::{Error, policy::Url, scope::Scopes, transport::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// User and password, or an identity token. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub username: String,
    /// Password, or access token used as one.
    pub password: String,
    /// Identity (refresh) token, which is exchanged for tokens in place of the password.
    pub identity_token: Option<String>,
}

impl Credentials {
    /// User and password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), identity_token: None }
    }

    /// `Basic …` (RFC 7617); `None` without user and password.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        if self.username.is_empty() && self.password.is_empty() {
            return None;
        }
        secret(&format!("Basic {}", BASE64.encode(format!("{}:{}", self.username, self.password))))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// Asks for a token with user and password, or anonymously.
pub(crate) fn get_token(
    realm: &Url,
    service: Option<&str>,
    scopes: &Scopes,
    credentials: Option<&Credentials>,
) -> Option<Request> {
    let scopes: Vec<String> = scopes.iter().collect();
    let url = realm
        .with_query(service.map(|service| ("service", service)))
        .with_query(scopes.iter().map(|scope| ("scope", scope.as_str())));
    let mut request = Request::default();
    *request.uri_mut() = url.to_uri().ok()?;
    if let Some(authorization) = credentials.and_then(Credentials::header) {
        request.headers_mut().insert(header::AUTHORIZATION, authorization);
    }
    Some(request)
}

/// Exchanges an identity token for a token (RFC 6749 section 6, as Docker's token specification uses it).
pub(crate) fn post_token(realm: &Url, service: Option<&str>, scopes: &Scopes, identity_token: &str) -> Option<Request> {
    let form = Url::parse("https://form/").ok()?.with_query([
        ("grant_type", "refresh_token"),
        ("service", service.unwrap_or_default()),
        ("client_id", "porthole"),
        ("scope", &scopes.to_string()),
        ("refresh_token", identity_token),
    ]);
    let form = form.split_target().1.unwrap_or_default().to_owned();
    let mut request = Request::new(Bytes::from(form).into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = realm.to_uri().ok()?;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    Some(request)
}

/// A token that a registry accepts for some scopes.
#[derive(Clone)]
pub(crate) struct Token {
    /// `Bearer …`
    pub(crate) authorization: HeaderValue,
    /// Since the Unix epoch.
    expires: Duration,
}

impl Token {
    /// Reads the answer of a token server. A token lives a minute at least, and is renewed ten seconds early.
    ///
    /// # Errors
    /// What was expected, in words that hold nothing of the answer.
    pub(crate) fn read(body: &[u8], now: Duration) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<f64>,
        }
        let answer: Answer = serde_json::from_slice(body).map_err(|_| "expected a JSON object with a token")?;
        let tokens = [answer.token, answer.access_token];
        let token = tokens.into_iter().flatten().find(|token| !token.is_empty()).ok_or("expected a token, got none")?;
        let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
        let authorization =
            secret(&format!("Bearer {token}")).filter(|_| visible).ok_or("expected a token of visible characters")?;
        let seconds = answer.expires_in.unwrap_or(60.0).clamp(60.0, 1e9);
        Ok(Self { authorization, expires: now + Duration::from_secs_f64(seconds) - Duration::from_secs(10) })
    }
}

/// Tokens by logical registry and scopes.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<(String, Scopes), Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    /// Held by whoever fetches.
    gate: Arc<async_lock::Mutex<()>>,
    /// Counts outcomes: a waiter whose count is old knows that someone fetched while it waited.
    outcomes: AtomicU64,
    last: Mutex<Option<Result<Token, Error>>>,
}

/// What a caller that needs a token shall do.
pub(crate) enum Turn {
    /// Use this: it was there, or fetched (or refused) while the caller waited.
    Known(Result<HeaderValue, Error>),
    /// Fetch, then settle. Dropping it lets the next waiter fetch.
    Fetch(Fetch),
}

/// The right to fetch a token, held by one caller at a time.
pub(crate) struct Fetch {
    slot: Arc<Slot>,
    _gate: async_lock::MutexGuardArc<()>,
}

impl Fetch {
    /// Hands the outcome to all who wait.
    pub(crate) fn settle(self, outcome: Result<Token, Error>) -> Result<HeaderValue, Error> {
        let authorization = outcome.as_ref().map(|token| token.authorization.clone()).map_err(Error::clone);
        *lock(&self.slot.last) = Some(outcome);
        self.slot.outcomes.fetch_add(1, Ordering::Release);
        authorization
    }
}

impl Tokens {
    /// The token held for these scopes, unless it has expired.
    pub(crate) fn held(&self, registry: &str, scopes: &Scopes, now: Duration) -> Option<HeaderValue> {
        let slot = lock(&self.slots).get(&(registry.to_owned(), scopes.clone())).cloned()?;
        slot.held(now)
    }

    /// Waits until no one else fetches a token for these scopes. `stale` is the token that the registry has just refused.
    pub(crate) async fn turn(
        &self,
        registry: &str,
        scopes: &Scopes,
        stale: Option<&HeaderValue>,
        now: Duration,
    ) -> Turn {
        let slot = Arc::clone(lock(&self.slots).entry((registry.to_owned(), scopes.clone())).or_default());
        let before = slot.outcomes.load(Ordering::Acquire);
        let gate = slot.gate.lock_arc().await;
        if slot.outcomes.load(Ordering::Acquire) != before
            && let Some(outcome) = &*lock(&slot.last)
        {
            return Turn::Known(outcome.as_ref().map(|token| token.authorization.clone()).map_err(Error::clone));
        }
        match slot.held(now) {
            Some(authorization) if Some(&authorization) != stale => Turn::Known(Ok(authorization)),
            _ => Turn::Fetch(Fetch { slot, _gate: gate }),
        }
    }

    /// Forgets every token of a registry.
    pub(crate) fn forget(&self, registry: &str) {
        lock(&self.slots).retain(|(name, _), _| name != registry);
    }
}

impl Slot {
    fn held(&self, now: Duration) -> Option<HeaderValue> {
        match &*lock(&self.last) {
            Some(Ok(token)) if now < token.expires => Some(token.authorization.clone()),
            _ => None,
        }
    }
}

/// Locks state that is never left half-changed: a panic elsewhere does not make it unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A header value that `Debug` does not show.
fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn token_answers() {
        let read = |body: &str| {
            Token::read(body.as_bytes(), NOW)
                .map(|token| (token.authorization.to_str().unwrap().to_owned(), (token.expires - NOW).as_secs()))
        };
        assert_eq!(read(r#"{"token":"a","expires_in":300,"issued_at":"x"}"#), Ok(("Bearer a".into(), 290)));
        assert_eq!(read(r#"{"access_token":"b"}"#), Ok(("Bearer b".into(), 50)));
        assert_eq!(read(r#"{"token":"","access_token":"b","expires_in":1}"#), Ok(("Bearer b".into(), 50)));
        for body in ["", "[]", "{}", r#"{"token":"a\nb"}"#, r#"{"token":"a b"}"#, r#"{"token":5}"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn token_requests() {
        let realm = Url::parse("https://auth.example.com/token?service=x").unwrap();
        let scopes = Scopes::pull("a/b");
        let credentials = Credentials::basic("user", "canary");
        let request = get_token(&realm, Some("r.example.com"), &scopes, Some(&credentials)).unwrap();
        assert_eq!(
            request.uri(),
            "https://auth.example.com/token?service=x&service=r.example.com&scope=repository:a/b:pull"
        );
        assert_eq!(request.headers()["authorization"], "Basic dXNlcjpjYW5hcnk=");
        assert!(get_token(&realm, None, &scopes, None).unwrap().headers().is_empty());
        let request = post_token(&realm, Some("s"), &scopes, "id&token").unwrap();
        assert_eq!(request.method(), Method::POST);
        let form =
            "grant_type=refresh_token&service=s&client_id=porthole&scope=repository:a/b:pull&refresh_token=id%26token";
        assert_eq!(request.body().bytes().unwrap(), form);
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials =
            Credentials { identity_token: Some("canary".into()), ..Credentials::basic("canary", "canary") };
        let realm = Url::parse("https://a.b/").unwrap();
        let request = get_token(&realm, None, &Scopes::default(), Some(&credentials)).unwrap();
        let token = Token::read(br#"{"token":"canary"}"#, NOW).unwrap();
        let shown = format!("{credentials:?} {:?} {:?}", request.headers(), token.authorization);
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }
}
