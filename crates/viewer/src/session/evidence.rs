//! Finding signatures and statements: what refers to the image of the look, and to the index that led to it.
//!
//! The session fetches documents and blobs, and compares them with their digests. Another program checks the signatures, so that
//! the session does not hold the code for it.

use super::{Errand, Front, Session, Work};
use crate::{
    pool::Pool,
    protocol::{
        Event, EvidenceAnswer, EvidenceBlob, EvidenceCard, EvidenceJob, EvidenceLack, EvidenceProgress, EvidenceState,
        FailureNotice, PolicyFacts, SignerRule, SignerWish,
    },
    size::size,
};
use porthole_core::{failure::Classify, manifest::Document};
use porthole_inspect::{
    policy::{parse_policy, policy_text},
    referrers::{FoundEvidence, RawEvidence, RawEvidenceError, WantedEvidence, artifact_type, fetch_evidence},
    resolve::ResolvedImage,
};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};
use porthole_source::ImageSource;

/// A search for evidence about the image of a look.
#[derive(Clone, Debug)]
pub(super) struct EvidenceRun {
    look: u32,
    run: u32,
    wish: SignerWish,
    wanted: WantedEvidence,
}

/// The result of a search so far, and the answer that it waits for.
pub(super) struct EvidenceWait {
    run: EvidenceRun,
    others: Vec<EvidenceCard>,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins a search, in place of the one before.
    pub(super) fn begin_evidence(&self, run: u32, wish: SignerWish, signatures_only: bool) {
        let Some(look) = self.desk.borrow().look.as_ref().map(|look| look.number) else { return };
        self.desk.borrow_mut().evidence = None;
        let wanted = if signatures_only { WantedEvidence::Signatures } else { WantedEvidence::All };
        let run = EvidenceRun { look, run, wish, wanted };
        self.tell_evidence(&run, EvidenceState::Running);
        self.errands.begin(Errand::Evidence, Work::Evidence(run));
    }

    /// Ends the search. An answer that is on its way is ignored.
    pub(super) fn stop_evidence(&self) {
        self.errands.stop(Errand::Evidence);
        self.desk.borrow_mut().evidence = None;
    }

    /// Takes the text of a policy. One that cannot be read changes nothing.
    pub(super) fn set_policy(&self, text: &str) {
        let rules = if text.trim().is_empty() { Ok(Vec::new()) } else { parse_policy(text) };
        match rules {
            Ok(rules) => self.change_policy(|known| *known = rules),
            Err(error) => self.tell_policy(Some(error.to_string())),
        }
    }

    /// Adds a rule, in place of one about the same images.
    pub(super) fn demand(&self, rule: SignerRule) {
        // As if it had come in a text: what a person types is not always a rule.
        match parse_policy(&policy_text(std::slice::from_ref(&rule))) {
            Ok(read) => self.change_policy(|rules| {
                rules.retain(|known| read.iter().all(|rule| rule.images != known.images));
                rules.extend(read);
            }),
            Err(error) => self.tell_policy(Some(error.to_string())),
        }
    }

    pub(super) fn change_policy(&self, change: impl FnOnce(&mut Vec<SignerRule>)) {
        change(&mut self.desk.borrow_mut().policy);
        self.tell_policy(None);
    }

    fn tell_policy(&self, problem: Option<String>) {
        let rules = self.desk.borrow().policy.clone();
        let text = if rules.is_empty() { String::new() } else { policy_text(&rules) };
        self.tell(vec![Event::Policy { policy: PolicyFacts { text, rules, problem } }]);
    }

    pub(super) async fn find_evidence(&self, run: EvidenceRun) {
        match self.gather(&run).await {
            Ok(Some(FoundEvidence { blobs, others, received })) => {
                self.of_look(run.look, |look, _| look.fetched(received));
                let blobs = blobs.into_iter().map(blob).collect();
                let job = EvidenceJob { look: run.look, run: run.run, wish: run.wish.clone(), blobs };
                let others = others.iter().map(card).collect();
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
        if answer.cards.is_ok() {
            self.take_bills(answer.bills);
        }
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

    /// `None`: another look has begun.
    async fn gather(&self, run: &EvidenceRun) -> Result<Option<FoundEvidence>, EvidenceState> {
        let found = {
            let desk = self.desk.borrow();
            let body = desk.body_of(run.look);
            body.map(|body| {
                (body.reference.clone(), body.page.as_ref().map(|page| page.image.clone()), body.resolved.clone())
            })
        };
        let Some((reference, page, resolved)) = found else { return Ok(None) };
        let found = match page {
            Some(page) => fetch(&page, &resolved, run.wanted).await.map_err(|error| failed(&error))?,
            None => {
                let source = RemoteImage::new(&self.registry, reference);
                fetch(&source, &resolved, run.wanted).await.map_err(|error| failed(&error))?
            }
        };
        Ok(Some(found))
    }
}

async fn fetch<S: ImageSource<Error: Classify>>(
    source: &S,
    resolved: &ResolvedImage,
    wanted: WantedEvidence,
) -> Result<FoundEvidence, S::Error> {
    fetch_evidence(source, resolved, wanted, EVIDENCE_BYTES).await
}

fn failed(error: &(impl Classify + ToString)) -> EvidenceState {
    EvidenceState::Failed(Box::new(FailureNotice::of(error)))
}

/// A blob for the program that checks it.
fn blob(raw: RawEvidence) -> EvidenceBlob {
    let RawEvidence { subject, referrer, layer, bytes } = raw;
    let bytes = bytes.map_err(|error| match error {
        RawEvidenceError::TooLarge { .. } => EvidenceLack::TooLarge,
        error => EvidenceLack::Wrong(error.to_string()),
    });
    EvidenceBlob {
        subject: subject.digest.to_string(),
        subject_type: subject.media_type.to_string(),
        subject_size: subject.size,
        referrer: referrer.to_string(),
        digest: layer.digest.to_string(),
        media_type: layer.media_type.to_string(),
        size: layer.size,
        annotations: layer.annotations,
        bytes,
    }
}

/// A referrer that holds no evidence.
fn card(document: &Document) -> EvidenceCard {
    let annotations = match document {
        Document::Manifest(manifest) => &manifest.value.annotations,
        Document::Index(index) => &index.value.annotations,
    };
    let digest = document.raw().digest().to_string();
    let mut facts = vec![("Document".to_owned(), format!("{digest} · {}", size(document.raw().size())))];
    facts.extend(annotations.get("org.opencontainers.image.title").map(|title| ("Title".to_owned(), title.clone())));
    let title = artifact_type(document).map_or_else(|| "index".to_owned(), ToString::to_string);
    EvidenceCard { digest, title, is_statement: false, verdict: None, signer: None, facts }
}

/// A blob of a referrer that is larger is not fetched by the page.
const EVIDENCE_BYTES: u64 = 8 << 20;
