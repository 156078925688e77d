//! Sizes and counts as people read them: decimal units, one decimal, exact below 10 kB.

/// Separates groups of three digits; never breaks a line.
const GAP: char = '\u{a0}';

/// `1 284 B` below 10 kB, then `12.4 kB`, `254.1 MB`, `1.9 GB` … (MB = 10⁶).
pub fn size(bytes: u64) -> String {
    if bytes < 10_000 {
        return format!("{}{GAP}B", count(bytes));
    }
    let mut unit = 1_000;
    for name in ["kB", "MB", "GB", "TB"] {
        let tenths = tenths(bytes, unit);
        if tenths < 10_000 {
            return format!("{}.{}{GAP}{name}", tenths / 10, tenths % 10);
        }
        unit *= 1_000;
    }
    let tenths = tenths(bytes, unit);
    format!("{}.{}{GAP}PB", count(tenths / 10), tenths % 10)
}

/// Tenths of a unit, rounded to nearest.
fn tenths(bytes: u64, unit: u64) -> u64 {
    u64::try_from((u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit)).unwrap_or(u64::MAX)
}

/// Digits in groups of three: `47 143`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(GAP);
        }
        text.push(digit);
    }
    text
}

/// Whole percent of a part, rounded down, so that 100 % means all of it.
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 100 } else { u64::try_from(u128::from(part.min(whole)) * 100 / u128::from(whole)).unwrap_or(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let rows = [
            (0, "0 B"),
            (1, "1 B"),
            (1_284, "1 284 B"),
            (9_999, "9 999 B"),
            (10_000, "10.0 kB"),
            (12_449, "12.4 kB"),
            (12_450, "12.5 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (254_100_000, "254.1 MB"),
            (1_000_000_000, "1.0 GB"),
            (u64::MAX, "18 446.7 PB"),
        ];
        for (bytes, text) in rows {
            assert_eq!(size(bytes).replace(GAP, " "), text, "{bytes}");
        }
    }

    #[test]
    fn counts() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (47_143, "47 143"), (1_000_000, "1 000 000")] {
            assert_eq!(count(number).replace(GAP, " "), text);
        }
    }

    #[test]
    fn percents() {
        for (part, whole, result) in [(0, 0, 100), (0, 5, 0), (999, 1_000, 99), (7, 5, 100), (u64::MAX, u64::MAX, 100)]
        {
            assert_eq!(percent(part, whole), result);
        }
    }
}
