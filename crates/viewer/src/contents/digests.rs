//! Computes the digests of the files of a layer.

use crate::{
    probe::{LayerProbe, ProbeFound},
    protocol::ProbeSums,
};
use porthole_core::{
    digest::{Algorithm, Hasher},
    tar::{Entry, Kind},
};

/// Computes the SHA-256 of each file of one layer. Empty files have none: theirs is known.
#[derive(Default)]
pub(super) struct DigestProbe {
    file: Option<(u64, Hasher)>,
    found: Vec<(u64, [u8; 32])>,
    sums: ProbeSums,
}

impl LayerProbe for DigestProbe {
    fn begin(&mut self, entry: &Entry) -> bool {
        let wanted = entry.kind == Kind::File && entry.size > 0;
        self.file = wanted.then(|| (entry.offset, Hasher::new(Algorithm::Sha256)));
        self.sums.searched += u64::from(wanted);
        wanted
    }

    fn push(&mut self, data: &[u8]) {
        if let Some((_, hasher)) = &mut self.file {
            self.sums.bytes += data.len() as u64;
            hasher.update(data);
        }
    }

    fn end(&mut self) {
        let Some((content, hasher)) = self.file.take() else { return };
        if let Ok(digest) = hasher.finish().as_bytes().try_into() {
            self.sums.found += 1;
            self.found.push((content, digest));
        }
    }

    fn take(&mut self) -> ProbeFound {
        self.sums.files = self.sums.found;
        ProbeFound { digests: std::mem::take(&mut self.found), sums: self.sums, ..ProbeFound::default() }
    }
}
