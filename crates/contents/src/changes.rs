//! The differences between the packages of two images.

use crate::{
    inventory::{Installed, Inventory},
    package::Ecosystem,
    version::compare,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::Hash,
};

/// A package that only one of two images has, or that they have in different versions.
#[derive(Clone, Copy, Debug)]
pub struct PackageChange<'i> {
    /// What happened from the first to the second.
    pub kind: PackageChangeKind,
    /// The package in the first image.
    pub before: Option<&'i Installed>,
    /// The package in the second image.
    pub after: Option<&'i Installed>,
}

/// What happened to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PackageChangeKind {
    /// Only the second image has it.
    Added,
    /// Only the first image has it.
    Removed,
    /// The second image has a later version.
    Upgraded,
    /// The second image has an earlier version.
    Downgraded,
    /// The version is equal but written differently, or the architecture differs.
    Changed,
}

impl PackageChangeKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 5] = [Self::Added, Self::Removed, Self::Upgraded, Self::Downgraded, Self::Changed];

    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
        }
    }
}

impl<'i> PackageChange<'i> {
    fn of(before: Option<&'i Installed>, after: Option<&'i Installed>) -> Self {
        let kind = match (before, after) {
            (None, _) => PackageChangeKind::Added,
            (_, None) => PackageChangeKind::Removed,
            (Some(Installed { package: a, .. }), Some(Installed { package: b, .. })) => {
                match compare(a.ecosystem, &a.version, &b.version) {
                    Ordering::Less => PackageChangeKind::Upgraded,
                    Ordering::Greater => PackageChangeKind::Downgraded,
                    Ordering::Equal => PackageChangeKind::Changed,
                }
            }
        };
        Self { kind, before, after }
    }

    /// The package, as it is in the second image if that has it.
    pub fn installed(&self) -> &'i Installed {
        self.after.or(self.before).unwrap_or_else(|| unreachable!("a change of no package (this is a bug in porthole)"))
    }
}

/// The differences between the packages of two final images, by ecosystem and name.
///
/// A version that an image has several times, as is common with npm, counts once. Of several versions, those at the same path
/// are compared, then the latest ones.
pub fn changes<'i>(before: &'i Inventory, after: &'i Inventory) -> Vec<PackageChange<'i>> {
    let mut names: BTreeMap<(Ecosystem, &str), [Vec<&Installed>; 2]> = BTreeMap::new();
    for (side, inventory) in [before, after].into_iter().enumerate() {
        for installed in inventory.present() {
            let package = &installed.package;
            names.entry((package.ecosystem, &package.name)).or_default()[side].push(installed);
        }
    }
    names.into_values().flat_map(|[before, after]| of_name(before, after)).collect()
}

fn of_name<'i>(before: Vec<&'i Installed>, after: Vec<&'i Installed>) -> Vec<PackageChange<'i>> {
    let ids = |all: &[&'i Installed]| all.iter().map(|installed| id(installed)).collect::<BTreeSet<_>>();
    let (ids_before, ids_after) = (ids(&before), ids(&after));
    let mut before = only(before, &ids_after);
    let mut after = only(after, &ids_before);
    let mut changes = Vec::new();
    let architecture = |installed: &'i Installed| installed.package.architecture.as_deref();
    pair(&mut before, &mut after, &mut changes, |installed| (&installed.recorded_in, architecture(installed)));
    pair(&mut before, &mut after, &mut changes, architecture);
    pair(&mut before, &mut after, &mut changes, |_| ());
    changes.extend(before.into_iter().map(|installed| PackageChange::of(Some(installed), None)));
    changes.extend(after.into_iter().map(|installed| PackageChange::of(None, Some(installed))));
    changes.sort_by_key(|change| {
        let Installed { package, recorded_in, .. } = change.installed();
        (&package.version, &package.architecture, recorded_in)
    });
    changes
}

fn id(installed: &Installed) -> (&str, Option<&str>) {
    (&installed.package.version, installed.package.architecture.as_deref())
}

/// The packages that the other image does not have, each version once, latest first.
fn only<'i>(all: Vec<&'i Installed>, of_other: &BTreeSet<(&str, Option<&str>)>) -> Vec<&'i Installed> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<_> =
        all.into_iter().filter(|installed| !of_other.contains(&id(installed)) && seen.insert(id(installed))).collect();
    all.sort_by(|a, b| compare(a.package.ecosystem, &b.package.version, &a.package.version));
    all
}

/// Removes pairs with the same key from both lists, and returns them in their order.
fn pair<'i, K: Eq + Hash>(
    before: &mut Vec<&'i Installed>,
    after: &mut Vec<&'i Installed>,
    changes: &mut Vec<PackageChange<'i>>,
    key: impl Fn(&'i Installed) -> K,
) {
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (place, installed) in after.iter().enumerate() {
        waiting.entry(key(installed)).or_default().push_back(place);
    }
    let mut taken = BTreeSet::new();
    before.retain(|a| {
        let Some(place) = waiting.get_mut(&key(a)).and_then(VecDeque::pop_front) else { return true };
        changes.push(PackageChange::of(Some(a), Some(after[place])));
        taken.insert(place);
        false
    });
    let mut place = 0..;
    after.retain(|_| place.next().is_none_or(|place| !taken.contains(&place)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Package;

    /// Packages as `name version`, `name version architecture` or `path name version`.
    fn inventory(ecosystem: Ecosystem, list: &[&str]) -> Inventory {
        let installed = |text: &&str| {
            let mut words: Vec<&str> = text.split(' ').collect();
            let path = if words[0].contains('/') { words.remove(0) } else { "db/status" };
            let architecture = words.get(2).map(|&word| word.to_owned());
            let package = Package { architecture, ..Package::new(ecosystem, words[0], words[1]) };
            Installed { package, recorded_in: path.into(), layer: 0, removed_by: None, replaced_by: None }
        };
        Inventory { packages: list.iter().map(installed).collect(), ..Inventory::default() }
    }

    fn told(ecosystem: Ecosystem, before: &[&str], after: &[&str]) -> Vec<String> {
        let (before, after) = (inventory(ecosystem, before), inventory(ecosystem, after));
        let version =
            |side: Option<&Installed>| side.map_or_else(|| "-".to_owned(), |side| side.package.version.clone());
        let line = |change: &PackageChange<'_>| {
            let name = &change.installed().package.name;
            format!("{name} {} {} {}", change.kind.name(), version(change.before), version(change.after))
        };
        changes(&before, &after).iter().map(line).collect()
    }

    #[test]
    fn each_package_is_compared_by_its_name() {
        let before = ["a 1", "b 1.9", "c 2", "d 1", "same 1"];
        let after = ["a 1.0", "b 1.10", "c 1", "e 1", "same 1"];
        let expected = ["a changed 1 1.0", "b upgraded 1.9 1.10", "c downgraded 2 1", "d removed 1 -", "e added - 1"];
        assert_eq!(told(Ecosystem::Pypi, &before, &after), expected);
        assert_eq!(told(Ecosystem::Deb, &["a 1.0~rc1"], &["a 1.0"]), ["a upgraded 1.0~rc1 1.0"]);
        assert_eq!(told(Ecosystem::Pypi, &before, &before), Vec::<String>::new());
    }

    #[test]
    fn several_versions_of_a_package_are_compared_at_their_paths() {
        let before = ["x/a a 1.0.0", "y/a a 2.0.0", "z/a a 3.0.0"];
        let after = ["y/a a 2.1.0", "x/a a 1.1.0", "z/a a 3.0.0", "w/a a 3.0.0"];
        assert_eq!(told(Ecosystem::Npm, &before, &after), ["a upgraded 1.0.0 1.1.0", "a upgraded 2.0.0 2.1.0"]);
        assert_eq!(
            told(Ecosystem::Npm, &["x/a a 1.0.0", "y/a a 2.0.0"], &["w/a a 2.1.0"]),
            ["a removed 1.0.0 -", "a upgraded 2.0.0 2.1.0"]
        );
    }

    #[test]
    fn architectures_of_a_package_are_compared_with_themselves() {
        let (before, after) = (["a 1 amd64", "a 1 i386"], ["a 2 i386", "a 1 amd64"]);
        assert_eq!(told(Ecosystem::Deb, &before, &after), ["a upgraded 1 2"]);
        assert_eq!(told(Ecosystem::Deb, &["a 1 amd64"], &["a 1 arm64"]), ["a changed 1 1"]);
    }

    #[test]
    fn a_package_that_a_later_layer_removed_is_in_no_image() {
        let mut before = inventory(Ecosystem::Deb, &["a 1"]);
        before.packages[0].removed_by = Some(1);
        let after = inventory(Ecosystem::Deb, &["a 1"]);
        assert_eq!(changes(&before, &after).len(), 1);
        assert_eq!(changes(&after, &before)[0].kind, PackageChangeKind::Removed);
    }
}
