//! Looking for signatures and statements: what is fetched, and what the program that checks them gets and answers.

use crate::stage::*;
use porthole_testkit::{
    image::{Blob, Built, Content, Image, Layer},
    registry::{Fault, Site},
};
use porthole_viewer::{
    address::Tab,
    protocol::{
        EvidenceAnswer, EvidenceCard, EvidenceJob, EvidenceLack, EvidenceState, ShownSigner, SignatureVerdict,
        SignerRule, SignerWish,
    },
    state::{Action, Effect, PolicyAction, command},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn image() -> Built {
    Image::new().layer(Layer::new("COPY a /").file("a", "b")).build()
}

/// A manifest with this layer, as cosign 2 writes it, and its blobs.
fn artifact(layer: &Blob, size: usize) -> (Blob, [Blob; 2]) {
    let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{{"mediaType":"{}","digest":"{}","size":{size},"annotations":{{"a":"b"}}}}]}}"#,
        config.descriptor(),
        layer.media_type,
        layer.digest
    );
    (Blob::new(MANIFEST, text.into_bytes()), [config, layer.clone()])
}

/// An image with a signature under cosign's tag, and something else under another of its tags.
fn signed(size: Option<usize>) -> Content {
    let image = image();
    let mut content = image.clone().into_content("1");
    let payload = Blob::new(PAYLOAD, b"{\"critical\": {}}".to_vec());
    let note = Blob::new("application/vnd.example.note", b"note".to_vec());
    for (suffix, layer) in [("sig", payload), ("sbom", note)] {
        let (manifest, blobs) = artifact(&layer, size.unwrap_or(layer.bytes.len()));
        for blob in blobs {
            content.add_blob(blob);
        }
        content.add_root(&format!("{}.{suffix}", image.manifest.digest.replace(':', "-")), manifest);
    }
    content
}

fn job(stage: &Stage) -> EvidenceJob {
    let [job] = &stage.evidence_jobs()[..] else { panic!("one job") };
    job.clone()
}

fn answer(job: &EvidenceJob) -> EvidenceAnswer {
    let card = |blob: &porthole_viewer::protocol::EvidenceBlob| EvidenceCard {
        digest: blob.digest.clone(),
        title: "a signature".into(),
        is_statement: false,
        verdict: Some(SignatureVerdict::Trusted),
        signer: Some(ShownSigner { name: "me".into(), attested_by: None }),
        facts: Vec::new(),
    };
    EvidenceAnswer { look: job.look, run: job.run, cards: Ok(job.blobs.iter().map(card).collect()), bills: Vec::new() }
}

fn state(stage: &Stage) -> &EvidenceState {
    &stage.state.evidence.as_ref().expect("a search").state
}

#[test]
fn signatures_are_fetched_and_checked_elsewhere_and_the_rest_is_named() {
    let mut stage = Stage::looking(signed(None));
    let fetched = stage.state.fetched;
    assert!(stage.state.evidence.is_none() && stage.evidence_jobs().is_empty(), "nothing is fetched unasked");
    let wish = SignerWish { keys: vec!["a key".into()], ..SignerWish::default() };
    stage.act(Action::Evidence(wish.clone()));
    let job = job(&stage);
    assert_eq!(job.wish, wish);
    let [blob] = &job.blobs[..] else { panic!("{job:?}") };
    assert_eq!((blob.subject.as_str(), blob.media_type.as_str()), (image().manifest.digest.as_str(), PAYLOAD));
    assert_eq!(blob.bytes.as_deref(), Ok(b"{\"critical\": {}}".as_slice()));
    assert_eq!(blob.annotations["a"], "b");
    assert_eq!(*state(&stage), EvidenceState::Running);
    assert!(stage.state.fetched > fetched, "what was fetched for it is counted");
    stage.answer_evidence(Some(answer(&job)));
    let EvidenceState::Done(cards) = state(&stage) else { panic!("{:?}", state(&stage)) };
    let cards: Vec<_> = cards.iter().map(|card| (card.title.as_str(), card.verdict)).collect();
    let expected = [("a signature", Some(SignatureVerdict::Trusted)), ("application/vnd.example.note", None)];
    assert_eq!(cards, expected);
    stage.act(Action::Tab(Tab::Referrers));
    assert!(
        command(&stage.state).is_some_and(|command| command.starts_with("porthole referrers --tree r.example/a/b@"))
    );
}

#[test]
fn an_image_without_referrers_is_done_and_has_none() {
    let mut stage = Stage::looking(image().into_content("1"));
    stage.act(Action::Evidence(SignerWish::default()));
    let job = job(&stage);
    assert!(job.blobs.is_empty());
    stage.answer_evidence(Some(answer(&job)));
    assert_eq!(*state(&stage), EvidenceState::Done(Vec::new()));
}

#[test]
fn a_blob_that_is_too_large_or_another_one_is_not_checked_as_one() {
    let mut stage = Stage::looking(signed(Some(9 << 20)));
    stage.act(Action::Evidence(SignerWish::default()));
    assert_eq!(job(&stage).blobs[0].bytes, Err(EvidenceLack::TooLarge));
    let mut stage = Stage::looking(signed(Some(3)));
    stage.act(Action::Evidence(SignerWish::default()));
    assert!(matches!(job(&stage).blobs[0].bytes, Err(EvidenceLack::Wrong(_))));
}

#[test]
fn the_trust_root_of_the_settings_is_used_where_none_is_named() {
    let root = |stage: &Stage| stage.evidence_jobs().pop().map(|job| job.wish.root).unwrap_or_default();
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Policy(PolicyAction::Root(" {root} ".into())));
    assert!(matches!(stage.effects.last(), Some(Effect::KeepTrustRoot(root)) if &**root == "{root}"));
    stage.act(Action::Evidence(SignerWish::default()));
    assert_eq!(root(&stage), "{root}");
    stage.act(Action::Evidence(SignerWish { root: "named".into(), ..SignerWish::default() }));
    assert_eq!(root(&stage), "named");
    // A rule that names none is checked again, with the new one.
    stage.act(Action::Policy(rule("r.example/a")));
    stage.act(Action::Policy(PolicyAction::Root("{another}".into())));
    assert_eq!(root(&stage), "{another}");
    stage.look("r.example/a/b:1");
    assert_eq!(root(&stage), "{another}", "another look keeps it");
}

fn rule(images: &str) -> PolicyAction {
    let wish = SignerWish { keys: vec!["a key".into()], ..SignerWish::default() };
    PolicyAction::Demand(SignerRule { images: images.into(), wish })
}

#[test]
fn a_rule_is_kept_and_checked_at_each_look() {
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Policy(rule("r.example/a")));
    let Some(Effect::KeepPolicy(text)) = stage.effects.iter().find(|effect| matches!(effect, Effect::KeepPolicy(_)))
    else {
        panic!("{:?}", stage.effects)
    };
    let text = text.clone();
    assert_eq!(stage.state.rule().map(|rule| rule.images.as_str()), Some("r.example/a"));
    let first = job(&stage);
    assert_eq!(first.wish.keys, ["a key"], "it is checked at once");
    stage.answer_evidence(Some(answer(&first)));
    let link = stage.state.signed().expect("a link");
    assert_eq!(
        (link.word(), link.signer.map(|signer| signer.name), stage.state.breaks_policy()),
        ("trusted", Some("me".into()), false)
    );

    let internet = registry(signed(None));
    let mut stage = Stage::new(&internet);
    stage.act(Action::Policy(PolicyAction::Set(text)));
    assert!(stage.evidence_jobs().is_empty());
    stage.look(REFERENCE);
    let second = job(&stage);
    assert_eq!(second.blobs.len(), 1);
    let none = EvidenceAnswer { look: second.look, run: second.run, cards: Ok(Vec::new()), bills: Vec::new() };
    stage.answer_evidence(Some(none));
    assert_eq!((stage.state.signed().map(|link| link.word()), stage.state.breaks_policy()), (Some("unsigned"), true));
    stage.act(Action::Policy(PolicyAction::Waive("r.example/a".into())));
    assert_eq!((stage.state.rule(), stage.state.breaks_policy()), (None, false));
}

#[test]
fn a_text_that_is_no_policy_changes_no_rule() {
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Policy(rule("r.example")));
    for action in [PolicyAction::Set("{}".into()), rule("no registry"), rule("")] {
        stage.act(Action::Policy(action));
        assert!(stage.state.policy.problem.is_some());
        assert_eq!(stage.state.policy.rules.len(), 1);
    }
    stage.act(Action::Policy(rule("r.example")));
    assert_eq!((stage.state.policy.rules.len(), &stage.state.policy.problem), (1, &None));
}

#[test]
fn a_search_that_is_stopped_ends_and_an_answer_is_ignored() {
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Evidence(SignerWish::default()));
    let job = job(&stage);
    stage.act(Action::StopEvidence);
    assert_eq!(*state(&stage), EvidenceState::Stopped);
    stage.answer_evidence(Some(answer(&job)));
    assert_eq!(*state(&stage), EvidenceState::Stopped);
    assert_eq!(stage.state.signed().map(|link| link.word()), Some("failed"));
}

#[test]
fn an_answer_to_an_earlier_search_or_look_changes_nothing() {
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Evidence(SignerWish::default()));
    let first = job(&stage);
    stage.act(Action::Evidence(SignerWish { keys: vec!["k".into()], ..SignerWish::default() }));
    stage.answer_evidence(Some(answer(&first)));
    assert_eq!(*state(&stage), EvidenceState::Running);
    let second = job(&stage);
    stage.look(REFERENCE);
    assert!(stage.state.evidence.is_none(), "another look has not been searched");
    stage.answer_evidence(Some(answer(&second)));
    assert!(stage.state.evidence.is_none());
}

#[test]
fn a_registry_that_fails_and_a_program_that_ends_are_named() {
    let mut stage = Stage::looking(signed(None));
    stage.internet.fault(".sig", 9, Fault::Status(500));
    stage.act(Action::Evidence(SignerWish::default()));
    assert!(matches!(state(&stage), EvidenceState::Failed(failure) if !failure.text.is_empty()), "{:?}", state(&stage));
    assert!(stage.evidence_jobs().is_empty());
    stage.internet.site(REGISTRY, Site::new().repository("a/b", signed(None)));
    let mut stage = Stage::looking(signed(None));
    stage.act(Action::Evidence(SignerWish::default()));
    stage.answer_evidence(None);
    assert!(matches!(state(&stage), EvidenceState::Refused(_)), "{:?}", state(&stage));
}
