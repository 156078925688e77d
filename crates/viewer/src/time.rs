//! Times as ISO 8601 writes them.

pub use porthole_core::calendar::iso;

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
    fn for_people() {
        assert_eq!((day(951_782_400), moment(951_782_401)), ("2000-02-29".into(), "2000-02-29 00:00:01 UTC".into()));
    }
}
