//! Signatures of the image, attestations about it, and other referrers.

use super::{policy::Policy, words::bdi};
use crate::hooks::text_file::text_input;
use porthole_viewer::protocol::{
    EvidenceCard, EvidenceState, ImageSummary, PolicyFacts, SignatureVerdict, SignerCertificates, SignerIdentity,
    SignerText, SignerWish,
};
use porthole_viewer::state::{Action, EvidenceFound, SignedLink, State};
use std::rc::Rc;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

/// Properties of [`Referrers`].
#[derive(Properties, PartialEq)]
pub struct ReferrersProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// What is known.
    pub found: Option<Rc<EvidenceFound>>,
    /// Whose signatures images must have.
    pub policy: Rc<PolicyFacts>,
    /// The images that the rule about this one is about.
    pub rule: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl ReferrersProps {
    /// What the state knows of referrers.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        let rule = state.rule().map(|rule| rule.images.clone());
        Self {
            image: state.image.clone(),
            found: state.evidence.clone(),
            policy: Rc::clone(&state.policy),
            rule,
            dispatch,
        }
    }
}

/// A form that asks whose signature is wanted, and what was found.
#[component]
pub fn Referrers(props: &ReferrersProps) -> Html {
    let fields = use_memo((), |()| [(); FIELDS.len()].map(|()| NodeRef::default()));
    let onsubmit = {
        let (dispatch, fields) = (props.dispatch.clone(), Rc::clone(&fields));
        move |event: SubmitEvent| {
            event.prevent_default();
            let texts = fields
                .each_ref()
                .map(|field| field.cast::<HtmlTextAreaElement>().map(|area| area.value()).unwrap_or_default());
            dispatch.emit(Action::Evidence(wish(&texts)));
        }
    };
    let nodes = Rc::clone(&fields);
    let fields = FIELDS.iter().zip(fields.iter()).map(|((id, words, hint, rows), field)| {
        html! { <label>{ *words }<textarea id={*id} class="mono" rows={*rows} ref={field.clone()} placeholder={*hint} autocomplete="off" spellcheck="false" /></label> }
    });
    let fill = |at: usize| {
        let root = nodes[at].clone();
        Callback::from(move |(_, text): (String, String)| {
            if let Some(area) = root.cast::<HtmlTextAreaElement>() {
                area.set_value(&text);
            }
        })
    };
    let running = props.found.as_ref().is_some_and(|found| found.state == EvidenceState::Running);
    let wish = props.found.as_ref().map(|found| found.wish.clone()).unwrap_or_default();
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Referrers">
            <form aria-label="Signatures" {onsubmit}>
                <button class="primary" id="start-evidence" disabled={props.image.is_none()}>{ "Look for signatures" }</button>
                if running {
                    <button type="button" id="stop-evidence" onclick={props.dispatch.reform(|_| Action::StopEvidence)}>{ "Stop" }</button>
                }
                <details class="signer">
                    <summary>{ "Whose signature?" }</summary>
                    <p class="dim">{ "A key, an identity with the provider that attested it, or certificates that vouch for signers. They stay in this tab." }</p>
                    { for fields }
                    <p class="chips">
                        { text_input("signer-key-file", "Key from a file", fill(0)) }
                        { text_input("signer-root-file", "Trust root from a file", fill(3)) }
                        { text_input("signer-certificates-file", "Certificates from a file", fill(4)) }
                        { text_input("signer-times-file", "Time stamp certificates from a file", fill(5)) }
                    </p>
                </details>
            </form>
            <Policy image={props.image.clone()} policy={Rc::clone(&props.policy)} rule={props.rule.clone()} {wish} dispatch={props.dispatch.clone()} />
            if let Some(found) = &props.found {
                <div class="probed" data-evidence={state_word(&found.state)}>{ outcome(found) }</div>
            } else {
                <p class="dim">{ "Asks what refers to this image, and fetches signatures and statements, of at most 8 MB each. Signatures are verified in this tab, offline: by the key alone, or by a certificate at the time that a log or an authority signed." }</p>
            }
        </div>
    }
}

/// The signers that the fields name. An empty field names none.
fn wish([key, identity, issuer, root, certificates, times, at]: &[String; FIELDS.len()]) -> SignerWish {
    let text = |text: &str| SignerText { text: text.trim().to_owned(), is_expression: false };
    let identity = SignerIdentity { identity: text(identity), issuer: text(issuer) };
    let is_named = !(identity.identity.text.is_empty() && identity.issuer.text.is_empty());
    let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    SignerWish {
        keys: given(key).into_iter().collect(),
        identities: Some(identity).filter(|_| is_named).into_iter().collect(),
        root: root.trim().to_owned(),
        certificates: SignerCertificates {
            signers: given(certificates).into_iter().collect(),
            timestamp_authorities: given(times).into_iter().collect(),
            at: given(at),
            ..SignerCertificates::default()
        },
    }
}

/// Identifier, name, placeholder and lines of each field: key, identity, issuer, trust root; for Notation certificates that vouch for signers
/// and for times, and a time.
const FIELDS: [(&str, &str, &str, &str); 7] = [
    ("signer-key", "Public key", "-----BEGIN PUBLIC KEY-----", "3"),
    ("signer-identity", "Identity", "me@example.org, or the URI of a workflow", "1"),
    ("signer-issuer", "Issuer", "https://accounts.example.org", "1"),
    ("signer-root", "Trust root, if not Sigstore's public one", "trusted_root.json", "3"),
    ("signer-certificates", "Certificates that vouch for signers of Notation", "-----BEGIN CERTIFICATE-----", "3"),
    ("signer-times", "Certificates of time stamp authorities", "-----BEGIN CERTIFICATE-----", "3"),
    ("signer-at", "Time of verification, for signatures without a time stamp", "2026-01-31T12:00:00Z", "1"),
];

fn state_word(state: &EvidenceState) -> &'static str {
    match state {
        EvidenceState::Running => "running",
        EvidenceState::Stopped => "stopped",
        EvidenceState::Done(_) => "done",
        EvidenceState::Refused(_) => "refused",
        EvidenceState::Failed(_) => "failed",
    }
}

fn outcome(found: &EvidenceFound) -> Html {
    let is_asked = !found.wish.is_empty();
    let link = SignedLink::of(&found.state, is_asked);
    match &found.state {
        EvidenceState::Running => html! { <p class="dim" role="status">{ "Looking…" }</p> },
        EvidenceState::Stopped => html! { <p class="dim" role="status">{ "Stopped." }</p> },
        EvidenceState::Refused(why) => html! { <p class="finding" role="alert">{ bdi(why) }</p> },
        EvidenceState::Failed(failure) => {
            html! { <p class="finding" role="alert" data-kind={failure.kind.word()}>{ bdi(&failure.text) }</p> }
        }
        EvidenceState::Done(cards) => html! {
            <>
                <p class="verdict" role="status">{ link.sentence() }</p>
                { for cards.iter().map(|card| section(card, is_asked)) }
            </>
        },
    }
}

fn section(card: &EvidenceCard, is_asked: bool) -> Html {
    let (class, words) = match card.verdict {
        None => ("dim", ""),
        Some(SignatureVerdict::Trusted) => ("added", "by the signer whom you named"),
        Some(SignatureVerdict::Stranger) if is_asked => ("modified", "not by the signer whom you named"),
        Some(SignatureVerdict::Stranger) => ("modified", "holds"),
        Some(SignatureVerdict::Unsigned) => ("dim", "not signed"),
        Some(SignatureVerdict::Unchecked) => ("modified", "not checked"),
        Some(SignatureVerdict::Unknown) => ("modified", "cannot be judged"),
        Some(SignatureVerdict::Wrong) => ("deleted", "does not hold"),
    };
    html! {
        <section class="file" data-signature={card.verdict.map(SignatureVerdict::word)} data-digest={card.digest.clone()}>
            <h2>{ bdi(&card.title) }{ " " }<span class={class}>{ words }</span></h2>
            <dl class="facts">
                { for card.facts.iter().map(|(name, value)| html! { <><dt>{ bdi(name) }</dt><dd class="mono">{ bdi(value) }</dd></> }) }
            </dl>
        </section>
    }
}
