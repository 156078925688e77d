//! Certificates in the files of a layer, found while the layer is read: their subject, and the end of their validity.

use crate::{
    der::{BOOLEAN, OCTET_STRING, SEQUENCE, element, expect, time},
    limits::CERTIFICATE_BYTES,
};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use memchr::memmem;
use porthole_core::{
    path,
    tar::{Entry, Kind},
};

/// A certificate of a server or client, not of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafCertificate {
    /// Clean path of the file, as the archive states it.
    pub path: Vec<u8>,
    /// Where its data starts in the archive of the layer.
    pub offset: u64,
    /// The end of its validity in UTC, as `YYYYMMDDhhmmss`.
    pub not_after: String,
}

/// Finds the certificates of one layer: in PEM, in files whose name says so. What it finds is provisional until the layer is verified.
#[derive(Debug, Default)]
pub struct CertificateCollector {
    all: Vec<LeafCertificate>,
    taking: Option<(Vec<u8>, u64, Vec<u8>)>,
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";
/// Certificates of one file.
const MOST: usize = 1000;

impl CertificateCollector {
    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        let path = path::clean(&entry.path);
        let wanted =
            entry.kind == Kind::File && may_be_certificate(&path) && (1..=CERTIFICATE_BYTES).contains(&entry.size);
        self.taking = wanted.then(|| (path, entry.offset, Vec::new()));
        wanted
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        if let Some((.., bytes)) = &mut self.taking {
            bytes.extend_from_slice(data);
        }
    }

    /// Ends the entry and reads the data that was kept.
    pub fn end(&mut self) {
        let Some((path, offset, bytes)) = self.taking.take() else { return };
        let leaves = blocks(&bytes).take(MOST).filter_map(|der| not_after_of_leaf(&der));
        self.all.extend(leaves.map(|not_after| LeafCertificate { path: path.clone(), offset, not_after }));
    }

    /// The certificates found since the last call, in archive order.
    pub fn take(&mut self) -> Vec<LeafCertificate> {
        std::mem::take(&mut self.all)
    }

    /// All certificates that were found, in archive order.
    pub fn finish(self) -> Vec<LeafCertificate> {
        self.all
    }
}

/// Whether a path is that of a file that is searched for certificates.
pub fn may_be_certificate(path: &[u8]) -> bool {
    [b".pem".as_slice(), b".crt", b".cer", b".cert"].iter().any(|end| path.ends_with(end))
}

/// The bytes of each PEM block.
pub(crate) fn blocks(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = memmem::find(rest, BEGIN)? + BEGIN.len();
        let length = memmem::find(&rest[start..], END)?;
        let block = decode(&rest[start..start + length]);
        rest = &rest[start + length + END.len()..];
        Some(block)
    })
}

/// The bytes inside a PEM block; none if it is not base64.
pub(crate) fn decode(block: &[u8]) -> Vec<u8> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let encoded: Vec<u8> = block.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(encoded).unwrap_or_default()
}

const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `id-ce-basicConstraints` (RFC 5280, 4.2.1.9), with its tag and length.
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];

/// The end of the validity of a certificate (RFC 5280, 4.1), if it is not that of an authority: one that says so, or that
/// says nothing and issued itself.
fn not_after_of_leaf(der: &[u8]) -> Option<String> {
    let (certificate, _) = expect(SEQUENCE, der)?;
    let (body, _) = expect(SEQUENCE, certificate)?;
    let body = expect(VERSION, body).map_or(body, |(_, rest)| rest);
    // Serial number and algorithm.
    let (_, _, body) = element(body)?;
    let (_, _, body) = element(body)?;
    let (issuer, body) = expect(SEQUENCE, body)?;
    let (validity, body) = expect(SEQUENCE, body)?;
    let (subject, body) = expect(SEQUENCE, body)?;
    let (_, _, not_after) = element(validity)?;
    let not_after = time(not_after)?;
    let mut rest = body;
    while !rest.is_empty() {
        let (tag, content, after) = element(rest)?;
        if tag == EXTENSIONS
            && let Some(authority) = is_authority(content)
        {
            return (!authority).then_some(not_after);
        }
        rest = after;
    }
    (issuer != subject).then_some(not_after)
}

/// The value of `cA`, if the certificate has the extension.
fn is_authority(extensions: &[u8]) -> Option<bool> {
    let (mut rest, _) = expect(SEQUENCE, extensions)?;
    while !rest.is_empty() {
        let (extension, after) = expect(SEQUENCE, rest)?;
        if let Some(value) = extension.strip_prefix(BASIC_CONSTRAINTS) {
            let value = expect(BOOLEAN, value).map_or(value, |(_, rest)| rest);
            let (value, _) = expect(OCTET_STRING, value)?;
            let (constraints, _) = expect(SEQUENCE, value)?;
            return Some(expect(BOOLEAN, constraints).is_some_and(|(authority, _)| authority != [0]));
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests;
