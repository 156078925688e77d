//! The order of versions, by the rules of each ecosystem.

mod apk;
mod deb;
mod loose;
mod rpm;

use crate::package::Ecosystem;
use std::cmp::Ordering;

/// Compares two versions of a package. Versions that differ only in notation are equal, such as `1.0` and `1.0.0` of Python.
pub fn compare(ecosystem: Ecosystem, a: &str, b: &str) -> Ordering {
    match ecosystem {
        Ecosystem::Deb => deb::compare(a, b),
        Ecosystem::Rpm => rpm::compare(a, b),
        Ecosystem::Apk => apk::compare(a, b),
        Ecosystem::Npm | Ecosystem::Golang | Ecosystem::Nuget | Ecosystem::Cargo => loose::semantic(a, b),
        Ecosystem::Pypi | Ecosystem::Maven | Ecosystem::Gem | Ecosystem::Composer => loose::words(a, b),
    }
}

/// Compares digits as a number of any length.
fn numbers(a: &str, b: &str) -> Ordering {
    let [a, b] = [a, b].map(|digits| digits.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Splits off the characters at the start that fit.
fn leading(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !fits(character)).unwrap_or(text.len()))
}

/// Digits before a colon, and what follows it.
fn epoch(version: &str) -> (&str, &str) {
    version.split_once(':').filter(|(epoch, _)| epoch.bytes().all(|b| b.is_ascii_digit())).unwrap_or(("", version))
}

#[cfg(test)]
mod tests;
