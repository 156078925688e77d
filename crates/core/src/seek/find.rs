//! From a path to its entry, and from a directory to what is in it.

use super::{
    Ask, Error, IndexReader,
    name::{self, Target},
    read::Located,
};
use crate::{path, tar::Entry};

/// Finds what a layer has at one path. Put [`step`](Find::step) to the index until it answers.
///
/// Nothing is followed or stacked: this is what the archive of the layer says, whiteouts and links included.
#[derive(Debug)]
pub struct Find {
    path: Vec<u8>,
    keys: (u64, u64),
    /// Entries from this number on do not count.
    end: u64,
    rows: Rows,
    implied: bool,
}

/// What a layer has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtPath {
    /// An entry; of several with this path the last.
    Entry(Box<Located>),
    /// No entry, but entries below it: a directory that the archive implies.
    Implied,
    /// The layer says nothing of the path.
    Nothing,
}

impl Find {
    /// Finds a path, which is [cleaned](path::clean).
    pub fn new(path: &[u8]) -> Self {
        Self::before(path, u64::MAX)
    }

    /// Finds a path, which is cleaned, among the first `end` entries: what a hard link that is entry number `end` leads to.
    pub fn before(path: &[u8], end: u64) -> Self {
        let path = path::clean(path);
        let key = name::key_of(&path);
        Self { path, keys: (key, key), end, rows: Rows::default(), implied: false }
    }

    /// The answer. To be called again after each page that it asks for, and not after it answered.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn step(&mut self, index: &mut IndexReader) -> Result<AtPath, Ask> {
        loop {
            // The last entry counts, so that the last run comes first, and the last row of it.
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

/// Lists what lies directly in one directory of a layer. Put [`step`](Children::step) to the index until it answers with
/// nothing.
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
    /// Its last component.
    pub name: Vec<u8>,
    /// The entry that has it; `None` for a directory that the archive implies.
    pub entry: Option<(u64, Entry)>,
}

impl Children {
    /// Lists a directory by its path, which is [cleaned](path::clean); the empty one is the root.
    pub fn new(directory: &[u8]) -> Self {
        let directory = path::clean(directory);
        let keys = name::keys_below(&directory);
        Self { directory, keys, rows: Rows::default() }
    }

    /// The next children, in no certain order; several may have one name, of which the entry with the highest number
    /// counts. `None` when there are no more. To be called again after each page that it asks for.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn step(&mut self, index: &mut IndexReader) -> Result<Option<Vec<Child>>, Ask> {
        loop {
            let Some(first) = self.rows.found.last().copied() else {
                if !self.rows.next_run(index, self.keys, false)? {
                    return Ok(None);
                }
                // The lowest number goes last: entries of one leaf are taken one after another.
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

/// What of a clean path lies below a clean directory.
fn below<'p>(path: &'p [u8], directory: &[u8]) -> Option<&'p [u8]> {
    if directory.is_empty() {
        return Some(path).filter(|path| !path.is_empty());
    }
    path.strip_prefix(directory)?.strip_prefix(b"/")
}

/// Rows of one run after another.
#[derive(Debug, Default)]
struct Rows {
    /// The runs that were searched.
    runs: u64,
    /// In the run that is being searched: the row to continue from.
    next: Option<u64>,
    collected: Vec<Target>,
    /// What the last run gave; at most the rows of a run.
    found: Vec<Target>,
}

impl Rows {
    /// Collects what the next run has between two keys. `false`: there are no more runs.
    fn next_run(&mut self, index: &mut IndexReader, keys: (u64, u64), last_first: bool) -> Result<bool, Ask> {
        let runs = index.header.rows.div_ceil(name::RUN);
        if self.runs == runs {
            return Ok(false);
        }
        let run = if last_first { runs - 1 - self.runs } else { self.runs };
        loop {
            let next = index.targets(run * name::RUN, self.next, keys, &mut self.collected)?;
            // A hostile index may say that leaves overlap.
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
