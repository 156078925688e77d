//! Which package owns a file of an image, and whether its content is still what the package brought.

use crate::{
    database::Diversion,
    digests::{FileDigests, LayerDigests},
    inventory::{AllPlaces, Installed, Inventory},
    package::{ContentDigest, Ecosystem, RecordedFile},
};
use porthole_core::{
    path,
    tar::Kind,
    tree::{FileTree, Mode, Row, View},
};
use std::collections::{HashMap, HashSet};

/// Symbolic links on the way to a directory, as in Linux.
const LINKS: usize = 40;

/// The owners of the files of an image.
pub struct Ownership<'t> {
    view: View<'t>,
    rows: Vec<Row>,
    /// Places in `rows`, by path.
    places: HashMap<Vec<u8>, usize>,
    owned: HashSet<usize>,
    /// Where packages of languages are.
    languages: AllPlaces,
    /// Files that dpkg moved aside, by path.
    diversions: HashMap<&'t [u8], &'t Diversion>,
    inventory: &'t Inventory,
}

/// A file whose content is no longer what its package brought.
#[derive(Clone, Copy, Debug)]
pub struct ModifiedFile<'o> {
    /// The file, as it is in the image.
    pub row: &'o Row,
    /// The package that owns it.
    pub installed: &'o Installed,
    /// The digest that the package recorded.
    pub recorded: &'o RecordedFile,
    /// The digest of the current content by the same algorithm. `None` if the path is no longer a file.
    pub found: Option<ContentDigest>,
}

impl<'t> Ownership<'t> {
    /// Finds the owners of the files of the final image.
    pub fn of(tree: &'t FileTree, inventory: &'t Inventory) -> Self {
        let view = tree.view(Mode::Merged);
        let rows = view.rows();
        let places = rows.iter().enumerate().map(|(place, row)| (row.path.clone(), place)).collect();
        let diversions = inventory.diversions.iter().map(|one| (one.from.as_slice(), one)).collect();
        let languages = AllPlaces::of(inventory.present());
        let mut ownership = Self { view, rows, places, owned: HashSet::new(), languages, diversions, inventory };
        let mut resolver = Resolver::default();
        let mut owned = HashSet::new();
        for installed in inventory.present() {
            for file in &installed.package.files {
                owned.extend(resolver.find(&ownership, ownership.diverted(installed, file)));
            }
            let recorded = installed.package.recorded.iter();
            for file in recorded {
                owned.extend(resolver.find(&ownership, ownership.diverted(installed, &file.path)));
            }
        }
        ownership.owned = owned;
        ownership
    }

    /// Whether the image has a database that lists the files of the system: without one, nothing is owned.
    pub fn is_known(&self) -> bool {
        let system = |of: Ecosystem| matches!(of, Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm);
        self.inventory.present().any(|Installed { package, .. }| system(package.ecosystem) && !package.files.is_empty())
    }

    /// All rows, by path, each with whether a package owns it whose database lists its files.
    pub fn rows(&self) -> impl Iterator<Item = (&Row, bool)> {
        self.rows.iter().enumerate().map(|(place, row)| (row, self.owned.contains(&place)))
    }

    /// Everything but directories that no package owns, by path. What is in the directory, the program or the archive of a package of a
    /// language belongs to that package.
    pub fn unowned(&self) -> impl Iterator<Item = &Row> {
        let unlisted = self.rows().filter(|(row, owned)| row.kind != Kind::Directory && !owned).map(|(row, _)| row);
        unlisted.filter(|row| !self.is_of_language(row))
    }

    fn is_of_language(&self, row: &Row) -> bool {
        self.languages.have(&row.path)
            || row.kind == Kind::Symlink && self.languages.have_link(&row.path, &target(&row.path, &row.link))
    }

    /// Files that have another content than their package brought, by package and path. `layers` has the digests of each
    /// layer's files, bottom first.
    pub fn modified(&self, layers: &[LayerDigests]) -> Vec<ModifiedFile<'_>> {
        let mut resolver = Resolver::default();
        let mut modified = Vec::new();
        for installed in self.inventory.present() {
            for recorded in &installed.package.recorded {
                let Some(place) = resolver.find(self, self.diverted(installed, &recorded.path)) else { continue };
                let row = &self.rows[place];
                // apk records the text of a link as the content of a file.
                let link = self.link_text(row).filter(|_| installed.package.ecosystem == Ecosystem::Apk);
                let of_link = link.map(FileDigests::of);
                if of_link.is_some_and(|digests| digests.matches(&recorded.digest)) {
                    continue;
                }
                // A hard link to something that is not a file, or to a link that a later layer replaced: its original content is not known.
                if row.kind == Kind::Hardlink && self.view.content(row.node).is_none() {
                    continue;
                }
                // A link that an administrator made leads to the file.
                let content = match row.kind {
                    Kind::Symlink => resolver.follow(self, place).map_or(row, |place| &self.rows[place]),
                    _ => row,
                };
                let digests = match content.kind {
                    Kind::File if content.size == 0 => Some(FileDigests::of(b"")),
                    Kind::File | Kind::Hardlink => self.digests(content, layers),
                    _ => of_link,
                };
                if !digests.is_some_and(|digests| digests.matches(&recorded.digest)) {
                    let found = digests.map(|digests| digests.like(&recorded.digest));
                    modified.push(ModifiedFile { row, installed, recorded, found });
                }
            }
        }
        modified
    }

    /// Whether the row is the file whose data starts there in the archive of a layer.
    pub(crate) fn is_content(&self, row: &Row, layer: u32, offset: u64) -> bool {
        self.view.content(row.node).is_some_and(|content| (content.layer, content.offset) == (layer, offset))
    }

    /// The row at a path, and whether a package owns it.
    pub(crate) fn at(&self, path: &[u8]) -> Option<(&Row, bool)> {
        let place = *self.places.get(path)?;
        Some((&self.rows[place], self.owned.contains(&place)))
    }

    /// The text of a symbolic link, also of one that is at another path of the archive.
    fn link_text<'r>(&'r self, row: &'r Row) -> Option<&'r [u8]> {
        match row.kind {
            Kind::Symlink => Some(&row.link),
            Kind::Hardlink => {
                let linked = &self.rows[*self.places.get(&row.link)?];
                (linked.kind == Kind::Symlink && linked.layer == row.layer).then_some(&linked.link)
            }
            _ => None,
        }
    }

    fn digests(&self, row: &Row, layers: &[LayerDigests]) -> Option<FileDigests> {
        let content = self.view.content(row.node)?;
        match content.size {
            0 => Some(FileDigests::of(b"")),
            _ => layers.get(content.layer as usize)?.find(content.offset).copied(),
        }
    }

    /// Where dpkg put the file of a package.
    fn diverted<'f>(&'f self, installed: &Installed, file: &'f [u8]) -> &'f [u8] {
        let package = &installed.package;
        let moved =
            self.diversions.get(file).filter(|one| package.ecosystem == Ecosystem::Deb && one.by != package.name);
        moved.map_or(file, |one| &one.to)
    }
}

/// Leads paths of packages through the links to directories, such as `/bin` to `/usr/bin`.
#[derive(Default)]
struct Resolver {
    directories: HashMap<Vec<u8>, Vec<u8>>,
}

impl Resolver {
    /// The index of the row at a path whose directories may be links.
    fn find(&mut self, all: &Ownership<'_>, file: &[u8]) -> Option<usize> {
        if let Some(place) = all.places.get(file) {
            return Some(*place);
        }
        let slash = file.iter().rposition(|&b| b == b'/')?;
        let (directory, name) = (&file[..slash], &file[slash + 1..]);
        let resolved = match self.directories.get(directory) {
            Some(resolved) => resolved,
            None => {
                let resolved = resolve(all, directory);
                self.directories.entry(directory.to_vec()).or_insert(resolved)
            }
        };
        all.places.get(&[resolved, b"/".as_slice(), name].concat()).copied()
    }

    /// Where a symbolic link leads.
    fn follow(&mut self, all: &Ownership<'_>, place: usize) -> Option<usize> {
        let mut place = place;
        for _ in 0..LINKS {
            let row = &all.rows[place];
            if row.kind != Kind::Symlink {
                return Some(place);
            }
            place = self.find(all, &target(&row.path, &row.link))?;
        }
        None
    }
}

/// The path of a directory without links. What does not exist is left as it is.
fn resolve(all: &Ownership<'_>, directory: &[u8]) -> Vec<u8> {
    let mut resolved: Vec<u8> = Vec::new();
    let mut waiting: Vec<Vec<u8>> = components(directory);
    let mut links = 0;
    while let Some(name) = waiting.pop() {
        let next = if resolved.is_empty() { name } else { [&resolved, b"/".as_slice(), &name].concat() };
        match all.places.get(&next).map(|place| &all.rows[*place]) {
            Some(row) if row.kind == Kind::Symlink && links < LINKS => {
                links += 1;
                resolved.clear();
                waiting.extend(components(&target(&next, &row.link)));
            }
            _ => resolved = next,
        }
    }
    resolved
}

/// The components of a clean path, last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty()).rev().map(<[u8]>::to_vec).collect()
}

/// The clean path to which a link at a path leads.
fn target(link: &[u8], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") {
        return path::clean(target);
    }
    let directory = link.iter().rposition(|&b| b == b'/').map_or(&link[..0], |slash| &link[..slash]);
    path::clean(&[directory, b"/", target].concat())
}

#[cfg(test)]
mod tests;
