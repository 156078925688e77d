//! Answers challenges: a request is sent with the authorization that is held, and once more with the one that the
//! registry asks for.

use super::{
    Call, Registry,
    exchange::{Answer, clock_of},
};
use crate::{
    auth::{self, Credentials, Grant, Granted, Token, Turn, lock},
    challenge::{self, Challenge},
    endpoint::problem::{self, Problem},
    error::{Error, Subject},
    policy::{self, Realm, Url},
    redirect,
    retry::Budget,
    scope::Scopes,
    trace::Reason,
    transport::{Environment, Redirects, Request, Transport},
};
use http::{HeaderValue, StatusCode, header};

/// The result of answering a challenge.
struct Proof {
    authorization: HeaderValue,
    /// Whether the user's credentials were used for it.
    credentials: bool,
    /// Realm to which the credentials were not sent.
    withheld: Option<String>,
}

impl<T: Transport + Environment> Registry<T> {
    /// Sends a request with authorization as needed. The answer is a success.
    pub(super) async fn request(&self, call: &Call, request: Request) -> Result<Answer<T::Body>, Error> {
        self.request_within(call, request, &mut self.budget()).await
    }

    /// As [`request`](Self::request), within the budget of an operation.
    pub(super) async fn request_within(
        &self,
        call: &Call,
        request: Request,
        budget: &mut Budget,
    ) -> Result<Answer<T::Body>, Error> {
        let (answer, credentials) = self.request_any_within(call, request, budget).await?;
        self.check(call, answer, credentials).await
    }

    /// As [`request`](Self::request), but the answer has any status. Also returns whether credentials were sent.
    pub(super) async fn request_any(&self, call: &Call, request: Request) -> Result<(Answer<T::Body>, bool), Error> {
        self.request_any_within(call, request, &mut self.budget()).await
    }

    pub(super) async fn request_any_within(
        &self,
        call: &Call,
        request: Request,
        budget: &mut Budget,
    ) -> Result<(Answer<T::Body>, bool), Error> {
        let token = self.tokens.held(&call.registry, &call.scopes, self.transport.now());
        let held = self.authorization(call)?;
        let outcome = self.request_with(call, request.clone(), held, budget).await?;
        let answer = &outcome.0;
        let refused = answer.response.status() == StatusCode::UNAUTHORIZED && answer.same_origin;
        let is_answerable = |challenge: &Challenge| match challenge.scheme.as_str() {
            "bearer" => challenge.parameter("realm").is_some(),
            "basic" => self.has_credentials(&call.registry),
            _ => false,
        };
        if token.is_none() || !refused || challenge::parse_headers(answer.response.headers()).iter().any(is_answerable)
        {
            return Ok(outcome);
        }
        // The token may be stale, and the refusal lacks the challenge that another one would need.
        self.tokens.forget(&call.registry);
        budget.stir();
        self.request_with(call, request, None, budget).await
    }

    async fn request_with(
        &self,
        call: &Call,
        mut request: Request,
        held: Option<HeaderValue>,
        budget: &mut Budget,
    ) -> Result<(Answer<T::Body>, bool), Error> {
        if let Some(held) = &held {
            request.headers_mut().insert(header::AUTHORIZATION, held.clone());
        }
        let answer = self.exchange_within(call, &request, budget).await?;
        if answer.response.status() == StatusCode::UNAUTHORIZED && !answer.same_origin {
            return Ok((self.ask_elsewhere(call, request, answer, budget).await?, false));
        }
        if answer.response.status() != StatusCode::UNAUTHORIZED {
            let credentials = held.is_some() && self.has_credentials(&call.registry);
            return Ok((answer, credentials));
        }
        let challenges = challenge::parse_headers(answer.response.headers());
        if challenges.is_empty() && self.transport.redirects() == Redirects::Platform {
            return Err(Error::UnreadableChallenge { registry: call.registry.clone(), what: call.what.clone() });
        }
        let Some(proof) = self.answer_challenge(call, &challenges, held.as_ref()).await? else {
            return Ok((answer, held.is_some()));
        };
        drop(answer);
        // The registry and the token server have answered: the time without an answer starts again.
        budget.stir();
        request.headers_mut().insert(header::AUTHORIZATION, proof.authorization);
        request.extensions_mut().insert(Reason::Challenge);
        let answer = self.exchange_within(call, &request, budget).await?;
        let denied = matches!(answer.response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        match proof.withheld {
            Some(realm) if denied => Err(Error::Withheld { registry: call.registry.clone(), realm }),
            _ => Ok((answer, proof.credentials)),
        }
    }

    /// Answers the challenge of a host that a redirect led to: without credentials, and for this one request.
    async fn ask_elsewhere(
        &self,
        call: &Call,
        mut request: Request,
        answer: Answer<T::Body>,
        budget: &mut Budget,
    ) -> Result<Answer<T::Body>, Error> {
        let challenges = challenge::parse_headers(answer.response.headers());
        let bearer =
            challenges.iter().find(|challenge| challenge.scheme == "bearer" && challenge.parameter("realm").is_some());
        let (Some(bearer), Redirects::Ours) = (bearer, self.transport.redirects()) else { return Ok(answer) };
        let realm = bearer.parameter("realm").unwrap_or_default();
        let Ok(Realm::Anonymous(realm)) = policy::realm(answer.url.origin(), realm, false, &[]) else {
            return Ok(answer);
        };
        budget.stir();
        let token = self.fetch_token(call, bearer, &realm, false).await?;
        *request.uri_mut() = answer.url.to_uri().map_err(Error::Relay)?;
        for name in redirect::PERSONAL {
            request.headers_mut().remove(name);
        }
        request.headers_mut().insert(header::AUTHORIZATION, token.authorization);
        drop(answer);
        let answer = self.exchange_within(call, &request, budget).await?;
        // Another host answers, so its answer says nothing about the credentials of the registry.
        Ok(Answer { same_origin: false, signed: true, ..answer })
    }

    /// Answers a set of challenges: with a token, else with the credentials themselves. `None` if no challenge can be
    /// answered.
    async fn answer_challenge(
        &self,
        call: &Call,
        challenges: &[Challenge],
        stale: Option<&HeaderValue>,
    ) -> Result<Option<Proof>, Error> {
        let bearer =
            challenges.iter().find(|challenge| challenge.scheme == "bearer" && challenge.parameter("realm").is_some());
        let basic = challenges.iter().any(|challenge| challenge.scheme == "basic");
        let credentials = self.credentials(&call.registry);
        if let Some(own) = credentials.as_ref().and_then(Credentials::bearer).filter(|_| bearer.is_some()) {
            return if Some(&own) == stale { Ok(None) } else { self.present(call, own).map(Some) };
        }
        if let Some(bearer) = bearer {
            match self.answer_bearer(call, bearer, stale).await {
                // The registry offers Basic as well, which serves too.
                Err(Error::Policy { .. }) if basic && credentials.is_some() => {}
                proof => return proof.map(Some),
            }
        }
        match credentials.and_then(|credentials| credentials.header()) {
            Some(authorization) if basic && Some(&authorization) != stale => {
                self.present(call, authorization).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Sends the credentials themselves to the registry, from now on without a challenge.
    fn present(&self, call: &Call, authorization: HeaderValue) -> Result<Proof, Error> {
        call.allow_secrets()?;
        lock(&self.accounts).entry(call.registry.clone()).or_default().unasked = Some(authorization.clone());
        Ok(Proof { authorization, credentials: true, withheld: None })
    }

    async fn answer_bearer(
        &self,
        call: &Call,
        bearer: &Challenge,
        stale: Option<&HeaderValue>,
    ) -> Result<Proof, Error> {
        let has_credentials = self.has_credentials(&call.registry);
        let (realm, credentials, withheld) = match self.realm(call, bearer, has_credentials)? {
            Realm::Send(url) => (url, true, None),
            Realm::Anonymous(url) => (url, false, None),
            Realm::Untrusted(url) => {
                let host = url.origin().authority();
                (url, false, Some(host))
            }
        };
        let authorization = match self.tokens.turn(&call.registry, &call.scopes, stale, self.transport.now()).await {
            Turn::Known(outcome) => outcome?,
            Turn::Fetch(fetch) => {
                let outcome = self.fetch_token(call, bearer, &realm, credentials).await;
                fetch.settle(outcome)?
            }
        };
        Ok(Proof { authorization, credentials, withheld })
    }

    /// Returns where to request a token. A relay's token endpoint is known: its challenge is not needed for that.
    fn realm(&self, call: &Call, bearer: &Challenge, has_credentials: bool) -> Result<Realm, Error> {
        if let Some(url) = call.base.token() {
            if has_credentials {
                call.allow_secrets()?;
            }
            return Ok(if has_credentials { Realm::Send(url) } else { Realm::Anonymous(url) });
        }
        let realm = bearer.parameter("realm").unwrap_or_default();
        policy::realm(call.base.origin(), realm, has_credentials, &self.options.trust_realm)
            .map_err(|error| Error::Policy { registry: call.registry.clone(), role: "token realm", error })
    }

    async fn fetch_token(&self, call: &Call, bearer: &Challenge, realm: &Url, send: bool) -> Result<Token, Error> {
        let service = bearer.parameter("service");
        // The scope that the registry names (`aws`); if it names none, the scopes that the operation needs.
        let asked = bearer.parameter("scope").map(Scopes::parse).filter(|scopes| !scopes.is_empty());
        let scopes = match asked {
            // The first request of a push only reads, and its challenge asks for no more than that.
            Some(asked) if asked.is_plain() && call.scopes.writes() => asked.union(&call.scopes),
            Some(asked) => asked,
            None => call.scopes.clone(),
        };
        self.meet(&call.registry, |met| met.tokens = Some(realm.origin().clone()));
        let token_call = Call {
            registry: call.registry.clone(),
            base: call.base.clone(),
            scopes: scopes.clone(),
            what: Subject::new(TOKEN, crate::quote::quote(&scopes.to_string())),
        };
        let mut credentials = if send { self.credentials(&call.registry) } else { None };
        if let Some(identity_token) = credentials.as_ref().and_then(|credentials| credentials.identity_token.clone()) {
            if let Some(request) = auth::post_token(realm, service, &scopes, &Grant::IdentityToken(&identity_token)) {
                let answer = self.exchange(&token_call, &request).await?;
                // Servers without the OAuth2 endpoint say so in many ways.
                if !matches!(answer.response.status().as_u16(), 400 | 401 | 404 | 405) {
                    let granted = self.read_token(&token_call, answer, true).await?;
                    if let Some(next) = granted.identity_token {
                        self.replace_identity_token(&call.registry, &identity_token, next);
                    }
                    return Ok(granted.token);
                }
            }
            credentials = credentials.map(|mut credentials| {
                if credentials.password.is_empty() {
                    credentials.password = identity_token;
                }
                credentials
            });
        }
        let request = auth::get_token(realm, service, &scopes, credentials.as_ref());
        let request = request.ok_or_else(|| token_call.protocol("expected a shorter token realm".into()))?;
        let mut answer = self.exchange(&token_call, &request).await?;
        // Some servers have only the OAuth2 endpoint.
        let only_post = matches!(answer.response.status().as_u16(), 404 | 405);
        if let Some(credentials) = credentials.as_ref().filter(|_| only_post)
            && let Some(request) = auth::post_token(realm, service, &scopes, &Grant::Password(credentials))
        {
            answer = self.exchange(&token_call, &request).await?;
        }
        self.read_token(&token_call, answer, credentials.is_some()).await.map(|granted| granted.token)
    }

    /// Replaces an identity token: it may be valid for one exchange only, which returns the next one.
    fn replace_identity_token(&self, registry: &str, used: &str, next: String) {
        let mut accounts = lock(&self.accounts);
        let credentials = accounts.get_mut(registry).and_then(|account| account.credentials.as_mut());
        if let Some(credentials) = credentials.filter(|known| known.identity_token.as_deref() == Some(used)) {
            credentials.identity_token = Some(next);
        }
    }

    async fn read_token(&self, call: &Call, answer: Answer<T::Body>, credentials: bool) -> Result<Granted, Error> {
        let answer = self.check(call, answer, credentials).await?;
        let told = clock_of(answer.response.headers());
        let host = answer.url.origin().authority();
        let body = self.read_body(call, answer.response, "token_bytes").await?;
        call.refuse_page(&host, &body)?;
        Granted::read(&body, self.transport.now(), told).map_err(|message| call.protocol(message.into()))
    }

    /// Reads the body of an answer that is not a success.
    pub(super) async fn problem_of(&self, mut answer: Answer<T::Body>) -> Problem {
        let status = answer.response.status();
        let said = match answer.said {
            Some(said) => said,
            None => self.read_start(answer.response.body_mut(), self.options.limits.error_body_bytes).await,
        };
        problem::read(status, &said)
    }

    /// Removes the secrets that were sent to a registry from its message: some registries repeat what they refuse.
    fn without_secrets(&self, registry: &str, mut words: String) -> String {
        let credentials = self.credentials(registry);
        let known = credentials.iter().flat_map(Credentials::secrets);
        for secret in known.chain(self.tokens.secrets(registry)).filter(|secret| secret.len() >= SECRET) {
            if words.contains(&secret) {
                words = words.replace(&secret, "***");
            }
        }
        words
    }

    /// Turns every status that is not a success into an error, with the registry's own words.
    pub(super) async fn check(
        &self,
        call: &Call,
        answer: Answer<T::Body>,
        credentials: bool,
    ) -> Result<Answer<T::Body>, Error> {
        let status = answer.response.status();
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after = self.retry_after(answer.response.headers()).map(|wait| wait.as_secs());
        let (host, signed) = (answer.url.origin().authority(), answer.signed);
        // A host that sends a challenge is a registry itself.
        let challenged = answer.response.headers().contains_key(header::WWW_AUTHENTICATE);
        let elsewhere = !answer.same_origin && !call.is_for_token() && !challenged;
        let unknown_ways =
            if status == StatusCode::UNAUTHORIZED { unknown_ways(answer.response.headers()) } else { None };
        let mut problem = self.problem_of(answer).await;
        problem.message = self.without_secrets(&call.registry, problem.message);
        let (registry, what) = (call.registry.clone(), call.what.clone());
        if let Some(schemes) = unknown_ways {
            return Err(Error::UnknownScheme { registry, what, schemes, message: problem.message });
        }
        let error = problem.error(status, &registry, &what, credentials, retry_after);
        let (Problem { code, message }, status) = (problem, status.as_u16());
        Err(match error {
            // A token server that does not exist says nothing about the image.
            Error::NotFound { .. } if call.is_for_token() => Error::Elsewhere { registry, what, host, status, message },
            // The repository is missing, and some registries do not create it by themselves.
            Error::NotFound { .. } if what.step.starts_with("upload") && code.as_deref() == Some("NAME_UNKNOWN") => {
                Error::Status { registry, what, status, message }
            }
            Error::NotFound { .. } => Error::NotFound { registry, what, host: elsewhere.then_some(host) },
            // A host where the registry stores its blobs: it knows no account of the registry.
            Error::Unauthorized { .. } if elsewhere && !signed && code.is_none() => {
                Error::Elsewhere { registry, what, host, status, message }
            }
            error => error,
        })
    }
}

/// Returns the schemes of a registry's challenges, if this client knows none of them.
fn unknown_ways(headers: &http::HeaderMap) -> Option<String> {
    let challenges = challenge::parse_headers(headers);
    let known = |challenge: &Challenge| matches!(challenge.scheme.as_str(), "basic" | "bearer");
    if challenges.is_empty() || challenges.iter().any(known) {
        return None;
    }
    let schemes = challenges.iter().map(|challenge| format!("`{}`", crate::quote::quote(&challenge.scheme)));
    Some(schemes.collect::<Vec<_>>().join(", "))
}

impl Call {
    /// Whether a token server is asked, and not the registry.
    fn is_for_token(&self) -> bool {
        self.what.step == TOKEN
    }

    pub(super) fn protocol(&self, message: String) -> Error {
        Error::Protocol { registry: self.registry.clone(), what: self.what.clone(), message }
    }
}

/// The step of a call to a token server.
const TOKEN: &str = "token";

/// Shortest secret in bytes that is removed: a shorter one may be a part of any word.
const SECRET: usize = 4;
