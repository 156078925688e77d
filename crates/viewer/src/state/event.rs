//! Applies events of the session to the state.

use super::{Dialog, LookRoute, State};
use crate::protocol::{Event, ImageLayer, LayerProgress, LayerState, Remedy, Selection, ShownContent};
use std::rc::Rc;

impl State {
    /// Applies an event of the session. Events of an earlier look are ignored.
    pub(super) fn apply(&mut self, event: Event) {
        if event.look().is_some_and(|look| look != self.look) {
            return;
        }
        match event {
            Event::Ready => self.ready = true,
            Event::Relay { url, same_origin } => {
                self.relay = url;
                self.relay_serves_page = same_origin;
            }
            Event::Kept { facts } => self.kept = Some(Rc::new(facts)),
            Event::Connection { registry, route, reason, .. } => {
                self.connection = Some(Rc::new(LookRoute { registry, way: route, reason }));
            }
            Event::Chain { chain, .. } => self.chain = Rc::new(chain),
            Event::Platforms { available, chosen, .. } => {
                self.platforms = Rc::new(available);
                self.platform = chosen.or_else(|| self.platform.take());
            }
            Event::Image { image, .. } => {
                self.platforms = Rc::new(image.platforms.clone());
                // Where the index offers a choice, the choice is named as the index names it.
                if image.platforms.is_empty() || self.platform.is_none() {
                    self.platform.clone_from(&image.platform);
                }
                self.sizes.download = image.download;
                let waiting = |layer: &ImageLayer| LayerProgress {
                    index: layer.index,
                    total: layer.size,
                    ..LayerProgress::default()
                };
                self.layers = Rc::new(image.layers.iter().map(waiting).collect());
                self.image = Some(Rc::from(image));
            }
            Event::Overview { overview, .. } => self.overview = Some(Rc::from(overview)),
            Event::Layers { layers, sizes, fetched, .. } => {
                let known = Rc::make_mut(&mut self.layers);
                for layer in layers {
                    if let Some(slot) = known.iter_mut().find(|known| known.index == layer.index) {
                        *slot = layer;
                    }
                }
                self.sizes = sizes;
                self.fetched = fetched;
            }
            Event::FileReading { reading, .. } => self.reading_file = Some(reading),
            Event::Settled { .. } => self.settled = true,
            Event::Rows { window, .. } => {
                self.filtering = false;
                self.rows = Rc::new(window);
            }
            Event::Selected { selection, .. } => {
                let selection: Option<Rc<Selection>> =
                    selection.filter(|selection| Some(&selection.row.path) == self.route.path.as_ref()).map(Rc::from);
                // Another view may show another version of the same path.
                let same = |known: &Rc<Selection>, new: &Selection| {
                    known.row.path == new.row.path
                        && known.row.layer == new.row.layer
                        && known.row.removed_by == new.row.removed_by
                };
                let stays =
                    selection.as_deref().zip(self.selection.as_ref()).is_some_and(|(new, known)| same(known, new));
                if !stays {
                    (self.content, self.facts) = (None, None);
                }
                self.selection = selection;
            }
            Event::Content { path, content, .. } => match *content {
                ShownContent::Saved { url, .. } => {
                    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                    self.saved = Some((url, name));
                }
                content => self.content = Some((path, Rc::new(content))),
            },
            Event::Facts { path, facts, .. } => self.facts = Some((path, Rc::from(facts))),
            Event::Archive { saving, .. } => {
                if let Some(Ok(Some(url))) = &saving.outcome {
                    self.saved = Some((url.clone(), self.archive_name()));
                }
                self.archive = Some(saving);
            }
            Event::Wire { log, .. } => self.apply_wire(*log),
            Event::LinkTarget { target, .. } => match target {
                Ok(target) => self.link_target = Some(target),
                Err(text) => self.notice = Some(text),
            },
            Event::RowNamed { path, .. } => self.named_row = path,
            Event::Base { base, .. } => self.base = Some(Rc::new(base)),
            Event::Compared { comparison, .. } => {
                self.comparison_failure = None;
                self.comparison = Some(Rc::from(comparison));
            }
            Event::FileDiff { path, diff, .. } => self.file_diff = Some((path, Rc::from(diff))),
            Event::CompareFailed { failure, .. } => self.comparison_failure = Some(Rc::from(failure)),
            Event::PackageChanges { changes, .. } => self.package_changes = Some(Rc::from(changes)),
            Event::Names { window, .. } => self.names = Some(Rc::from(window)),
            Event::Map { map, .. } => self.map = Some(Rc::from(map)),
            Event::Exported { name, file, .. } => match file {
                Ok(url) => self.saved = Some((url, name)),
                Err(text) => self.notice = Some(format!("{name} was not saved: {text}")),
            },
            Event::Waste { waste, .. } => self.waste = Some(Rc::from(waste)),
            Event::Versions { path, versions, .. } => self.versions = Some((path, Rc::new(versions))),
            Event::VersionContent { path, layer, content, .. } => {
                self.version = Some((path, layer, Rc::from(content)));
            }
            Event::VersionDiff { path, before, after, diff, .. } => {
                self.version_diff = Some((path, before, after, Rc::from(diff)));
            }
            Event::Failure { failure, .. } => match failure.layer {
                Some(layer) => {
                    let layers = Rc::make_mut(&mut self.layers);
                    if let Some(known) = layers.iter_mut().find(|known| known.index == layer) {
                        known.state = LayerState::of_failure(failure.kind);
                    }
                    Rc::make_mut(&mut self.layer_failures).insert(layer, *failure);
                }
                None => {
                    for remedy in &failure.remedies {
                        if let Remedy::ChoosePlatform { available } = remedy {
                            self.platforms = Rc::new(available.clone());
                        }
                    }
                    self.failure = Some(Rc::from(failure));
                }
            },
            event @ (Event::Probe { .. }
            | Event::Hits { .. }
            | Event::Secrets { .. }
            | Event::ConfigSecrets { .. }
            | Event::Packages { .. }
            | Event::Fates { .. }) => self.apply_probe(event),
            Event::Evidence { progress, .. } => self.apply_evidence(*progress),
            // The state takes it with what follows from it.
            Event::Policy { .. } => {}
            Event::AskRelayPassword { registry, relay, .. } => {
                self.dialog = Some(Dialog::RelayPassword { registry, relay })
            }
        }
    }
}
