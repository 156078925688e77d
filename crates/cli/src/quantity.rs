//! Durations in options, and the help text about sizes and durations.

use std::time::Duration;

use porthole_core::quantity::parse_duration;

/// Parses a duration, and refuses one below `shortest` or above `longest`.
pub(crate) fn duration_within(text: &str, [shortest, longest]: [&str; 2]) -> Result<Duration, String> {
    let read = |text: &str| parse_duration(text).map_err(|error| format!("{error}, got `{text}`"));
    let (duration, allowed) = (read(text)?, read(shortest)?..=read(longest)?);
    if allowed.contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("expected a duration between {shortest} and {longest}, got `{text}`"))
    }
}

/// Help text: the forms of sizes and durations in options.
pub(crate) const QUANTITIES: &str = "\
Sizes are in bytes, or have a unit: k, M, G, T (or kB, MB, GB, TB) are powers of 1000; KiB, MiB, GiB, TiB powers of 1024.
Durations are in seconds, or have a unit: 500ms, 30s, 5m, 2h, 7d.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_bounds() {
        let within = |text| duration_within(text, ["1s", "7d"]);
        for (text, seconds) in [("1", 1), ("1s", 1), ("1500ms", 1), ("5m", 300), ("7d", 604_800)] {
            assert_eq!(within(text).map(|duration| duration.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "0", "999ms", "8d", "604801", "1w"] {
            assert!(within(text).is_err(), "{text}");
        }
        assert_eq!(within("1ms"), Err("expected a duration between 1s and 7d, got `1ms`".to_owned()));
        assert_eq!(within("soon"), Err("expected a duration, such as 30s, 5m or 2h, got `soon`".to_owned()));
    }
}
