//! Credentials, token requests, and the cache that one fetch fills for many waiters.

use crate::{Error, date, policy::Url, scope::Scopes, transport::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// User and password, an identity token, or a token of the registry. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name that Basic authorization sends.
    pub username: String,
    /// Password, or access token used as one.
    pub password: String,
    /// Identity (refresh) token, which is exchanged for tokens in place of the password.
    pub identity_token: Option<String>,
    /// Token that the registry itself takes: nothing is exchanged for it.
    pub registry_token: Option<String>,
}

impl Credentials {
    /// User and password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), identity_token: None, registry_token: None }
    }

    /// `Basic …` (RFC 7617); `None` without user and password.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        if self.username.is_empty() && self.password.is_empty() {
            return None;
        }
        secret(&format!("Basic {}", self.encoded()))
    }

    /// `Bearer …` (RFC 6750); `None` without a token of the registry.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        secret(&format!("Bearer {}", self.registry_token.as_ref()?))
    }

    fn encoded(&self) -> String {
        BASE64.encode(format!("{}:{}", self.username, self.password))
    }

    /// Every form of the credentials that must not be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        let tokens = self.identity_token.iter().chain(&self.registry_token).cloned();
        [self.encoded(), self.password.clone()].into_iter().chain(tokens)
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

/// The grant in a token request by `POST` (RFC 6749, as Docker's token specification uses it).
pub(crate) enum Grant<'c> {
    /// Section 6: an identity token.
    IdentityToken(&'c str),
    /// Section 4.3: user and password.
    Password(&'c Credentials),
}

/// Exchanges an identity token or a password for a token.
pub(crate) fn post_token(realm: &Url, service: Option<&str>, scopes: &Scopes, grant: &Grant<'_>) -> Option<Request> {
    let scope = scopes.to_string();
    let mut pairs = vec![("service", service.unwrap_or_default()), ("client_id", "porthole"), ("scope", &scope)];
    match grant {
        Grant::IdentityToken(token) => pairs.extend([("grant_type", "refresh_token"), ("refresh_token", *token)]),
        Grant::Password(Credentials { username, password, .. }) => {
            pairs.extend([("grant_type", "password"), ("username", username.as_str()), ("password", password.as_str())])
        }
    }
    let form = Url::parse("https://form/").ok()?.with_query(pairs);
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
    /// Value of the `Authorization` header, `Bearer …`.
    pub(crate) authorization: HeaderValue,
    /// Time of expiry since the Unix epoch.
    expires: Duration,
}

/// The answer of a token server: a token, and sometimes an identity token in place of the one that was sent.
pub(crate) struct Granted {
    pub(crate) token: Token,
    pub(crate) identity_token: Option<String>,
}

impl Granted {
    /// Reads the answer of a token server. A token lives a minute at least, and is renewed ten seconds early. Its age
    /// is the difference of `issued_at` and the clock of that server (`Date`), or our clock if the server sent none.
    ///
    /// # Errors
    /// What was expected, in words that contain nothing of the answer.
    pub(crate) fn read(body: &[u8], now: Duration, told: Option<Duration>) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<Value>,
            issued_at: Option<String>,
            refresh_token: Option<String>,
        }
        let answer: Answer = serde_json::from_slice(body).map_err(|_| "expected a JSON object with a token")?;
        let tokens = [answer.token, answer.access_token];
        let token = tokens.into_iter().flatten().find(|token| !token.is_empty()).ok_or("expected a token, got none")?;
        let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
        let authorization =
            secret(&format!("Bearer {token}")).filter(|_| visible).ok_or("expected a token of visible characters")?;
        // Some servers send the number as text.
        let expires_in =
            answer.expires_in.and_then(|life| life.as_f64().or_else(|| life.as_str()?.trim().parse().ok()));
        let expires_in = expires_in.filter(|life| life.is_finite()).unwrap_or(60.0);
        let life = Duration::from_secs_f64(expires_in.clamp(60.0, 1e9));
        let issued = answer.issued_at.as_deref().and_then(date::rfc_3339).map(Duration::from_secs);
        // Issued in the future, or expired already: one of the two clocks is wrong, so the time is ignored.
        let age = issued.and_then(|issued| told.unwrap_or(now).checked_sub(issued)).filter(|age| *age < life);
        let left = (life - age.unwrap_or_default()).max(EARLY * 2) - EARLY;
        let identity_token = answer.refresh_token.filter(|token| !token.is_empty());
        Ok(Self { token: Token { authorization, expires: now + left }, identity_token })
    }
}

/// Time before its end at which a token is renewed.
const EARLY: Duration = Duration::from_secs(10);

/// Tokens by logical registry and scopes.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<(String, Scopes), Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    /// Held by the task that fetches a token.
    gate: Arc<async_lock::Mutex<()>>,
    /// Counts outcomes: if the count grew while a caller waited, another caller has fetched a token.
    outcomes: AtomicU64,
    last: Mutex<Option<Result<Token, Error>>>,
}

/// What a caller that needs a token must do.
pub(crate) enum Turn {
    /// Use this: it was held already, or was fetched (or refused) while the caller waited.
    Known(Result<HeaderValue, Error>),
    /// Fetch a token, then [settle](Fetch::settle). Dropping it lets the next waiter fetch.
    Fetch(Fetch),
}

/// The right to fetch a token, held by one caller at a time.
pub(crate) struct Fetch {
    slot: Arc<Slot>,
    _gate: async_lock::MutexGuardArc<()>,
}

impl Fetch {
    /// Passes the outcome to all waiters.
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

    /// Every token of a registry.
    pub(crate) fn secrets(&self, registry: &str) -> Vec<String> {
        let slots: Vec<_> = lock(&self.slots)
            .iter()
            .filter(|((name, _), _)| name == registry)
            .map(|(_, slot)| Arc::clone(slot))
            .collect();
        let token = |slot: &Arc<Slot>| {
            let last = lock(&slot.last);
            let authorization = last.as_ref()?.as_ref().ok()?.authorization.to_str().ok()?;
            Some(authorization.strip_prefix("Bearer ")?.to_owned())
        };
        slots.iter().filter_map(token).collect()
    }

    /// Number of entries, those without a valid token included.
    pub(crate) fn count(&self) -> usize {
        lock(&self.slots).len()
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
            Granted::read(body.as_bytes(), NOW, None).map(|Granted { token, .. }| {
                (token.authorization.to_str().unwrap().to_owned(), (token.expires - NOW).as_secs())
            })
        };
        assert_eq!(read(r#"{"token":"a","expires_in":300,"issued_at":"x"}"#), Ok(("Bearer a".into(), 290)));
        assert_eq!(read(r#"{"access_token":"b"}"#), Ok(("Bearer b".into(), 50)));
        assert_eq!(read(r#"{"token":"","access_token":"b","expires_in":1}"#), Ok(("Bearer b".into(), 50)));
        for body in ["", "[]", "{}", r#"{"token":"a\nb"}"#, r#"{"token":"a b"}"#, r#"{"token":5}"#] {
            assert!(read(body).is_err(), "{body}");
        }
        let granted = Granted::read(br#"{"token":"a","refresh_token":"r"}"#, NOW, None).unwrap();
        assert_eq!(granted.identity_token.as_deref(), Some("r"));
    }

    /// 1970-01-12T13:46:40Z is a million seconds after the epoch.
    #[test]
    fn tokens_that_have_lived_already() {
        for (issued, skew, left) in [
            ("1970-01-12T13:46:40Z", 0, 290),
            ("1970-01-12T13:45:40.5Z", 0, 230),
            ("1970-01-12T15:45:40+02:00", 0, 230),
            // Nearly over: for one more request.
            ("1970-01-12T13:41:45Z", 0, 10),
            // By the server's clock, which is an hour behind or ahead of ours.
            ("1970-01-12T12:45:40Z", -3600, 230),
            ("1970-01-12T14:45:40Z", 3600, 230),
            // No clock makes sense of it.
            ("1970-01-12T14:46:40Z", 0, 290),
            ("1970-01-12T10:46:40Z", 0, 290),
        ] {
            let body = format!(r#"{{"token":"a","expires_in":300,"issued_at":"{issued}"}}"#);
            let told = (skew != 0).then(|| Duration::from_secs(NOW.as_secs().checked_add_signed(skew).unwrap()));
            let granted = Granted::read(body.as_bytes(), NOW, told).unwrap();
            assert_eq!((granted.token.expires - NOW).as_secs(), left, "{issued} {skew}");
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
        for (grant, form) in [
            (Grant::IdentityToken("id&token"), "grant_type=refresh_token&refresh_token=id%26token"),
            (Grant::Password(&credentials), "grant_type=password&username=user&password=canary"),
        ] {
            let request = post_token(&realm, Some("s"), &scopes, &grant).unwrap();
            assert_eq!(request.method(), Method::POST);
            let form = format!("service=s&client_id=porthole&scope=repository:a/b:pull&{form}");
            assert_eq!(request.body().bytes().unwrap(), &form);
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials =
            Credentials { identity_token: Some("canary".into()), ..Credentials::basic("canary", "canary") };
        let realm = Url::parse("https://a.b/").unwrap();
        let request = get_token(&realm, None, &Scopes::default(), Some(&credentials)).unwrap();
        let token = Granted::read(br#"{"token":"canary"}"#, NOW, None).unwrap().token;
        let shown = format!("{credentials:?} {:?} {:?}", request.headers(), token.authorization);
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }
}
