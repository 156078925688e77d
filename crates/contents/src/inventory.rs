//! The packages of an image: which layer brought each, and which layer removed or replaced it.

mod places;

pub(crate) use self::places::AllPlaces;
use crate::{
    collect::Collected,
    database::{Diversion, Owner, Record, Release},
    package::{Ecosystem, Package, RecordedFile},
};
use porthole_core::{
    tar::Kind,
    tree::{Change, FileTree, Mode, NodeId, Row},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// All packages that any layer of an image brings.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By ecosystem, name, version and layer. Packages that a later layer removed are among them.
    pub packages: Vec<Installed>,
    /// The distribution, from the final image.
    pub release: Option<Release>,
    /// Files that dpkg moves aside in the final image.
    pub diversions: Vec<Diversion>,
}

/// A package with its provenance.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The package, as its database records it.
    pub package: Package,
    /// Clean path of the file that records it.
    pub recorded_in: Vec<u8>,
    /// Index of the layer that brought this version.
    pub layer: u32,
    /// Index of the layer that removed or replaced it. Its files may still be in the image.
    pub removed_by: Option<u32>,
    /// The version that replaced it, where the same layer brought another one.
    pub replaced_by: Option<String>,
}

impl Inventory {
    /// Makes the inventory from what was collected from each layer, bottom first. `tree` has all of these layers stacked, and may have more.
    pub fn of(tree: &FileTree, layers: &[Collected]) -> Self {
        let places = Places::of(layers);
        let mut histories: BTreeMap<NodeId, History<'_>> = BTreeMap::new();
        let known = (0..).zip(layers).filter(|(_, collected)| !collected.lost);
        for layer in known.map(|(layer, _)| layer) {
            let view = tree.view(Mode::Only(layer));
            for row in view.rows() {
                let content = view.content(row.node).filter(|_| row.change != Change::Removed);
                let records = content.and_then(|content| places.find(content.layer, content.offset));
                match (records, histories.get_mut(&row.node)) {
                    (Some(records), Some(history)) => history.push((layer, Some(records))),
                    (Some(records), None) => drop(histories.insert(row.node, vec![(layer, Some(records))])),
                    // A hard link refers to bytes that an earlier entry has.
                    (None, Some(history)) if ends(&row) => history.push((layer, None)),
                    (None, _) => {}
                }
            }
        }
        let mut packages = Vec::new();
        for (node, history) in &histories {
            trace(&tree.path(*node), history, &mut packages);
        }
        drop_listed_twice(tree, &mut packages);
        let owned = Owned::of(layers);
        for installed in &mut packages {
            owned.complete(tree, installed);
        }
        name_replacements(&mut packages);
        packages.sort_by(|a, b| key(a).cmp(&key(b)));
        Self { packages, release: release(&histories), diversions: diversions(&histories) }
    }

    /// The packages of the final image.
    pub fn present(&self) -> impl Iterator<Item = &Installed> {
        self.packages.iter().filter(|installed| installed.removed_by.is_none())
    }
}

/// The content of a database as of each layer that changed it; `None` where a layer deleted it.
type History<'c> = Vec<(u32, Option<&'c [Record]>)>;

/// Whether the row replaces or deletes the file of a database.
fn ends(row: &Row) -> bool {
    row.change != Change::Unchanged && row.kind != Kind::Hardlink
}

type Key<'p> = (Ecosystem, &'p str, &'p str, Option<&'p str>, u32, &'p [u8]);

fn key(installed: &Installed) -> Key<'_> {
    let Installed { package, recorded_in, layer, .. } = installed;
    (package.ecosystem, &package.name, &package.version, package.architecture.as_deref(), *layer, recorded_in)
}

/// What was collected, by its place.
struct Places<'c>(HashMap<(u32, u64), &'c [Record]>);

impl<'c> Places<'c> {
    fn of(layers: &'c [Collected]) -> Self {
        let all = (0..).zip(layers).flat_map(|(layer, collected)| {
            collected.databases.iter().map(move |database| ((layer, database.offset), database.records.as_slice()))
        });
        Self(all.collect())
    }

    fn find(&self, layer: u32, offset: u64) -> Option<&'c [Record]> {
        self.0.get(&(layer, offset)).copied()
    }
}

/// Compares each version of a database with the one before.
fn trace(path: &[u8], history: &[(u32, Option<&[Record]>)], packages: &mut Vec<Installed>) {
    // Positions in `packages` of those that the database has as of this layer.
    let mut present: BTreeMap<(Ecosystem, &str, &str, Option<&str>), usize> = BTreeMap::new();
    for (layer, records) in history {
        let mut next = BTreeMap::new();
        for record in records.unwrap_or_default() {
            let Record::Package(package) = record else { continue };
            let key = (package.ecosystem, &*package.name, &*package.version, package.architecture.as_deref());
            if next.contains_key(&key) {
                continue;
            }
            let place = present.remove(&key).unwrap_or_else(|| {
                packages.push(Installed {
                    package: package.clone(),
                    recorded_in: path.to_vec(),
                    layer: *layer,
                    removed_by: None,
                    replaced_by: None,
                });
                packages.len() - 1
            });
            next.insert(key, place);
        }
        for place in present.into_values() {
            packages[place].removed_by = Some(*layer);
        }
        present = next;
    }
}

/// An entry of npm's list is skipped if the package has a `package.json`, or if its directory was deleted.
fn drop_listed_twice(tree: &FileTree, packages: &mut Vec<Installed>) {
    let own: HashSet<Vec<u8>> = packages
        .iter()
        .filter(|installed| installed.package.ecosystem == Ecosystem::Npm)
        .filter_map(|installed| installed.recorded_in.strip_suffix(b"/package.json".as_slice()).map(<[u8]>::to_vec))
        .collect();
    let mut views = HashMap::new();
    packages.retain(|installed| {
        let listed = installed.package.ecosystem == Ecosystem::Npm && installed.recorded_in.ends_with(NPM_LIST);
        let Some(directory) = installed.package.places.first().filter(|_| listed) else { return true };
        let mode = installed.removed_by.map(|_| installed.layer);
        let view = views.entry(mode).or_insert_with(|| tree.view(mode.map_or(Mode::Merged, Mode::UpTo)));
        !own.contains(directory) && view.find(directory).is_some()
    });
}

/// npm's list of what it installed.
const NPM_LIST: &[u8] = b"/.package-lock.json";

/// A package that a layer removed and of which the same layer brought another version was replaced.
fn name_replacements(packages: &mut [Installed]) {
    let mut brought: HashMap<(Ecosystem, String, u32), String> = HashMap::new();
    for Installed { package, layer, .. } in packages.iter() {
        brought.insert((package.ecosystem, package.name.clone(), *layer), package.version.clone());
    }
    for installed in packages {
        let Some(removed_by) = installed.removed_by else { continue };
        let other = brought.get(&(installed.package.ecosystem, installed.package.name.clone(), removed_by));
        installed.replaced_by = other.filter(|version| **version != installed.package.version).cloned();
    }
}

/// Layer, files and size.
type Listed<'c> = (u32, &'c [Vec<u8>], Option<u64>);

/// What files of their own say about packages, each with its layer.
#[derive(Default)]
struct Owned<'c> {
    files: HashMap<&'c Owner, Vec<Listed<'c>>>,
    recorded: HashMap<&'c Owner, Vec<(u32, &'c [RecordedFile])>>,
    licences: HashMap<&'c Owner, Vec<(u32, &'c str)>>,
}

impl<'c> Owned<'c> {
    fn of(layers: &'c [Collected]) -> Self {
        let mut owned = Self::default();
        for (layer, collected) in (0..).zip(layers) {
            for record in collected.databases.iter().flat_map(|database| &database.records) {
                match record {
                    Record::Files { owner, files, size } => {
                        owned.files.entry(owner).or_default().push((layer, files, *size));
                    }
                    Record::Licence { owner, licence } => {
                        owned.licences.entry(owner).or_default().push((layer, licence));
                    }
                    Record::Recorded { owner, files } => {
                        owned.recorded.entry(owner).or_default().push((layer, files));
                    }
                    Record::Package(_) | Record::Release(_) | Record::Diversion(_) => {}
                }
            }
        }
        owned
    }

    /// Adds files, size and licence, as they were before the package was removed.
    fn complete(&self, tree: &FileTree, installed: &mut Installed) {
        let before = installed.removed_by.unwrap_or(u32::MAX);
        let owners = owners(installed);
        let files = owners.iter().find_map(|owner| self.files.get(owner));
        if let Some((_, files, size)) = files.and_then(|all| all.iter().rev().find(|(layer, ..)| *layer < before)) {
            installed.package.files = files.to_vec();
            installed.package.size = installed.package.size.or(*size);
        }
        let recorded = owners.iter().find_map(|owner| self.recorded.get(owner));
        if let Some((_, files)) = recorded.and_then(|all| all.iter().rev().find(|(layer, _)| *layer < before)) {
            add_recorded(&mut installed.package, files);
        }
        if installed.package.licence.is_none() && installed.package.ecosystem == Ecosystem::Deb {
            let name = &installed.package.name;
            let documented = [Some(Owner::Deb(name.clone())), documented_by(tree, name)];
            let licences = documented.iter().flatten().find_map(|owner| self.licences.get(owner));
            let licence = licences.and_then(|all| all.iter().rev().find(|(layer, _)| *layer < before));
            installed.package.licence = licence.map(|(_, licence)| (*licence).to_owned());
        }
    }
}

/// Adds what a file beside the database records. dpkg takes a file that another package replaced out of the list of the package, and
/// leaves its digest. A configuration file, which the database has, may be repeated here.
fn add_recorded(package: &mut Package, files: &[RecordedFile]) {
    let of_dpkg = package.ecosystem == Ecosystem::Deb && !package.files.is_empty();
    let owned: HashSet<&[u8]> = package.files.iter().filter(|_| of_dpkg).map(Vec::as_slice).collect();
    let known: HashSet<&[u8]> = package.recorded.iter().map(|file| file.path.as_slice()).collect();
    let counts = |file: &&RecordedFile| {
        let path = file.path.as_slice();
        (!of_dpkg || owned.contains(path)) && !known.contains(path)
    };
    let added: Vec<_> = files.iter().filter(counts).cloned().collect();
    package.recorded.extend(added);
}

/// How files of their own may name the package.
fn owners(installed: &Installed) -> Vec<Owner> {
    let package = &installed.package;
    match package.ecosystem {
        Ecosystem::Deb => {
            let with_architecture = package.architecture.iter().map(|of| Owner::Deb(format!("{}:{of}", package.name)));
            with_architecture.chain([Owner::Deb(package.name.clone())]).collect()
        }
        Ecosystem::Pypi => {
            let slash = installed.recorded_in.iter().rposition(|&b| b == b'/');
            slash.map(|slash| Owner::Directory(installed.recorded_in[..slash].to_vec())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The package whose documentation a Debian package shares, by a symbolic link in `/usr/share/doc`.
fn documented_by(tree: &FileTree, name: &str) -> Option<Owner> {
    let view = tree.view(Mode::Merged);
    let row = view.row(view.find(format!("usr/share/doc/{name}").as_bytes())?)?;
    let target = row.link.rsplit(|&b| b == b'/').next().filter(|_| row.kind == Kind::Symlink)?;
    Some(Owner::Deb(std::str::from_utf8(target).ok()?.to_owned()))
}

/// Files that dpkg moves aside in the final image.
fn diversions(histories: &BTreeMap<NodeId, History<'_>>) -> Vec<Diversion> {
    let last = histories.values().filter_map(|history| history.last().and_then(|(_, records)| *records));
    let of = |record: &Record| match record {
        Record::Diversion(diversion) => Some(diversion.clone()),
        _ => None,
    };
    last.flatten().filter_map(of).collect()
}

/// The distribution that the final image names.
fn release(histories: &BTreeMap<NodeId, History<'_>>) -> Option<Release> {
    let last = histories.values().filter_map(|history| history.last());
    let releases = last.filter_map(|(layer, records)| {
        let release = records.as_ref()?.iter().find_map(|record| match record {
            Record::Release(release) => Some(release),
            _ => None,
        });
        Some((layer, release?))
    });
    releases.max_by_key(|(layer, _)| **layer).map(|(_, release)| release.clone())
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod tools_tests;
