//! Searches the files of a layer while it is read.

use super::{LineSearch, MatchedLine, PathGlob, SearchPattern};
use porthole_core::{
    path,
    tar::{Entry, Kind},
};
use std::sync::Arc;

/// A matching line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentHit {
    /// Clean path of the file, as the archive states it.
    pub path: Arc<[u8]>,
    /// Where the data of the file starts in the archive of the layer.
    pub content: u64,
    /// The line, with the places of the matches in it.
    pub line: MatchedLine,
}

/// A file with matching lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHits {
    /// Clean path of the file, as the archive states it.
    pub path: Arc<[u8]>,
    /// Where its data starts in the archive of the layer.
    pub content: u64,
    /// How many of its lines match.
    pub lines: u64,
}

/// Files and sums of a search in a layer. The lines are returned by [`ContentSearch::take_hits`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerHits {
    /// The files with matches, in archive order.
    pub files: Vec<FileHits>,
    /// Number of lines that match.
    pub lines: u64,
    /// Files that were searched.
    pub searched: u64,
    /// Unpacked bytes that were searched.
    pub bytes: u64,
}

/// Searches the files of one layer, also those that the same layer deletes. What it finds is provisional until the layer is verified.
#[derive(Debug)]
pub struct ContentSearch {
    search: LineSearch,
    glob: Option<PathGlob>,
    /// Hits that may still be held.
    room: usize,
    hits: Vec<ContentHit>,
    found: LayerHits,
    /// Number of files that [`take_files`](Self::take_files) has returned.
    taken: u64,
    file: Option<FileHits>,
}

impl ContentSearch {
    /// A search in the files that fit `glob`. Of its hits, `most` are held; the others are counted.
    pub fn new(pattern: &SearchPattern, glob: Option<PathGlob>, most: usize) -> Self {
        let search = LineSearch::new(pattern);
        Self { search, glob, room: most, hits: Vec::new(), found: LayerHits::default(), taken: 0, file: None }
    }

    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        self.file = None;
        if entry.kind != Kind::File || entry.size == 0 {
            return false;
        }
        let path = path::clean(&entry.path);
        if self.glob.as_ref().is_some_and(|glob| !glob.fits(&path)) {
            return false;
        }
        self.search.reset();
        self.found.searched += 1;
        self.file = Some(FileHits { path: path.into(), content: entry.offset, lines: 0 });
        true
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        let Some(file) = &mut self.file else { return };
        self.found.bytes += data.len() as u64;
        self.search.push(data, &mut |line| keep(file, &mut self.room, &mut self.hits, line));
    }

    /// The data of the entry is complete.
    pub fn end(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        self.search.end(&mut |line| keep(&mut file, &mut self.room, &mut self.hits, line));
        if file.lines > 0 {
            self.found.lines += file.lines;
            self.found.files.push(file);
        }
    }

    /// Returns the hits since the last call.
    pub fn take_hits(&mut self) -> Vec<ContentHit> {
        std::mem::take(&mut self.hits)
    }

    /// Returns the files whose search ended since the last call. [`finish`](Self::finish) returns the others.
    pub fn take_files(&mut self) -> Vec<FileHits> {
        self.taken += self.found.files.len() as u64;
        std::mem::take(&mut self.found.files)
    }

    /// Matching lines so far, those of the file that is being searched included.
    pub fn lines(&self) -> u64 {
        self.found.lines + self.file.as_ref().map_or(0, |file| file.lines)
    }

    /// Files with matching lines so far.
    pub fn files(&self) -> u64 {
        self.taken + self.found.files.len() as u64 + u64::from(self.file.as_ref().is_some_and(|file| file.lines > 0))
    }

    /// Files that were searched so far, and their bytes.
    pub fn searched(&self) -> (u64, u64) {
        (self.found.searched, self.found.bytes)
    }

    /// Ends the layer.
    pub fn finish(self) -> LayerHits {
        self.found
    }
}

fn keep(file: &mut FileHits, room: &mut usize, hits: &mut Vec<ContentHit>, line: MatchedLine) {
    file.lines += 1;
    if *room > 0 {
        *room -= 1;
        hits.push(ContentHit { path: Arc::clone(&file.path), content: file.content, line });
    }
}
