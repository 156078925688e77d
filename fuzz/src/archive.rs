//! Targets for tar archives.

use porthole_core::tar::Kind;
use std::{io::Read as _, iter, ops::Range};

use crate::{
    listing::{Listing, Sum, list},
    split::pieces,
};

const BLOCK: usize = 512;
const CHECKSUM: Range<usize> = 148..156;

/// Checks that an archive is listed the same in every split.
pub fn tar(data: &[u8]) {
    for archive in variants(data) {
        let whole = list(iter::once(archive.as_slice()));
        assert_eq!(whole, list(pieces(&archive)));
        let whole = whole.0;
        for (entry, data) in whole.entries.iter().zip(&whole.data) {
            assert!(data.length <= entry.size);
            assert!(!data.complete || data.length == entry.size || data.length == 0);
        }
    }
}

/// Compares with the `tar` crate: if it reads an archive without error and lists something else, one of our entries
/// must be marked ambiguous.
pub fn differential(data: &[u8]) {
    for archive in variants(data) {
        let (listing, verdict) = list(iter::once(archive.as_slice()));
        if verdict.is_err() || listing.entries.iter().any(|entry| entry.ambiguous.is_some()) {
            continue;
        }
        let Some(mut theirs) = list_by_tar_crate(&archive) else { continue };
        // The `tar` crate lists an extension that no entry follows; we do not.
        while theirs.last().is_some_and(|fact| matches!(fact.typeflag, b'x' | b'L' | b'K')) {
            theirs.pop();
        }
        assert_eq!(facts(&listing), theirs, "ours and theirs differ, and no entry says so");
    }
}

/// What both readers report of an entry.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    path: Vec<u8>,
    typeflag: u8,
    link: Vec<u8>,
    content: Option<Sum>,
}

fn facts(listing: &Listing) -> Vec<Fact> {
    let fact = |(entry, sum): (&porthole_core::tar::Entry, &Sum)| Fact {
        path: entry.path.clone(),
        typeflag: entry.typeflag,
        link: if matches!(entry.kind, Kind::Symlink | Kind::Hardlink) { entry.link.clone() } else { Vec::new() },
        content: (entry.kind == Kind::File).then_some(*sum),
    };
    listing.entries.iter().zip(&listing.data).map(fact).collect()
}

fn list_by_tar_crate(archive: &[u8]) -> Option<Vec<Fact>> {
    let mut archive = ::tar::Archive::new(archive);
    let mut facts = Vec::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path_bytes().into_owned();
        let typeflag = match entry.header().as_bytes()[156] {
            0 if path.ends_with(b"/") => b'5',
            0 => b'0',
            typeflag => typeflag,
        };
        let link = match typeflag {
            b'1' | b'2' => entry.link_name_bytes().unwrap_or_default().into_owned(),
            _ => Vec::new(),
        };
        let content = match typeflag {
            b'0' | b'7' | b'S' => Some(sum(&mut entry)?),
            _ => None,
        };
        facts.push(Fact { path, typeflag, link, content });
    }
    Some(facts)
}

fn sum(entry: &mut ::tar::Entry<'_, &[u8]>) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut buffer = [0; 8192];
    loop {
        let read = entry.read(&mut buffer).ok()?;
        if read == 0 {
            sum.complete = sum.length == entry.size();
            return sum.complete.then_some(sum);
        }
        sum.add(&buffer[..read]);
    }
}

/// The archive as it is, and with corrected header checksums if that changes it: otherwise most mutated headers fail at
/// the checksum.
fn variants(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut healed = data.to_vec();
    for block in healed.chunks_exact_mut(BLOCK) {
        if block[257..262] == *b"ustar" {
            block[CHECKSUM].fill(b' ');
            let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
            block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    let other = (healed != data).then_some(healed);
    iter::once(data.to_vec()).chain(other)
}
