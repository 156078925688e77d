//! Finding signatures and statements: what refers to the image of the look, and to the index that led to it.
//!
//! The session fetches documents and blobs, and compares them with their digests. Another program checks the signatures, so that
//! the session does not hold the code for it.

use super::{Errand, Front, Session, Work};
use crate::{
    pool::Pool,
    protocol::{
        Event, EvidenceAnswer, EvidenceBlob, EvidenceCard, EvidenceJob, EvidenceLack, EvidenceProgress, EvidenceState,
        FailureNotice, SignerWish,
    },
    size::size,
};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Verifier},
    failure::Classify,
    manifest::{Document, Index, Manifest},
    media_type::{MediaType, Role},
};
use porthole_inspect::{
    blob::read_range,
    referrers::{EvidenceFormat, Referrer, referrers_of},
};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};
use porthole_source::ImageSource;
use std::ops::ControlFlow;

/// A search for evidence about the image of a look.
#[derive(Clone, Debug)]
pub(super) struct EvidenceRun {
    look: u32,
    run: u32,
    wish: SignerWish,
}

/// What a search found, and what it waits for.
pub(super) struct EvidenceWait {
    run: EvidenceRun,
    others: Vec<EvidenceCard>,
}

/// What refers to a digest.
#[derive(Default)]
struct Gathered {
    blobs: Vec<EvidenceBlob>,
    others: Vec<EvidenceCard>,
    fetched: u64,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins a search, in place of the one before.
    pub(super) fn begin_evidence(&self, run: u32, wish: SignerWish) {
        let Some(look) = self.desk.borrow().look.as_ref().map(|look| look.number) else { return };
        self.desk.borrow_mut().evidence = None;
        let run = EvidenceRun { look, run, wish };
        self.tell_evidence(&run, EvidenceState::Running);
        self.errands.begin(Errand::Evidence, Work::Evidence(run));
    }

    pub(super) async fn find_evidence(&self, run: EvidenceRun) {
        match self.gather(&run).await {
            Ok(Some(gathered)) => {
                let Gathered { blobs, others, fetched } = gathered;
                self.of_look(run.look, |look, _| look.fetched(fetched));
                let job = EvidenceJob { look: run.look, run: run.run, wish: run.wish.clone(), blobs };
                self.desk.borrow_mut().evidence = Some(EvidenceWait { run, others });
                self.front.check(job);
                self.turn_soon();
            }
            Ok(None) => {}
            Err(state) => self.tell_evidence(&run, state),
        }
    }

    /// Takes the answer of the program that checks signatures.
    pub fn hear_evidence(&self, answer: EvidenceAnswer) {
        let waits = |wait: &mut EvidenceWait| (wait.run.look, wait.run.run) == (answer.look, answer.run);
        let Some(EvidenceWait { run, others }) = self.desk.borrow_mut().evidence.take_if(waits) else { return };
        let state = match answer.cards {
            Ok(cards) => EvidenceState::Done(cards.into_iter().chain(others).collect()),
            Err(why) => EvidenceState::Refused(why),
        };
        self.tell_evidence(&run, state);
    }

    /// The program that checks signatures ended without an answer.
    pub fn bury_evidence(&self) {
        if let Some(EvidenceWait { run, .. }) = self.desk.borrow_mut().evidence.take() {
            let text = "the program that checks signatures could not be loaded, or ended";
            self.tell_evidence(&run, EvidenceState::Refused(text.to_owned()));
        }
    }

    fn tell_evidence(&self, run: &EvidenceRun, state: EvidenceState) {
        let progress = Box::new(EvidenceProgress { run: run.run, state });
        self.tell(vec![Event::Evidence { look: run.look, progress }]);
    }

    /// `None` = the look is another one by now.
    async fn gather(&self, run: &EvidenceRun) -> Result<Option<Gathered>, EvidenceState> {
        let found = {
            let desk = self.desk.borrow();
            let body = desk.look.as_ref().filter(|look| look.number == run.look).and_then(|look| look.body.as_ref());
            body.map(|body| {
                (body.reference.clone(), body.page.as_ref().map(|page| page.image.clone()), body.resolved.clone())
            })
        };
        let Some((reference, page, resolved)) = found else { return Ok(None) };
        let image = *resolved.image.manifest.raw.digest();
        let index = match &resolved.index {
            Some(Document::Index(index)) => Some((*index.raw.digest(), &index.value)),
            _ => None,
        };
        let gathered = match page {
            Some(page) => gather_all(&page, &image, index).await.map_err(|error| failed(&error))?,
            None => {
                let source = RemoteImage::new(&self.registry, reference);
                gather_all(&source, &image, index).await.map_err(|error| failed(&error))?
            }
        };
        Ok(Some(gathered))
    }
}

fn failed(error: &(impl Classify + ToString)) -> EvidenceState {
    EvidenceState::Failed(Box::new(FailureNotice::of(error)))
}

/// What refers to the image, and to its index: a signature of the index is one of each of its images.
async fn gather_all<S: ImageSource<Error: Classify>>(
    source: &S,
    image: &Digest,
    index: Option<(Digest, &Index)>,
) -> Result<Gathered, S::Error> {
    let mut gathered = Gathered::default();
    gather_about(source, image, index.map(|(_, index)| index), &mut gathered).await?;
    if let Some((digest, _)) = index {
        gather_about(source, &digest, None, &mut gathered).await?;
    }
    Ok(gathered)
}

async fn gather_about<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    index: Option<&Index>,
    gathered: &mut Gathered,
) -> Result<(), S::Error> {
    for Referrer { document, .. } in referrers_of(source, subject, index).await?.found {
        gathered.fetched += document.raw().size();
        let layers: &[Descriptor] = match &document {
            Document::Manifest(manifest) => &manifest.value.layers,
            Document::Index(_) => &[],
        };
        let mut has_evidence = false;
        for layer in layers.iter().filter(|layer| is_evidence(&layer.media_type)) {
            has_evidence = true;
            let text = read(source, layer, &mut gathered.fetched).await?;
            gathered.blobs.push(EvidenceBlob {
                subject: subject.to_string(),
                referrer: document.raw().digest().to_string(),
                digest: layer.digest.to_string(),
                media_type: layer.media_type.to_string(),
                size: layer.size,
                annotations: layer.annotations.clone(),
                text,
            });
        }
        if !has_evidence {
            gathered.others.push(fact(&document));
        }
    }
    Ok(())
}

/// Whether the media type of a layer promises evidence.
fn is_evidence(media_type: &MediaType) -> bool {
    EvidenceFormat::of(media_type).is_some()
}

fn fact(document: &Document) -> EvidenceCard {
    let (kind, annotations) = match document {
        Document::Manifest(manifest) => (kind(&manifest.value), &manifest.value.annotations),
        Document::Index(index) => (
            index.value.artifact_type.as_ref().map_or_else(|| "index".to_owned(), ToString::to_string),
            &index.value.annotations,
        ),
    };
    let mut facts =
        vec![("Document".to_owned(), format!("{} · {}", document.raw().digest(), size(document.raw().size())))];
    facts.extend(annotations.get("org.opencontainers.image.title").map(|title| ("Title".to_owned(), title.clone())));
    EvidenceCard { digest: document.raw().digest().to_string(), title: kind, is_statement: false, verdict: None, facts }
}

fn kind(manifest: &Manifest) -> String {
    match (&manifest.artifact_type, manifest.layers.first()) {
        (Some(own), _) => own.to_string(),
        (None, Some(layer)) if manifest.config.media_type.role() == Role::Config => layer.media_type.to_string(),
        _ => manifest.config.media_type.to_string(),
    }
}

/// The text of a blob, compared with its digest.
async fn read<S: ImageSource>(
    source: &S,
    layer: &Descriptor,
    fetched: &mut u64,
) -> Result<Result<String, EvidenceLack>, S::Error> {
    if layer.size > EVIDENCE_BYTES {
        return Ok(Err(EvidenceLack::TooLarge));
    }
    let mut bytes = Vec::new();
    let mut verifier = Verifier::new(&layer.digest, layer.size);
    let mut wrong = None;
    *fetched += read_range(source, Some(layer), 0..layer.size, |part| match verifier.update(part) {
        Ok(()) => {
            bytes.extend_from_slice(part);
            ControlFlow::Continue(())
        }
        Err(mismatch) => {
            wrong = Some(mismatch);
            ControlFlow::Break(())
        }
    })
    .await?;
    if let Err(mismatch) = wrong.map_or_else(|| verifier.finish(), Err) {
        return Ok(Err(EvidenceLack::Wrong(mismatch.to_string())));
    }
    Ok(String::from_utf8(bytes).map_err(|_| EvidenceLack::Wrong("expected text, got other bytes".to_owned())))
}

/// A blob of a referrer that is larger is not fetched by the page.
const EVIDENCE_BYTES: u64 = 8 << 20;
