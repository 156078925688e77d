//! Extensions read before the entry that they apply to.

use std::mem;

use super::{
    EntryAmbiguity,
    header::{self, Header},
    pax::Pax,
};

/// Extensions that precede an entry's own header.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) pax: Option<Pax>,
    /// GNU long name; empty if there is none.
    pub(super) name: Vec<u8>,
    /// GNU long link target; empty if there is none.
    pub(super) link: Vec<u8>,
    names: bool,
    links: bool,
    several_pax_headers: bool,
    /// The header of an extension has neither POSIX nor GNU magic.
    without_magic: bool,
    several_names: bool,
    empty_name: bool,
    /// A long name continues after a NUL.
    after_nul: bool,
}

impl Pending {
    /// Stores a PAX extended header; the last one wins.
    pub(super) fn pax_header(&mut self, pax: Pax, header: &Header) {
        self.several_pax_headers |= self.pax.replace(pax).is_some();
        self.without_magic |= !header.magic;
    }

    /// Stores a GNU long name (`L`) or link target (`K`); the last one wins.
    pub(super) fn long_name(&mut self, data: &[u8], header: &Header) {
        self.without_magic |= !header.magic;
        let text = header::text(data);
        self.after_nul |= data.len() > text.len() + 1;
        self.empty_name |= text.is_empty();
        let (field, seen) = match header.typeflag {
            b'L' => (&mut self.name, &mut self.names),
            _ => (&mut self.link, &mut self.links),
        };
        *field = text.to_vec();
        self.several_names |= mem::replace(seen, true);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pax.is_none() && !self.names && !self.links
    }

    /// Why readers interpret an entry differently. `header` is the entry's own header, before extensions are applied.
    pub(super) fn ambiguity(&self, header: &Header) -> Option<EntryAmbiguity> {
        let pax = self.pax.as_ref();
        let two_names = !self.name.is_empty() && pax.is_some_and(|pax| pax.path().is_some())
            || !self.link.is_empty() && pax.is_some_and(Pax::has_link);
        let no_magic = self.without_magic || pax.is_some_and(Pax::has_size) && !header.magic;
        let renamed = !self.name.is_empty() || pax.is_some_and(|pax| pax.path().is_some());
        let number = |n: i64| u32::try_from(n).is_err();
        let reasons = [
            (two_names, EntryAmbiguity::TwoLongNames),
            (self.several_pax_headers, EntryAmbiguity::SeveralPaxHeaders),
            (self.several_names, EntryAmbiguity::SeveralLongNames),
            (self.empty_name, EntryAmbiguity::EmptyExtension),
            (no_magic, EntryAmbiguity::ExtensionWithoutMagic),
            (self.after_nul, EntryAmbiguity::NulInName),
            (header.typeflag == b'S', EntryAmbiguity::Sparse),
            (header.typeflag == b'X', EntryAmbiguity::SolarisHeader),
            (header.stray_prefix && !renamed, EntryAmbiguity::StrayPrefix),
            (header.signed_checksum, EntryAmbiguity::SignedChecksum),
            (header.odd_number || number(header.major) || number(header.minor), EntryAmbiguity::Number),
        ];
        pax.and_then(|pax| pax.ambiguity(header))
            .or_else(|| reasons.iter().find(|(applies, _)| *applies).map(|(_, reason)| *reason))
    }
}
