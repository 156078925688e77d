//! The image at a glance: documents, digests, and what a container runs.

use super::{
    artifact::artifact,
    base::Base,
    chain::shorten,
    config::CopyText,
    findings::findings,
    words::{bdi, tip},
};
use porthole_viewer::protocol::{
    ArchiveFormat, ArchiveSaving, BaseLayers, DocumentFact, OtherEntry, OtherRole, OverviewFacts, Sizes,
};
use porthole_viewer::state::{Action, PackagesFound};
use porthole_viewer::words::size;
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Overview`].
#[derive(Properties, PartialEq)]
pub struct OverviewProps {
    /// The image at a glance, once its documents are verified.
    pub overview: Option<Rc<OverviewFacts>>,
    /// The three sizes, which grow while layers are read.
    pub sizes: Sizes,
    /// Findings stand beside it.
    #[prop_or_default]
    pub aside: bool,
    /// The packages, with the dangers that reading them showed.
    #[prop_or_default]
    pub packages: Option<Rc<PackagesFound>>,
    /// The archive that is being saved.
    #[prop_or_default]
    pub archive: Option<ArchiveSaving>,
    /// The image that this one may have been built on, or why it could not be read.
    #[prop_or_default]
    pub base: Option<Rc<Result<BaseLayers, String>>>,
    /// The one that is named.
    #[prop_or_default]
    pub named_base: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The image at a glance.
#[component]
pub fn Overview(props: &OverviewProps) -> Html {
    let Some(facts) = &props.overview else {
        return html! { <p class="note">{ "The image is not known yet." }</p> };
    };
    let sizes = [
        ("download", props.sizes.download, true),
        ("unpacked", props.sizes.unpacked, props.sizes.complete),
        ("visible", props.sizes.visible, props.sizes.complete),
    ];
    let sizes = sizes.into_iter().map(|(name, bytes, last)| {
        let text = if last { size(bytes) } else { format!("{}…", size(bytes)) };
        html! { <div><dd class="num">{ text }</dd><dt>{ name }</dt></div> }
    });
    html! {
        <article class="overview" aria-label="Overview" data-settled={facts.settled.to_string()}>
            <h2>{ bdi(&facts.given) }</h2>
            if facts.given != facts.reference {
                <p class="dim mono">{ bdi(&facts.reference) }</p>
            }
            <dl class="figures">{ for sizes }</dl>
            if !props.aside {
                { findings(Some(facts), props.packages.as_deref(), &props.dispatch) }
            }
            if let Some(summary) = &facts.artifact {
                { artifact(summary, &props.dispatch) }
            } else {
                <h3 class="heading">{ "Runs as" }</h3>
                <dl class="facts">{ runs(facts) }</dl>
            }
            if facts.artifact.is_none() || facts.created.is_some() || facts.artifact_type.is_some() || facts.platform.is_some() {
                <h3 class="heading">{ "Image" }</h3>
                <dl class="facts">{ is(facts) }</dl>
            }
            if facts.artifact.is_none() {
                <Base overview={Rc::clone(facts)} base={props.base.clone()} named={props.named_base.clone()} dispatch={props.dispatch.clone()} />
            }
            <h3 class="heading">{ "Digests" }</h3>
            <dl class="facts digests">{ for facts.documents.iter().map(document) }{ for (!facts.resolved.is_empty()).then(|| pinned(facts)) }</dl>
            { save(props) }
            { pairs("Labels", &facts.labels) }
            { pairs("Annotations of the manifest", &facts.annotations) }
            { pairs("Annotations of the index", &facts.index_annotations) }
        </article>
    }
}

/// Buttons that save the image, and the progress of that.
fn save(props: &OverviewProps) -> Html {
    let running = props.archive.as_ref().is_some_and(|saving| saving.outcome.is_none());
    let button = |format: ArchiveFormat, words: &'static str| {
        let onclick = props.dispatch.reform(move |_| Action::SaveArchive(format));
        html! { <button class="small" data-save={format.name()} disabled={running} {onclick}>{ words }</button> }
    };
    let state = match props.archive.as_ref().map(|saving| (saving, &saving.outcome)) {
        None => Html::default(),
        Some((saving, None)) => html! {
            <>
                <span class="num">{ size(saving.written) }{ " of " }{ size(saving.total) }</span>
                <button class="small" onclick={props.dispatch.reform(|_| Action::StopArchive)}>{ "Stop saving" }</button>
            </>
        },
        Some((saving, Some(Ok(_)))) => {
            html! { <span role="status" data-saved="yes">{ "Saved and verified: " }{ size(saving.written) }</span> }
        }
        Some((_, Some(Err(why)))) => html! { <span role="alert" class="finding" data-saved="no">{ bdi(why) }</span> },
    };
    html! {
        <>
            <h3 class="heading">{ "Save image" }</h3>
            <p class="saving">{ for props.overview.as_ref().is_none_or(|facts| facts.artifact.is_none()).then(|| button(ArchiveFormat::Docker, "For docker load")) }{ button(ArchiveFormat::Oci, "As OCI archive") }{ state }</p>
        </>
    }
}

fn runs(facts: &OverviewFacts) -> Html {
    let user = if facts.user.is_empty() { "root (none named)".to_owned() } else { facts.user.clone() };
    let dir = if facts.working_dir.is_empty() { "/".to_owned() } else { facts.working_dir.clone() };
    html! {
        <>
            { one("user", &user) }
            { many("entrypoint", &facts.entrypoint) }
            { many("cmd", &facts.cmd) }
            { one("directory", &dir) }
            { many("environment", &facts.env) }
            { many("ports", &facts.ports) }
            { many("volumes", &facts.volumes) }
            { maybe("stop signal", facts.stop_signal.as_ref()) }
        </>
    }
}

fn is(facts: &OverviewFacts) -> Html {
    let others: Vec<String> =
        facts.platforms.iter().filter(|other| Some(*other) != facts.platform.as_ref()).cloned().collect();
    html! {
        <>
            { maybe("created", facts.created.as_ref()) }
            { maybe("author", facts.author.as_ref()) }
            { maybe("artifact", facts.artifact_type.as_ref()) }
            { maybe("platform", facts.platform.as_ref()) }
            { many("also for", &others) }
            { for others_of(facts) }
        </>
    }
}

/// What the index lists beside images, attestations apart from the rest.
fn others_of(facts: &OverviewFacts) -> Option<Html> {
    let entry = |entry: &OtherEntry| {
        let what = match entry.role {
            OtherRole::Attestation => "attestation",
            OtherRole::Index => "index",
            OtherRole::Artifact => "artifact",
        };
        html! { <li title={tip(&entry.media_type)}>{ what }{ " " }{ bdi(&shorten(&entry.digest)) }<CopyText text={entry.digest.clone()} label="Copy the digest" /></li> }
    };
    (!facts.others.is_empty())
        .then(|| html! { <><dt>{ "beside it" }</dt><dd><ul>{ for facts.others.iter().map(entry) }</ul></dd></> })
}

fn document(document: &DocumentFact) -> Html {
    html! {
        <>
            <dt>{ document.step.as_str() }</dt>
            <dd data-document={document.step.as_str()} data-digest={document.digest.clone()} title={tip(&format!("{}\n{}", document.digest, document.media_type))}>
                { bdi(&shorten(&document.digest)) }<CopyText text={document.digest.clone()} label={format!("Copy the digest of the {}", document.step.as_str())} />
                <span class="dim num">{ size(document.size) }</span>
            </dd>
        </>
    }
}

fn pinned(facts: &OverviewFacts) -> Html {
    html! {
        <><dt>{ "pinned" }</dt><dd class="cut" title={tip(&facts.resolved)}><CopyText text={facts.resolved.clone()} label="Copy the pinned reference" />{ bdi(&facts.resolved) }</dd></>
    }
}

fn pairs(title: &str, pairs: &[(String, String)]) -> Html {
    if pairs.is_empty() {
        return Html::default();
    }
    let pairs = pairs.iter().map(|(name, value)| html! { <><dt>{ bdi(name) }</dt><dd>{ bdi(value) }</dd></> });
    html! { <><h3 class="heading">{ title }</h3><dl class="facts stacked">{ for pairs }</dl></> }
}

fn one(name: &str, value: &str) -> Html {
    html! { <><dt>{ name }</dt><dd data-fact={name.to_owned()}>{ bdi(value) }</dd></> }
}

fn maybe(name: &str, value: Option<&String>) -> Html {
    value.map_or_else(Html::default, |value| one(name, value))
}

fn many(name: &str, values: &[String]) -> Html {
    if values.is_empty() {
        return Html::default();
    }
    let items = values.iter().map(|value| html! { <li>{ bdi(value) }</li> });
    html! { <><dt>{ name }</dt><dd data-fact={name.to_owned()}><ul>{ for items }</ul></dd></> }
}
