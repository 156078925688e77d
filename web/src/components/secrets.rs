//! Secrets in all layers and in the configuration. They are masked, and nothing on the page shows more of them.

use super::{
    probe::{cost, fate, fate_name, layer_chip, more, status, switch, unread},
    words::{bdi, tip},
};
use porthole_viewer::address::Tab;
use porthole_viewer::protocol::{
    ConfigSecretFact, ImageSummary, ProbeKind, ProbeState, SecretFact, SecretKind, ShownConfidence,
};
use porthole_viewer::state::{Action, ProbeCost, SecretsFound, State};
use porthole_viewer::words::count;
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Secrets`].
#[derive(Properties, PartialEq)]
pub struct SecretsProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// Which secrets the address shows.
    pub least: ShownConfidence,
    /// What it costs to look for them.
    pub cost: Option<ProbeCost>,
    /// What was found so far.
    pub found: Option<Rc<SecretsFound>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl SecretsProps {
    /// What the state knows of secrets.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        Self {
            image: state.image.clone(),
            least: state.route.confidence,
            cost: state.probe_cost(),
            found: state.secrets.clone(),
            dispatch,
        }
    }
}

/// A button that looks for them, and a list.
#[component]
pub fn Secrets(props: &SecretsProps) -> Html {
    let dispatch = &props.dispatch;
    let shown = use_state(|| SHOWN);
    let progress = props.found.as_ref().and_then(|found| found.files.progress.clone());
    let onsubmit = {
        let (dispatch, shown) = (dispatch.clone(), shown.setter());
        move |event: SubmitEvent| {
            event.prevent_default();
            shown.set(SHOWN);
            dispatch.emit(Action::Secrets);
        }
    };
    let on_more = {
        let shown = shown.clone();
        Callback::from(move |_| shown.set(*shown + SHOWN))
    };
    let words = if progress.is_some() { "Look again" } else { "Find secrets" };
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Secrets">
            <form class="with" aria-label="Secrets" {onsubmit}>
                { switch(ProbeKind::Secrets, words, props.image.is_some(), progress.as_deref(), dispatch) }
                if progress.is_none() { { cost(props.cost) } }
            </form>
            if let (Some(found), Some(progress)) = (&props.found, &progress) {
                { status(progress, &sums(found, progress.sums.found)) }
                { unread(&found.unread, "texts are not searched") }
                { levels(found, props) }
                { in_config(found, props) }
                { in_files(found, *shown, props) }
                if fitting(found, props.least) == 0 && progress.state == ProbeState::Done && progress.lost.is_empty() {
                    <p class="note">{ "No secret of this confidence was found." }</p>
                }
                { more(*shown, rows(found, props.least).count() as u64, 0, on_more) }
                if progress.held < progress.sums.found {
                    <p class="dim">{ format!("The first {} of {}. The command below prints all of them.", count(progress.held), count(progress.sums.found)) }</p>
                }
            } else {
                <p class="dim">{ "Private keys, tokens and passwords in the text files of every layer, deleted and replaced ones included, and in environment, labels, history and commands. Values are masked and stay in this tab." }</p>
            }
        </div>
    }
}

/// Rows that are drawn at first, and more at each request.
const SHOWN: usize = 300;

/// `3 secrets: 2 high, 1 medium`
fn sums(found: &SecretsFound, all: u64) -> String {
    let parts: Vec<String> = ShownConfidence::ALL
        .into_iter()
        .map(|level| (level, counted(found, level)))
        .filter(|(_, number)| *number > 0)
        .map(|(level, number)| format!("{} {}", count(number as u64), level.name()))
        .collect();
    match all {
        0 => "No secrets".to_owned(),
        1 => format!("1 secret: {}", parts.join(", ")),
        all => format!("{} secrets: {}", count(all), parts.join(", ")),
    }
}

fn all(found: &SecretsFound) -> impl Iterator<Item = &SecretKind> {
    let config = found.config.iter().flat_map(|config| config.iter().map(|secret| &secret.kind));
    config.chain(found.files.rows().map(|(_, secret)| &secret.kind))
}

fn counted(found: &SecretsFound, level: ShownConfidence) -> usize {
    all(found).filter(|kind| kind.confidence == level).count()
}

fn fitting(found: &SecretsFound, least: ShownConfidence) -> usize {
    all(found).filter(|kind| kind.confidence >= least).count()
}

fn rows(found: &SecretsFound, least: ShownConfidence) -> impl Iterator<Item = (u32, &SecretFact)> {
    found.files.rows().filter(move |(_, secret)| secret.kind.confidence >= least)
}

/// How certain they are to be.
fn levels(found: &SecretsFound, props: &SecretsProps) -> Html {
    let buttons = ShownConfidence::ALL.into_iter().map(|level| {
        let words = match level {
            ShownConfidence::High => "High",
            ShownConfidence::Medium => "Medium and high",
            ShownConfidence::Low => "All",
        };
        let pressed = (props.least == level).to_string();
        html! { <button data-confidence={level.name()} aria-pressed={pressed} onclick={props.dispatch.reform(move |_| Action::Confidence(level))}>{ words }{ " " }{ count(fitting(found, level) as u64) }</button> }
    });
    html! { <div class="chips"><div class="group" role="group" aria-label="Confidence">{ for buttons }</div></div> }
}

fn in_config(found: &SecretsFound, props: &SecretsProps) -> Html {
    let config = found.config.as_deref().map(Vec::as_slice).unwrap_or_default();
    let fitting: Vec<&ConfigSecretFact> =
        config.iter().filter(|secret| secret.kind.confidence >= props.least).collect();
    if fitting.is_empty() {
        return Html::default();
    }
    let row = |secret: &&ConfigSecretFact| {
        html! {
            <li data-secret={secret.kind.rule.clone()} data-place={secret.place.clone()}>
                { about(&secret.kind) }
                <span class="where"><button class="plain" title="Show the configuration" onclick={props.dispatch.reform(|_| Action::Tab(Tab::Config))}>{ bdi(&secret.place) }</button></span>
                <code>{ &secret.kind.masked }</code>
            </li>
        }
    };
    html! {
        <section>
            <h2 class="line from">{ "Configuration" }</h2>
            <ul class="secrets">{ for fitting.iter().map(row) }</ul>
        </section>
    }
}

/// Those in files, below their layers.
fn in_files(found: &SecretsFound, shown: usize, props: &SecretsProps) -> Vec<Html> {
    let rows: Vec<(u32, &SecretFact)> = rows(found, props.least).take(shown).collect();
    let layers = rows.chunk_by(|(a, _), (b, _)| a == b).map(|rows| {
        let layer = rows[0].0;
        let made_by = found.instructions.get(layer as usize).filter(|text| !text.is_empty());
        html! {
            <section key={layer}>
                <h2 class="line from" title={made_by.map(|text| tip(text))}>
                    { layer_chip(layer, None, &props.dispatch) }
                    if let Some(text) = made_by { <span class="cut mono">{ bdi(text) }</span> }
                </h2>
                <ul class="secrets">{ for rows.iter().map(|(layer, secret)| in_file(*layer, secret, found, props)) }</ul>
            </section>
        }
    });
    layers.collect()
}

fn in_file(layer: u32, secret: &SecretFact, found: &SecretsFound, props: &SecretsProps) -> Html {
    let became = found.files.fate(layer, secret.content);
    let link = found.files.link(layer, secret.content, &secret.path);
    let line = u32::try_from(secret.line).ok();
    let open = props.dispatch.reform(move |_| Action::Open(link.clone(), line));
    html! {
        <li data-secret={secret.kind.rule.clone()} data-path={secret.path.clone()} data-line={secret.line.to_string()} data-layer={(layer + 1).to_string()} data-fate={fate_name(became)}>
            { about(&secret.kind) }
            <span class="where"><button class="plain mono" title="Show the line" onclick={open}><bdi>{ &secret.path }</bdi>{ ":" }{ secret.line }</button>{ fate(became) }</span>
            <code>{ &secret.kind.masked }</code>
        </li>
    }
}

fn about(kind: &SecretKind) -> Html {
    let class = if kind.confidence == ShownConfidence::High { "deleted" } else { "modified" };
    html! { <><b class={class}>{ kind.confidence.name() }</b><span title={kind.rule.clone()}>{ &kind.about }</span></> }
}
