//! Looks up a path, and lists a directory, in a seek index.

use super::{
    Ask, Error, IndexReader,
    name::{self, Target},
    read::Located,
};
use crate::{path, tar::Entry};

/// Finds the entry of one path in a layer. Call [`step`](Find::step), and give the index each page that it asks for, until it answers.
///
/// Links are not followed, and layers are not stacked: the result is the archive's own entry, which may be a whiteout or a link.
#[derive(Debug)]
pub struct Find {
    path: Vec<u8>,
    keys: (u64, u64),
    /// Only entries with lower numbers count.
    end: u64,
    rows: Rows,
    implied: bool,
}

/// What one layer has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtPath {
    /// The last entry with this path.
    Entry(Box<Located>),
    /// No entry, but entries below the path: a directory that the archive implies.
    Implied,
    /// No entry at the path or below it.
    Nothing,
}

impl Find {
    /// Finds a path. It is [cleaned](path::clean) first.
    pub fn new(path: &[u8]) -> Self {
        Self::before(path, u64::MAX)
    }

    /// Finds a path among the first `end` entries, as for the target of a hard link that is entry number `end`. The path is cleaned first.
    pub fn before(path: &[u8], end: u64) -> Self {
        let path = path::clean(path);
        let key = name::key_of(&path);
        Self { path, keys: (key, key), end, rows: Rows::default(), implied: false }
    }

    /// Returns the answer. Call again after each page that it asks for, but not after it answered.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn step(&mut self, index: &mut IndexReader) -> Result<AtPath, Ask> {
        loop {
            // The last entry of a path counts, so the last run is searched first, and its last row.
            while let Some(&target) = self.rows.found.last() {
                if target.number >= self.end || target.implied && self.implied {
                    self.rows.found.pop();
                    continue;
                }
                let located = index.entry(target.number)?;
                self.rows.found.pop();
                let path = path::clean(&located.entry.path);
                match target.implied {
                    false if path == self.path => return Ok(AtPath::Entry(Box::new(located))),
                    true => self.implied |= below(&path, &self.path).is_some(),
                    false => {}
                }
            }
            if !self.rows.next_run(index, self.keys, true)? {
                return Ok(if self.implied { AtPath::Implied } else { AtPath::Nothing });
            }
        }
    }
}

/// Lists the direct children of one directory of a layer. Call [`step`](Children::step), and give the index each page that
/// it asks for, until it returns `None`.
#[derive(Debug)]
pub struct Children {
    directory: Vec<u8>,
    keys: (u64, u64),
    rows: Rows,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Child {
    /// The last component of its path.
    pub name: Vec<u8>,
    /// The entry and its number; `None` for a directory that the archive implies.
    pub entry: Option<(u64, Entry)>,
}

impl Children {
    /// Lists a directory by its path, which is [cleaned](path::clean) first. The empty path is the root.
    pub fn new(directory: &[u8]) -> Self {
        let directory = path::clean(directory);
        let keys = name::keys_below(&directory);
        Self { directory, keys, rows: Rows::default() }
    }

    /// Returns the next children, in no particular order; `None` if there are no more. If several have one name, the entry
    /// with the highest number counts. Call again after each page that it asks for.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn step(&mut self, index: &mut IndexReader) -> Result<Option<Vec<Child>>, Ask> {
        loop {
            let Some(first) = self.rows.found.last().copied() else {
                if !self.rows.next_run(index, self.keys, false)? {
                    return Ok(None);
                }
                // Descending, because targets are popped from the end: entries of one leaf are then taken together.
                self.rows.found.sort_unstable();
                self.rows.found.reverse();
                continue;
            };
            let entries = index.entries(first.number)?;
            let end = first.number + entries.len() as u64;
            let mut children = Vec::new();
            while let Some(target) = self.rows.found.pop_if(|target| target.number < end) {
                let Some((entry, _)) = entries.get((target.number - first.number) as usize) else { continue };
                children.extend(self.child(target, entry));
            }
            if !children.is_empty() {
                return Ok(Some(children));
            }
        }
    }

    fn child(&self, target: Target, entry: &Entry) -> Option<Child> {
        let path = path::clean(&entry.path);
        let rest = below(&path, &self.directory)?;
        let name = rest.split(|&byte| byte == b'/').next()?.to_vec();
        let direct = name.len() == rest.len();
        // Another directory may have the same key.
        let entry = (!target.implied).then(|| (target.number, entry.clone()));
        (direct != target.implied).then_some(Child { name, entry })
    }
}

/// Returns the part of a clean path below a clean directory.
fn below<'p>(path: &'p [u8], directory: &[u8]) -> Option<&'p [u8]> {
    if directory.is_empty() {
        return Some(path).filter(|path| !path.is_empty());
    }
    path.strip_prefix(directory)?.strip_prefix(b"/")
}

/// Collects rows, one run after another.
#[derive(Debug, Default)]
struct Rows {
    /// Number of runs that were searched.
    runs: u64,
    /// The row to continue from in the current run.
    next: Option<u64>,
    collected: Vec<Target>,
    /// Targets found in the last run; at most the rows of a run.
    found: Vec<Target>,
}

impl Rows {
    /// Collects the targets between two keys in the next run. `false`: there are no more runs.
    fn next_run(&mut self, index: &mut IndexReader, keys: (u64, u64), last_first: bool) -> Result<bool, Ask> {
        let runs = index.header.rows.div_ceil(name::RUN);
        if self.runs == runs {
            return Ok(false);
        }
        let run = if last_first { runs - 1 - self.runs } else { self.runs };
        loop {
            let next = index.targets(run * name::RUN, self.next, keys, &mut self.collected)?;
            // The leaves of a hostile index may overlap.
            if self.collected.len() as u64 > name::RUN {
                return Err(Error::from(super::Malformed::Part("rows")).into());
            }
            self.next = next;
            if next.is_none() {
                break;
            }
        }
        self.runs += 1;
        std::mem::swap(&mut self.found, &mut self.collected);
        self.collected.clear();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layer::{Expected, LayerReader},
        limits::Limits,
        seek::{IndexOptions, MemoryIndex},
        tar::{EntrySink, Flow},
    };

    struct Ignore;

    impl EntrySink for Ignore {
        fn entry(&mut self, _: Entry) -> Flow {
            Flow::Continue
        }
    }

    fn index(names: impl Iterator<Item = String>) -> MemoryIndex {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_ustar();
            header.set_size(0);
            builder.append_data(&mut header, name, &[][..]).expect("a builder in memory");
        }
        let archive = builder.into_inner().expect("a builder in memory");
        let mut reader = LayerReader::new(Expected::default(), Limits::default()).with_index(IndexOptions::default());
        reader.push(&archive, &mut Ignore);
        let (_, end) = reader.finish_index(&mut Ignore);
        MemoryIndex::new(end.expect("a whole layer").into_bytes()).expect("its own bytes")
    }

    /// Here a run has 1024 rows.
    #[test]
    fn every_run_is_searched() {
        let mut index = index((0..5000).map(|number| format!("d{}/{}", number % 7, number % 4000)));
        assert!(index.reader().header.rows > 4 * name::RUN);
        let mut find = |path: &str| {
            let mut find = Find::new(path.as_bytes());
            match index.ask(|index| find.step(index)).expect("an answer") {
                AtPath::Entry(located) => Some(located.number),
                AtPath::Implied => Some(u64::MAX),
                AtPath::Nothing => None,
            }
        };
        for number in (0..5000).step_by(13) {
            // 4000 is not a multiple of 7: no path comes twice.
            assert_eq!(find(&format!("d{}/{}", number % 7, number % 4000)), Some(number));
        }
        assert_eq!((find("d3"), find("d7")), (Some(u64::MAX), None));
        assert_eq!((find("d0/4"), find("d4/4"), find("d3/4")), (Some(4004), Some(4), None));
        let mut before = |end| {
            let mut find = Find::before(b"d0/0", end);
            index.ask(|index| find.step(index)).expect("an answer")
        };
        assert!(matches!(before(1), AtPath::Entry(located) if located.number == 0));
        assert_eq!(before(0), AtPath::Nothing);
        let mut children = Children::new(b"d2");
        let mut names = Vec::new();
        while let Some(some) = index.ask(|index| children.step(index)).expect("an answer") {
            names.extend(some.into_iter().map(|child| child.name));
        }
        let mut expected: Vec<_> =
            (0..5000).filter(|n| n % 7 == 2).map(|n| (n % 4000).to_string().into_bytes()).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected);
    }
}
