//! One request as it is, to find out how a registry answers.

use super::{
    Call, Registry,
    exchange::{Repeat, Stay},
};
use crate::{
    endpoint::{Base, problem},
    error::{Error, Subject},
    policy::{self, Url},
    scope::Scopes,
    transport::{Environment, Patience, Request, Transport},
};
use http::{HeaderMap, Method, StatusCode};
use porthole_core::reference::Reference;
use std::{fmt, time::Duration};

/// As whom a probe is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// No user: without authorization, and a challenge is an answer.
    Anyone,
    /// The user, with a token for these scopes where the registry wants one.
    User(Scopes),
}

/// An answer, whatever it is. `Debug` shows neither query nor body, which may hold a token.
#[derive(Clone)]
pub struct Probed {
    /// URL that answered.
    pub url: Url,
    /// Status of the last answer, after redirects.
    pub status: StatusCode,
    /// Header fields of the last answer.
    pub headers: HeaderMap,
    /// The start of its body, at most [`error_body_bytes`](porthole_core::limits::Limits::error_body_bytes).
    pub body: Vec<u8>,
}

impl Probed {
    /// A header, if it is present and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the answer says in the registry's own words, if it is an error, on one printable line.
    pub fn words(&self) -> String {
        problem::read(self.status, &self.body).message
    }
}

impl fmt::Debug for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = policy::redact(&self.url.to_string());
        write!(f, "Probed({} of {url}, {} bytes)", self.status, self.body.len())
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Where the API of the reference's registry is served.
    ///
    /// # Errors
    /// [`Error::Registry`] or [`Error::Relay`] if there is no valid URL for it.
    pub fn endpoint(&self, reference: &Reference) -> Result<Base, Error> {
        self.base(reference)
    }

    /// Sends a request and returns the answer as it is: any status, also a redirect. It is not sent again when it fails, and not waited
    /// for longer than 15 s. Authorization goes to the registry's own origin only.
    ///
    /// # Errors
    /// [`Error::Transport`] if nothing came back; of a user, those of fetching a token.
    pub async fn probe(&self, reference: &Reference, request: Request, asker: Asker) -> Result<Probed, Error> {
        let base = self.base(reference)?;
        let url = Url::parse(&request.uri().to_string()).map_err(Error::Relay)?;
        let (path, _) = url.split_target();
        let what = Subject::new("answer", format!("{} {path}", request.method()));
        let scopes = match asker {
            Asker::User(scopes) if url.origin() == base.origin() => Some(scopes),
            _ => None,
        };
        let mut request = request;
        let has_body = *request.method() != Method::HEAD;
        request.extensions_mut().insert(Repeat::Never);
        request.extensions_mut().insert(Stay);
        request.extensions_mut().insert(Patience(LONGEST));
        let registry = reference.registry().to_owned();
        let call = Call { registry, base, scopes: scopes.clone().unwrap_or_default(), what };
        let answer = match scopes {
            Some(_) => self.request_any(&call, request).await?.0,
            None => self.exchange(&call, &request).await?,
        };
        let (head, mut body) = answer.response.into_parts();
        let limit = self.options.limits.error_body_bytes;
        let body = match answer.said {
            Some(said) => said,
            None if has_body => self.read_start(&mut body, limit).await,
            None => Vec::new(),
        };
        Ok(Probed { url, status: head.status, headers: head.headers, body })
    }
}

/// A registry that takes longer to answer one small request is not usable.
const LONGEST: Duration = Duration::from_secs(15);
