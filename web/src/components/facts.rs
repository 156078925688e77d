//! The facts of the selected entry.

use super::{
    about::about,
    chain::{glyph, shorten},
    content::FileContent,
    versions::list,
    words::bdi,
};
use porthole_viewer::protocol::{
    FileRow, ImageSummary, LayerProgress, LinkState, PathVersionFacts, RowChange, RowKind, Selection, ShownContent,
    ShownFacts, VersionDiff,
};
use porthole_viewer::state::Action;
use porthole_viewer::words::{count, iso, mode, moment, size};
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Facts`].
#[derive(Properties, PartialEq)]
pub struct FactsProps {
    /// The selected entry.
    pub selection: Option<Rc<Selection>>,
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// Progress of its layers.
    pub progress: Rc<Vec<LayerProgress>>,
    /// What is in it, by its path.
    pub content: Option<(String, Rc<ShownContent>)>,
    /// What it is, by its path.
    pub about: Option<(String, Rc<ShownFacts>)>,
    /// A line of it to be marked.
    pub line: Option<u32>,
    /// What each layer did to a path.
    pub versions: Option<(String, Rc<Vec<PathVersionFacts>>)>,
    /// How two versions of a path differ.
    pub diff: Option<(String, u32, u32, Rc<VersionDiff>)>,
    /// The content is shown elsewhere.
    pub reading: bool,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The facts of the selected entry.
#[component]
pub fn Facts(props: &FactsProps) -> Html {
    let Some(selection) = &props.selection else { return Html::default() };
    let row = &selection.row;
    let diff = props.diff.as_ref().filter(|(path, ..)| *path == row.path);
    let diff = diff.map(|(_, before, after, diff)| (*before, *after, Rc::clone(diff)));
    let is_file = matches!(row.kind, RowKind::File | RowKind::Hardlink);
    let content = props.content.as_ref().filter(|(path, _)| *path == row.path && !props.reading);
    html! {
        <article class="selected" aria-label="Selected entry">
            <div class="line">
                <h2>{ trail(&row.path, &props.dispatch) }</h2>
                <span class="end">
                    if is_file && !props.reading {
                        <button id="read" class="small" title="Read it over the whole middle pane (Enter)" onclick={props.dispatch.reform(|_| Action::Reading(true))}>{ "Open" }</button>
                    }
                    <button class="small close" aria-label="Close" title="Close (Esc)" onclick={props.dispatch.reform(|_| Action::Select(None))}>{ "✕" }</button>
                </span>
            </div>
            { verdict(&props.progress, row) }
            <dl class="facts">{ for facts(row) }</dl>
            if row.kind == RowKind::Symlink {
                <button id="follow" class="small" title="Follow the link through all layers (f)" onclick={props.dispatch.reform(|_| Action::FollowLink)}>{ "Go to its target" }</button>
            }
            if let Some((_, facts)) = props.about.as_ref().filter(|(path, _)| *path == row.path) {
                { about(facts, &props.dispatch) }
            }
            if let Some((_, content)) = content {
                <FileContent content={Rc::clone(content)} line={props.line} dispatch={props.dispatch.clone()} />
            }
            if let Some((_, versions)) = props.versions.as_ref().filter(|(path, _)| *path == row.path) {
                { list(versions, diff.as_ref(), &props.dispatch) }
            }
            { layer(props.image.as_deref(), row, &props.dispatch) }
        </article>
    }
}

/// A path in which each directory is a link.
pub(super) fn trail(path: &str, dispatch: &Callback<Action>) -> Html {
    let above = path.match_indices('/').map(|(end, _)| {
        let parent = path[..end].to_owned();
        let name = parent.rsplit('/').next().unwrap_or_default().to_owned();
        let onclick = dispatch.reform(move |_| Action::Select(Some(parent.clone())));
        html! { <><button class="plain dim" {onclick}><bdi>{ name }</bdi></button><span class="dim">{ " / " }</span></> }
    });
    let name = path.rsplit('/').next().unwrap_or_default();
    html! { <span class="trail">{ for above }<bdi>{ name }</bdi></span> }
}

/// Whether the bytes that say so were what the manifest promised.
fn verdict(progress: &[LayerProgress], row: &FileRow) -> Html {
    let progress = progress.iter().find(|layer| layer.index == row.layer);
    let link = progress.map_or(LinkState::Waiting, |layer| LinkState::from(layer.state));
    let words = match link {
        LinkState::Verified => "verified with its layer",
        LinkState::Listed => "says the table of contents of its layer, which was not checked against the archive",
        LinkState::Wrong => "its layer is wrong",
        LinkState::Waiting | LinkState::Progress | LinkState::Unchecked => "provisional until its layer is verified",
    };
    html! { <p class="verdict" data-state={link.as_str()}><span class="glyph" aria-hidden="true">{ glyph(link).0 }</span>{ " " }{ words }</p> }
}

fn facts(row: &FileRow) -> Vec<Html> {
    let fact = |name: &str, value: Html| html! { <><dt>{ name }</dt><dd>{ value }</dd></> };
    let text = |value: String| html! { <bdi>{ value }</bdi> };
    let mut facts = vec![fact("type", text(kind_words(row.kind).to_owned()))];
    match row.kind {
        RowKind::File => facts.push(fact("size", text(exact(row.size)))),
        RowKind::Dir => facts.push(fact("holds", text(exact(row.total)))),
        RowKind::Symlink | RowKind::Hardlink => facts.push(fact("target", text(row.link.clone()))),
        RowKind::Char | RowKind::Block => facts.push(fact("device", text(format!("{}, {}", row.major, row.minor)))),
        RowKind::Fifo => {}
    }
    if row.implied {
        facts.push(fact(
            "note",
            text("no archive names this directory; its mode, owner and time are defaults".to_owned()),
        ));
    }
    facts.push(fact("mode", text(format!("{} ({:04o})", mode(row.kind.letter(), row.mode), row.mode))));
    facts.push(fact("owner", text(format!("{}:{}", row.uid, row.gid))));
    let modified = html! { <time datetime={iso(row.mtime)}>{ moment(row.mtime) }</time> };
    facts.push(fact("modified", modified));
    if !row.xattrs.is_empty() {
        let names = row.xattrs.iter().map(|name| html! { <li><bdi>{ name }</bdi></li> });
        facts.push(fact("xattrs", html! { <ul>{ for names }</ul> }));
    }
    match (row.change, row.removed_by) {
        (RowChange::Removed, Some(layer)) => facts.push(fact("removed by", text(format!("layer {}", layer + 1)))),
        (_, Some(layer)) => facts.push(fact("hidden by", text(format!("layer {}", layer + 1)))),
        (_, None) => {}
    }
    if let Some(reason) = &row.ambiguous {
        facts.push(fact("ambiguous", text(reason.clone())));
    }
    facts
}

/// `12.4 kB (12 411 B)`, or the bytes alone where the short form is exact.
fn exact(bytes: u64) -> String {
    if bytes < 10_000 { size(bytes) } else { format!("{} ({}\u{a0}B)", size(bytes), count(bytes)) }
}

/// The layer that wrote the entry.
fn layer(image: Option<&ImageSummary>, row: &FileRow, dispatch: &Callback<Action>) -> Html {
    let layers = image.map_or(&[][..], |image| &image.layers);
    let Some(layer) = layers.iter().find(|layer| layer.index == row.layer) else { return Html::default() };
    let made = layer.instruction.as_ref().map(|it| {
        html! { <><dt>{ "made by" }</dt><dd><b class="keyword">{ bdi(&it.keyword) }</b>{ " " }{ bdi(&it.arguments) }</dd></> }
    });
    let index = layer.index;
    html! {
        <section>
            <h3 class="heading">{ "Written by layer " }{ index + 1 }</h3>
            <dl class="facts">
                { for made }
                <dt>{ "digest" }</dt><dd title={layer.digest.clone()}>{ shorten(&layer.digest) }</dd>
                <dt>{ "download" }</dt><dd>{ size(layer.size) }</dd>
            </dl>
            <button class="small" onclick={dispatch.reform(move |_| Action::Layer(index))}>{ "Show this layer" }</button>
        </section>
    }
}

fn kind_words(kind: RowKind) -> &'static str {
    match kind {
        RowKind::File => "file",
        RowKind::Dir => "directory",
        RowKind::Symlink => "symbolic link",
        RowKind::Hardlink => "hard link",
        RowKind::Char => "character device",
        RowKind::Block => "block device",
        RowKind::Fifo => "named pipe",
    }
}
