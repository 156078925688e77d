//! Certificates (RFC 5280), in PEM or DER.

use super::{FileFacts, KnownBytes, key::public_key};
use crate::{
    certificates::blocks,
    der::{self, BMP_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, element, expect},
    limits::CERTIFICATE_BYTES,
};
use porthole_core::digest::{self, Digest};
use std::fmt::Write as _;

/// Certificates that are listed.
const LISTED: usize = 200;

/// The fields of a certificate that are shown.
#[derive(Debug)]
struct Certificate<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    not_before: String,
    not_after: String,
    key: &'a [u8],
    extensions: Option<&'a [u8]>,
}

/// The first certificate, and the number of certificates. `None` if the file has no certificate.
pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let head = known.start(4);
    let in_der = head.starts_with(&[SEQUENCE, 0x82]);
    if !in_der && memchr::memmem::find(known.start(64 << 10), b"-----BEGIN CERTIFICATE-----").is_none() {
        return None;
    }
    let bytes = known.get(0, known.size().min(CERTIFICATE_BYTES))?;
    let all: Vec<Vec<u8>> = if in_der { vec![bytes.to_vec()] } else { blocks(bytes).collect() };
    let first = all.first()?;
    let certificate = Certificate::parse(first)?;
    facts.kind = if all.len() == 1 { "certificate" } else { "certificates" };
    if all.len() > 1 {
        facts.number("certificates", all.len() as u64);
    }
    certificate.tell(facts);
    // What follows a certificate in DER is not part of it.
    let (_, _, rest) = element(first)?;
    facts.text("sha256", Digest::sha256(&first[..first.len() - rest.len()]).hex());
    if all.len() > 1 {
        let line = |der: &Vec<u8>| {
            let certificate = Certificate::parse(der)?;
            Some(format!("{}, until {}", name(certificate.subject), certificate.not_after))
        };
        facts.list("subjects", all.iter().take(LISTED).filter_map(line).collect());
    }
    Some(())
}

impl<'a> Certificate<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, der)?;
        let (body, _) = expect(SEQUENCE, certificate)?;
        let body = expect(0xa0, body).map_or(body, |(_, rest)| rest);
        let (serial, body) = expect(INTEGER, body)?;
        let (_algorithm, body) = expect(SEQUENCE, body)?;
        let (issuer, body) = expect(SEQUENCE, body)?;
        let (validity, body) = expect(SEQUENCE, body)?;
        let (subject, body) = expect(SEQUENCE, body)?;
        let (key, mut rest) = expect(SEQUENCE, body)?;
        let (_, _, end) = element(validity)?;
        let (not_before, not_after) = (moment(validity)?, moment(end)?);
        let mut extensions = None;
        while let Some((tag, content, after)) = element(rest) {
            if tag == 0xa3 {
                extensions = expect(SEQUENCE, content).map(|(extensions, _)| extensions);
            }
            rest = after;
        }
        Some(Self { serial, issuer, subject, not_before, not_after, key, extensions })
    }

    fn tell(&self, facts: &mut FileFacts) {
        facts.text("subject", name(self.subject));
        facts.text("issuer", name(self.issuer));
        facts.text("not_before", &*self.not_before);
        facts.text("not_after", &*self.not_after);
        let serial = self.serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(self.serial);
        facts.text("serial", digest::hex(serial));
        public_key(facts, self.key);
        let mut rest = self.extensions.unwrap_or_default();
        while let Some((extension, after)) = expect(SEQUENCE, rest) {
            rest = after;
            let Some((id, value)) = expect(OBJECT_IDENTIFIER, extension) else { continue };
            let value = expect(BOOLEAN, value).map_or(value, |(_, rest)| rest);
            let Some((value, _)) = expect(OCTET_STRING, value) else { continue };
            match id {
                // `basicConstraints`
                [0x55, 0x1d, 0x13] => {
                    let authority = expect(SEQUENCE, value).and_then(|(content, _)| expect(BOOLEAN, content));
                    facts.flag("authority", authority.is_some_and(|(flag, _)| flag != [0]));
                }
                // `subjectAltName`
                [0x55, 0x1d, 0x11] => facts.list("names", alternative_names(value)),
                _ => {}
            }
        }
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`
fn moment(der: &[u8]) -> Option<String> {
    let digits = der::time(der)?;
    let part = |from: usize, to: usize| digits.get(from..to);
    let (date, time) = ([part(0, 4)?, part(4, 6)?, part(6, 8)?], [part(8, 10)?, part(10, 12)?, part(12, 14)?]);
    Some(format!("{}T{}Z", date.join("-"), time.join(":")))
}

/// A distinguished name in the order of the certificate: `C=DE, O=Example, CN=host`.
fn name(mut rest: &[u8]) -> String {
    let mut name = String::new();
    while let Some((set, after)) = expect(SET, rest) {
        rest = after;
        let Some((attribute, _)) = expect(SEQUENCE, set) else { continue };
        let Some((id, value)) = expect(OBJECT_IDENTIFIER, attribute) else { continue };
        let Some((tag, value, _)) = element(value) else { continue };
        if !name.is_empty() {
            name.push_str(", ");
        }
        let _ = write!(name, "{}={}", attribute_name(id), text(tag, value));
    }
    name
}

fn attribute_name(id: &[u8]) -> String {
    let name = match id {
        [0x55, 0x04, last] => match last {
            3 => "CN",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "street",
            10 => "O",
            11 => "OU",
            97 => "organizationIdentifier",
            other => return format!("2.5.4.{other}"),
        },
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 1] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        _ => "attribute",
    };
    name.to_owned()
}

fn text(tag: u8, value: &[u8]) -> String {
    match tag {
        BMP_STRING => {
            let units: Vec<u16> = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

/// Names of hosts, addresses and other alternatives (RFC 5280, 4.2.1.6).
fn alternative_names(value: &[u8]) -> Vec<String> {
    let mut rest = expect(SEQUENCE, value).map_or(&[][..], |(names, _)| names);
    let mut names = Vec::new();
    while let Some((tag, content, after)) = element(rest)
        && names.len() < LISTED
    {
        rest = after;
        match (tag, content) {
            (0x81 | 0x82 | 0x86, text) => names.push(String::from_utf8_lossy(text).into_owned()),
            (0x87, &[a, b, c, d]) => names.push(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            (0x87, address) => {
                names.extend(<[u8; 16]>::try_from(address).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()));
            }
            _ => {}
        }
    }
    names
}
