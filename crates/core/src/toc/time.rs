//! RFC 3339 times.

use crate::calendar::days;

/// Parses an RFC 3339 time to seconds and nanoseconds since 1970. Digits beyond nanoseconds are dropped.
pub(super) fn parse(text: &str) -> Option<(i64, u32)> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
    let (separator, rest) = rest.split_at_checked(1)?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, b':', [2, 2, 2])?;
    let valid = matches!(separator, "T" | "t")
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let (nanoseconds, zone) = fraction(rest)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    valid.then_some((seconds - offset(zone)?, nanoseconds))
}

/// Parses three decimal fields of fixed widths, separated by `separator`.
fn numbers(text: &str, separator: u8, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut fields = text.split(char::from(separator));
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        *number = digits(fields.next().filter(|field| field.len() == width)?)?;
    }
    fields.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Parses an optional fraction of a second. Returns nanoseconds and the rest.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, zone) = rest.split_at_checked(end)?;
    let scaled = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = scaled.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    (!fraction.is_empty()).then_some((nanoseconds, zone))
}

/// Offset of a time zone from UTC in seconds.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = zone.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("0001-01-01T00:00:00Z", (-62_135_596_800, 0)),
            ("2026-11-21T03:06:15.281597888Z", (1_795_230_375, 281_597_888)),
            ("2019-08-20T10:30:43Z", (1_566_297_043, 0)),
            ("2024-02-29T23:59:59+02:00", (1_709_243_999, 0)),
            ("2000-02-29T00:00:00.5-00:30", (951_784_200, 500_000_000)),
            ("9999-12-31T23:59:59.9999999999Z", (253_402_300_799, 999_999_999)),
        ] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
    }

    #[test]
    fn rejects_malformed_times() {
        for text in [
            "",
            "2026",
            "2026-11-21",
            "2026-11-21T03:06:15",
            "2026-11-21 03:06:15Z",
            "2026-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T00:00:60Z",
            "2026-11-21T00:00:00.Z",
            "2026-11-21T00:00:00+2:00",
            "2026-11-21T00:00:00+24:00",
            "2026-11-21T00:00:00ZZ",
            "+026-11-21T00:00:00Z",
            "2026-11-2\u{e9}T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
