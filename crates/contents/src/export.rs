//! An inventory as a software bill of materials. The same inventory gives the same bytes: no clock, no random identifier.

mod cyclonedx;
mod spdx;

pub use self::{cyclonedx::cyclonedx, spdx::spdx};

use std::ops::RangeInclusive;

/// What the document is about.
#[derive(Clone, Copy, Debug)]
pub struct ExportSubject<'s> {
    /// The image, as a person names it.
    pub name: &'s str,
    /// Digest of its manifest, such as `sha256:…`. Identifiers of the document are made from it.
    pub digest: Option<&'s str>,
    /// When the image says it was made (RFC 3339). The document carries this time.
    pub created: Option<&'s str>,
}

impl ExportSubject<'_> {
    /// The time in UTC with second precision, as SPDX requires; 1970 if the image states no valid time.
    fn time(&self) -> String {
        const UNKNOWN: &str = "1970-01-01T00:00:00Z";
        let shape = |text: &str| {
            let digits = text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                10 => byte == b'T',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            });
            digits && text.len() == 19
        };
        // Both formats take only times that exist; a second of 60 does, at the end of some days.
        let exists = |text: &str| {
            let within =
                |at: usize, range: RangeInclusive<u8>| text[at..at + 2].parse().is_ok_and(|n| range.contains(&n));
            let date = within(5, 1..=12) && within(8, 1..=31);
            date && within(11, 0..=23) && within(14, 0..=59) && within(17, 0..=60)
        };
        let seconds = self.created.filter(|created| created.ends_with('Z')).and_then(|created| created.get(..19));
        let seconds = seconds.filter(|text| shape(text) && exists(text));
        seconds.map_or_else(|| UNKNOWN.to_owned(), |text| format!("{text}Z"))
    }

    /// The digest in hexadecimal, or that of an empty text.
    fn identity(&self) -> String {
        let hex = self.digest.and_then(|digest| digest.rsplit(':').next()).unwrap_or_default();
        format!("{hex:0<32}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_image() {
        for (created, expected) in [
            (Some("2024-05-06T07:08:09.123456789Z"), "2024-05-06T07:08:09Z"),
            (Some("2024-05-06T07:08:09Z"), "2024-05-06T07:08:09Z"),
            (Some("2024-05-06T07:08:09+02:00"), "1970-01-01T00:00:00Z"),
            (Some("yesterdayZ"), "1970-01-01T00:00:00Z"),
            (Some("2024-13-06T07:08:09Z"), "1970-01-01T00:00:00Z"),
            (Some("2024-05-06T24:08:09Z"), "1970-01-01T00:00:00Z"),
            (None, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(ExportSubject { name: "a", digest: None, created }.time(), expected);
        }
    }
}
