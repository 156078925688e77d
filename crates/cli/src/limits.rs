//! `--limit NAME=VALUE`: limits on the resources of this machine that an image may use.

use std::{fmt::Write as _, str::FromStr};

use porthole_core::{
    limits::{Limits, NAMED, Named, Unit},
    quantity::parse_bytes,
};

use crate::quantity::QUANTITIES;

/// A limit and the value that `--limit` gives it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    limit: &'static Named,
    value: u64,
}

impl Setting {
    /// Returns the default limits with these settings applied. The last setting of a limit wins.
    pub(crate) fn all(settings: &[Self]) -> Limits {
        let mut limits = Limits::default();
        for setting in settings {
            setting.limit.set(&mut limits, setting.value);
        }
        limits
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as in window_bytes=256MiB")?;
        let limit = Limits::named(name).ok_or_else(|| {
            let names: Vec<_> = NAMED.iter().map(|limit| limit.name).collect();
            format!("no such limit: `{name}`; there are {}", names.join(", "))
        })?;
        let value =
            parse_bytes(value).map_err(|_| format!("expected a number such as 4096 or 256MiB, got `{value}`"))?;
        Ok(Self { limit, value })
    }
}

/// Text of `porthole help limits`: all limits with their default values.
pub(crate) fn list() -> String {
    let defaults = Limits::default();
    let mut help = "Limits on the resources of this machine that an image may use (--limit NAME=VALUE):\n".to_owned();
    for limit in NAMED {
        let value = in_words(limit.get(&defaults), limit.unit);
        // Writing to a string cannot fail.
        let _ = writeln!(help, "  {:<17} {value:>8}  {}", limit.name, limit.about);
    }
    help + "\n" + QUANTITIES + "\n"
}

fn in_words(value: u64, unit: Unit) -> String {
    let exact = [("GiB", 30), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, shift)| value.is_multiple_of(1 << shift));
    match (unit, exact) {
        (Unit::Bytes, Some((unit, shift))) => format!("{}{unit}", value >> shift),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_a_limit() {
        let set = |texts: &[&str]| {
            Setting::all(&texts.iter().map(|text| text.parse().expect("a setting")).collect::<Vec<_>>())
        };
        assert_eq!(set(&[]), Limits::default());
        assert_eq!(set(&["window_bytes=1GiB", "entries=5", "entries=7"]).window_bytes, 1 << 30);
        assert_eq!(set(&["window_bytes=1.5G", "entries=20k"]).window_bytes, 1_500_000_000);
        assert_eq!(set(&["window_bytes=1.5G", "entries=20k"]).entries, 20_000);
        assert_eq!(set(&["entries=5", "entries=7"]).entries, 7);
        let refused = |text: &str| text.parse::<Setting>().unwrap_err();
        assert!(refused("windows=1").starts_with("no such limit: `windows`; there are manifest_bytes, "));
        assert_eq!(refused("entries=many"), "expected a number such as 4096 or 256MiB, got `many`");
        assert!(refused("entries").starts_with("expected NAME=VALUE"));
    }
}
