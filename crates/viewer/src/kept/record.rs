//! The record in front of a kept index: when its blob was verified, and what else was found.
//!
//! ```text
//! magic      "PHKEPT", one byte: 1
//! length     four bytes, little-endian: bytes of the facts
//! facts      verified   eight bytes, little-endian: seconds since 1970
//!            identity   32 bytes: SHA-256 of what else decided how the blob was read
//!            note       text: one byte (0 none, 1 a note), then the note
//!            texts      texts, to the end of the facts
//! checksum   32 bytes: SHA-256 of everything before
//! index      to the end of the file
//! ```
//!
//! A text is four bytes, little-endian: its length, and as many bytes of UTF-8.

use crate::{layer::LayerFindings, prepared};
use porthole_core::{digest::Digest, image::Layer, limits::Limits};

/// Facts about a kept index that the index itself lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptRecord {
    /// When the blob was read and verified, in seconds since 1970.
    pub verified: u64,
    /// What else decided how the blob was read: its media type, whether it had to be an archive, the table of contents that
    /// it was compared with.
    pub identity: [u8; 32],
    /// A note that is not a finding.
    pub note: Option<String>,
    /// Findings that do not make the layer wrong.
    pub texts: Vec<String>,
}

impl KeptRecord {
    /// The record of a layer that was just verified.
    pub(crate) fn of(layer: &Layer, findings: &LayerFindings, limits: &Limits, now: u64) -> Self {
        let (note, texts) = (findings.note.clone(), findings.texts.clone());
        Self { verified: now, identity: identity(layer, limits), note, texts }
    }

    /// Whether the blob was read as this layer would be.
    pub(crate) fn is_of(&self, layer: &Layer, limits: &Limits) -> bool {
        self.identity == identity(layer, limits)
    }

    /// The bytes in front of the index; `None` if there are too many of them.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut facts = self.verified.to_le_bytes().to_vec();
        facts.extend_from_slice(&self.identity);
        facts.push(u8::from(self.note.is_some()));
        for text in self.note.iter().chain(&self.texts) {
            facts.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
            facts.extend_from_slice(text.as_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::try_from(facts.len()).ok().filter(|&length| length <= LONGEST)?.to_le_bytes());
        bytes.append(&mut facts);
        bytes.extend_from_slice(Digest::sha256(&bytes).as_bytes());
        Some(bytes)
    }

    /// Reads a record. `None` = it is damaged, or something else.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let length = Self::length(bytes)?;
        let (content, checksum) = bytes.get(..length)?.split_at(length - CHECKSUM);
        if Digest::sha256(content).as_bytes() != checksum {
            return None;
        }
        let (verified, rest) = content.get(START..)?.split_first_chunk()?;
        let (identity, rest) = rest.split_first_chunk()?;
        let (noted, mut rest) = rest.split_first()?;
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk()?;
            let (text, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            texts.push(std::str::from_utf8(text).ok()?.to_owned());
            rest = after;
        }
        let note = if *noted == 0 || texts.is_empty() { None } else { Some(texts.remove(0)) };
        Some(Self { verified: u64::from_le_bytes(*verified), identity: *identity, note, texts })
    }

    /// Bytes of the record, by its first `START` bytes. `None` = it is something else.
    pub(crate) fn length(start: &[u8]) -> Option<usize> {
        let rest = start.strip_prefix(MAGIC)?;
        let length = u32::from_le_bytes(*rest.first_chunk()?);
        Some(START + usize::try_from(length).ok().filter(|_| length <= LONGEST)? + CHECKSUM)
    }
}

/// What decides how a blob is read, beside the blob itself.
fn identity(layer: &Layer, limits: &Limits) -> [u8; 32] {
    let mut text = format!("{}\n{}\n", layer.descriptor.media_type, layer.archive);
    if prepared::announced(&layer.descriptor, limits) {
        layer.descriptor.annotations.iter().for_each(|(name, value)| text.push_str(&format!("{name:?} {value:?}\n")));
    }
    Digest::sha256(text.as_bytes()).as_bytes().try_into().unwrap_or_default()
}

const MAGIC: &[u8; 7] = b"PHKEPT\x01";
const START: usize = MAGIC.len() + 4;
const CHECKSUM: usize = 32;
/// Bytes of the facts.
const LONGEST: u32 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> KeptRecord {
        KeptRecord {
            verified: 1_795_957_544,
            identity: [7; 32],
            note: Some("é".into()),
            texts: vec![String::new(), "a\nb".into()],
        }
    }

    #[test]
    fn records_survive_the_trip() {
        for record in [
            record(),
            KeptRecord { note: None, ..record() },
            KeptRecord { note: None, texts: Vec::new(), verified: u64::MAX, ..record() },
        ] {
            let mut bytes = record.to_bytes().unwrap();
            assert_eq!(KeptRecord::length(&bytes[..START]), Some(bytes.len()));
            bytes.extend_from_slice(b"an index");
            assert_eq!(KeptRecord::parse(&bytes), Some(record));
        }
        let long = KeptRecord { texts: vec!["x".repeat(65 << 10)], ..record() };
        assert_eq!(long.to_bytes(), None);
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let bytes = record().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert_eq!(KeptRecord::parse(&bytes[..end]), None, "cut at {end}");
        }
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert_eq!(KeptRecord::parse(&damaged), None, "changed at {place}");
        }
    }
}
