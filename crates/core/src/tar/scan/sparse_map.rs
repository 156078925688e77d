//! Sparse maps: in the header, in blocks after it, in PAX records, or in front of the data.

use std::mem;

use super::{Scanner, State, Upcoming};
use crate::tar::{
    EntrySink, Error, Field, Kind,
    header::{BLOCK, Format, Header},
    pax::Pax,
    sparse::{self, Map, MapStep, Raw},
};

/// Where the rest of a sparse map is stored.
pub(super) enum More {
    No,
    /// In extension blocks after the header.
    Blocks,
    /// In front of the data.
    Data,
}

impl Scanner {
    /// The sparse map in a header, if any. Updates the logical size and name in the header.
    pub(super) fn sparse(&self, header: &mut Header, pax: Option<&Pax>) -> Result<Option<(Vec<Raw>, More)>, Error> {
        let invalid = |field| self.invalid(field);
        if header.typeflag == b'S' {
            if header.format != Format::Gnu {
                return Err(invalid(Field::SparseMagic));
            }
            header.size = sparse::gnu_size(&self.block).ok_or(Field::Size).map_err(invalid)?;
            let mut map = Vec::new();
            let more = sparse::gnu_header(&self.block, &mut map).map_err(invalid)?;
            return Ok(Some((map, if more { More::Blocks } else { More::No })));
        }
        let Some((pax, kind)) = pax.and_then(|pax| Some((&pax.sparse, pax.sparse.kind()?))) else { return Ok(None) };
        if let Some(name) = pax.name() {
            header.name = name.to_vec();
        }
        if let Some(size) = pax.size().map_err(invalid)? {
            header.size = size;
        }
        match kind {
            Map::Data => Ok(Some((Vec::new(), More::Data))),
            Map::Records => {
                let limit = self.limits.sparse_segments;
                match pax.map(limit as usize).map_err(invalid)? {
                    Some(map) => Ok(Some((map, More::No))),
                    None => Err(self.too_many_segments()),
                }
            }
        }
    }

    /// Handles an extension block of a GNU sparse map.
    pub(super) fn gnu_map(&mut self, sink: &mut impl EntrySink) -> Result<(), Error> {
        let State::GnuMap { map, blocks, .. } = &mut self.state else { return Ok(()) };
        *blocks += 1;
        let limit = self.limits.extension_bytes;
        if sparse::GNU_HEADER_MAP + *blocks * BLOCK as u64 >= limit {
            return Err(Error::SparseTooLong { offset: self.start, limit, unit: "bytes" });
        }
        let more = sparse::gnu_extension(&self.block, map);
        let many = map.len() as u64 > u64::from(self.limits.sparse_segments);
        if more.map_err(|field| self.invalid(field))? {
            return if many { Err(self.too_many_segments()) } else { Ok(()) };
        }
        match mem::replace(&mut self.state, State::End) {
            State::GnuMap { entry, map, .. } => self.emit_sparse(*entry, &map, sink),
            _ => Ok(()),
        }
    }

    /// Handles a block before the data of a PAX sparse file.
    pub(super) fn pax_map(&mut self, sink: &mut impl EntrySink) -> Result<(), Error> {
        let State::PaxMap { entry, reader } = &mut self.state else { return Ok(()) };
        entry.left -= BLOCK as u64;
        let limits = &self.limits;
        let step = reader.block(&self.block, limits.extension_bytes, limits.sparse_segments);
        let map = match step.map_err(|field| self.invalid(field))? {
            MapStep::More => return Ok(()),
            MapStep::Done(map) => map,
            MapStep::TooLong(limit, unit) => {
                return Err(Error::SparseTooLong { offset: self.start, limit, unit });
            }
        };
        match mem::replace(&mut self.state, State::End) {
            State::PaxMap { entry, .. } => self.emit_sparse(*entry, &map, sink),
            _ => Ok(()),
        }
    }

    pub(super) fn emit_sparse(&mut self, entry: Upcoming, map: &[Raw], sink: &mut impl EntrySink) -> Result<(), Error> {
        if map.len() as u64 > u64::from(self.limits.sparse_segments) {
            return Err(self.too_many_segments());
        }
        if Kind::new(entry.header.typeflag).header_only() {
            return Err(self.invalid(Field::SparseMap));
        }
        let segments = sparse::check(map, entry.header.size).map_err(|field| self.invalid(field))?;
        self.emit(entry, Some(segments), sink)
    }

    fn too_many_segments(&self) -> Error {
        Error::SparseTooLong { offset: self.start, limit: u64::from(self.limits.sparse_segments), unit: "segments" }
    }
}
