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

/// Seconds since 1970 of a time of RFC 3339; `None` for one before that.
pub(crate) fn rfc_3339(text: &str) -> Option<u64> {
    let (seconds, _) = calendar::rfc_3339(text.trim())?;
    u64::try_from(seconds).ok()
}

/// A time since 1970 in UTC as ISO 8601 writes it: `1994-11-06T08:49:37.500Z`.
pub fn iso_8601(at: Duration) -> String {
    let text = calendar::iso(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    text.replace('Z', &format!(".{:03}Z", at.subsec_millis()))
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
    let number = |field: u64| i64::try_from(field).ok().filter(|field| *field <= 9999);
    u64::try_from(calendar::checked_days(number(year)?, number(month)?, number(day)?)?).ok()
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
            (" 1994-11-06T09:49:37.5+01:00\n", Some(784_111_777)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00+01:00", None),
            ("1994-11-31T08:49:37Z", None),
            ("", None),
        ] {
            assert_eq!(rfc_3339(text), expected, "{text}");
        }
        assert_eq!(http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for text in ["Sun, +6 Nov 1994 08:49:37 GMT", "Thu, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT"]
        {
            assert_eq!(http(text), None, "{text}");
        }
    }
}
