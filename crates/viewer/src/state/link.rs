//! The address and the command that show the same view elsewhere.

use super::{ProbeCost, State};
use crate::address::{Address, Tab};
use crate::protocol::{
    ComparedFiles, DocumentText, ExportWish, LayerRelation, LayerState, NameList, NameState, NameWindow, PackageQuery,
    ProbeKind, ProbeProgress, ProbeState, ProofStep, SearchQuery, ShownConfidence, ViewMode,
};
use crate::router::GIVEN;
use crate::shell::{self, LsListing};
use porthole_core::layer::LayerNumber;
use std::rc::Rc;

/// The address with the reference pinned to its digest and the platform named, so that it shows the same later. `None` until the
/// image is known, and for a file of this machine, which no address opens.
pub fn pinned_route(state: &State) -> Option<Address> {
    let image = state.image.as_ref().filter(|image| image.registry != GIVEN)?;
    let platform = state.platform.clone().filter(|_| !image.platforms.is_empty());
    Some(Address { reference: Some(image.pinned.clone()), platform, ..state.route.clone() })
}

/// What the command line calls the image. `None` where it cannot name it.
pub fn source(state: &State) -> Option<String> {
    let image = state.image.as_ref().filter(|_| !state.is_local())?;
    match state.path_of_file() {
        // The command line has another way to name one of several images, which depends on the format of the file.
        Some(_) if state.route.reference.as_ref().is_some_and(|reference| reference.contains('@')) => None,
        Some(path) if image.bare => Some(format!("layer:{path}")),
        Some(path) => Some(path),
        None => Some(image.pinned.clone()),
    }
}

/// What that command prints with `--json`, where the page knows all of it.
pub fn export_wish(state: &State) -> Option<ExportWish> {
    command(state)?;
    let image = state.image.as_ref()?;
    // A command line lists nothing of an image of which a layer is wrong.
    let whole = || state.settled && state.layers.iter().all(|layer| layer.state == LayerState::Verified);
    let read = |progress: &Option<_>| progress.as_deref().is_some_and(is_whole) && whole();
    // The blobs of an artifact are not unpacked.
    let archives = state.layers.len() == image.layers.len() && image.layers.iter().all(|layer| layer.archive);
    match (state.route.tab, state.route.view) {
        (Tab::Overview, _) if whole() || !archives => Some(ExportWish::Overview),
        (Tab::Waste, _) if whole() => Some(ExportWish::Waste),
        (Tab::Compare, _) => match &state.comparison.as_ref()?.files {
            ComparedFiles::Reading { .. } => None,
            ComparedFiles::Nothing => Some(ExportWish::Comparison),
            ComparedFiles::Done { missing_before, missing_after, .. } => {
                let all = missing_before.is_empty() && missing_after.is_empty();
                (all && whole()).then_some(ExportWish::Comparison)
            }
        },
        (Tab::Search, _) => {
            let found = state.search.as_ref().filter(|_| state.searched.as_ref() == Some(&state.route.search))?;
            read(&found.progress).then_some(ExportWish::Search)
        }
        (Tab::Files, ViewMode::Merged) if state.selected_file().is_some() => None,
        (Tab::Files, ViewMode::UpTo) => None,
        (Tab::Files, _) if whole() => {
            Some(ExportWish::Files(Box::new(state.wanted_listing()), state.route.path.clone()))
        }
        (Tab::Manifest, _) => {
            let is_index = |document: &DocumentText| document.step == ProofStep::Index;
            let named = image.platforms.is_empty() && image.documents.iter().any(is_index);
            Some(ExportWish::Document(if named { ProofStep::Index } else { ProofStep::Manifest }))
        }
        (Tab::Config, _) => Some(ExportWish::Document(ProofStep::Config)),
        (Tab::Packages, _) if !state.route.packages.against.is_empty() => None,
        (Tab::Packages, _) if read(&state.packages.as_ref()?.progress) => {
            Some(ExportWish::Packages(state.route.packages.clone()))
        }
        (Tab::Secrets, _) if read(&state.secrets.as_ref()?.files.progress) => {
            Some(ExportWish::Secrets(state.route.confidence))
        }
        (Tab::Referrers, _) => Some(ExportWish::Referrers),
        (Tab::Tags, _) => {
            let list = state.route.names.list;
            let whole = |names: &&Rc<NameWindow>| names.list == list && names.state == NameState::Done;
            state.names.as_ref().filter(whole).map(|_| ExportWish::Names(list))
        }
        _ => None,
    }
}

/// What is read before that is saved, because the command compares contents: bytes of layers at most. `None`: nothing.
pub fn export_cost(state: &State, wish: &ExportWish) -> Option<ProbeCost> {
    let known = |progress: &Option<Rc<ProbeProgress>>| progress.as_deref().is_some_and(is_whole);
    let [own, other] = &state.contents;
    let mut cost = state.probe_cost()?;
    if known(own) {
        (cost.layers, cost.bytes) = (0, 0);
    }
    match wish {
        ExportWish::Overview if !state.image_layers().iter().all(|layer| layer.archive) => return None,
        ExportWish::Overview | ExportWish::Waste => {}
        ExportWish::Comparison => {
            let facts = state.comparison.as_ref()?;
            let contents = !state.route.ignored().iter().any(|name| name == "content");
            if !contents || !matches!(facts.files, ComparedFiles::Done { .. }) {
                return None;
            }
            let added = facts.layers.iter().filter(|pair| pair.relation == LayerRelation::Added && !known(other));
            for layer in added.filter_map(|pair| pair.after.as_ref()) {
                (cost.layers, cost.bytes) = (cost.layers + 1, cost.bytes + layer.size);
            }
        }
        _ => return None,
    }
    (cost.layers > 0).then_some(cost)
}

/// What must be read to compare contents in the open view. `None`: nothing, or the view compares none.
pub fn contents_cost(state: &State) -> Option<ProbeCost> {
    export_wish(state).and_then(|wish| export_cost(state, &wish))
}

/// Whether a probe found all that there is, and kept it. Of the lines that a search finds, the command line prints no more.
fn is_whole(progress: &ProbeProgress) -> bool {
    let counted = matches!(progress.kind, ProbeKind::Secrets);
    let kept = !counted || progress.held == progress.sums.found;
    progress.state == ProbeState::Done && progress.lost.is_empty() && kept
}

/// The `porthole` command that prints what the page shows. `None` where there is no such command.
pub fn command(state: &State) -> Option<String> {
    let image = state.image.as_ref()?;
    let source = source(state)?;
    let platform = state.platform.as_deref().filter(|_| !image.platforms.is_empty());
    let document = |verb: &str| shell::command(verb, &source, platform);
    // The command line makes no documents for a single layer.
    let of_documents = [Tab::Overview, Tab::Compare, Tab::Referrers, Tab::Tags, Tab::Wire, Tab::Manifest, Tab::Config];
    if image.bare && of_documents.contains(&state.route.tab) {
        return None;
    }
    Some(match (state.route.tab, state.route.view) {
        (Tab::Overview, _) => {
            let base = state.base.as_deref().and_then(|base| base.as_ref().ok());
            // A file beside this one has no path that is known.
            match base.filter(|base| !base.given.starts_with(GIVEN)) {
                Some(base) => document(&format!("inspect --full --base {}", shell::quote(&base.given))),
                None => document("inspect --full"),
            }
        }
        (Tab::Compare, _) => {
            // A file beside this one has no path that is known.
            let other = state.comparison.as_ref().filter(|other| !other.resolved.starts_with(GIVEN))?;
            // One --platform is for both.
            if platform.is_some() && platform != other.platform.as_deref() {
                return None;
            }
            let ignore = state.route.ignore.as_deref().map(|names| format!(" --ignore {}", shell::quote(names)));
            let diff = format!("diff{}", ignore.unwrap_or_default());
            format!("{} {}", document(&diff), shell::quote(&other.resolved))
        }
        (Tab::Secrets, _) if state.route.confidence == ShownConfidence::default() => document("secrets"),
        (Tab::Secrets, _) => document(&format!("secrets --confidence {}", state.route.confidence.name())),
        // A file of this machine has a path that the page does not know.
        (Tab::Packages, _) if state.compares_with_file() => return None,
        (Tab::Packages, _) => document(&packages_verb(&state.route.packages)),
        (Tab::Referrers, _) => document("referrers --tree"),
        (Tab::Tags, _) if image.registry == GIVEN => return None,
        (Tab::Tags, _) => match state.route.names.list {
            NameList::Tags => shell::command("tags", &format!("{}/{}", image.registry, image.repository), None),
            NameList::Repositories => shell::command("catalog", &image.registry, None),
        },
        (Tab::Search, _) => search_command(&state.route.search, document)?,
        (Tab::Waste, _) => document("analyze"),
        (Tab::Wire, _) => document("trace --full"),
        (Tab::Manifest, _) => document("manifest"),
        (Tab::Config, _) => document("config"),
        (Tab::Files, ViewMode::UpTo) if state.focused_layer() != image.layers.last().map(|layer| layer.index) => {
            document("inspect")
        }
        (Tab::Files, ViewMode::Merged) if state.selected_file().is_some() => {
            shell::cat_command(&source, platform, state.selected_file().unwrap_or_default())
        }
        (Tab::Files, view) => {
            let layer = state.focused_layer().map(LayerNumber::of_index);
            let listing = match view {
                ViewMode::Merged | ViewMode::UpTo => LsListing::Merged,
                ViewMode::Only => layer.map_or(LsListing::Merged, LsListing::Only),
                ViewMode::Deleted => LsListing::Deleted,
            };
            shell::list_command(&source, platform, listing, state.route.path.as_deref())
        }
    })
}

/// `porthole search …`, once there is something to search for.
fn search_command(query: &SearchQuery, document: impl Fn(&str) -> String) -> Option<String> {
    let mut verb = String::from("search");
    let options = [("-F", !query.expression), ("-i", query.ignore_case), ("--utf16", query.utf16)];
    for (option, _) in options.into_iter().filter(|(_, on)| *on) {
        verb = format!("{verb} {option}");
    }
    if !query.glob.is_empty() {
        verb = format!("{verb} --glob {}", shell::quote(&query.glob));
    }
    (!query.pattern.is_empty()).then(|| format!("{} {}", document(&verb), shell::quote(&query.pattern)))
}

/// `packages` with the options of what is shown.
fn packages_verb(query: &PackageQuery) -> String {
    let mut verb = String::from("packages");
    for (option, value) in [("--type", &query.kind), ("--name", &query.name), ("--against", &query.against)] {
        if !value.is_empty() {
            verb = format!("{verb} {option} {}", shell::quote(value));
        }
    }
    if query.deleted && query.against.is_empty() { verb + " --deleted" } else { verb }
}
