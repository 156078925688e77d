//! Directories of language packages. Their databases rarely list files; the path of a database determines which directory belongs to the package.

use super::Installed;
use crate::{database::split, package::Ecosystem};
use std::collections::HashSet;

impl Installed {
    /// Clean paths of files, and of directories with all that is in them, in which the package is. Package managers that list their files
    /// have none.
    pub fn places(&self) -> Vec<Vec<u8>> {
        let mut places = self.package.places.clone();
        let (directory, name) = split(&self.recorded_in);
        match self.package.ecosystem {
            Ecosystem::Npm if name == b"package.json" => places.push(directory.to_vec()),
            Ecosystem::Gem => places.extend(gem(&self.recorded_in)),
            // The program or the archive is made of them.
            Ecosystem::Golang | Ecosystem::Cargo | Ecosystem::Maven | Ecosystem::Nuget => {
                places.push(self.recorded_in.clone());
            }
            _ => {}
        }
        places
    }

    /// Whether it owns the path: its database lists it, or it is in one of its [places](Self::places) and not in that of a package below it.
    pub fn owns(&self, path: &[u8]) -> bool {
        let within = |place: Vec<u8>| match path.strip_prefix(place.as_slice()) {
            Some([]) => true,
            Some(rest) => rest.starts_with(b"/") && !rest.split(|&b| b == b'/').any(|name| name == MODULES),
            None => false,
        };
        self.package.files.iter().any(|file| file == path) || self.places().into_iter().any(within)
    }
}

/// Where npm puts packages.
const MODULES: &[u8] = b"node_modules";

/// The specification `X/specifications/NAME.gemspec` is that of the gem in `X/gems/NAME`. Ruby's own gems have theirs in a directory
/// below, and their code is part of Ruby.
fn gem(specification: &[u8]) -> Vec<Vec<u8>> {
    let (directory, file) = split(specification);
    let directory = directory.strip_suffix(b"/default".as_slice()).unwrap_or(directory);
    let (base, _) = split(directory);
    let name = file.strip_suffix(b".gemspec".as_slice()).unwrap_or(file);
    let of = |directory: &str, end: &str| {
        let path = [base, b"/", directory.as_bytes(), b"/", name, end.as_bytes()].concat();
        path.strip_prefix(b"/".as_slice()).map(<[u8]>::to_vec).unwrap_or(path)
    };
    vec![specification.to_vec(), of("gems", ""), of("doc", ""), of("cache", ".gem"), of("build_info", ".info")]
}

/// The places of all packages of languages.
#[derive(Default)]
pub(crate) struct AllPlaces(HashSet<Vec<u8>>);

impl AllPlaces {
    pub(crate) fn of<'i>(installed: impl Iterator<Item = &'i Installed>) -> Self {
        Self(installed.flat_map(Installed::places).collect())
    }

    /// Whether the path is in one of them.
    pub(crate) fn have(&self, path: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut above = path;
        while !above.is_empty() {
            if self.0.contains(above) || self.is_extension(above) {
                return true;
            }
            above = split(above).0;
        }
        false
    }

    /// Whether the path is a link that npm made: to a program of a package, or to a package elsewhere.
    pub(crate) fn have_link(&self, path: &[u8], target: &[u8]) -> bool {
        path.split(|&b| b == b'/').any(|name| name == MODULES) && self.have(target)
    }

    /// `X/extensions/PLATFORM/VERSION/NAME`: the compiled part of the gem in `X/gems/NAME`.
    fn is_extension(&self, path: &[u8]) -> bool {
        let (platform, name) = split(path);
        let (directory, _) = split(split(platform).0);
        directory.strip_suffix(b"extensions".as_slice()).is_some_and(|base| {
            let gem = [base, b"gems/", name].concat();
            self.0.contains(&gem)
        })
    }
}
