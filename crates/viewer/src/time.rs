//! Times as ISO 8601 writes them.

use porthole_core::calendar;

/// `2026-11-18T09:30:00Z` of seconds since 1970; exact for every `i64`, years beyond 9999 with their sign as ISO 8601 asks.
pub fn iso(seconds: i64) -> String {
    let day = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, date) = calendar::date(day);
    let year = if (0..=9_999).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") };
    format!("{year}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// The day in UTC, `2026-11-18`.
pub fn day(seconds: i64) -> String {
    let text = iso(seconds);
    text.split('T').next().unwrap_or_default().to_owned()
}

/// Day and time in UTC as people read them, `2026-11-18 09:30:00 UTC`.
pub fn moment(seconds: i64) -> String {
    iso(seconds).replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(text.starts_with(&day(seconds)));
        }
    }

    #[test]
    fn for_people() {
        assert_eq!((day(951_782_400), moment(951_782_401)), ("2000-02-29".into(), "2000-02-29 00:00:01 UTC".into()));
    }

    #[test]
    fn every_second_has_a_text() {
        for seconds in [i64::MIN, i64::MIN + 1, i64::MAX] {
            assert!(iso(seconds).ends_with('Z'));
        }
    }
}
