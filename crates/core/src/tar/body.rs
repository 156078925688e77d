//! The data of an entry: one run of bytes, or the segments and holes of a sparse file.

use std::vec;

use super::{Error, header::padding, sparse::Segment};

/// Position within the data of an entry.
pub(super) struct Body {
    /// Whether the sink asked for the data.
    pub(super) wanted: bool,
    /// Bytes left in the archive.
    left: u64,
    /// Bytes that pad the data to a whole block.
    pub(super) padding: u64,
    sparse: Option<Sparse>,
}

/// The logical file of a sparse entry.
struct Sparse {
    position: u64,
    size: u64,
    current: Option<Segment>,
    rest: vec::IntoIter<Segment>,
}

/// The next part of an entry's data.
pub(super) enum DataPart {
    End,
    /// At most this many bytes from the archive.
    Data(u64),
    /// This many zeros, which the archive does not store.
    Hole(u64),
}

impl Body {
    /// Starts the data of an entry. `stored`: its bytes in the archive, a sparse map in front included; `left`: those after the map.
    pub(super) fn new(stored: u64, left: u64) -> Self {
        Self { wanted: false, left, padding: padding(stored), sparse: None }
    }

    /// Makes this a sparse file of the given logical size.
    pub(super) fn sparse(self, size: u64, segments: Vec<Segment>) -> Self {
        let mut rest = segments.into_iter();
        Self { sparse: Some(Sparse { position: 0, size, current: rest.next(), rest }), ..self }
    }

    /// The next part of the data. `offset` is the position in the archive.
    pub(super) fn next(&mut self, offset: u64) -> Result<DataPart, Error> {
        match &mut self.sparse {
            None if self.left == 0 => Ok(DataPart::End),
            None => Ok(DataPart::Data(self.left)),
            Some(sparse) => sparse.next(self.left, offset),
        }
    }

    /// Bytes of the archive that can be skipped unread.
    pub(super) fn skippable(&self) -> u64 {
        if self.wanted || self.sparse.is_some() { 0 } else { self.left }
    }

    /// Advances by `length` bytes of data.
    pub(super) fn data(&mut self, length: u64) {
        self.left -= length;
        self.hole(length);
    }

    /// Advances by `length` bytes of a hole.
    pub(super) fn hole(&mut self, length: u64) {
        if let Some(sparse) = &mut self.sparse {
            sparse.position += length;
        }
    }
}

impl Sparse {
    fn next(&mut self, left: u64, offset: u64) -> Result<DataPart, Error> {
        while self.current.is_some_and(|segment| self.position >= segment.end()) {
            self.current = self.rest.next();
        }
        match self.current {
            Some(segment) if self.position >= segment.start => match left {
                0 => Err(Error::SparseMissing { offset }),
                _ => Ok(DataPart::Data(left.min(segment.end() - self.position))),
            },
            Some(segment) => Ok(DataPart::Hole(segment.start - self.position)),
            None if self.position < self.size => Ok(DataPart::Hole(self.size - self.position)),
            None if left > 0 => Err(Error::SparseUnreferenced { offset }),
            None => Ok(DataPart::End),
        }
    }
}
