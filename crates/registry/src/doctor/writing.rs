//! Probes of uploads. They send random bytes that no image refers to, and delete them where the registry allows it.

use crate::{
    Error,
    client::{Asker, Deletion, Destination, Probed},
    endpoint::{
        mount,
        upload::{self, UploadSession},
    },
    error::kind_of_status,
    policy::UploadPlace,
    scope::Scopes,
    transport::{Environment, Request, Transport},
};
use http::StatusCode;
use porthole_core::{
    descriptor::Descriptor, digest::Digest, failure::FailureClass, media_type::MediaType, reference::Reference,
};

use super::{
    examined::ExaminedRegistry,
    finding::{ProbeFinding, ProbeName},
};

/// Everything about uploads, in the order in which they happen. `from` is an image of another repository, whose blob could be mounted.
pub async fn uploads<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    to: &Reference,
    from: Option<(&Reference, &Descriptor)>,
) -> Vec<ProbeFinding> {
    let writer = Writer { registry, to, scopes: Scopes::push(to.repository()) };
    let (upload, session) = writer.upload().await;
    let mut findings = vec![upload];
    let Some(session) = session else { return findings };
    let (chunk, place) = writer.chunk(&session).await;
    findings.push(chunk);
    findings.push(writer.resume(&place).await);
    findings.push(writer.cancel(&place).await);
    let (whole, written) = writer.whole().await;
    findings.push(whole);
    if let Some(written) = written {
        findings.push(match from {
            Some((from, blob)) => writer.mount(blob, from.repository()).await,
            None => writer.mount(&written, to.repository()).await,
        });
        findings.push(writer.delete(&written).await);
    }
    findings
}

struct Writer<'w, 'p, T> {
    registry: &'w ExaminedRegistry<'p, T>,
    to: &'w Reference,
    scopes: Scopes,
}

/// An open session.
struct Open {
    place: UploadPlace,
    least: Option<u64>,
}

impl<T: Transport + Environment> Writer<'_, '_, T> {
    async fn send(&self, request: Result<Request, crate::policy::UrlError>) -> Result<Probed, Error> {
        let request = request.map_err(Error::Relay)?;
        self.registry.client.probe(self.to, request, Asker::User(self.scopes.clone())).await
    }

    /// What an answer says of its session; the place before stays, if it names no other.
    fn session(&self, answer: &Probed) -> Result<UploadSession, String> {
        upload::read(&self.registry.base, &answer.url, &answer.headers).map_err(|error| error.to_string())
    }

    async fn open(&self) -> Result<Open, ProbeFinding> {
        let answer = match self.send(upload::start(&self.registry.base, self.to.repository())).await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(ProbeFinding::no(ProbeName::Upload, format!("cannot be begun: {error}")).fatal(&error));
            }
        };
        let status = answer.status.as_u16();
        if answer.status != StatusCode::ACCEPTED {
            return Err(ProbeFinding::no(ProbeName::Upload, format!("cannot be begun: {status}, {}", answer.words()))
                .because(kind_of_status(answer.status)));
        }
        match self.session(&answer) {
            Ok(UploadSession { location: Some(place), least, .. }) => Ok(Open { place, least }),
            Ok(_) => Err(ProbeFinding::no(ProbeName::Upload, "cannot continue: the registry sends no Location for it")
                .because(FailureClass::Protocol)),
            Err(error) => {
                Err(ProbeFinding::no(ProbeName::Upload, format!("would go to a place that is refused: {error}"))
                    .because(FailureClass::Protocol))
            }
        }
    }

    /// Whether an upload can be begun.
    async fn upload(&self) -> (ProbeFinding, Option<Open>) {
        let open = match self.open().await {
            Ok(open) => open,
            Err(finding) => return (finding, None),
        };
        let place = open.place.url.origin().to_string();
        let finding = if open.place.ours {
            ProbeFinding::ok(ProbeName::Upload, "can be begun")
        } else {
            ProbeFinding::ok(
                ProbeName::Upload,
                format!("can be begun, and goes to {place}, which must be reachable as well"),
            )
        };
        (finding.with("to", place), Some(open))
    }

    /// Whether a part of a blob is taken, and how much of it the registry says it has. Returns where the session went.
    async fn chunk(&self, open: &Open) -> (ProbeFinding, UploadPlace) {
        let stays = open.place.clone();
        let size = open.least.unwrap_or(0).max(CHUNK);
        if size > LARGEST {
            let says = format!("of less than {size} bytes are refused: too much to try");
            return (ProbeFinding::unknown(ProbeName::Chunks, says).with("least", size), stays);
        }
        let answer = self.send(upload::patch(&open.place.url, &(0..size), self.noise(size).into())).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return (ProbeFinding::failed(ProbeName::Chunks, &error), stays),
        };
        let status = answer.status.as_u16();
        let session = match self.session(&answer) {
            Ok(session) => session,
            Err(error) => {
                return (
                    ProbeFinding::no(ProbeName::Chunks, format!("lead to a place that is refused: {error}")),
                    stays,
                );
            }
        };
        let finding = if !answer.status.is_success() {
            ProbeFinding::no(
                ProbeName::Chunks,
                format!("are answered {status}: what is larger than a proxy on the way lets through cannot be pushed"),
            )
        } else if session.held == Some(size) {
            ProbeFinding::ok(ProbeName::Chunks, "are accepted, and the registry reports its offset")
        } else {
            ProbeFinding::no(
                ProbeName::Chunks,
                "are accepted, but the registry does not report its offset: interrupted uploads start again",
            )
        };
        let finding = open.least.into_iter().fold(finding, |finding, least| finding.with("least", least));
        (finding, session.location.unwrap_or(stays))
    }

    /// Whether a session reports its offset.
    async fn resume(&self, place: &UploadPlace) -> ProbeFinding {
        match self.send(upload::status(&place.url)).await {
            Err(error) => ProbeFinding::failed(ProbeName::Resume, &error),
            Ok(answer)
                if answer.status.is_success() && self.session(&answer).is_ok_and(|session| session.held.is_some()) =>
            {
                ProbeFinding::ok(ProbeName::Resume, "a session reports its offset: an interrupted upload resumes")
            }
            Ok(answer) => {
                let status = answer.status.as_u16();
                ProbeFinding::no(
                    ProbeName::Resume,
                    format!("a session does not tell what it has ({status}): an upload that breaks off may start over"),
                )
            }
        }
    }

    /// Whether a session can be given up.
    async fn cancel(&self, place: &UploadPlace) -> ProbeFinding {
        match self.send(upload::cancel(&place.url)).await {
            Err(error) => ProbeFinding::failed(ProbeName::Cancel, &error),
            Ok(answer) if answer.status.is_success() => {
                ProbeFinding::ok(ProbeName::Cancel, "an upload can be given up, and leaves nothing")
            }
            Ok(answer) => {
                let status = answer.status.as_u16();
                ProbeFinding::no(
                    ProbeName::Cancel,
                    format!(
                        "an upload cannot be cancelled ({status}): the registry keeps its bytes until it collects garbage"
                    ),
                )
            }
        }
    }

    /// Whether a whole blob is taken at once.
    async fn whole(&self) -> (ProbeFinding, Option<Descriptor>) {
        let open = match self.open().await {
            Ok(open) => open,
            Err(finding) => return (ProbeFinding { probe: ProbeName::Whole, ..finding }, None),
        };
        let bytes = self.noise(WHOLE);
        let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(&bytes), WHOLE);
        let answer = self.send(upload::commit(&open.place.url, &blob.digest, bytes.into())).await;
        match answer {
            Err(error) => (ProbeFinding::failed(ProbeName::Whole, &error), None),
            Ok(answer) if answer.status.is_success() => {
                (ProbeFinding::ok(ProbeName::Whole, "blobs are taken in one piece"), Some(blob))
            }
            Ok(answer) => {
                let _ = self.send(upload::cancel(&open.place.url)).await;
                let says = format!(
                    "blobs are not taken in one piece ({}, {}): they go in chunks",
                    answer.status.as_u16(),
                    answer.words()
                );
                (ProbeFinding::no(ProbeName::Whole, says), None)
            }
        }
    }

    /// Whether a blob of another repository need not be sent.
    async fn mount(&self, blob: &Descriptor, from: &str) -> ProbeFinding {
        let to = Destination::new(self.to.clone());
        // If the blob exists already, a mount only shows that the registry understands the request.
        let is_there = from == self.to.repository() || self.registry.client.has_blob(&to, blob).await.unwrap_or(false);
        let request =
            mount::request(&self.registry.base, self.to.repository(), &blob.digest, from).map_err(Error::Relay);
        let scopes = self.scopes.union(&Scopes::pull(from));
        let answer = match request {
            Ok(request) => self.registry.client.probe(self.to, request, Asker::User(scopes)).await,
            Err(error) => Err(error),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return ProbeFinding::failed(ProbeName::Mount, &error),
        };
        let finding = match mount::read(answer.status) {
            mount::MountOutcome::Mounted if is_there => {
                ProbeFinding::ok(ProbeName::Mount, "blobs are mounted, as far as one shows that was there already")
            }
            mount::MountOutcome::Mounted => {
                ProbeFinding::ok(ProbeName::Mount, "blobs are mounted: what another repository has is not sent again")
            }
            mount::MountOutcome::Session => {
                if let Ok(UploadSession { location: Some(place), .. }) = self.session(&answer) {
                    let _ = self.send(upload::cancel(&place.url)).await;
                }
                ProbeFinding::no(ProbeName::Mount, "blobs are not mounted: what another repository has is sent again")
            }
            mount::MountOutcome::Refused => {
                let status = answer.status.as_u16();
                ProbeFinding::no(
                    ProbeName::Mount,
                    format!("blobs are not mounted ({status}): what another repository has is sent again"),
                )
            }
        };
        finding.with("from", from)
    }

    /// Whether what was written can be taken back.
    async fn delete(&self, blob: &Descriptor) -> ProbeFinding {
        match self.registry.client.delete_blob(self.to, &blob.digest).await {
            Ok(Deletion::Done) => ProbeFinding::ok(ProbeName::Delete, "blobs are deleted: what was uploaded is gone"),
            Ok(Deletion::Unsupported { .. }) => ProbeFinding::no(
                ProbeName::Delete,
                format!("blobs are not deleted: {} bytes of noise stay until they are swept", blob.size),
            ),
            Err(error) => ProbeFinding::failed(ProbeName::Delete, &error),
        }
    }

    /// Bytes that no registry has.
    fn noise(&self, size: u64) -> Vec<u8> {
        let transport = self.registry.client.transport();
        let mut state = transport.random() ^ transport.now().as_nanos() as u64 | 1;
        let mut bytes = Vec::new();
        for _ in 0..size.div_ceil(8) {
            // Xorshift: not random, but never the same.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        bytes
    }
}

/// Bytes of the chunk that is tried, where the registry asks for no more.
const CHUNK: u64 = 64 << 10;
/// Bytes of the largest chunk that is tried.
const LARGEST: u64 = 32 << 20;
/// Bytes of the blob that is written whole.
const WHOLE: u64 = 1 << 10;
