//! The comparison with another image: documents, layers and files.

use super::{
    field::write,
    probe::{ask, contents},
    versions::difference,
    words::{bdi, tip},
};
use porthole_core::failure::FailureClass;
use porthole_viewer::protocol::{
    ChangedFile, ChangedSetting, ChangedStep, ComparedFiles, ComparisonFacts, ComparisonFailure, FindingLink,
    HistoryEntry, ImageLayer, ImageSummary, LayerRelation, MatchedLayer, PackageChangeFact, PackageChanges,
    ProbeProgress, VersionDiff, ViewMode,
};
use porthole_viewer::state::{Action, ProbeCost, State, contents_cost};
use porthole_viewer::words::{count, size};
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Compare`].
#[derive(Properties, PartialEq)]
pub struct CompareProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// Platform of that image.
    pub platform: Option<String>,
    /// The other reference, as the address has it.
    pub with: Option<String>,
    /// Names of what is left out.
    pub ignored: Vec<String>,
    /// The comparison so far.
    pub comparison: Option<Rc<ComparisonFacts>>,
    /// Why it ended.
    pub failure: Option<Rc<ComparisonFailure>>,
    /// What a comparison of contents costs, if they are not compared.
    pub cost: Option<ProbeCost>,
    /// How far it is.
    pub contents: [Option<Rc<ProbeProgress>>; 2],
    /// How far packages are read: those of this image, and of the other one.
    pub packages: [Option<Rc<ProbeProgress>>; 2],
    /// The packages of both, compared.
    pub package_changes: Option<Rc<Result<PackageChanges, String>>>,
    /// What reading the packages costs.
    pub package_cost: Option<ProbeCost>,
    /// A file, and how it differs.
    pub file_diff: Option<(String, Rc<VersionDiff>)>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl CompareProps {
    /// What the state knows of the comparison.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        Self {
            image: state.image.clone(),
            platform: state.platform.clone(),
            with: state.route.with.clone(),
            ignored: state.route.ignored(),
            comparison: state.comparison.clone(),
            failure: state.comparison_failure.clone(),
            cost: contents_cost(state),
            contents: state.contents.clone(),
            packages: [
                state.packages.as_ref().and_then(|packages| packages.progress.clone()),
                state.other_packages.clone(),
            ],
            package_changes: state.package_changes.clone(),
            package_cost: state.package_changes_cost(),
            file_diff: state.file_diff.clone(),
            dispatch,
        }
    }
}

/// The other image, and what differs.
#[component]
pub fn Compare(props: &CompareProps) -> Html {
    let dispatch = &props.dispatch;
    let input = use_node_ref();
    // Kept outside of the drawing, which would reset what is being typed.
    use_effect_with(props.with.clone(), {
        let input = input.clone();
        move |with| write(&input, with.as_deref().unwrap_or_default())
    });
    let shown = use_state(|| SHOWN);
    let onsubmit = {
        let (dispatch, input) = (dispatch.clone(), input.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let with = input.cast::<web_sys::HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
            dispatch.emit(Action::Compare { with, platform: None });
        }
    };
    let reading = props.comparison.as_ref().is_some_and(|facts| matches!(facts.files, ComparedFiles::Reading { .. }));
    let waiting = props.with.is_some() && props.comparison.is_none() && props.failure.is_none();
    let platforms = props.image.iter().flat_map(|image| {
        let others = image.platforms.iter().filter(|platform| Some(*platform) != props.platform.as_ref());
        others.map(|platform| other_platform(&image.reference, platform, dispatch))
    });
    let platforms: Vec<_> = platforms.take(PLATFORMS).collect();
    html! {
        <div class="document waste compare" tabindex="0" role="region" aria-label="Comparison">
            <form class="with" {onsubmit}>
                <label for="with">{ "Compare with" }</label>
                <input id="with" class="mono" ref={input} placeholder="another reference" autocomplete="off" autocapitalize="off" spellcheck="false" />
                <button class="primary" disabled={props.image.is_none()}>{ "Compare" }</button>
                if reading || waiting {
                    <button type="button" id="stop-compare" onclick={dispatch.reform(|_| Action::EndCompare)}>{ "Stop" }</button>
                }
            </form>
            if !platforms.is_empty() {
                <p class="chips"><span class="dim">{ "or with another platform of this image: " }</span>{ for platforms }</p>
            }
            <fieldset class="chips">
                <legend class="dim">{ "Ignore" }</legend>
                { for IGNORED.iter().map(|(name, words)| ignore(name, words, &props.ignored, dispatch)) }
            </fieldset>
            if let Some(failure) = &props.failure {
                { failed(failure, dispatch) }
            } else if let Some(facts) = &props.comparison {
                { comparison(facts, props, *shown) }
                if let ComparedFiles::Done { rows, total, .. } = &facts.files {
                    if rows.len() > *shown {
                        <button onclick={ let shown = shown.clone(); move |_| shown.set(*shown + SHOWN) }>{ "Show more" }</button>
                    } else if (rows.len() as u64) < *total {
                        <p class="dim">{ format!("The first {} of {}. The command below prints all of them.", count(rows.len() as u64), count(*total)) }</p>
                    }
                }
            } else if waiting {
                <p class="note" role="status">{ "Looking at the other image" }</p>
            } else {
                <p class="dim">{ "Documents are compared at once, files when the layers of both are read. A layer that both have is not downloaded again." }</p>
            }
        </div>
    }
}

/// Rows of files that are drawn at first, and more at each request.
const SHOWN: usize = 300;
/// Platforms that are offered.
const PLATFORMS: usize = 12;
/// What can be left out: names of `porthole diff --ignore`, and words.
const IGNORED: [(&str, &str); 4] = [("time", "times"), ("owner", "owners"), ("mode", "modes"), ("xattr", "attributes")];

fn other_platform(reference: &str, platform: &str, dispatch: &Callback<Action>) -> Html {
    let (with, chosen) = (reference.to_owned(), Some(platform.to_owned()));
    let onclick = dispatch.reform(move |_| Action::Compare { with: with.clone(), platform: chosen.clone() });
    html! { <button class="small" data-platform={platform.to_owned()} {onclick}>{ bdi(platform) }</button> }
}

fn ignore(name: &'static str, words: &'static str, ignored: &[String], dispatch: &Callback<Action>) -> Html {
    let onchange = dispatch.reform(move |_: Event| Action::Ignore(name.to_owned()));
    let checked = ignored.iter().any(|known| known == name);
    html! { <label><input type="checkbox" data-ignore={name} {checked} {onchange} />{ " " }{ words }</label> }
}

fn failed(failure: &ComparisonFailure, dispatch: &Callback<Action>) -> Html {
    let given = failure.given.clone();
    let look = dispatch.reform(move |_| Action::Look(given.clone()));
    let helps = failure.failure.kind != FailureClass::Input;
    html! {
        <section class="alert" role="alert" data-kind={failure.failure.kind.word()}>
            <h2>{ "The other image cannot be compared" }</h2>
            <p>{ bdi(&failure.failure.text) }</p>
            if helps {
                <div class="actions"><button onclick={look}>{ "Look at that image" }</button></div>
            }
        </section>
    }
}

fn comparison(facts: &ComparisonFacts, props: &CompareProps, shown: usize) -> Html {
    let dispatch = &props.dispatch;
    let layers = facts.layers.iter().any(|layer| layer.relation != LayerRelation::Same);
    html! {
        <>
            <p class="other"><span class="dim">{ "compared with " }</span><code>{ bdi(&facts.resolved) }</code>
                if let Some(platform) = &facts.platform { <span class="dim">{ " " }{ bdi(platform) }</span> }
            </p>
            if facts.same {
                <p class="verdict" role="status">{ "Both have the same manifest: nothing differs." }</p>
            } else {
                { files_head(facts, layers, props) }
                if layers {
                    <h2 class="heading">{ "Layers" }</h2>
                    <table class="layers-of-both">
                        <thead><tr><th scope="col">{ "This image" }</th><th scope="col" class="right">{ "Size" }</th><td /><th scope="col">{ "The other" }</th><th scope="col" class="right">{ "Size" }</th></tr></thead>
                        <tbody>{ for facts.layers.iter().map(matched) }</tbody>
                    </table>
                }
                if !facts.settings.is_empty() {
                    <h2 class="heading">{ "Manifest and configuration" }</h2>
                    <table><tbody>{ for facts.settings.iter().map(setting) }</tbody></table>
                }
                if !facts.history.is_empty() {
                    <h2 class="heading">{ "History" }</h2>
                    <ul class="steps">{ for facts.history.iter().map(step) }</ul>
                }
                if !matches!(facts.files, ComparedFiles::Reading { .. }) {
                    <h2 class="heading">{ "Packages" }</h2>
                    { changes(props) }
                }
                if let ComparedFiles::Done { rows, total, .. } = &facts.files && *total > 0 {
                    <h2 class="heading">{ format!("Files · {}", count(*total)) }</h2>
                    <table class="changed"><tbody>{ for rows.iter().take(shown).map(|row| changed(row, props.file_diff.as_ref(), dispatch)) }</tbody></table>
                }
            }
        </>
    }
}

/// The result of comparing files, or its progress.
fn files_head(facts: &ComparisonFacts, layers: bool, props: &CompareProps) -> Html {
    match &facts.files {
        ComparedFiles::Reading { fetched, total } => html! {
            <p role="status" data-files="reading">
                { if *total == 0 { "Layers are being read".to_owned() } else { format!("{} of {} of layers that only the other image has", size(*fetched), size(*total)) } }
                if *total > 0 { <progress max={total.to_string()} value={fetched.to_string()} aria-hidden="true" /> }
            </p>
        },
        ComparedFiles::Nothing if layers => {
            html! { <p data-files="nothing">{ "Both have the same files, or no files." }</p> }
        }
        ComparedFiles::Nothing => {
            html! { <p data-files="nothing">{ "The layers, and so the files, are the same." }</p> }
        }
        ComparedFiles::Done { sums, total, fetched, missing_before, missing_after, .. } => html! {
            <>
                <dl class="figures" data-files="done">
                    <div data-sum="added" data-count={sums.added.to_string()} data-bytes={sums.added_bytes.to_string()}><dd class="num added">{ "+" }{ count(sums.added) }</dd><dt>{ "added, " }{ size(sums.added_bytes) }</dt></div>
                    <div data-sum="removed" data-count={sums.removed.to_string()} data-bytes={sums.removed_bytes.to_string()}><dd class="num deleted">{ "−" }{ count(sums.removed) }</dd><dt>{ "removed, " }{ size(sums.removed_bytes) }</dt></div>
                    <div data-sum="changed" data-count={sums.changed.to_string()}><dd class="num modified">{ "~" }{ count(sums.changed) }</dd><dt>{ format!("changed, +{} −{}", size(sums.grown_bytes), size(sums.shrunk_bytes)) }</dt></div>
                    <div><dd class="num">{ size(facts.download) }</dd><dt>{ "download that only the other needs" }</dt></div>
                </dl>
                if *total == 0 {
                    <p class="verdict" role="status">{ "No file differs." }</p>
                }
                if sums.unsure > 0 {
                    <p class="dim" data-unsure={sums.unsure.to_string()}>{ format!("{} more files have the same size, in layers that differ.", count(sums.unsure)) }</p>
                    { contents("Their contents are not compared yet.", props.cost, &props.contents, &props.dispatch) }
                }
                { for [("this image", missing_before), ("the other", missing_after)].into_iter().filter(|(_, missing)| !missing.is_empty()).map(|(which, missing)| html! {
                    <p class="finding">{ format!("Layers of {which} that were not read, or are wrong: {}", missing.iter().map(|layer| (layer + 1).to_string()).collect::<Vec<_>>().join(", ")) }</p>
                }) }
                <p class="dim">{ format!("{} were fetched for the comparison.", size(*fetched)) }</p>
            </>
        },
    }
}

/// The packages that differ; before they are read, what that costs.
fn changes(props: &CompareProps) -> Html {
    let (probes, problem) = match props.package_changes.as_deref() {
        Some(Ok(PackageChanges { sums, rows, total })) => {
            let sums: Vec<String> =
                sums.iter().map(|(change, number)| format!("{} {change}", count(*number))).collect();
            let words = if sums.is_empty() { "No package differs.".to_owned() } else { sums.join(", ") };
            let rest = (rows.len() as u64) < *total;
            return html! {
                <>
                    <p role="status" id="package-sums">{ words }{ if rest { ": the first are listed" } else { "" } }</p>
                    <table class="package-changes"><tbody>{ for rows.iter().map(package) }</tbody></table>
                </>
            };
        }
        Some(Err(why)) => ([None, None], Some(why)),
        None => (props.packages.each_ref().map(Option::as_ref), None),
    };
    let onclick = props.dispatch.reform(|_| Action::ComparePackages);
    html! { <p>{ ask(("compare-packages", "Compare packages"), props.package_cost, probes.into_iter().flatten(), problem, onclick) }</p> }
}

fn package(row: &PackageChangeFact) -> Html {
    html! {
        <tr data-package-change={row.change.clone()} data-package={row.name.clone()}>
            <td>{ &row.change }</td>
            <td class="dim">{ &row.kind }</td>
            <td class="mono">{ bdi(&row.name) }</td>
            <td class="mono">{ for row.before.as_deref().map(bdi) }{ if row.before.is_some() && row.after.is_some() { " → " } else { "" } }{ for row.after.as_deref().map(bdi) }</td>
        </tr>
    }
}

fn matched(pair: &MatchedLayer) -> Html {
    let (word, class, sign) = match pair.relation {
        LayerRelation::Same => ("same", "dim", "="),
        LayerRelation::Recompressed => ("recompressed", "modified", "≈"),
        LayerRelation::Removed => ("only this image", "deleted", "−"),
        LayerRelation::Added => ("only the other", "added", "+"),
    };
    html! {
        <tr data-relation={word}>{ for layer(pair.before.as_ref()) }<td class={classes!("sign", class)}><abbr title={word}>{ sign }</abbr></td>{ for layer(pair.after.as_ref()) }</tr>
    }
}

fn layer(layer: Option<&ImageLayer>) -> [Html; 2] {
    let Some(layer) = layer else { return [html! { <td /> }, html! { <td /> }] };
    let what = layer.instruction.as_ref();
    [
        html! {
            <td class="mono" title={what.map(|it| tip(&it.created_by))}><span class="dim">{ layer.index + 1 }{ " " }</span>
                if let Some(it) = what { <b>{ bdi(&it.keyword) }</b>{ " " }{ bdi(&it.arguments) } } else { { bdi(&layer.digest) } }
            </td>
        },
        html! { <td class="num right">{ size(layer.size) }</td> },
    ]
}

fn setting(change: &ChangedSetting) -> Html {
    let name = change.name.as_ref().map(|name| html! { <>{ " " }<code>{ bdi(name) }</code></> });
    html! {
        <tr data-setting={change.key.clone()}>
            <th scope="row">{ bdi(&change.key) }{ for name }</th>
            <td class="mono">{ for value("deleted", "−", change.before.as_deref()) }{ for value("added", "+", change.after.as_deref()) }</td>
        </tr>
    }
}

fn value(class: &'static str, sign: &'static str, text: Option<&str>) -> Option<Html> {
    Some(html! { <div {class}>{ sign }{ " " }{ bdi(text?) }</div> })
}

fn step(change: &ChangedStep) -> Html {
    let text = |entry: &HistoryEntry| {
        entry.instruction.as_ref().map_or_else(|| "(no instruction)".to_owned(), |it| it.created_by.clone())
    };
    let both = change.before.is_some() && change.after.is_some();
    html! {
        <li class="mono">
            if both {
                { bdi(&change.before.as_ref().map(text).unwrap_or_default()) }<span class="dim">{ " differs in " }{ change.fields.join(", ") }</span>
            } else {
                { for value("deleted", "−", change.before.as_ref().map(text).as_deref()) }
                { for value("added", "+", change.after.as_ref().map(text).as_deref()) }
            }
        </li>
    }
}

fn changed(row: &ChangedFile, diff: Option<&(String, Rc<VersionDiff>)>, dispatch: &Callback<Action>) -> Html {
    let (letter, class, word) = match (&row.before, &row.after) {
        (None, _) => ("A", "added", "added"),
        (_, None) => ("D", "deleted", "removed"),
        _ => ("M", "modified", "changed"),
    };
    let bytes =
        |row: &Option<porthole_viewer::protocol::FileRow>| row.as_ref().map(|row| size(row.size)).unwrap_or_default();
    let target = FindingLink::Files { mode: ViewMode::Merged, layer: None, path: Some(row.path.clone()) };
    let show = dispatch.reform(move |_| Action::Follow(target.clone()));
    let open = diff.filter(|(path, _)| *path == row.path).map(|(_, diff)| Rc::clone(diff));
    let content = row.before.is_some() && row.after.is_some() && row.aspects.iter().any(|aspect| aspect == "content");
    let path = row.path.clone();
    let closes = open.is_some();
    let toggle = dispatch.reform(move |_| Action::DiffFile { path: (!closes).then(|| path.clone()), anyway: false });
    let path = row.path.clone();
    let anyway = dispatch.reform(move |_| Action::DiffFile { path: Some(path.clone()), anyway: true });
    html! {
        <>
            <tr data-changed-path={row.path.clone()} data-change={word}>
                <td class={classes!("letter", class)} title={word}>{ letter }</td>
                <td>
                    if row.before.is_some() {
                        <button class="plain mono" title="Show it in this image" onclick={show}><bdi>{ &row.path }</bdi></button>
                    } else {
                        <span class="mono"><bdi>{ &row.path }</bdi></span>
                    }
                    if !row.aspects.is_empty() { <span class="dim">{ " " }{ row.aspects.join(", ") }</span> }
                    if content { { " " }<button class="small" aria-expanded={open.is_some().to_string()} onclick={toggle}>{ "diff" }</button> }
                </td>
                <td class="num right">{ bytes(&row.before) }</td>
                <td class="num right">{ bytes(&row.after) }</td>
            </tr>
            if let Some(open) = open {
                <tr class="open"><td /><td colspan="3"><div class="diff">{ difference(&open, anyway) }</div></td></tr>
            }
        </>
    }
}
