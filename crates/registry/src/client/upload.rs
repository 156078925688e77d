//! One upload, from its first session to the registry's confirmation of the blob.

use super::{
    Call, Destination, Registry,
    exchange::{Answer, Repeat, parse, safely},
};
use crate::{
    endpoint::upload,
    error::Error,
    plan::upload::{Upload, UploadFailure, UploadStep},
    policy::{UploadPlace, Url},
    retry,
    transport::{Environment, ErrorKind, Patience, Payload, Request, Stall, Transport},
};
use bytes::Bytes;
use http::StatusCode;
use porthole_core::descriptor::Descriptor;
use std::{ops::Range, time::Duration};

/// The bytes of a blob. Any part of them can be read any number of times.
pub trait UploadContent {
    /// Returns the bytes of `range`, which is not empty.
    fn part(&self, range: Range<u64>) -> Payload;
}

impl UploadContent for Bytes {
    fn part(&self, range: Range<u64>) -> Payload {
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        self.slice(place(range.start)..place(range.end)).into()
    }
}

/// An upload session that waits for its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    place: UploadPlace,
    least: Option<u64>,
}

/// Figures of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// Sessions that were opened.
    pub sessions: u32,
    /// Requests that carried bytes.
    pub requests: u32,
    /// Times that the upload continued after a failure.
    pub resumed: u32,
}

/// What happens during an upload, for progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Bytes from this offset on are about to be sent. It is lower than before if some bytes did not arrive.
    From(u64),
    /// The URL of the session: a caller that stops the upload can [abandon](Registry::abandon_upload) it.
    Session(Opened),
    /// A step failed and will be tried in another way, or again.
    Retry {
        /// The failure in words, without secrets.
        reason: String,
    },
}

impl<T: Transport + Environment> Registry<T> {
    /// Uploads a blob, in one request or in chunks of `chunk` bytes, until the registry has it or nothing more can be
    /// tried. `opened` is a session that [`mount_blob`](Self::mount_blob) left.
    ///
    /// An upload that breaks is resumed at the offset that the registry names. The registry checks the digest; the source of
    /// the content can check it as well.
    ///
    /// # Errors
    /// [`Error`]. The session is then cancelled.
    pub async fn upload_blob(
        &self,
        to: &Destination,
        descriptor: &Descriptor,
        content: &impl UploadContent,
        chunk: Option<u64>,
        opened: Option<Opened>,
        observe: &mut impl FnMut(Note),
    ) -> Result<Uploaded, Error> {
        let call = self.push_call(to, "upload", descriptor.digest.to_string())?;
        let mut run = Run { upload: Upload::new(descriptor.size, chunk), place: None, done: Uploaded::default() };
        if let Some(opened) = opened {
            run.open(opened);
        }
        let mut waited = Duration::ZERO;
        let mut hurry = None;
        let mut stall = None;
        let mut budget = self.budget();
        let mut last = None;
        loop {
            let step = run.upload.step();
            let sends = !matches!(step, UploadStep::Done | UploadStep::Ask | UploadStep::Look);
            if sends
                && budget.is_spent()
                && let Some(error) = last.take()
            {
                self.give_up(&call, run.place.as_ref()).await;
                return Err(error);
            }
            let started = self.transport.now();
            let share = budget.share();
            let outcome = match step {
                UploadStep::Done => return Ok(run.done),
                _ => self.step(&call, to, descriptor, content, &mut run, hurry, share, observe).await,
            };
            let Err(failed) = outcome else {
                hurry = None;
                if run.upload.failures() == 0 {
                    waited = Duration::ZERO;
                    budget.renew();
                }
                continue;
            };
            run.upload.fail(failed.failure);
            if failed.failure == UploadFailure::Lost && run.upload.step() == UploadStep::Open {
                run.place = None;
            }
            if let (UploadStep::Ask, Some(session)) = (run.upload.step(), &failed.session) {
                // The refusal itself reports the registry's offset.
                run.moved(session);
                if session.held.is_some() {
                    run.upload.told(session.held);
                }
            }
            let pause = match failed.failure {
                UploadFailure::Broken | UploadFailure::Cut => {
                    let failures = run.upload.failures().min(retry::TRIES - 1);
                    retry::delay(failures, waited, failed.cause, self.transport.random())
                }
                _ => Some(Duration::ZERO),
            };
            let stalled = failed.cause == retry::TryFailure::Transport(ErrorKind::Timeout);
            if stalled {
                let took = self.transport.now().saturating_sub(started);
                // A registry that did not commit in all that time is not asked to commit the same bytes again.
                budget.stalled(if took >= self.commit_patience() { Duration::MAX / 4 } else { took });
            }
            let silent = hurry.is_some() && matches!(failed.cause, retry::TryFailure::Transport(_));
            if let (true, Some(error)) = (silent, stall.take()) {
                // The registry does not answer. Deleting the session would only take longer.
                return Err(error);
            }
            let (Some(pause), false) = (pause, run.upload.step() == UploadStep::GiveUp) else {
                self.give_up(&call, run.place.as_ref()).await;
                return Err(failed.error);
            };
            let reason = failed.error.to_string();
            self.paused(&call, run.upload.failures() + 1, pause, false, &reason);
            observe(Note::Retry { reason });
            run.done.resumed += 1;
            // A registry that has just stalled gets little time for the next answer.
            hurry = stalled.then_some(Patience(LAST_CALL));
            stall = stalled.then(|| failed.error.clone());
            last = if sends { Some(failed.error) } else { last };
            if !pause.is_zero() {
                self.transport.sleep(pause).await;
                waited += pause;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one loop, apart for the sake of its length")]
    async fn step(
        &self,
        call: &Call,
        to: &Destination,
        descriptor: &Descriptor,
        content: &impl UploadContent,
        run: &mut Run,
        hurry: Option<Patience>,
        share: Duration,
        observe: &mut impl FnMut(Note),
    ) -> Result<(), Box<Failed>> {
        let place = || run.place.clone().ok_or_else(|| Failed::at_once(call.protocol("expected a session".into())));
        let url_error = |error| Failed::at_once(Error::Relay(error));
        match run.upload.step() {
            UploadStep::Done | UploadStep::GiveUp => Ok(()),
            UploadStep::Open => {
                // Without a DELETE, the registry would keep the dead session until it expires.
                self.give_up(call, run.place.take().as_ref()).await;
                let opened = self.open(call, to, hurry).await?;
                run.open(opened);
                Ok(())
            }
            UploadStep::Whole => {
                let place = place()?;
                observe(Note::Session(Opened { place: place.clone(), least: None }));
                observe(Note::From(0));
                run.done.requests += 1;
                let payload = content.part(0..descriptor.size);
                let mut request = upload::commit(&place.url, &descriptor.digest, payload).map_err(url_error)?;
                request.extensions_mut().insert(Patience(self.commit_patience()));
                request.extensions_mut().insert(Stall(share));
                let session = self.send_to(call, &place, request).await?;
                call.check_taken(descriptor, &session)?;
                run.upload.found(true);
                Ok(())
            }
            UploadStep::Part(range) => {
                let place = place()?;
                observe(Note::Session(Opened { place: place.clone(), least: None }));
                observe(Note::From(range.start));
                run.done.requests += 1;
                let mut request = upload::patch(&place.url, &range, content.part(range.clone())).map_err(url_error)?;
                request.extensions_mut().insert(Patience(share));
                request.extensions_mut().insert(Stall(share));
                let session = self.send_to(call, &place, request).await?;
                run.moved(&session);
                run.upload.taken(session.held);
                Ok(())
            }
            UploadStep::Commit => {
                let place = place()?;
                let request = upload::commit(&place.url, &descriptor.digest, Payload::default());
                let mut request = request.map_err(url_error)?;
                request.extensions_mut().insert(Patience(self.commit_patience()));
                let session = self.send_to(call, &place, request).await?;
                call.check_taken(descriptor, &session)?;
                run.upload.found(true);
                Ok(())
            }
            UploadStep::Look => {
                let there = self.look(call, to, descriptor, hurry).await.map_err(Failed::of)?;
                run.upload.found(there);
                Ok(())
            }
            UploadStep::Ask => {
                let place = place()?;
                let mut request = upload::status(&place.url).map_err(url_error)?;
                hasten(&mut request, hurry);
                let session = self.send_to(call, &place, request).await?;
                run.moved(&session);
                run.upload.told(session.held);
                if run.upload.step() == UploadStep::Ask {
                    self.transport.sleep(BETWEEN_QUESTIONS).await;
                }
                Ok(())
            }
        }
    }

    async fn open(&self, call: &Call, to: &Destination, hurry: Option<Patience>) -> Result<Opened, Box<Failed>> {
        let request = upload::start(&call.base, to.reference.repository());
        let mut request = safely(request.map_err(|error| Failed::at_once(Error::Relay(error)))?);
        hasten(&mut request, hurry);
        let asked = parse(&request).map_err(|error| Failed::at_once(call.refused(error.into())))?;
        // The request was tried as often as it may be, except in a hurry.
        let final_or_not = |error| if hurry.is_some() { Failed::of(error) } else { Failed::at_once(error) };
        let mut answer = self.request(call, request).await.map_err(final_or_not)?;
        self.refuse_page_for_upload(call, &mut answer).await.map_err(Failed::at_once)?;
        call.read_opened(&asked, &answer).map_err(Failed::at_once)
    }

    /// Sends a request to the place of a session; without authorization, if that is not the registry.
    async fn send_to(
        &self,
        call: &Call,
        place: &UploadPlace,
        request: Request,
    ) -> Result<upload::UploadSession, Box<Failed>> {
        let sent = if place.ours {
            self.request_any(call, request).await
        } else {
            self.exchange(call, &request).await.map(|answer| (answer, false))
        };
        let (answer, credentials) = sent.map_err(Failed::of)?;
        let status = answer.response.status();
        let session = upload::read(&call.base, &place.url, answer.response.headers());
        if status.is_success() {
            return session.map_err(|error| Failed::at_once(call.refused(error)));
        }
        let cause = self.failure_of(&answer);
        match self.check(call, answer, credentials).await {
            Ok(_) => Ok(upload::UploadSession::default()),
            Err(error) => Err(Box::new(Failed { failure: failure_of(status), cause, error, session: session.ok() })),
        }
    }

    /// Cancels a session to which nothing more will be sent. If the registry does not learn of it, the session expires.
    pub async fn abandon_upload(&self, to: &Destination, opened: &Opened) {
        if let Ok(call) = self.push_call(to, "upload", String::new()) {
            self.give_up(&call, Some(&opened.place)).await;
        }
    }

    /// Deletes a session, if the registry can; otherwise the session expires.
    async fn give_up(&self, call: &Call, place: Option<&UploadPlace>) {
        let Some(place) = place else { return };
        if let Ok(mut request) = upload::cancel(&place.url) {
            hasten(&mut request, Some(Patience(LAST_CALL)));
            let _ = self.send_to(call, place, request).await;
        }
    }
}

/// An upload, and where its session is.
struct Run {
    upload: Upload,
    place: Option<UploadPlace>,
    done: Uploaded,
}

impl Run {
    fn open(&mut self, opened: Opened) {
        self.done.sessions += 1;
        self.place = Some(opened.place);
        self.upload.opened(opened.least);
    }

    /// Notes where the session is: the latest place counts.
    fn moved(&mut self, session: &upload::UploadSession) {
        if let Some(location) = &session.location {
            self.place = Some(location.clone());
        }
    }
}

/// A step that went wrong.
struct Failed {
    failure: UploadFailure,
    cause: retry::TryFailure,
    error: Error,
    /// What the refusal says of the session.
    session: Option<upload::UploadSession>,
}

impl Failed {
    fn of(error: Error) -> Box<Self> {
        let (failure, cause) = match &error {
            Error::Transport { error, .. } if error.kind.retryable() => {
                let cut = error.kind == ErrorKind::Interrupted;
                (if cut { UploadFailure::Cut } else { UploadFailure::Broken }, retry::TryFailure::Transport(error.kind))
            }
            Error::Status { status, .. } => (
                failure_of(StatusCode::from_u16(*status).unwrap_or(StatusCode::NOT_IMPLEMENTED)),
                retry::TryFailure::Status { status: *status, retry_after: None },
            ),
            Error::NotFound { .. } => {
                (UploadFailure::Lost, retry::TryFailure::Status { status: 404, retry_after: None })
            }
            _ => return Self::at_once(error),
        };
        Box::new(Self { failure, cause, error, session: None })
    }

    /// A failure after which no other try would help.
    fn at_once(error: Error) -> Box<Self> {
        let cause = retry::TryFailure::Transport(ErrorKind::Other);
        Box::new(Self { failure: UploadFailure::Final, cause, error, session: None })
    }
}

fn failure_of(status: StatusCode) -> UploadFailure {
    match status.as_u16() {
        404 | 410 => UploadFailure::Lost,
        409 | 416 => UploadFailure::OutOfOrder,
        413 => UploadFailure::TooLarge,
        400 | 405 | 411 | 415 | 501 => UploadFailure::Unsupported,
        status if (retry::TryFailure::Status { status, retry_after: None }).is_retryable() => UploadFailure::Broken,
        _ => UploadFailure::Final,
    }
}

/// Gives a request one short try, if there is a hurry.
pub(super) fn hasten(request: &mut Request, hurry: Option<Patience>) {
    if let Some(patience) = hurry {
        request.extensions_mut().insert(patience);
        request.extensions_mut().insert(Repeat::Never);
    }
}

impl Call {
    pub(super) fn refused(&self, error: crate::policy::RefusedUrl) -> Error {
        Error::Policy { registry: self.registry.clone(), role: "place for an upload", error }
    }

    /// Fails if the registry names another digest: it has then stored other bytes, even if its status is a success. A
    /// digest of another algorithm cannot be compared.
    fn check_taken(&self, descriptor: &Descriptor, session: &upload::UploadSession) -> Result<(), Box<Failed>> {
        match session.digest {
            Some(got) if got.algorithm() == descriptor.digest.algorithm() && got != descriptor.digest => {
                Err(Failed::at_once(self.contradiction(descriptor.digest, got)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn read_opened<B>(&self, asked: &Url, answer: &Answer<B>) -> Result<Opened, Error> {
        let session = upload::read(&self.base, asked, answer.response.headers());
        let session = session.map_err(|error| self.refused(error))?;
        let place =
            session.location.ok_or_else(|| self.protocol("expected a Location for the upload, got none".into()))?;
        Ok(Opened { place, least: session.least })
    }
}

/// Pause before the offset is requested again: the registry may still be reading what arrived over a broken connection.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(500);
/// Patience for a request after a stall: both together stay below forty seconds.
const LAST_CALL: Duration = Duration::from_secs(8);
