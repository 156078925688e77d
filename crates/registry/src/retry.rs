//! What is tried again, and when.

use crate::transport;
use std::time::Duration;

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The registry answered with this status.
    Status {
        /// HTTP status code.
        status: u16,
        /// What its `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// Nothing came back, or not all of it.
    Transport(transport::ErrorKind),
}

impl Failure {
    /// Whether another try may help a request that changes nothing (`GET`, `HEAD`).
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 499 | 500 | 502 | 503 | 504 | 522),
            Self::Transport(kind) => kind.retryable(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { status, .. } => write!(f, "status {status}"),
            Self::Transport(kind) => kind.fmt(f),
        }
    }
}

/// How long to wait before the next try; `None` = give up.
///
/// `tries` counts those made so far, `waited` is the time between them, `random` is any 64 bits. The wait doubles from 250 ms, jittered
/// down to its half, unless the registry asks for a longer one. All waits together are at most [`LONGEST`].
pub fn delay(tries: u32, waited: Duration, failure: Failure, random: u64) -> Option<Duration> {
    if tries >= TRIES || !failure.is_retryable() {
        return None;
    }
    let ceiling = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10));
    let jittered = ceiling / 2 + (ceiling / 2).mul_f64((random >> 11) as f64 / (1u64 << 53) as f64);
    let delay = match failure {
        Failure::Status { retry_after: Some(asked), .. } => asked.max(jittered),
        _ => jittered,
    };
    (delay <= LONGEST.saturating_sub(waited)).then_some(delay)
}

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date against `now` (since the Unix epoch).
pub fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    Some(Duration::from_secs(http_date(value)?).saturating_sub(Duration::from_secs(now.as_secs())))
}

/// Seconds since 1970 of an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete forms are not read.
fn http_date(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut fields = rest.split(' ');
    let day: u64 = fields.next()?.parse().ok()?;
    let month = 1 + MONTHS.iter().position(|month| Some(*month) == fields.clone().next())? as u64;
    let year: u64 = fields.nth(1)?.parse().ok()?;
    let mut clock = fields.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let valid = (1970..=9999).contains(&year) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !valid || fields.next() != Some("GMT") {
        return None;
    }
    // Days since 1970-01-01 of a proleptic Gregorian date; years start in March, so that the leap day is the last.
    let (year, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Tries in all.
pub const TRIES: u32 = 5;
/// The longest that a request is waited for, whatever a registry asks.
pub const LONGEST: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_millis(250);
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ErrorKind;

    #[test]
    fn only_what_may_help_is_tried_again() {
        let status = |status| Failure::Status { status, retry_after: None };
        for code in [408, 429, 500, 502, 503, 504, 522] {
            assert!(delay(1, Duration::ZERO, status(code), 0).is_some(), "{code}");
        }
        for code in [200, 301, 400, 401, 403, 404, 416, 501] {
            assert_eq!(delay(1, Duration::ZERO, status(code), 0), None, "{code}");
        }
        assert!(delay(1, Duration::ZERO, Failure::Transport(ErrorKind::Interrupted), 0).is_some());
        for kind in [ErrorKind::Resolve, ErrorKind::Tls, ErrorKind::Forbidden, ErrorKind::Opaque] {
            assert_eq!(delay(1, Duration::ZERO, Failure::Transport(kind), 0), None, "{kind:?}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let failure = Failure::Status { status: 503, retry_after: None };
        let waits = |random| {
            (1..=TRIES)
                .map(|tries| delay(tries, Duration::ZERO, failure, random).map(|wait| wait.as_millis()))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(0), [Some(125), Some(250), Some(500), Some(1000), None]);
        assert_eq!(waits(u64::MAX), [Some(250), Some(500), Some(1000), Some(2000), None]);
    }

    #[test]
    fn the_registry_may_ask_for_a_minute() {
        let asks = |seconds| Failure::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(delay(1, Duration::ZERO, asks(60), 0), Some(Duration::from_secs(60)));
        assert_eq!(delay(1, Duration::ZERO, asks(61), 0), None);
        assert_eq!(delay(2, Duration::from_secs(60), asks(1), 0), None);
        assert_eq!(delay(1, Duration::ZERO, asks(0), 0), Some(Duration::from_millis(125)));
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("5", Some(5)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Thu, 29 Feb 1996 00:00:00 GMT", Some(41_440_223)),
            ("-1", None),
            ("", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:47 CET", None),
            ("Sun, 06 Foo 1994 08:49:47 GMT", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
