//! The data of an entry: a run of bytes, or the runs and holes of a sparse file.

use std::vec;

use super::{Error, header::padding, sparse::Segment};

/// The data of an entry.
pub(super) struct Body {
    /// Whether the sink asked for it.
    pub(super) wanted: bool,
    /// Bytes left in the archive.
    left: u64,
    /// Bytes that fill the last block.
    pub(super) padding: u64,
    sparse: Option<Sparse>,
}

/// The logical file that a sparse entry's data makes.
struct Sparse {
    position: u64,
    size: u64,
    current: Option<Segment>,
    rest: vec::IntoIter<Segment>,
}

/// What comes next in the data of an entry.
pub(super) enum Step {
    End,
    /// At most so many bytes of the archive.
    Data(u64),
    /// So many zeros that the archive does not hold.
    Hole(u64),
}

impl Body {
    /// Data of `left` bytes in the archive, out of `stored` with a map in front of it.
    pub(super) fn new(stored: u64, left: u64) -> Self {
        Self { wanted: false, left, padding: padding(stored), sparse: None }
    }

    /// The same for a sparse file of this logical size.
    pub(super) fn sparse(self, size: u64, segments: Vec<Segment>) -> Self {
        let mut rest = segments.into_iter();
        Self { sparse: Some(Sparse { position: 0, size, current: rest.next(), rest }), ..self }
    }

    /// What comes next at this offset of the archive.
    pub(super) fn next(&mut self, offset: u64) -> Result<Step, Error> {
        match &mut self.sparse {
            None if self.left == 0 => Ok(Step::End),
            None => Ok(Step::Data(self.left)),
            Some(sparse) => sparse.next(self.left, offset),
        }
    }

    /// Bytes of the archive that nobody has to look at.
    pub(super) fn skippable(&self) -> u64 {
        if self.wanted || self.sparse.is_some() { 0 } else { self.left }
    }

    /// So many bytes of the archive went by.
    pub(super) fn data(&mut self, length: u64) {
        self.left -= length;
        self.hole(length);
    }

    /// So many bytes of a hole went by.
    pub(super) fn hole(&mut self, length: u64) {
        if let Some(sparse) = &mut self.sparse {
            sparse.position += length;
        }
    }
}

impl Sparse {
    fn next(&mut self, left: u64, offset: u64) -> Result<Step, Error> {
        while self.current.is_some_and(|segment| self.position >= segment.end()) {
            self.current = self.rest.next();
        }
        match self.current {
            Some(segment) if self.position >= segment.start => match left {
                0 => Err(Error::SparseMissing { offset }),
                _ => Ok(Step::Data(left.min(segment.end() - self.position))),
            },
            Some(segment) => Ok(Step::Hole(segment.start - self.position)),
            None if self.position < self.size => Ok(Step::Hole(self.size - self.position)),
            None if left > 0 => Err(Error::SparseUnreferenced { offset }),
            None => Ok(Step::End),
        }
    }
}
