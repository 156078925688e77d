//! Packages, and which layer brought and removed each.

use super::{
    bills::{BillsView, bills},
    field::FilterField,
    owners::owners,
    probe::{cost, instruction, layer_chip, status, switch, unread},
    words::{bdi, tip},
};
use porthole_viewer::protocol::{
    BillFormat, ExportWish, ImageSummary, PackageFact, PackageQuery, PackageSort, PackageWindow, ProbeKind,
    ProbeProgress, ProbeState, ViewMode,
};
use porthole_viewer::state::{Action, EvidenceFound, PackagesFound, ProbeCost, State, export_wish, link_to, source};
use porthole_viewer::words::{count, size};
use std::rc::Rc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Properties of [`Packages`].
#[derive(Properties, PartialEq)]
pub struct PackagesProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// Which packages the address shows.
    pub query: PackageQuery,
    /// What reading them costs.
    pub cost: Option<ProbeCost>,
    /// What the command line calls the image, once all of them are read.
    pub source: Option<String>,
    /// What is known of them.
    pub found: Option<Rc<PackagesFound>>,
    /// How far contents are compared with what packages recorded.
    pub recorded: Option<Rc<ProbeProgress>>,
    /// What is known of what is attached to the image.
    pub evidence: Option<Rc<EvidenceFound>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl PackagesProps {
    /// What the state knows of packages.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        Self {
            image: state.image.clone(),
            query: state.route.packages.clone(),
            cost: state.probe_cost(),
            source: source(state).filter(|_| export_wish(state).is_some()),
            found: state.packages.clone(),
            recorded: state.recorded.clone(),
            evidence: state.evidence.clone(),
            dispatch,
        }
    }
}

/// A button that reads them, and a table.
#[component]
pub fn Packages(props: &PackagesProps) -> Html {
    let dispatch = &props.dispatch;
    let progress = props.found.as_ref().and_then(|found| found.progress.clone());
    let onsubmit = dispatch.reform(|event: SubmitEvent| {
        event.prevent_default();
        Action::Packages
    });
    let window = props.found.as_ref().and_then(|found| found.window.clone()).unwrap_or_default();
    let is_list = props.query.against.is_empty();
    let compared = BillsView {
        image: props.image.as_deref(),
        query: &props.query,
        window: &window,
        evidence: props.evidence.as_deref(),
        dispatch,
    };
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Packages">
            <form class="with" aria-label="Packages" {onsubmit}>
                { switch(ProbeKind::Packages, if progress.is_some() { "Read again" } else { "List packages" }, props.image.is_some(), progress.as_deref(), dispatch) }
                if progress.is_none() { { cost(props.cost) } }
                if let Some(source) = &props.source { { for exports(source, dispatch) } }
            </form>
            if let Some(progress) = &progress {
                { status(progress, &words(&window, progress.state == ProbeState::Running)) }
                { unread(&window.unread, "packages are not listed") }
                if let Some(facts) = &window.owners { { owners(facts, props.cost, props.recorded.as_ref(), dispatch) } }
                if props.found.is_some() { { bills(&compared) } }
                { choice(&props.query, &window, dispatch) }
                if is_list && !window.rows.is_empty() {
                    { table(&window, props) }
                } else if is_list && progress.state != ProbeState::Running {
                    <p class="note">{ if window.kinds.is_empty() { "No database of a package manager that Porthole reads is in this image." } else { "No package fits." } }</p>
                }
                if is_list && (window.rows.len() as u64) < window.matches {
                    <button id="more" onclick={dispatch.reform(|_| Action::MorePackages)}>{ "Show more" }</button>
                }
            } else {
                <p class="dim">{ "Packages that dpkg, apk, rpm and the package managers of languages record, each with the layer that brought it; those included that a later layer removed or replaced." }</p>
            }
        </div>
    }
}

/// `405 packages of Debian 12`
fn words(window: &PackageWindow, running: bool) -> String {
    let system = window.distribution.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    let packages =
        if window.present == 1 { "1 package".to_owned() } else { format!("{} packages", count(window.present)) };
    if running { format!("{packages}{system} so far") } else { format!("{packages}{system}") }
}

/// A button for each format of bills of materials.
fn exports(source: &str, dispatch: &Callback<Action>) -> impl Iterator<Item = Html> {
    let formats = [(BillFormat::Spdx, "Save SPDX 2.3"), (BillFormat::Cyclonedx, "Save CycloneDX 1.6")];
    formats.into_iter().map(move |(format, words)| {
        let (wish, name) = (ExportWish::Bill(format, source.to_owned()), format.name());
        let onclick = dispatch.reform(move |_| Action::Export(wish.clone()));
        html! { <button type="button" id={format!("save-{name}")} title={format!("What porthole packages --format {name} prints")} {onclick}>{ words }</button> }
    })
}

/// Which packages are shown.
fn choice(query: &PackageQuery, window: &PackageWindow, dispatch: &Callback<Action>) -> Html {
    let on_typed = {
        let query = query.clone();
        dispatch.reform(move |name| Action::ShowPackages(PackageQuery { name, ..query.clone() }))
    };
    let on_kind = {
        let (query, dispatch) = (query.clone(), dispatch.clone());
        move |event: Event| {
            let kind = event.target_unchecked_into::<HtmlSelectElement>().value();
            dispatch.emit(Action::ShowPackages(PackageQuery { kind, ..query.clone() }));
        }
    };
    let which = |deleted: bool, words: &'static str, number: u64| {
        let pressed = (query.deleted == deleted).to_string();
        let query = PackageQuery { deleted, ..query.clone() };
        html! { <button data-packages={words} aria-pressed={pressed} onclick={dispatch.reform(move |_| Action::ShowPackages(query.clone()))}>{ words }{ " " }{ count(number) }</button> }
    };
    // A type of the address that this image does not have is still the one that is shown.
    let known = window.kinds.iter().any(|(kind, _)| *kind == query.kind);
    let stray = (!known && !query.kind.is_empty()).then(|| (query.kind.clone(), 0));
    let kinds = window.kinds.iter().cloned().chain(stray).map(|(kind, number)| {
        html! { <option value={kind.clone()} selected={kind == query.kind}>{ format!("{kind} ({})", count(number)) }</option> }
    });
    html! {
        <div class="chips">
            <div class="group" role="group" aria-label="Which packages">
                { which(false, "Installed", window.present) }
                { which(true, "Removed", window.deleted) }
            </div>
            <FilterField id="package-name" label="Name contains" placeholder="name contains" value={query.name.clone()} {on_typed} />
            <select id="package-type" aria-label="Type" onchange={on_kind}>
                <option value="" selected={query.kind.is_empty()}>{ "every type" }</option>
                { for kinds }
            </select>
            <span class="dim num" role="status" id="matches" data-count={window.matches.to_string()}>{ format!("{} shown", count(window.matches)) }</span>
        </div>
    }
}

fn table(window: &PackageWindow, props: &PackagesProps) -> Html {
    let dispatch = &props.dispatch;
    let sort = props.found.as_ref().map(|found| found.view.sort).unwrap_or_default();
    let head = |words: &'static str, by: PackageSort, class: &'static str| {
        let onclick = dispatch.reform(move |_| Action::SortPackages(by));
        html! { <th scope="col" {class} aria-sort={(sort == by).then_some("ascending")}><button class="plain" {onclick}>{ words }{ if sort == by { " ↓" } else { "" } }</button></th> }
    };
    html! {
        <table class="packages">
            <thead><tr>
                { head("Name", PackageSort::Name, "") }
                <th scope="col">{ "Version" }</th>
                { head("Type", PackageSort::Kind, "kind") }
                <th scope="col" class="wide">{ "Arch" }</th>
                { head("Licence", PackageSort::Licence, "wide") }
                { head("Layer", PackageSort::Layer, "layer") }
            </tr></thead>
            <tbody>{ for window.rows.iter().map(|row| package(row, props)) }</tbody>
        </table>
    }
}

/// The source package, the size and the number of files, where they are recorded.
fn about(row: &PackageFact) -> Option<Html> {
    let source = row.source.as_ref().filter(|source| **source != row.name).map(|source| format!("from {source}"));
    let files = match row.files {
        0 => None,
        1 => Some("1 file".to_owned()),
        files => Some(format!("{} files", count(files))),
    };
    let words: Vec<String> = [source, row.size.map(size), files].into_iter().flatten().collect();
    (!words.is_empty()).then(|| html! { <div class="dim">{ bdi(&words.join(" · ")) }</div> })
}

fn package(row: &PackageFact, props: &PackagesProps) -> Html {
    let dispatch = &props.dispatch;
    let view = if row.removed_by.is_none() { ViewMode::Merged } else { ViewMode::Only };
    let link = link_to(row.layer, &row.recorded_in, view);
    let open = dispatch.reform(move |_| Action::Open(link.clone(), None));
    let removed = row.removed_by.map(|by| match &row.replaced_by {
        Some(version) => html! { <span class="modified">{ "replaced by " }<span class="mono">{ bdi(version) }</span>{ format!(" in layer {}", by + 1) }</span> },
        None => html! { <span class="deleted">{ format!("removed by layer {}", by + 1) }</span> },
    });
    html! {
        <tr data-package={row.name.clone()} data-version={row.version.clone()} data-kind={row.kind.clone()} data-layer={(row.layer + 1).to_string()}
            data-removed-by={row.removed_by.map(|by| (by + 1).to_string())} data-purl={row.purl.clone()}>
            <td><button class="plain mono" title={format!("Recorded in {}", row.recorded_in)} onclick={open}>{ bdi(&row.name) }</button>{ for about(row) }</td>
            <td class="mono">{ bdi(&row.version) }if let Some(removed) = removed { <div>{ removed }</div> }</td>
            <td class="kind">{ &row.kind }</td>
            <td class="wide mono">{ for row.architecture.as_deref().map(bdi) }</td>
            <td class="wide cut" title={row.licence.as_deref().map(tip)}>{ for row.licence.as_deref().map(bdi) }</td>
            <td class="layer">{ layer_chip(row.layer, instruction(props.image.as_deref(), row.layer), dispatch) }</td>
        </tr>
    }
}
