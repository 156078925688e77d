//! Refuses files of a crate that import each other in a circle.
//!
//! An edge leads from the file that uses a name to the file that defines it; names are followed through `use`. A module
//! and the modules below it are one unit: a parent declares, re-exports and calls its children, and they see its private
//! items. So edges between a file and its ancestors do not count. What is left are circles of siblings and of files in
//! different parts of the crate.

use super::module::{Import, Module};
use std::collections::{BTreeMap, BTreeSet};

/// Files that are in a circle today. This list only shrinks.
const KNOWN: &str = include_str!("circles.txt");

/// Complains about a file in a circle that is not in the list, and about a file in the list that is in no circle.
pub(super) fn check(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let known: BTreeSet<&str> = KNOWN.lines().filter(|line| !line.is_empty()).collect();
    let mut complaints = Vec::new();
    let mut left = known.clone();
    for (folder, files) in crates {
        for circle in files.circles() {
            let in_folder = |file: &str| format!("{folder}{file}");
            circle.files.iter().for_each(|file| {
                left.remove(in_folder(file).as_str());
            });
            for file in circle.files.iter().filter(|file| !known.contains(in_folder(file).as_str())) {
                let ties: Vec<_> = circle.edges.iter().filter(|(from, to, _)| from == file || to == file).collect();
                let ties = ties.iter().map(|(from, to, names)| format!("{from} → {to} ({})", names.join(", ")));
                complaints.push(format!(
                    "{}: in a circle of {} files: {}",
                    in_folder(file),
                    circle.files.len(),
                    ties.collect::<Vec<_>>().join("; ")
                ));
            }
        }
    }
    let sources: BTreeSet<String> = crates.iter().flat_map(|(folder, files)| files.files(folder)).collect();
    left.retain(|file| sources.contains(*file));
    complaints
        .extend(left.iter().map(|file| format!("{file}: in no circle, remove it from xtask/src/tidy/circles.txt")));
    complaints
}

/// The sources of a crate by module path.
pub(super) struct Crate {
    modules: BTreeMap<Vec<String>, (String, Module)>,
}

/// A set of files that import each other, with the names that tie them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    pub(super) files: Vec<String>,
    /// From, to, and the names used.
    pub(super) edges: Vec<(String, String, Vec<String>)>,
}

/// Names used, by the files that use and define them.
type Edges = BTreeMap<(Vec<String>, Vec<String>), BTreeSet<String>>;

impl Crate {
    /// Reads the files of a crate's `src`, given by path below it.
    pub(super) fn read<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> Self {
        let mut modules = BTreeMap::new();
        for (file, text) in files {
            let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let path =
                if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').map(str::to_owned).collect() };
            modules.insert(path, (file.to_owned(), Module::read(text)));
        }
        let tests: BTreeSet<Vec<String>> = modules
            .iter()
            .flat_map(|(path, (_, module)): (&Vec<String>, &(String, Module))| {
                module.tests.iter().map(|test| [path.as_slice(), std::slice::from_ref(test)].concat())
            })
            .collect();
        modules.retain(|path, _| !(0..=path.len()).any(|length| tests.contains(&path[..length])));
        Self { modules }
    }

    /// The crates among files of the repository, by the folder of their sources with a slash at its end.
    pub(super) fn all(files: &[(String, String)]) -> BTreeMap<String, Self> {
        let mut sources = BTreeMap::<&str, Vec<(&str, &str)>>::new();
        for (file, text) in files.iter().filter(|(file, _)| file.ends_with(".rs")) {
            let Some(mut length) = file.find("src/").map(|at| at + 4) else { continue };
            if let Some(program) = file[length..].strip_prefix("bin/") {
                length = program.find('/').map_or(length, |at| file.len() - program.len() + at + 1);
            }
            sources.entry(&file[..length]).or_default().push((&file[length..], text));
        }
        sources.into_iter().map(|(folder, files)| (folder.to_owned(), Self::read(files.into_iter()))).collect()
    }

    fn files(&self, folder: &str) -> impl Iterator<Item = String> {
        self.modules.values().map(move |(file, _)| format!("{folder}{file}"))
    }

    /// The types that other files can name, each with its file.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, &super::module::Type)> {
        self.modules.values().flat_map(|(file, module)| module.types.iter().map(move |found| (file.as_str(), found)))
    }

    pub(super) fn circles(&self) -> Vec<Circle> {
        let edges = self.edges();
        let reach = self.reach(&edges);
        let mut circles = Vec::new();
        let mut seen = BTreeSet::new();
        for path in self.modules.keys() {
            let members: Vec<_> = reach[path].iter().filter(|other| reach[*other].contains(path)).collect();
            if members.is_empty() || !seen.insert(members.clone()) {
                continue;
            }
            let file = |path: &Vec<String>| self.modules[path].0.clone();
            circles.push(Circle {
                files: members.iter().map(|path| file(path)).collect(),
                edges: edges
                    .iter()
                    .filter(|((from, to), _)| members.contains(&from) && members.contains(&to))
                    .map(|((from, to), names)| (file(from), file(to), names.iter().cloned().collect()))
                    .collect(),
            });
        }
        circles
    }

    /// For each file the files that it uses, directly or not. A file reaches itself only through another.
    fn reach(&self, edges: &Edges) -> BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> {
        let mut next = BTreeMap::<&Vec<String>, Vec<&Vec<String>>>::new();
        for (from, to) in edges.keys() {
            next.entry(from).or_default().push(to);
        }
        let reached_from = |start| {
            let mut reached = BTreeSet::new();
            let mut open = vec![start];
            while let Some(path) = open.pop() {
                open.extend(next.get(path).into_iter().flatten().filter(|path| reached.insert((**path).clone())));
            }
            reached
        };
        self.modules.keys().map(|path| (path, reached_from(path))).collect()
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (path, (_, module)) in &self.modules {
            let mut add = |used: &[String]| {
                for (target, name) in self.resolve(used, 0) {
                    if !target.starts_with(path) && !path.starts_with(&target) {
                        edges.entry((path.clone(), target)).or_default().insert(name);
                    }
                }
            };
            for import in &module.imports {
                let Some(absolute) = self.absolute(path, &import.path) else { continue };
                if import.name == "*" {
                    self.names_of(&absolute).filter(|name| module.words.contains(*name)).for_each(|name| {
                        add(&[absolute.as_slice(), std::slice::from_ref(name)].concat());
                    });
                } else if !import.exported || module.words.contains(&import.name) {
                    add(&absolute);
                }
            }
            for used in &module.paths {
                let imported = module.imports.iter().find(|import| import.name == used[0]);
                let written = imported.map_or_else(|| used.clone(), |import| join(import, &used[1..]));
                if let Some(absolute) = self.absolute(path, &written) {
                    add(&absolute);
                }
            }
        }
        edges
    }

    /// The path from the root of the crate. `None` for a path into another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" | "super" => {
                while let Some(first) = rest.first() {
                    match first.as_str() {
                        "self" => {}
                        "super" => {
                            base.pop()?;
                        }
                        _ => break,
                    }
                    rest = &rest[1..];
                }
            }
            child => {
                self.modules[module].1.children.get(child)?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The files that define what an absolute path names, and the name. A path to a module names nothing.
    fn resolve(&self, path: &[String], depth: usize) -> Vec<(Vec<String>, String)> {
        let Some(length) = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length])) else {
            return Vec::new();
        };
        let (base, rest) = path.split_at(length);
        let Some(name) = rest.first() else { return Vec::new() };
        let module = &self.modules[base].1;
        let here = || vec![(base.to_vec(), name.clone())];
        if module.items.contains(name) || depth > 8 {
            return here();
        }
        let Some(import) = module.imports.iter().find(|import| import.name == *name) else {
            let all = module.imports.iter().filter(|import| import.name == "*" && import.exported);
            let found: Vec<_> = all
                .filter_map(|import| self.absolute(base, &import.path))
                .map(|absolute| [absolute.as_slice(), rest].concat())
                .filter(|absolute| self.names_of(&absolute[..absolute.len() - rest.len()]).any(|known| known == name))
                .flat_map(|absolute| self.resolve(&absolute, depth + 1))
                .collect();
            return if found.is_empty() { here() } else { found };
        };
        self.absolute(base, &join(import, &rest[1..]))
            .map(|absolute| self.resolve(&absolute, depth + 1))
            .unwrap_or_default()
    }

    /// Names that a module defines or exports.
    fn names_of(&self, path: &[String]) -> impl Iterator<Item = &String> {
        let module = self.modules.get(path).map(|(_, module)| module);
        let exported = module.into_iter().flat_map(|module| module.imports.iter().map(|import| &import.name));
        module.into_iter().flat_map(|module| &module.items).chain(exported.filter(|name| *name != "*"))
    }
}

fn join(import: &Import, rest: &[String]) -> Vec<String> {
    [import.path.as_slice(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Circle> {
        Crate::read(files.iter().copied()).circles()
    }

    #[test]
    fn a_parent_and_its_children_are_no_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b;\nmod c;\npub use b::B;\nuse c::C;\npub struct A(C);"),
            ("a/b.rs", "use super::A;\npub struct B(A);"),
            ("a/c.rs", "use super::B;\npub struct C(B);"),
        ];
        assert_eq!(circles(&files), []);
    }

    #[test]
    fn siblings_that_use_each_other_are_a_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b;\nmod c;\npub use b::B;"),
            ("a/b.rs", "use super::c::C;\npub struct B;"),
            ("a/c.rs", "use super::B;\npub struct C;\nimpl B {}"),
        ];
        let [circle] = &circles(&files)[..] else { panic!("one circle") };
        assert_eq!(circle.files, ["a/b.rs", "a/c.rs"]);
        assert_eq!(
            circle.edges,
            [
                ("a/b.rs".into(), "a/c.rs".into(), vec!["C".into()]),
                ("a/c.rs".into(), "a/b.rs".into(), vec!["B".into()])
            ]
        );
    }

    #[test]
    fn paths_are_followed_through_imports_and_exports() {
        let files = [
            ("main.rs", "mod a;\nmod b;\nmod c;\npub use c::C;"),
            ("a.rs", "use crate::b;\nfn f() { b::g() }"),
            ("b.rs", "pub fn g() { crate::C::new() }"),
            ("c.rs", "pub struct C;\nfn h() { super::a::f() }"),
        ];
        assert_eq!(circles(&files)[0].files, ["a.rs", "b.rs", "c.rs"]);
    }

    #[test]
    fn tests_make_no_circle() {
        let files = [
            ("lib.rs", "mod a;\n#[cfg(test)]\nmod tests;"),
            ("a.rs", "pub struct A;\n#[cfg(test)]\nmod tests { use crate::B; }"),
            ("tests.rs", "use super::a::A;\npub struct B(A);"),
        ];
        assert_eq!(circles(&files), []);
    }
}
