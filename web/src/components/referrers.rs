//! Who signed the image, what was attested about it, and what else refers to it.

use super::words::bdi;
use porthole_viewer::protocol::{
    EvidenceRow, EvidenceState, ImageSummary, ReferrerFact, SignatureVerdict, SignerFact, SignerWish, StatementFact,
};
use porthole_viewer::size::size;
use porthole_viewer::state::{Action, EvidenceFound, State};
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
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
    let fields = use_memo((), |()| Fields::default());
    let onsubmit = {
        let (dispatch, fields) = (props.dispatch.clone(), Rc::clone(&fields));
        move |event: SubmitEvent| {
            event.prevent_default();
            dispatch.emit(Action::Evidence(fields.read()));
        }
    };
    let wish = props.found.as_ref().map(|found| found.wish.clone()).unwrap_or_default();
    let is_asked = wish != SignerWish::default();
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Referrers">
            <form aria-label="Signatures" {onsubmit}>
                <div class="with">
                    <button class="primary" id="start-evidence" disabled={props.image.is_none()}>{ "Look for signatures" }</button>
                    if props.found.is_none() {
                        <span class="dim">{ "Asks what refers to this image, and fetches signatures and statements: a few kilobytes each, at most 8 MB." }</span>
                    }
                </div>
                <details class="signer" open={is_asked}>
                    <summary>{ "Whose signature?" }</summary>
                    <p class="dim">{ "A signature is compared with the signer whom you name: a key, or an identity with the provider that attested it. Keys and identities stay in this tab." }</p>
                    { area("signer-key", "Public key", "-----BEGIN PUBLIC KEY-----", &fields.key, &wish.key) }
                    { input("signer-identity", "Identity", "me@example.org, or the URI of a workflow", &fields.identity, &wish.identity) }
                    { input("signer-issuer", "Issuer", "https://accounts.example.org", &fields.issuer, &wish.issuer) }
                    { area("signer-root", "Trust root, if not Sigstore's public one", "trusted_root.json", &fields.root, &wish.root) }
                </details>
            </form>
            if let Some(found) = &props.found {
                <div class="probed" data-evidence={state_word(&found.state)}>
                    { outcome(found, is_asked) }
                </div>
            } else {
                <p class="dim">{ "Signatures of cosign and Sigstore are verified in this tab, offline: by the key alone, or by a certificate at the time that a log or an authority signed." }</p>
            }
        </div>
    }
}

#[derive(Default, PartialEq)]
struct Fields {
    key: NodeRef,
    identity: NodeRef,
    issuer: NodeRef,
    root: NodeRef,
}

impl Fields {
    fn read(&self) -> SignerWish {
        let input = |field: &NodeRef| field.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
        let area = |field: &NodeRef| field.cast::<HtmlTextAreaElement>().map(|area| area.value()).unwrap_or_default();
        SignerWish {
            key: area(&self.key).trim().to_owned(),
            identity: input(&self.identity).trim().to_owned(),
            issuer: input(&self.issuer).trim().to_owned(),
            root: area(&self.root).trim().to_owned(),
        }
    }
}

fn input(id: &'static str, words: &'static str, hint: &'static str, field: &NodeRef, value: &str) -> Html {
    html! {
        <label>{ words }<input {id} class="mono" ref={field.clone()} value={value.to_owned()} placeholder={hint} autocomplete="off" autocapitalize="off" spellcheck="false" /></label>
    }
}

fn area(id: &'static str, words: &'static str, hint: &'static str, field: &NodeRef, value: &str) -> Html {
    html! {
        <label>{ words }<textarea {id} class="mono" rows="3" ref={field.clone()} value={value.to_owned()} placeholder={hint} autocomplete="off" autocapitalize="off" spellcheck="false" /></label>
    }
}

fn state_word(state: &EvidenceState) -> &'static str {
    match state {
        EvidenceState::Running => "running",
        EvidenceState::Done { .. } => "done",
        EvidenceState::Refused(_) => "refused",
        EvidenceState::Failed(_) => "failed",
    }
}

fn outcome(found: &EvidenceFound, is_asked: bool) -> Html {
    match &found.state {
        EvidenceState::Running => html! { <p class="dim" role="status">{ "Looking…" }</p> },
        EvidenceState::Refused(why) => html! { <p class="finding" role="alert">{ bdi(why) }</p> },
        EvidenceState::Failed(failure) => html! {
            <section class="alert" role="alert" data-kind={failure.kind.word()}><p>{ bdi(&failure.text) }</p></section>
        },
        EvidenceState::Done { rows, others } => {
            let (statements, signatures): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.statement.is_some());
            html! {
                <>
                    <p class="verdict" role="status">{ verdict(&signatures, is_asked) }</p>
                    if !signatures.is_empty() { <h2>{ "Signatures" }</h2> { for signatures.iter().map(|row| card(row, is_asked)) } }
                    if !statements.is_empty() { <h2>{ "Attestations" }</h2> { for statements.iter().map(|row| card(row, is_asked)) } }
                    if !others.is_empty() { <h2>{ "Other referrers" }</h2> { for others.iter().map(other) } }
                </>
            }
        }
    }
}

/// What the signatures of the image come to, in one sentence.
fn verdict(signatures: &[&EvidenceRow], is_asked: bool) -> String {
    let has = |verdict| signatures.iter().any(|row| row.verdict == verdict);
    if signatures.is_empty() {
        "Not signed, as far as the registry lists signatures.".to_owned()
    } else if has(SignatureVerdict::Trusted) {
        "Signed by the signer whom you named.".to_owned()
    } else if has(SignatureVerdict::Wrong) {
        "A signature does not hold.".to_owned()
    } else if has(SignatureVerdict::Unknown) {
        "Signed, but the trust root does not know who vouches for it.".to_owned()
    } else if is_asked {
        "Signed, but not by the signer whom you named.".to_owned()
    } else {
        "Signed. Name the signer whom you expect.".to_owned()
    }
}

fn card(row: &EvidenceRow, is_asked: bool) -> Html {
    let proved = matches!(row.verdict, SignatureVerdict::Trusted | SignatureVerdict::Stranger);
    let (class, words) = match row.verdict {
        SignatureVerdict::Trusted => ("added", "by the signer whom you named"),
        SignatureVerdict::Stranger if row.signer.is_none() => ("modified", "not by the key that you named"),
        SignatureVerdict::Stranger if is_asked => ("modified", "holds, by another signer"),
        SignatureVerdict::Stranger => ("modified", "holds"),
        SignatureVerdict::Unsigned => ("dim", "not signed"),
        SignatureVerdict::Unchecked => ("modified", "not checked"),
        SignatureVerdict::Unknown => ("modified", "unknown to the trust root"),
        SignatureVerdict::Wrong => ("deleted", "does not hold"),
    };
    let kind = row.statement.as_ref().map_or_else(|| row.format.clone(), |statement| statement.kind.clone());
    html! {
        <section class="file" data-signature={row.verdict.word()} data-digest={row.digest.clone()}>
            <h3>{ bdi(&kind) }{ " " }<span class={class}>{ words }</span></h3>
            <dl class="facts">
                if let Some(signer) = &row.signer { { signer_facts(signer, proved) } }
                if let Some(reason) = &row.reason { { fact("Reason", reason) } }
                { for row.times.iter().map(|time| fact("Signed time", time)) }
                if let Some(index) = row.log_index { { fact("Position in the log", &index.to_string()) } }
                if let Some(statement) = &row.statement { { statement_facts(statement) } }
                { fact("Format", &row.format) }
                { fact("About", &row.subject) }
                { fact("Blob", &format!("{} · {}", row.digest, size(row.size))) }
            </dl>
        </section>
    }
}

fn fact(name: &str, value: &str) -> Html {
    html! { <><dt>{ name.to_owned() }</dt><dd class="mono">{ bdi(value) }</dd></> }
}

fn signer_facts(signer: &SignerFact, proved: bool) -> Html {
    let by = if proved { "Signed by" } else { "Claims to be by" };
    match signer {
        SignerFact::Key { fingerprint, algorithm } => fact(by, &format!("{algorithm} key {fingerprint}")),
        SignerFact::Certificate { identity, issuer, claims } => html! {
            <>
                { fact(by, identity) }
                if let Some(issuer) = issuer { { fact("Attested by", issuer) } }
                { for claims.iter().map(|(name, value)| fact(name, value)) }
            </>
        },
    }
}

fn statement_facts(statement: &StatementFact) -> Html {
    html! {
        <>
            if !statement.predicate_type.is_empty() { { fact("Type", &statement.predicate_type) } }
            { for statement.facts.iter().map(|(name, value)| html! { <><dt>{ bdi(name) }</dt><dd class="mono">{ bdi(value) }</dd></> }) }
        </>
    }
}

fn other(referrer: &ReferrerFact) -> Html {
    html! {
        <section class="file" data-referrer={referrer.digest.clone()}>
            <h3>{ bdi(&referrer.artifact_type) }</h3>
            <dl class="facts">
                if let Some(title) = &referrer.title { { fact("Title", title) } }
                { fact("Document", &format!("{} · {}", referrer.digest, size(referrer.size))) }
            </dl>
        </section>
    }
}
