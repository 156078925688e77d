//! The state of a front end, without its drawing.
//!
//! [`State::update`] is the only way to change it: an action in, effects out. It touches neither the screen nor the session.

mod action;
mod ask;
mod effect;
mod event;
mod evidence;
mod link;
mod map;
mod names;
mod probe;
mod recent;
mod update;
mod wire;

pub use action::Action;
pub use effect::Effect;
pub use evidence::{EvidenceFound, PolicyAction};
pub use link::{command, contents_cost, export_cost, export_wish, pinned_route, source};
pub use probe::{PackagesFound, ProbeCost, ProbedRows, SecretsFound, link_to};
pub use recent::{read_recent, recent_text};
pub use wire::WireShown;

pub use crate::signed::{SignedLink, SignedState};

use crate::address::Address;
use crate::pretty::visible;
use crate::protocol::{
    ArchiveSaving, BaseLayers, Chain, Changes, ComparisonFacts, ComparisonFailure, FailureNotice, FileMap, FileReading,
    FileView as Listing, FindingLink, ImageLayer, ImageSummary, KeptFacts, LayerProgress, MapWish, NameQuery,
    NameWindow, OverviewFacts, PackageChanges, PathVersionFacts, PolicyFacts, ProbeProgress, RegistryRoute as Way,
    RelaySettings, RouteReason, RowChange, RowKind, RowWindow, SearchHit, SearchQuery, Selection, ShownContent,
    ShownFacts, Sizes, VersionDiff, ViewMode, WasteFacts,
};
use porthole_core::{failure::FailureClass, layer::LayerNumber};
use std::{collections::BTreeMap, rc::Rc};

/// The image that ships inside the front end.
pub const SAMPLE: &str = "sample.localhost/porthole/sample:latest";

/// Everything that is drawn. Large parts are shared, so that a copy is cheap and an unchanged part is known by its address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The session listens.
    pub ready: bool,
    /// Number of the current look; 0 before the first.
    pub look: u32,
    /// What the address of the page names.
    pub route: Address,
    /// What is known once manifest and config are verified.
    pub image: Option<Rc<ImageSummary>>,
    /// The image at a glance.
    pub overview: Option<Rc<OverviewFacts>>,
    /// Platforms to choose from; empty without an index.
    pub platforms: Rc<Vec<String>>,
    /// The platform looked at, as far as known.
    pub platform: Option<String>,
    /// The chain of proof.
    pub chain: Rc<Chain>,
    /// Progress, one for each layer of the image.
    pub layers: Rc<Vec<LayerProgress>>,
    /// The three sizes.
    pub sizes: Sizes,
    /// Bytes received in this look.
    pub fetched: u64,
    /// How far the file of this look was read before its images could be found.
    pub reading_file: Option<FileReading>,
    /// Every layer is settled.
    pub settled: bool,
    /// How the registry is reached.
    pub connection: Option<Rc<LookRoute>>,
    /// Base URL of the relay in use.
    pub relay: Option<String>,
    /// That relay serves this page.
    pub relay_serves_page: bool,
    /// The person's choice about relays.
    pub relay_settings: RelaySettings,
    /// What is kept from one visit to the next, as far as it was asked for.
    pub kept: Option<Rc<KeptFacts>>,
    /// The person stopped the look: only what is present will be shown.
    pub stopped: bool,
    /// What ended the look.
    pub failure: Option<Rc<FailureNotice>>,
    /// What is wrong with single layers.
    pub layer_failures: Rc<BTreeMap<u32, FailureNotice>>,
    /// The rows that the session sent last.
    pub rows: Rc<RowWindow>,
    /// Order, filter and toggles of the list; its mode and layer come from the address.
    pub listing: Listing,
    /// The selected entry.
    pub selection: Option<Rc<Selection>>,
    /// What is in the selected file, by its path, as far as it was asked for.
    pub content: Option<(String, Rc<ShownContent>)>,
    /// What the selected file is, by its path, once that is known.
    pub facts: Option<(String, Rc<ShownFacts>)>,
    /// The image that this one may have been built on, or why it could not be read.
    pub base: Option<Rc<Result<BaseLayers, String>>>,
    /// The comparison with another image so far.
    pub comparison: Option<Rc<ComparisonFacts>>,
    /// Why the last comparison ended.
    pub comparison_failure: Option<Rc<ComparisonFailure>>,
    /// How a file differs between the two images: its path, and the differences.
    pub file_diff: Option<(String, Rc<VersionDiff>)>,
    /// The waste of the image, once it was asked for and every layer is settled.
    pub waste: Option<Rc<WasteFacts>>,
    /// The archive that is being saved, or was saved last.
    pub archive: Option<ArchiveSaving>,
    /// The HTTP exchanges of the look, once they were asked for.
    pub wire: Option<Rc<WireShown>>,
    /// What the last search found so far.
    pub search: Option<Rc<ProbedRows<SearchHit>>>,
    /// How far the contents are read for their digests: those of the image, and of the one that it is compared with.
    pub contents: [Option<Rc<ProbeProgress>>; 2],
    /// What was searched for last.
    pub searched: Option<SearchQuery>,
    /// Whose signatures images must have.
    pub policy: Rc<PolicyFacts>,
    /// Signatures and statements, as far as they are known.
    pub evidence: Option<Rc<EvidenceFound>>,
    /// How far contents are compared with what packages recorded.
    pub recorded: Option<Rc<ProbeProgress>>,
    /// How far the packages of the other image are read.
    pub other_packages: Option<Rc<ProbeProgress>>,
    /// The packages of the image and of the other one, compared; or why they are not.
    pub package_changes: Option<Rc<Result<PackageChanges, String>>>,
    /// The packages, as far as they are known.
    pub packages: Option<Rc<PackagesFound>>,
    /// Tags of the repository, or repositories of the registry.
    pub names: Option<Rc<NameWindow>>,
    /// Which of them were asked for in which look.
    pub asked_names: Option<(u32, NameQuery, u32)>,
    /// The map of files that was laid out last.
    pub map: Option<Rc<FileMap>>,
    /// Room for it in pixels, once it is known.
    pub map_size: Option<(u32, u32)>,
    /// The map that was asked for in which look.
    pub asked_map: Option<(u32, MapWish)>,
    /// The secrets that were found so far.
    pub secrets: Option<Rc<SecretsFound>>,
    /// Probes that were begun in this look.
    pub runs: u32,
    /// The versions of the path that was asked for last.
    pub versions: Option<(String, Rc<Vec<PathVersionFacts>>)>,
    /// The version of a file that was read last: path, layer, content.
    pub version: Option<(String, u32, Rc<ShownContent>)>,
    /// The versions of a file that were compared last: path, two layers, differences.
    pub version_diff: Option<(String, u32, u32, Rc<VersionDiff>)>,
    /// An address from which a file is to be saved, and its name.
    pub saved: Option<(String, String)>,
    /// Where a symbolic link led, to be shown.
    pub link_target: Option<FindingLink>,
    /// The row that was found by its name, and is not selected yet.
    pub named_row: Option<String>,
    /// References that were opened on this machine, pinned ones first.
    pub recent: Rc<Vec<RecentReference>>,
    /// Further ones are kept.
    pub keeps_recent: bool,
    /// The trust root of signatures where none is named; empty: Sigstore's public one.
    pub trust_root: Rc<str>,
    /// The file that was opened last.
    pub file: Option<OpenedFile>,
    /// The open dialog.
    pub dialog: Option<Dialog>,
    /// A message that needs no answer.
    pub notice: Option<String>,
    /// The look in which the session was last started again.
    pub revived: Option<u32>,
    /// The last selection came from moving through the list: the next one takes its place in the history.
    pub passing: bool,
    /// A filter was sent whose rows have not come.
    pub filtering: bool,
    /// A filter was typed since.
    pub filter_due: bool,
    /// The look whose waste was asked for.
    pub asked_waste: Option<u32>,
    /// The look whose exchanges were asked for.
    pub asked_wire: Option<u32>,
    /// The base that was asked for in which look.
    pub asked_base: Option<(u32, String)>,
    /// The comparison that was asked for.
    pub asked_comparison: Option<AskedComparison>,
    /// Look and path whose versions were asked for.
    pub asked_versions: Option<(u32, String)>,
}

/// A file that a person opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedFile {
    /// Name of the file on the person's machine.
    pub name: String,
    /// The reference that stands for it.
    pub reference: String,
}

/// A reference that was opened on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentReference {
    /// The reference, as it was opened.
    pub reference: String,
    /// The person wants to keep it.
    pub pinned: bool,
}

/// Actions on such references.
#[derive(Clone, Debug)]
pub enum RecentAction {
    /// Pin one, or no longer.
    Pin(String, bool),
    /// Forget this reference.
    Forget(String),
    /// Forget all references.
    Wipe,
    /// Keep further ones, or not.
    Keep(bool),
}

/// A comparison that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedComparison {
    /// Number of the look.
    pub look: u32,
    /// The other reference as typed.
    pub with: String,
    /// Its platform as chosen.
    pub platform: Option<String>,
    /// What is left out.
    pub ignore: Vec<String>,
}

/// How the registry of this look is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookRoute {
    /// The registry as the reference names it, also where a relay is asked.
    pub registry: String,
    /// Directly, through the relay, or not at all.
    pub way: Way,
    /// Why this way was taken.
    pub reason: RouteReason,
}

/// The open dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Credentials for a registry.
    SignIn {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// Others were sent and refused.
        refused: bool,
    },
    /// May a password go through a relay on another machine?
    RelayPassword {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// Base URL of the relay.
        relay: String,
    },
    /// Relay and theme.
    Settings,
    /// Why the registry is reached as it is.
    Connection,
    /// The keys that work.
    Help,
}

/// Actions on a list of names.
#[derive(Clone, Debug)]
pub enum NameAction {
    /// Show the names of another query.
    Show(NameQuery),
    /// Show more of them.
    More,
    /// Ask the registry for the list again.
    Again,
    /// Ask what a tag stands for.
    Ask(String),
}

impl State {
    /// Whether an image is looked at (else the start page is shown).
    pub fn inspects(&self) -> bool {
        self.route.reference.is_some()
    }

    /// Layers of the image, bottom first; empty until it is known.
    pub fn image_layers(&self) -> &[ImageLayer] {
        self.image.as_ref().map_or(&[], |image| &image.layers)
    }

    /// The layer that the address names, 0 = bottom.
    pub fn chosen_layer(&self) -> Option<u32> {
        let name = self.route.layer.as_deref()?;
        let layers = self.image_layers();
        if let Some(layer) = layers.iter().find(|layer| layer.digest == name) {
            return Some(layer.index);
        }
        let number: LayerNumber = name.parse().ok()?;
        layers.iter().map(|layer| layer.index).find(|index| *index == number.index())
    }

    /// The layer that "as of" and "only" are about: the chosen one, else the top one.
    pub fn focused_layer(&self) -> Option<u32> {
        self.chosen_layer().or_else(|| self.image_layers().last().map(|layer| layer.index))
    }

    /// How the address names a layer: by digest, or by its number from 1 where two layers share that digest.
    pub fn layer_name(&self, index: u32) -> Option<String> {
        let layers = self.image_layers();
        let layer = layers.iter().find(|layer| layer.index == index)?;
        let twins = layers.iter().filter(|other| other.digest == layer.digest).count();
        Some(if twins == 1 { layer.digest.clone() } else { LayerNumber::of_index(index).to_string() })
    }

    /// The list to ask the session for.
    pub fn wanted_listing(&self) -> Listing {
        let about_layer = self.route.view.wants_layer();
        Listing {
            mode: self.route.view,
            layer: self.chosen_layer().filter(|_| about_layer),
            layer_digest: self.route.layer.clone().filter(|_| about_layer),
            changes: self.wanted_changes(),
            ..self.listing.clone()
        }
    }

    /// The kinds of change that can be hidden in this view: those that its rows show by a letter.
    pub fn shown_changes(&self) -> &'static [RowChange] {
        match self.route.view {
            ViewMode::Merged => &[RowChange::Modified],
            ViewMode::UpTo => &[RowChange::Added, RowChange::Modified],
            ViewMode::Only => &[RowChange::Added, RowChange::Modified, RowChange::Removed],
            ViewMode::Deleted => &[RowChange::Modified, RowChange::Removed],
        }
    }

    /// The toggles, as far as this view has them.
    fn wanted_changes(&self) -> Changes {
        let (chosen, shown) = (self.listing.changes, self.shown_changes());
        let on = |change, chosen| chosen || !shown.contains(&change);
        Changes {
            added: on(RowChange::Added, chosen.added),
            modified: on(RowChange::Modified, chosen.modified),
            removed: on(RowChange::Removed, chosen.removed),
        }
    }

    /// The base of the image, where that is proved.
    pub fn proved_base(&self) -> Option<&BaseLayers> {
        self.base.as_deref()?.as_ref().ok().filter(|base| base.proved)
    }

    /// Path of the selected entry, if it is one that has content.
    pub fn selected_file(&self) -> Option<&str> {
        let row = &self.selection.as_ref()?.row;
        matches!(row.kind, RowKind::File | RowKind::Hardlink).then_some(row.path.as_str())
    }

    /// The file that is looked at, as the command line names it in the directory of the file.
    pub fn path_of_file(&self) -> Option<String> {
        let shown = self.route.reference.as_deref()?;
        let of_file = |file: &&OpenedFile| shown.split('@').next() == Some(file.reference.as_str());
        self.file.as_ref().filter(of_file).map(|file| format!("./{}", file.name))
    }

    /// What is looked at, in words: the reference as typed, or the path of a file.
    pub fn shown_reference(&self) -> Option<String> {
        self.path_of_file().or_else(|| self.route.reference.clone())
    }

    /// A name for an archive of the image: of its repository, its tag and its architecture.
    pub fn archive_name(&self) -> String {
        let shown = self.route.reference.as_deref().unwrap_or_default();
        let last = shown.rsplit('/').next().unwrap_or_default();
        let image = last.split('@').next().unwrap_or_default();
        let architecture = self.platform.as_deref().and_then(|platform| platform.split('/').nth(1));
        let mut name = String::new();
        for part in [Some(image), architecture].into_iter().flatten().filter(|part| !part.is_empty()) {
            let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
            let part: String = part.chars().map(|character| if plain(character) { character } else { '-' }).collect();
            name = if name.is_empty() { part } else { format!("{name}-{part}") };
        }
        if name.is_empty() { "image.tar".to_owned() } else { name + ".tar" }
    }

    /// What the window is called: one line in which nothing hides or turns the text around it.
    pub fn title(&self) -> String {
        let reference = self.shown_reference().map(|reference| format!("{} · Porthole", visible(&reference)));
        reference.unwrap_or_else(|| "Porthole".to_owned())
    }

    /// Whether the image ships inside the page or the relay, where no command line finds it.
    pub fn is_local(&self) -> bool {
        self.image
            .as_ref()
            .is_some_and(|image| image.registry == "sample.localhost" || image.registry == "layout.localhost")
    }
}

/// The worst of what failed: what ended the look, else a layer that is not what was promised, else any other layer.
pub fn worst<'f>(
    failure: Option<&'f FailureNotice>,
    layers: &'f BTreeMap<u32, FailureNotice>,
) -> Option<&'f FailureNotice> {
    let wrong = |failure: &&FailureNotice| failure.kind == FailureClass::Malformed;
    failure.or_else(|| layers.values().find(wrong)).or_else(|| layers.values().next())
}
