//! Dates as servers write them, in seconds since 1970.

use porthole_core::calendar;
use std::time::Duration;

/// An IMF-fixdate (RFC 9110 section 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete forms are not read.
pub fn http(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut fields = rest.split(' ');
    let day = number(fields.next()?)?;
    let month = 1 + MONTHS.iter().position(|month| Some(*month) == fields.clone().next())? as u64;
    let year = number(fields.nth(1)?)?;
    let clock = clock(fields.next()?)?;
    if fields.next() != Some("GMT") {
        return None;
    }
    Some(days(year, month, day)? * 86_400 + clock)
}

/// A date of RFC 3339, `1994-11-06T08:49:37.5+01:00`; what follows the second is dropped.
pub(crate) fn rfc_3339(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once(['T', 't'])?;
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone)?;
    let local = days(year, month, day)? * 86_400 + clock(time.split('.').next()?)?;
    let Some(east) = zone.strip_prefix('+').map(|zone| (zone, true)).or_else(|| Some((zone.strip_prefix('-')?, false)))
    else {
        return (zone.eq_ignore_ascii_case("z") && date.next().is_none()).then_some(local);
    };
    let offset = clock(&format!("{}:00", east.0))?;
    if east.1 { local.checked_sub(offset) } else { local.checked_add(offset) }
}

/// A time since 1970 in UTC as ISO 8601 writes it: `1994-11-06T08:49:37.500Z`.
pub fn iso_8601(at: Duration) -> String {
    let (days, second) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    let (year, month, day) = calendar::date(i64::try_from(days).unwrap_or(i64::MAX));
    let [hour, minute] = [second / 3600, second / 60 % 60];
    let (second, milliseconds) = (second % 60, at.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// Seconds of `hour:minute:second`.
fn clock(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    valid.then_some(hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let number = |field| i64::try_from(field).ok();
    u64::try_from(calendar::days(number(year)?, number(month)?, number(day)?)).ok()
}

fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        assert_eq!(iso_8601(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        for seconds in [784_111_777, 951_782_399, 951_782_400, 1_709_210_096, 4_102_444_799] {
            let written = iso_8601(Duration::from_secs(seconds) + Duration::from_millis(7));
            assert_eq!(rfc_3339(&written), Some(seconds), "{written}");
        }
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1994-11-06T08:49:37Z", Some(784_111_777)),
            ("1994-11-06t08:49:37.123456789z", Some(784_111_777)),
            ("1994-11-06T09:49:37+01:00", Some(784_111_777)),
            ("1994-11-06T01:49:37.5-07:00", Some(784_111_777)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00+01:00", None),
            ("1996-02-29T00:00:00Z", Some(825_552_000)),
            ("1994-11-06T08:49:37", None),
            ("1994-11-06", None),
            ("1994-11-06-01T08:49:37Z", None),
            ("1994-11-06T08:49:37:00Z", None),
            ("1994-13-06T08:49:37Z", None),
            ("1994-00-06T08:49:37Z", None),
            ("99999999999999999999-11-06T08:49:37Z", None),
            ("1994-11-06T08:49:37Zé", None),
            ("", None),
        ] {
            assert_eq!(rfc_3339(text), expected, "{text}");
        }
        assert_eq!(http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http("Sun, +6 Nov 1994 08:49:37 GMT"), None);
    }
}
