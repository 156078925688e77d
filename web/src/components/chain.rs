//! The chain of proof, from the reference down to the files, and the three sizes.

use super::words::{bdi, tip};
use porthole_viewer::address::Tab;
use porthole_viewer::protocol::{Chain, LinkState, ProofLink, ProofStep, Sizes};
use porthole_viewer::state::{Action, SignedLink, SignedState};
use porthole_viewer::words::size;
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`ChainBar`].
#[derive(Properties, PartialEq)]
pub struct ChainBarProps {
    /// The chain; empty before the first event of the session.
    pub chain: Rc<Chain>,
    /// The three sizes.
    pub sizes: Sizes,
    /// The sizes are known, at least so far.
    pub known: bool,
    /// Whether something is being fetched, or was until the person stopped it.
    pub stream: Stream,
    /// What is known of signatures; `None` if they were not asked for.
    pub signed: Option<SignedLink>,
    /// The images of a rule that this image breaks.
    pub broken: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// Whether something is being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Something is being fetched.
    Running,
    /// The person stopped it.
    Stopped,
    /// Nothing is being fetched.
    Ended,
}

/// The chain of proof.
#[component]
pub fn ChainBar(props: &ChainBarProps) -> Html {
    let links = if props.chain.links.is_empty() { unknown() } else { props.chain.links.clone() };
    let sizes = props.sizes;
    let download = ("download", sizes.download, true, "What a pull transfers: the layers as the registry keeps them.");
    let unpacked = (
        "unpacked",
        sizes.unpacked,
        sizes.complete,
        "All layers decompressed, deleted and overwritten files included.",
    );
    let visible = ("visible", sizes.visible, sizes.complete, "The files that a container sees.");
    let figures = [download, unpacked, visible].into_iter().map(|(name, bytes, complete, title)| {
        let shown = if complete { size(bytes) } else { format!("{}…", size(bytes)) };
        html! {
            <div data-size={name} data-bytes={bytes.to_string()} data-final={complete.to_string()} {title}>
                <dt>{ name }</dt><dd class="num">{ shown }</dd>
            </div>
        }
    });
    html! {
        <section id="chain" class="chain" tabindex="0" aria-label="Chain of proof" data-state={props.chain.state.as_str()}>
            <ol>{ for links.iter().map(link) }{ for props.signed.as_ref().map(|link| signed(link, props)) }</ol>
            { stream(props) }
            if props.known {
                <dl class="sizes">{ for figures }</dl>
            }
        </section>
    }
}

/// The signer, always in words beside the sign.
fn signed(link: &SignedLink, props: &ChainBarProps) -> Html {
    let glyph = match link.state {
        SignedState::Running => "◐",
        SignedState::Named => "✓",
        SignedState::Proved => "○",
        SignedState::Other => "≠",
        SignedState::Unknown => "?",
        SignedState::Wrong => "✗",
        SignedState::Unchecked | SignedState::Unsigned | SignedState::Failed => "–",
    };
    let signer = link.signer.as_ref();
    let attested = signer.and_then(|signer| signer.attested_by.as_ref()).map(|issuer| format!("attested by {issuer}"));
    let title = [signer.map(|signer| signer.name.clone()), attested.clone(), Some(link.sentence().to_owned())];
    let title = title.into_iter().flatten().collect::<Vec<_>>().join("\n");
    html! {
        <li key="signature" data-step="signature" data-state={link.word()} data-signer={signer.map(|signer| signer.name.clone())} title={tip(&title)}>
            <span class="glyph" aria-hidden="true">{ glyph }</span>
            <button class="plain name" onclick={props.dispatch.reform(|_| Action::Tab(Tab::Referrers))}>{ link.name() }</button>
            if let Some(signer) = signer { <code>{ bdi(&shorten_digests(&shorten_middle(&signer.name))) }</code> }
            if let Some(attested) = attested { <span class="aside">{ bdi(&attested) }</span> }
            if let Some(images) = &props.broken { <strong class="aside" role="alert" data-broken={images.clone()}>{ "your rule about " }{ bdi(images) }{ " demands another" }</strong> }
        </li>
    }
}

/// An identity with its middle left out, where it is long.
fn shorten_middle(text: &str) -> String {
    let length = text.chars().count();
    if length <= IDENTITY || text.contains(" key ") {
        return text.to_owned();
    }
    let (start, end): (String, String) =
        (text.chars().take(IDENTITY / 2).collect(), text.chars().skip(length - IDENTITY / 2).collect());
    format!("{start}…{end}")
}

/// Characters of an identity in the bar.
const IDENTITY: usize = 60;

fn stream(props: &ChainBarProps) -> Html {
    match props.stream {
        Stream::Running => html! {
            <button id="stop" class="small" onclick={props.dispatch.reform(|_| Action::Stop)}>{ "Stop" }</button>
        },
        Stream::Stopped => html! {
            <button id="resume" class="small" onclick={props.dispatch.reform(|_| Action::Retry)}>{ "Stopped · read the rest" }</button>
        },
        Stream::Ended => Html::default(),
    }
}

/// What is shown before anything is known.
fn unknown() -> Vec<ProofLink> {
    let link = |step| ProofLink {
        step,
        state: LinkState::Waiting,
        digest: None,
        label: String::new(),
        mismatch: None,
        count: None,
    };
    [ProofStep::Tag, ProofStep::Manifest, ProofStep::Config, ProofStep::Layers].map(link).into()
}

fn link(link: &ProofLink) -> Html {
    let (glyph, words) = glyph(link.state);
    let data = match (link.count, &link.digest) {
        (Some((verified, all)), _) => format!("{verified} of {all}"),
        (None, _) if link.step == ProofStep::Tag && !link.label.is_empty() => shorten(&link.label),
        (None, Some(digest)) => shorten(digest),
        (None, None) => String::new(),
    };
    let title = [&link.label, link.digest.as_deref().unwrap_or_default()].join("\n");
    // A reference without a tag names a digest.
    let name = if link.step == ProofStep::Tag && link.label.contains(':') { "digest" } else { link.step.as_str() };
    let aside = match (&link.mismatch, link.state) {
        (Some((_, tagged)), LinkState::Unchecked) => format!("now stands for {}", shorten(tagged)),
        (None, LinkState::Unchecked) if link.step == ProofStep::Tag => "not checked".to_owned(),
        _ if link.step == ProofStep::Layers => link.label.clone(),
        _ => String::new(),
    };
    html! {
        <li key={link.step.as_str()} data-step={link.step.as_str()} data-state={link.state.as_str()} data-digest={link.digest.clone()}
            title={tip(title.trim())}>
            <span class="glyph" role="img" aria-label={words}>{ glyph }</span>
            <span class="name">{ name }</span>
            if !data.is_empty() {
                <code>{ bdi(&data) }</code>
            }
            if !aside.is_empty() {
                <span class="aside" data-moved={link.mismatch.is_some().to_string()}>{ aside }</span>
            }
        </li>
    }
}

/// A state's sign, and the word for those who do not see it.
pub fn glyph(state: LinkState) -> (&'static str, &'static str) {
    match state {
        LinkState::Waiting => ("◌", "waiting"),
        LinkState::Progress => ("◐", "in progress"),
        LinkState::Verified => ("✓", "verified"),
        LinkState::Listed => ("≡", "listed from a table of contents"),
        LinkState::Unchecked => ("–", "not checked"),
        LinkState::Wrong => ("✗", "wrong"),
    }
}

/// A digest by its first and last four digits: `sha256:9f31…c07a`. Other text is cut after 40 characters.
pub fn shorten(text: &str) -> String {
    match text.split_once(':') {
        Some((algorithm, hex)) if hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{algorithm}:{}…{}", &hex[..4], &hex[hex.len() - 4..])
        }
        _ if text.chars().count() > 40 => text.chars().take(39).chain(['…']).collect(),
        _ => text.to_owned(),
    }
}

/// A sentence with every digest in it shortened.
pub fn shorten_digests(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    for piece in sentence.split_inclusive([' ', ',', ';']) {
        let word = piece.trim_end_matches([' ', ',', ';']);
        if word.contains(':') && word.len() > 40 {
            text.push_str(&shorten(word));
            text.push_str(&piece[word.len()..]);
        } else {
            text.push_str(piece);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{shorten, shorten_digests};

    #[test]
    fn digests_are_shortened() {
        let digest = format!("sha256:9f31{}c07a", "0".repeat(56));
        assert_eq!(shorten(&digest), "sha256:9f31…c07a");
        assert_eq!(shorten("2.14.0"), "2.14.0");
        let sentence = format!("expected {digest}, got {digest} after 3 bytes");
        assert_eq!(shorten_digests(&sentence), "expected sha256:9f31…c07a, got sha256:9f31…c07a after 3 bytes");
        assert_eq!(shorten("a:é"), "a:é");
        assert_eq!(shorten(&"é".repeat(41)).chars().count(), 40);
    }
}
