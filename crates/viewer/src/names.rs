//! A list of names, as far as its pages have arrived.

use crate::protocol::{NameList, NameQuery, NameRow, NameSort, NameState, NameWindow, TagFacts};
use porthole_contents::{package::Ecosystem, version};
use std::{cmp::Ordering, collections::BTreeMap};

/// Names in the order of the registry.
pub(crate) struct Names {
    names: Vec<String>,
    pub(crate) state: NameState,
    facts: BTreeMap<String, TagFacts>,
}

impl Default for Names {
    fn default() -> Self {
        Self { names: Vec::new(), state: NameState::Running, facts: BTreeMap::new() }
    }
}

impl Names {
    /// Takes a page.
    pub(crate) fn add(&mut self, page: Vec<String>) {
        self.names.extend(page);
    }

    /// All names, in the order of the registry.
    pub(crate) fn all(&self) -> &[String] {
        &self.names
    }

    /// Where a name is in the list.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The state of the query for a tag.
    pub(crate) fn learn(&mut self, tag: &str, facts: TagFacts) {
        self.facts.insert(tag.to_owned(), facts);
    }

    /// The first names that fit.
    pub(crate) fn window(&self, query: &NameQuery, most: u32) -> NameWindow {
        let filter = query.filter.trim().to_lowercase();
        let fits = |name: &&String| filter.is_empty() || name.to_lowercase().contains(&filter);
        let mut names: Vec<&String> = self.names.iter().filter(fits).collect();
        if query.sort == NameSort::Version {
            names.sort_by(|a, b| newest_first(a, b));
        }
        let row = |name: &String| NameRow {
            name: name.clone(),
            facts: self.facts.get(name).filter(|_| query.list == NameList::Tags).cloned(),
        };
        NameWindow {
            list: query.list,
            state: self.state.clone(),
            matches: names.len() as u64,
            total: self.names.len() as u64,
            rows: names.into_iter().take(most as usize).map(row).collect(),
        }
    }
}

/// Versions before words; the newest version first, words by their letters.
fn newest_first(a: &str, b: &str) -> Ordering {
    match (is_version(a), is_version(b)) {
        (true, true) => version::compare(Ecosystem::Npm, b, a).then_with(|| a.cmp(b)),
        (false, false) => a.cmp(b),
        (of_a, _) => {
            if of_a {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').unwrap_or(name).starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str], filter: &str, sort: NameSort) -> Vec<String> {
        let mut list = Names::default();
        list.add(names.iter().map(|name| (*name).to_owned()).collect());
        let query = NameQuery { filter: filter.to_owned(), sort, ..NameQuery::default() };
        list.window(&query, 10).rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn names_are_filtered_and_versions_sorted() {
        let names = ["latest", "1.9", "1.10-alpine", "v2.0", "1.10", "edge", "sha-0a", "1.10.1"];
        assert_eq!(shown(&names, "", NameSort::Registry), names);
        assert_eq!(shown(&names, "ALP", NameSort::Registry), ["1.10-alpine"]);
        assert_eq!(
            shown(&names, "", NameSort::Version),
            ["v2.0", "1.10.1", "1.10", "1.10-alpine", "1.9", "edge", "latest", "sha-0a"]
        );
    }

    #[test]
    fn a_window_ends_and_counts_the_rest() {
        let mut list = Names::default();
        list.add((0..30).map(|number| format!("t{number}")).collect());
        let window = list.window(&NameQuery { filter: "t1".into(), ..NameQuery::default() }, 5);
        assert_eq!((window.rows.len(), window.matches, window.total), (5, 11, 30));
        assert_eq!(window.state, NameState::Running);
    }
}
