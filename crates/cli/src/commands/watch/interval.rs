//! `60s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a time between a second and a week; a bare number is seconds.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { "s" } else { unit };
    let factor = UNITS.iter().find_map(|(name, factor)| (*name == unit).then_some(*factor));
    let time = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    let time = time.ok_or_else(|| format!("expected a time such as 30s, 5m or 1h, got `{text}`"))?;
    if (1000..=7 * 86_400_000).contains(&time) {
        Ok(Duration::from_millis(time))
    } else {
        Err(format!("expected a time between 1s and 7d, got `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("60", 60), ("60s", 60), ("1500ms", 1), ("5m", 300), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(parse(text).map(|time| time.as_secs()), Ok(seconds), "{text}");
        }
        for text in
            ["", "s", "0", "999ms", "8d", "1.5h", "-1s", "1 s", "1w", "99999999999999999999d", "9999999999999999999d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
