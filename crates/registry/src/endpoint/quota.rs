//! How many requests a registry still grants, as some registries state in the headers of every answer.

use http::HeaderMap;
use std::time::Duration;

/// What is left of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests that are left.
    pub remaining: u64,
    /// Requests that a window allows.
    pub limit: Option<u64>,
    /// Length of a window or, where the registry states only that, the time until the next one.
    pub window: Option<Duration>,
}

/// Reads `RateLimit-Remaining`, `RateLimit-Limit` and `RateLimit-Reset`, with Docker Hub's `;w=<seconds>` after the
/// numbers, or the same with `X-` before them. All values are hints.
pub fn read(headers: &HeaderMap) -> Option<Quota> {
    read_family(headers, "ratelimit").or_else(|| read_family(headers, "x-ratelimit"))
}

fn read_family(headers: &HeaderMap, family: &str) -> Option<Quota> {
    let field = |name| headers.get(format!("{family}-{name}"))?.to_str().ok();
    let (remaining, window) = numbers(field("remaining")?)?;
    let (limit, window_of_limit) = field("limit").and_then(numbers).unzip();
    let reset = field("reset").and_then(numbers).map(|(seconds, _)| seconds);
    // Some registries state a point in time in place of a length.
    let window = [window, window_of_limit.flatten(), reset].into_iter().flatten().find(|window| *window <= LONGEST);
    Some(Quota { remaining, limit, window: window.map(Duration::from_secs) })
}

/// `100;w=21600`: a number, and its window. Of a list (`100, 100;w=60`), the first item counts.
fn numbers(text: &str) -> Option<(u64, Option<u64>)> {
    let first = text.split(',').next()?;
    let mut parts = first.split(';').map(str::trim);
    let number = parts.next()?.parse().ok()?;
    Some((number, parts.find_map(|part| part.strip_prefix("w=")?.parse().ok())))
}

/// The longest window that makes sense, in seconds: a month.
const LONGEST: u64 = 31 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_as_registries_tell_them() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        for (fields, expected) in [
            (
                &[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")][..],
                Some(Quota { remaining: 76, limit: Some(100), window: hours(6) }),
            ),
            (
                &[("ratelimit-limit", "10, 10;w=3600"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "7200")],
                Some(Quota { remaining: 0, limit: Some(10), window: hours(2) }),
            ),
            (
                &[
                    ("x-ratelimit-limit", "5000"),
                    ("x-ratelimit-remaining", "4999"),
                    ("x-ratelimit-reset", "1767323045"),
                ],
                Some(Quota { remaining: 4999, limit: Some(5000), window: None }),
            ),
            (&[("ratelimit-remaining", "3")], Some(Quota { remaining: 3, limit: None, window: None })),
            (&[("ratelimit-limit", "100;w=21600")], None),
            (&[("ratelimit-remaining", "many")], None),
            (&[("ratelimit-remaining", "-1")], None),
            (&[("ratelimit-remaining", "99999999999999999999999")], None),
            (&[("ratelimit-remaining", "1;w=99999999999999")], Some(Quota { remaining: 1, limit: None, window: None })),
            (&[], None),
        ] {
            let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(read(&headers), expected, "{fields:?}");
        }
    }
}
