//! Implements `Transport` for the in-memory internet.

use super::{
    Asked, Fault, Internet, State,
    serve::{Answer, Question},
};
use crate::executor::give_way;
use http::{Method, Response};
use porthole_registry::transport::{
    Body, BodyOutcome, Ending, Environment, Error, ErrorKind, FinalUrl, Payload, Redirects, Request, Transport,
};
use std::time::Duration;

impl Transport for Internet {
    type Body = MemoryBody;

    async fn send(&self, request: Request) -> Result<Response<MemoryBody>, Error> {
        let latency = self.lock().latency;
        give_way(latency).await;
        let (head, payload) = request.into_parts();
        let body = read(&payload).await?;
        let ending = head.extensions.get::<Ending>().cloned();
        let (outcome, wait) = self.lock().exchange(&http::Request::from_parts(head, body));
        give_way(wait).await;
        outcome.map(|response| {
            response.map(|mut body| {
                body.ending = ending;
                body
            })
        })
    }

    fn redirects(&self) -> Redirects {
        self.lock().redirects()
    }
}

impl Environment for Internet {
    fn now(&self) -> Duration {
        let slept: Duration = self.lock().slept.iter().sum();
        START + slept
    }

    async fn sleep(&self, duration: Duration) {
        self.pass(duration);
        give_way(1).await;
    }

    fn random(&self) -> u64 {
        0
    }
}

impl State {
    /// Returns the response to a request, and the number of polls that the exchange takes.
    fn exchange(&mut self, request: &http::Request<Vec<u8>>) -> (Result<Response<MemoryBody>, Error>, u32) {
        let mut wait = 0;
        let mut url = request.uri().to_string();
        let mut headers = request.headers().clone();
        // Redirects that the platform follows; the limit is that of the Fetch standard.
        for _ in 0..20 {
            self.log.push(Asked {
                method: request.method().clone(),
                url: url.clone(),
                headers: headers.clone(),
                body: request.body().clone(),
            });
            let fault = self.fault_for(request.method(), &url, request.body().len());
            if matches!(fault, Some(Fault::IgnoreRange)) {
                headers.remove(http::header::RANGE);
            }
            let answer = match &fault {
                Some(Fault::NoAnswer(kind)) => Err(failure(*kind)),
                Some(Fault::Status(status)) => Ok(Answer::status(*status)),
                Some(Fault::Redirect(location)) => {
                    let mut answer = Answer::status(307);
                    answer.set("location", location);
                    Ok(answer)
                }
                Some(Fault::Answer { status, headers, body }) => {
                    let mut answer = Answer::status(*status);
                    headers.iter().for_each(|(name, value)| answer.set(name, value));
                    answer.body.clone_from(body);
                    Ok(answer)
                }
                Some(Fault::CutAfter(bytes)) => {
                    let served = self.serve(request, &url, &headers, Some(*bytes));
                    served.and(Err(failure(ErrorKind::Interrupted)))
                }
                Some(Fault::Lost) => {
                    let served = self.serve(request, &url, &headers, None);
                    served.and(Err(failure(ErrorKind::Interrupted)))
                }
                _ => self.serve(request, &url, &headers, None),
            };
            let mut answer = match answer {
                Ok(answer) => answer,
                Err(error) => return (Err(error), wait),
            };
            let mut body = MemoryBody::default();
            body.piece = self.piece;
            match fault {
                Some(Fault::ResetAfter(bytes)) => body.reset_at = Some(bytes),
                Some(Fault::EndAfter(bytes)) => answer.body.truncate(bytes),
                Some(Fault::Header(name, value)) => answer.set(name, &value),
                Some(Fault::NoHeader(name)) => drop(answer.headers.remove(name)),
                Some(Fault::Body(bytes)) => answer.body = bytes,
                Some(Fault::Slow(polls)) => wait += polls,
                _ => {}
            }
            let location = answer.headers.get("location").and_then(|value| value.to_str().ok());
            match location {
                Some(location) if self.platform => {
                    let next = if location.starts_with('/') {
                        format!("{}{location}", origin(&url))
                    } else {
                        location.to_owned()
                    };
                    if origin(&next) != origin(&url) {
                        headers.remove(http::header::AUTHORIZATION);
                    }
                    url = next;
                }
                _ => {
                    if request.method() == Method::HEAD {
                        answer.headers.insert("content-length", answer.body.len().into());
                        answer.body.clear();
                    }
                    body.bytes = answer.body;
                    let mut response = Response::new(body);
                    *response.status_mut() = answer.status;
                    *response.headers_mut() = answer.headers;
                    if self.platform {
                        response.extensions_mut().insert(FinalUrl(url));
                    }
                    return (Ok(response), wait);
                }
            }
        }
        (Err(failure(ErrorKind::Opaque)), wait)
    }

    fn serve(
        &mut self,
        request: &http::Request<Vec<u8>>,
        url: &str,
        headers: &http::HeaderMap,
        cut: Option<usize>,
    ) -> Result<Answer, Error> {
        let start = origin(url).len();
        let authority = origin(url).split_once("://").map_or("", |(_, authority)| authority);
        self.tokens += 1;
        let alias = self.aliases.get(authority);
        let site = self.sites.get_mut(alias.map_or(authority, String::as_str));
        Ok(site.ok_or_else(|| failure(ErrorKind::Resolve))?.answer(&Question {
            method: request.method(),
            target: &url[start..],
            headers,
            body: request.body(),
            token: self.tokens,
            known: alias.is_some(),
            cut,
        }))
    }
}

/// Reads the body of a request.
async fn read(payload: &Payload) -> Result<Vec<u8>, Error> {
    let source = match payload {
        Payload::Bytes(bytes) => return Ok(bytes.to_vec()),
        Payload::Stream(source) => source,
    };
    let mut chunks = source.open();
    let mut body = Vec::new();
    while let Some(chunk) = chunks.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    &url[..end]
}

fn failure(kind: ErrorKind) -> Error {
    Error { kind, message: "as the test wants".into() }
}

/// A response body in memory.
#[derive(Debug, Default)]
pub struct MemoryBody {
    bytes: Vec<u8>,
    at: usize,
    piece: Option<usize>,
    reset_at: Option<usize>,
    ending: Option<Ending>,
}

impl MemoryBody {
    fn end(&mut self, outcome: BodyOutcome) {
        if let Some(ending) = self.ending.take() {
            ending.tell(self.at as u64, outcome);
        }
    }
}

impl Drop for MemoryBody {
    fn drop(&mut self) {
        let whole = self.reset_at.is_none() && self.at == self.bytes.len();
        self.end(if whole { BodyOutcome::Complete } else { BodyOutcome::Dropped });
    }
}

impl Body for MemoryBody {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let end = self.reset_at.unwrap_or(usize::MAX).min(self.bytes.len());
        let length = (end - self.at.min(end)).min(buffer.len()).min(self.piece.unwrap_or(usize::MAX));
        if length == 0 && self.reset_at.is_some_and(|at| self.at >= at) {
            let error = failure(ErrorKind::Interrupted);
            self.end(BodyOutcome::Failed(error.clone()));
            return Err(error);
        }
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        if length == 0 && !buffer.is_empty() {
            self.end(BodyOutcome::Complete);
        }
        Ok(length)
    }
}

/// Time of the first request: 2026-01-02T03:04:05Z.
const START: Duration = Duration::from_secs(1_767_323_045);
