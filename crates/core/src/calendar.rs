//! Days of the proleptic Gregorian calendar, and times as RFC 3339 writes them.
//!
//! Internally a year starts in March, so that the leap day is its last day.

/// Days in 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days from 1970-01-01 to a date. The month is from 1 to 12; whether it has such a day is not checked.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

/// Days from 1970-01-01 to a date; `None` if the calendar has no such day.
pub fn checked_days(year: i64, month: i64, day: i64) -> Option<i64> {
    let days = days(year, month, day);
    ((1..=12).contains(&month) && date(days) == (year, month, day)).then_some(days)
}

/// Year, month and day at this many days after 1970-01-01.
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(EPOCH);
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// Formats seconds since 1970 as `2026-11-18T09:30:00Z`. Exact for every `i64`; years outside 0 to 9999 have a sign, as ISO 8601 requires.
pub fn iso(seconds: i64) -> String {
    let day = seconds.div_euclid(DAY);
    let second = seconds.rem_euclid(DAY);
    let (year, month, day) = date(day);
    let year = if (0..=9_999).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") };
    format!("{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Parses a time of RFC 3339 (section 5.6), such as `2026-11-18T09:30:00.5+01:00`. Returns seconds since 1970 and
/// nanoseconds; `None` for any other text. Digits beyond nanoseconds are dropped. Second 60 is valid only at the end of a
/// month in UTC, where leap seconds are inserted; it counts as the second after it, as in POSIX.
pub fn rfc_3339(text: &str) -> Option<(i64, u32)> {
    let (day, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanoseconds, zone) = fraction(rest)?;
    let seconds = checked_days(year, month, day)? * DAY + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let ends_month = seconds.rem_euclid(DAY) == 0 && date(seconds.div_euclid(DAY)).2 == 1;
    (second < 60 || ends_month).then_some((seconds, nanoseconds))
}

/// Seconds of a day without a leap second.
const DAY: i64 = 86_400;

/// Parses three decimal fields of fixed widths, separated by `separator`.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut fields = text.split(separator);
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
    let seconds = hours * 3_600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T00:00:00+01:00", (-3_600, 0)),
            ("0000-01-01T00:00:00Z", (-62_167_219_200, 0)),
            ("0000-02-29T00:00:00Z", (-62_162_121_600, 0)),
            ("0001-01-01T00:00:00Z", (-62_135_596_800, 0)),
            ("1994-11-06t08:49:37.123456789z", (784_111_777, 123_456_789)),
            ("1994-11-06T01:49:37.5-07:00", (784_111_777, 500_000_000)),
            ("1994-11-06T09:49:37+01:00", (784_111_777, 0)),
            ("2026-11-21T03:06:15.281597888Z", (1_795_230_375, 281_597_888)),
            ("2024-02-29T23:59:59+02:00", (1_709_243_999, 0)),
            ("2000-02-29T00:00:00.5-00:30", (951_784_200, 500_000_000)),
            ("2000-02-29T00:00:00-00:00", (951_782_400, 0)),
            ("2023-04-30T00:00:00+23:59", (1_682_726_460, 0)),
            ("1998-12-31T23:59:60Z", (915_148_800, 0)),
            ("1998-12-31T15:59:60.25-08:00", (915_148_800, 250_000_000)),
            ("1999-01-01T05:29:60+05:30", (915_148_800, 0)),
            ("9999-12-31T23:59:59.9999999999Z", (253_402_300_799, 999_999_999)),
            ("9999-12-31T23:59:59-23:59", (253_402_387_139, 0)),
        ] {
            assert_eq!(rfc_3339(text), Some(time), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            "2026",
            "2026-11-21",
            "2026-11-21T03:06:15",
            "2026-11-21 03:06:15Z",
            " 2026-11-21T03:06:15Z",
            "2026-11-21T03:06:15Z ",
            "2026-11-21T3:06:15Z",
            "2026-11-21T03:06Z",
            "2026-11-21T03:06:15:00Z",
            "2026-11-21T03:06:15,5Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T00:60:00Z",
            "2026-11-21T00:00:.5Z",
            "2026-11-21T00:00:00.Z",
            "2026-11-21T00:00:00+2:00",
            "2026-11-21T00:00:00+0200",
            "2026-11-21T00:00:00+24:00",
            "2026-11-21T00:00:00+00:60",
            "2026-11-21T00:00:00ZZ",
            "2026-11-21T00:00:00",
            "2026-11-2\u{e9}T00:00:00Z",
            "2026-11-21-01T00:00:00Z",
            "+026-11-21T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "99999999999999999999-11-06T08:49:37Z",
            // No such day.
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-12-32T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            // No leap second.
            "2026-11-21T00:00:60Z",
            "2026-11-21T23:59:60Z",
            "1998-12-31T23:59:60+01:00",
            "1998-12-31T23:58:60Z",
            "1998-12-31T23:59:61Z",
        ] {
            assert_eq!(rfc_3339(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0, -1, 951_782_399, 951_782_400, 4_102_444_799, -62_167_219_200, 253_402_300_799] {
            assert_eq!(rfc_3339(&iso(seconds)), Some((seconds, 0)));
        }
        assert_eq!(rfc_3339(&iso(253_402_300_800)), None);
    }

    #[test]
    fn every_day_of_an_era_has_a_date_of_its_own() {
        let mut before = date(-200_000);
        for day in -199_999..200_000 {
            let now = date(day);
            assert!(now > before && (1..=12).contains(&now.1) && (1..=31).contains(&now.2), "{now:?}");
            assert_eq!(days(now.0, now.1, now.2), day, "{now:?}");
            before = now;
        }
    }

    #[test]
    fn known_days() {
        for (day, expected) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (47_541, (2100, 3, 1)),
            (-719_528, (0, 1, 1)),
        ] {
            assert_eq!(date(day), expected);
        }
        // Every number of days has a date.
        date(i64::MIN);
        date(i64::MAX);
    }

    #[test]
    fn iso_8601() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_800, "+10000-01-01T00:00:00Z"),
            (-62_167_219_201, "-0001-12-31T23:59:59Z"),
        ];
        for (seconds, text) in rows {
            assert_eq!(iso(seconds), text);
        }
    }

    #[test]
    fn every_second_has_a_text() {
        for seconds in [i64::MIN, i64::MIN + 1, i64::MAX] {
            assert!(iso(seconds).ends_with('Z'));
        }
    }
}
