//! Formats sizes, and parses sizes and durations: one grammar of each for every option and setting.
//!
//! | text | means |
//! |---|---|
//! | `4096`, `4096B` | bytes |
//! | `64k`, `64kB`, `20M`, `20MB`, `1.5G`, `1.5GB`, `2T`, `2TB` | powers of 1000 |
//! | `64Ki`, `64KiB`, `20MiB`, `1.5GiB`, `2TiB` | powers of 1024 |
//! | `30`, `30s`, `5m`, `2h`, `7d`, `500ms` | durations; a bare number is seconds |
//!
//! Units of bytes are read in either case, and spaces may precede one. Units of durations are lower case, since `M` could mean months.

use std::time::Duration;

/// Formats a number of bytes with a unit of powers of 1000: `0 B`, `999 B`, `1.0 kB`, `41.2 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "";
    for next in UNITS {
        tenths = (tenths + 500) / 1000;
        unit = next;
        if tenths < 10_000 {
            break;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Parses a size in bytes. A fraction of a byte is cut off.
///
/// ```
/// # use porthole_core::quantity::parse_bytes;
/// assert_eq!(parse_bytes("1m"), Ok(1_000_000));
/// assert_eq!(parse_bytes("1MiB"), Ok(1 << 20));
/// ```
///
/// # Errors
///
/// [`NotBytes`] if the text is not a size, or is one above [`u64::MAX`].
pub fn parse_bytes(text: &str) -> Result<u64, NotBytes> {
    read_bytes(text).ok_or(NotBytes)
}

fn read_bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start_matches(' ').to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (prefix, base) = match unit.strip_suffix('i') {
        Some("") => return None,
        Some(prefix) => (prefix, 1024_u128),
        None => (unit, 1000),
    };
    let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == prefix)?;
    let scale = base.pow(u32::try_from(power).ok()?);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // Further digits do not change the result: a byte is more than 10⁻¹⁸ of every unit here.
    let fraction = fraction.get(..FRACTION.min(fraction.len()))?;
    let part = fraction.parse::<u128>().ok()? * scale / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let bytes = u128::from(whole.parse::<u64>().ok()?).checked_mul(scale)?.checked_add(part)?;
    u64::try_from(bytes).ok()
}

/// Reads a duration, in whole milliseconds.
///
/// ```
/// # use porthole_core::quantity::parse_duration;
/// # use std::time::Duration;
/// assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
/// assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
/// ```
///
/// # Errors
///
/// [`NotDuration`] if the text is not a duration, or is one above [`u64::MAX`] milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, NotDuration> {
    const UNITS: [(&str, u64); 6] =
        [("", 1000), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let milliseconds = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    milliseconds.map(Duration::from_millis).ok_or(NotDuration)
}

/// Text that is not a size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected bytes, such as 4096, 20MB or 1.5GiB")]
pub struct NotBytes;

/// Text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration, such as 30s, 5m or 2h")]
pub struct NotDuration;

/// Digits of a fraction that are read.
const FRACTION: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (41_203_112, "41.2 MB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn sizes_have_one_grammar() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("500", Some(500)),
            ("500B", Some(500)),
            ("64k", Some(64_000)),
            ("64kB", Some(64_000)),
            ("64Ki", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("1m", Some(1_000_000)),
            ("20MB", Some(20_000_000)),
            ("8 MiB", Some(8 << 20)),
            ("1gib", Some(1 << 30)),
            ("1.5 GiB", Some(3 << 29)),
            ("1.9999B", Some(1)),
            ("0.333333333333333333333kB", Some(333)),
            ("1TB", Some(1_000_000_000_000)),
            ("3TiB", Some(3 << 40)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("16777216TiB", None),
            ("99999999999999GiB", None),
            ("", None),
            ("MB", None),
            (".5MB", None),
            ("5.MB", None),
            ("-1", None),
            ("+1", None),
            ("1.2.3", None),
            ("5iB", None),
            ("5XB", None),
            ("5BB", None),
            ("1 0", None),
            ("many", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn durations_have_one_grammar() {
        for (text, milliseconds) in [
            ("0", Some(0)),
            ("30", Some(30_000)),
            ("30s", Some(30_000)),
            ("1500ms", Some(1500)),
            ("5m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("s", None),
            ("1.5h", None),
            ("-1s", None),
            ("1 s", None),
            ("5M", None),
            ("1w", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(parse_duration(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
