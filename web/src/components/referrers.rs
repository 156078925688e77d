//! Who signed the image, what was attested about it, and what else refers to it.

use super::words::bdi;
use porthole_viewer::protocol::{EvidenceCard, EvidenceState, ImageSummary, SignatureVerdict, SignerWish};
use porthole_viewer::state::{Action, EvidenceFound, State};
use std::rc::Rc;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

/// What the view needs.
#[derive(Properties, PartialEq)]
pub struct ReferrersProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// What is known.
    pub found: Option<Rc<EvidenceFound>>,
    /// Takes actions.
    pub dispatch: Callback<Action>,
}

impl ReferrersProps {
    /// What the state knows of referrers.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        Self { image: state.image.clone(), found: state.evidence.clone(), dispatch }
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
            let [key, identity, issuer, root] = [0, 1, 2, 3]
                .map(|at: usize| fields[at].cast::<HtmlTextAreaElement>().map(|area| area.value()).unwrap_or_default());
            dispatch.emit(Action::Evidence(SignerWish { key, identity, issuer, root }));
        }
    };
    let fields = FIELDS.iter().zip(fields.iter()).map(|((id, words, hint, rows), field)| {
        html! { <label>{ *words }<textarea id={*id} class="mono" rows={*rows} ref={field.clone()} placeholder={*hint} autocomplete="off" spellcheck="false" /></label> }
    });
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Referrers">
            <form aria-label="Signatures" {onsubmit}>
                <button class="primary" id="start-evidence" disabled={props.image.is_none()}>{ "Look for signatures" }</button>
                <details class="signer">
                    <summary>{ "Whose signature?" }</summary>
                    <p class="dim">{ "A key, or an identity with the provider that attested it. They stay in this tab." }</p>
                    { for fields }
                </details>
            </form>
            if let Some(found) = &props.found {
                <div class="probed" data-evidence={state_word(&found.state)}>{ outcome(found) }</div>
            } else {
                <p class="dim">{ "Asks what refers to this image, and fetches signatures and statements, of at most 8 MB each. Signatures are verified in this tab, offline: by the key alone, or by a certificate at the time that a log or an authority signed." }</p>
            }
        </div>
    }
}

/// Identifier, name, placeholder and lines of each field, in the order of [`SignerWish`].
const FIELDS: [(&str, &str, &str, &str); 4] = [
    ("signer-key", "Public key", "-----BEGIN PUBLIC KEY-----", "3"),
    ("signer-identity", "Identity", "me@example.org, or the URI of a workflow", "1"),
    ("signer-issuer", "Issuer", "https://accounts.example.org", "1"),
    ("signer-root", "Trust root, if not Sigstore's public one", "trusted_root.json", "3"),
];

fn state_word(state: &EvidenceState) -> &'static str {
    match state {
        EvidenceState::Running => "running",
        EvidenceState::Done(_) => "done",
        EvidenceState::Refused(_) => "refused",
        EvidenceState::Failed(_) => "failed",
    }
}

fn outcome(found: &EvidenceFound) -> Html {
    let is_asked = found.wish != SignerWish::default();
    match &found.state {
        EvidenceState::Running => html! { <p class="dim" role="status">{ "Looking…" }</p> },
        EvidenceState::Refused(why) => html! { <p class="finding" role="alert">{ bdi(why) }</p> },
        EvidenceState::Failed(failure) => {
            html! { <p class="finding" role="alert" data-kind={failure.kind.word()}>{ bdi(&failure.text) }</p> }
        }
        EvidenceState::Done(cards) => html! {
            <>
                <p class="verdict" role="status">{ verdict(cards, is_asked) }</p>
                { for cards.iter().map(|card| section(card, is_asked)) }
            </>
        },
    }
}

/// What the signatures of the image come to, in one sentence.
fn verdict(cards: &[EvidenceCard], is_asked: bool) -> &'static str {
    let mut verdicts = cards.iter().filter(|card| !card.is_statement).filter_map(|card| card.verdict);
    let worst = verdicts.clone().find(|&verdict| verdict == SignatureVerdict::Trusted).or_else(|| {
        [SignatureVerdict::Wrong, SignatureVerdict::Unknown]
            .into_iter()
            .find(|&bad| verdicts.clone().any(|verdict| verdict == bad))
    });
    match worst.or_else(|| verdicts.next()) {
        None => "Not signed, as far as signatures are listed.",
        Some(SignatureVerdict::Trusted) => "Signed by the signer whom you named.",
        Some(SignatureVerdict::Wrong) => "A signature does not hold.",
        Some(SignatureVerdict::Unknown) => "Signed, but the trust root does not know who vouches for it.",
        Some(_) if is_asked => "Signed, but not by the signer whom you named.",
        Some(_) => "Signed. Name the signer whom you expect.",
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
        Some(SignatureVerdict::Unknown) => ("modified", "unknown to the trust root"),
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
