//! Results of probes, and the actions that start them.

use super::{Effect, State};
use crate::address::{Address, Tab};
use crate::protocol::{
    Command, ConfigSecretFact, ContentFateFact, Event, FindingLink, LayerRelation, PackageView, PackageWindow,
    PathProblem, ProbeKind, ProbeProgress, ProbeState, ProbeWish, SearchHit, SearchQuery, SecretFact, ShownFate,
    ViewMode,
};
use porthole_core::digest::Digest;
use std::collections::HashSet;
use std::{collections::BTreeMap, rc::Rc};

/// The results of a probe so far. The rows are shared, so that a copy is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedRows<R> {
    /// Number of the run.
    pub run: u32,
    /// How far it is; `None` until the session has begun.
    pub progress: Option<Rc<ProbeProgress>>,
    /// Rows of each layer, in the pieces in which they came.
    pub layers: BTreeMap<u32, Vec<Rc<Vec<R>>>>,
    /// What later layers made of the files, by layer and by where the content starts.
    pub fates: Rc<BTreeMap<(u32, u64), (ShownFate, ViewMode)>>,
}

impl<R> ProbedRows<R> {
    fn new(run: u32) -> Self {
        Self { run, progress: None, layers: BTreeMap::new(), fates: Rc::default() }
    }

    /// All rows, bottom layer first, in the order of its archive.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &R)> {
        self.layers
            .iter()
            .flat_map(|(&layer, pieces)| pieces.iter().flat_map(move |rows| rows.iter().map(move |row| (layer, row))))
    }

    /// What became of a content, if that is known.
    pub fn fate(&self, layer: u32, content: u64) -> Option<ShownFate> {
        self.fates.get(&(layer, content)).map(|(fate, _)| *fate)
    }

    /// Where the content at a path is shown: in its layer, until more is known.
    pub fn link(&self, layer: u32, content: u64, path: &str) -> FindingLink {
        let view = self.fates.get(&(layer, content)).map_or(ViewMode::Only, |(_, view)| *view);
        link_to(layer, path, view)
    }

    /// Takes how far it is. What was found in a layer that is lost does not count.
    fn advance(&mut self, progress: ProbeProgress) {
        self.layers.retain(|layer, _| !progress.lost.iter().any(|lost| lost.layer == Some(*layer)));
        self.progress = Some(Rc::new(progress));
    }

    fn judge(&mut self, fates: Vec<ContentFateFact>) {
        let mut known = BTreeMap::new();
        for of in fates {
            known.insert((of.layer, of.content), (of.fate, of.view));
        }
        self.fates = Rc::new(known);
    }
}

/// The secrets of the layers that were read so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsFound {
    /// Those in files, and how far the probe is.
    pub files: ProbedRows<SecretFact>,
    /// Those in the configuration; `None` until it is read.
    pub config: Option<Rc<Vec<ConfigSecretFact>>>,
    /// What made each layer, without its secrets.
    pub instructions: Rc<Vec<String>>,
    /// Files that are too large to be searched.
    pub unread: Rc<Vec<PathProblem>>,
}

/// Packages that are shown, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagesFound {
    /// Number of the run.
    pub run: u32,
    /// How far it is; `None` until the session has begun.
    pub progress: Option<Rc<ProbeProgress>>,
    /// What is to be shown.
    pub view: PackageView,
    /// What is shown, once some layers are read.
    pub window: Option<Rc<PackageWindow>>,
    /// What the session was asked to show.
    asked: Option<PackageView>,
}

/// Packages that are shown at first, and more at each request.
const MORE_PACKAGES: u32 = 500;

/// What a pass over the contents of all layers reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeCost {
    /// Number of layers that are read.
    pub layers: u32,
    /// Bytes of their blobs.
    pub bytes: u64,
    /// They are on this machine or in the page, so nothing is fetched.
    pub here: bool,
}

/// A path in a view, of this layer where the view is of one.
pub fn link_to(layer: u32, path: &str, mode: ViewMode) -> FindingLink {
    FindingLink::Files { mode, layer: Some(layer).filter(|_| mode.wants_layer()), path: Some(path.to_owned()) }
}

impl State {
    /// What a probe of this image will read. `None` until the image is known.
    pub fn probe_cost(&self) -> Option<ProbeCost> {
        let image = self.image.as_ref()?;
        let layers = || image.layers.iter().filter(|layer| !layer.media_type.ends_with("+encrypted"));
        // A blob that several layers have is fetched once.
        let mut known = HashSet::new();
        let mut bytes = 0;
        for layer in layers().filter(|layer| known.insert(&layer.digest)) {
            bytes += layer.size;
        }
        Some(ProbeCost { layers: layers().count() as u32, bytes, here: !self.has_registry() })
    }

    /// What a comparison of packages reads: layers of this image whose packages are not known, and those that only the other one has.
    pub fn package_changes_cost(&self) -> Option<ProbeCost> {
        let known = |progress: Option<&Rc<ProbeProgress>>| progress.is_some_and(|of| of.state == ProbeState::Done);
        let mut cost = self.probe_cost()?;
        if known(self.packages.as_ref().and_then(|packages| packages.progress.as_ref())) {
            (cost.layers, cost.bytes) = (0, 0);
        }
        let others = self.comparison.iter().flat_map(|facts| &facts.layers);
        for layer in others.filter(|pair| pair.relation == LayerRelation::Added).filter_map(|pair| pair.after.as_ref())
        {
            (cost.layers, cost.bytes) = (cost.layers + 1, cost.bytes + layer.size);
        }
        Some(cost)
    }

    /// Begins a search, which the address names from now on.
    pub(super) fn search(&mut self, query: SearchQuery, effects: &mut Vec<Effect>) {
        if query.pattern.is_empty() || self.image.is_none() {
            return;
        }
        self.searched = Some(query.clone());
        self.push(Address { tab: Tab::Search, search: query.clone(), ..self.route.clone() }, effects);
        self.runs += 1;
        self.search = Some(Rc::new(ProbedRows::new(self.runs)));
        effects.push(Effect::Send(Command::Probe { run: self.runs, wish: ProbeWish::Search(query) }));
    }

    /// Begins to look for secrets.
    pub(super) fn find_secrets(&mut self, effects: &mut Vec<Effect>) {
        if self.image.is_none() {
            return;
        }
        self.runs += 1;
        let files = ProbedRows::new(self.runs);
        let (config, instructions, unread) = (None, Rc::default(), Rc::default());
        self.secrets = Some(Rc::new(SecretsFound { files, config, instructions, unread }));
        effects.push(Effect::Send(Command::Probe { run: self.runs, wish: ProbeWish::Secrets }));
    }

    /// Changes what is known of secrets, if that belongs to their last run.
    fn change_secrets(&mut self, run: u32, change: impl FnOnce(&mut SecretsFound)) {
        if let Some(secrets) = self.secrets.as_mut().filter(|secrets| secrets.files.run == run) {
            change(Rc::make_mut(secrets));
        }
    }

    /// Begins to read the packages.
    pub(super) fn read_packages(&mut self, effects: &mut Vec<Effect>) {
        if self.image.is_none() {
            return;
        }
        self.runs += 1;
        let sort = self.packages.as_ref().map(|packages| packages.view.sort).unwrap_or_default();
        let view = PackageView { query: self.route.packages.clone(), sort, most: MORE_PACKAGES };
        self.packages =
            Some(Rc::new(PackagesFound { run: self.runs, progress: None, view, window: None, asked: None }));
        effects.push(Effect::Send(Command::Probe { run: self.runs, wish: ProbeWish::Packages }));
        // The address names one that is attached, and nothing attached is known yet.
        if self.evidence.as_ref().is_none_or(|found| found.by_rule)
            && self.route.packages.against.parse::<Digest>().is_ok()
        {
            let wish = self.rule().map(|rule| rule.wish.clone()).unwrap_or_default();
            self.look_for_evidence(wish, effects);
        }
    }

    /// Compares the packages with those of the other image. Those of this one are shown as well.
    pub(super) fn compare_packages(&mut self, effects: &mut Vec<Effect>) {
        let read = self.packages.as_ref().and_then(|packages| packages.progress.as_ref());
        if read.is_none_or(|progress| !matches!(progress.state, ProbeState::Running | ProbeState::Done)) {
            self.read_packages(effects);
        }
        self.package_changes = None;
        effects.push(Effect::Send(Command::ComparePackages));
    }

    /// Compares with a file of this machine.
    pub(super) fn give_bill(&mut self, name: String, text: String, effects: &mut Vec<Effect>) {
        effects.push(Effect::Send(Command::GiveBill { name: name.clone(), text }));
        self.route.packages.against = name;
        effects.push(Effect::Replace(self.route.clone()));
    }

    /// Whether packages are compared with a file of this machine.
    pub(super) fn compares_with_file(&self) -> bool {
        let against = &self.route.packages.against;
        !against.is_empty() && against.parse::<Digest>().is_err()
    }

    pub(super) fn change_packages(&mut self, change: impl FnOnce(&mut PackagesFound)) {
        if let Some(packages) = &mut self.packages {
            change(Rc::make_mut(packages));
        }
    }

    pub(super) fn show_more_packages(&mut self) {
        self.change_packages(|packages| packages.view.most += MORE_PACKAGES);
    }

    /// Asks for the packages that the address names, if they are read.
    pub(super) fn ask_for_packages(&mut self, effects: &mut Vec<Effect>) {
        let query = &self.route.packages;
        let Some(packages) = &mut self.packages else { return };
        if packages.view.query == *query && packages.asked.as_ref() == Some(&packages.view) {
            return;
        }
        let packages = Rc::make_mut(packages);
        if packages.view.query != *query {
            (packages.view.query, packages.view.most) = (query.clone(), MORE_PACKAGES);
        }
        packages.asked = Some(packages.view.clone());
        effects.push(Effect::Send(Command::ShowPackages { view: packages.view.clone() }));
    }

    /// Applies an event of a probe. Those of an earlier run are ignored.
    pub(super) fn apply_probe(&mut self, event: Event) {
        match event {
            Event::Probe { progress, .. } => match progress.kind {
                ProbeKind::Search => with_run(&mut self.search, progress.run, |found| found.advance(*progress)),
                ProbeKind::Secrets => self.change_secrets(progress.run, |secrets| {
                    let lost = |of: &PathProblem| progress.lost.iter().any(|lost| lost.layer == Some(of.layer));
                    if secrets.unread.iter().any(lost) {
                        Rc::make_mut(&mut secrets.unread).retain(|of| !lost(of));
                    }
                    secrets.files.advance(*progress);
                }),
                ProbeKind::Packages => self.change_packages(|packages| {
                    if packages.run == progress.run {
                        packages.progress = Some(Rc::from(progress));
                    }
                }),
                ProbeKind::Digests => self.contents[0] = Some(Rc::from(progress)),
                ProbeKind::OtherDigests => self.contents[1] = Some(Rc::from(progress)),
                ProbeKind::Recorded => self.recorded = Some(Rc::from(progress)),
                ProbeKind::OtherPackages => self.other_packages = Some(Rc::from(progress)),
            },
            Event::Hits { run, layer, hits, .. } => {
                with_run(&mut self.search, run, |found: &mut ProbedRows<SearchHit>| {
                    found.layers.entry(layer).or_default().push(Rc::new(hits));
                })
            }
            Event::Fates { kind, run, fates, .. } => match kind {
                ProbeKind::Search => with_run(&mut self.search, run, |found| found.judge(fates)),
                ProbeKind::Secrets => self.change_secrets(run, |secrets| secrets.files.judge(fates)),
                ProbeKind::Packages
                | ProbeKind::Digests
                | ProbeKind::OtherDigests
                | ProbeKind::Recorded
                | ProbeKind::OtherPackages => {}
            },
            Event::Secrets { run, layer, secrets: rows, unread, .. } => self.change_secrets(run, |secrets| {
                secrets.files.layers.entry(layer).or_default().push(Rc::new(rows));
                if !unread.is_empty() {
                    Rc::make_mut(&mut secrets.unread).extend(unread);
                }
            }),
            Event::ConfigSecrets { run, secrets: rows, instructions, .. } => self.change_secrets(run, |secrets| {
                secrets.config = Some(Rc::new(rows));
                secrets.instructions = Rc::new(instructions);
            }),
            Event::Packages { run, packages: window, .. } => self.change_packages(|packages| {
                if packages.run == run {
                    packages.window = Some(Rc::from(window));
                }
            }),
            _ => {}
        }
    }
}

fn with_run<R: Clone>(found: &mut Option<Rc<ProbedRows<R>>>, run: u32, change: impl FnOnce(&mut ProbedRows<R>)) {
    if let Some(found) = found.as_mut().filter(|found| found.run == run) {
        change(Rc::make_mut(found));
    }
}
