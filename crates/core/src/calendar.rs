//! Days of the proleptic Gregorian calendar. Years are counted from March inside, so that the leap day is the last of its year.

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

/// `2026-11-18T09:30:00Z` of seconds since 1970; exact for every `i64`, years beyond 9999 with their sign as ISO 8601 asks.
pub fn iso(seconds: i64) -> String {
    let day = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = date(day);
    let year = if (0..=9_999).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") };
    format!("{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

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
