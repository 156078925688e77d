//! Semantic Versioning 2.0, and an order for the ecosystems whose versions are numbers with words for what comes before or after a
//! release (Python's PEP 440, Maven, RubyGems, Composer), as far as their rules agree.

use super::{leading, numbers};
use std::cmp::Ordering;

/// Numbers; then, after `-`, what comes before the release. Build metadata after `+` has no order.
pub(super) fn semantic(a: &str, b: &str) -> Ordering {
    let parts = |version| {
        let version = plain(version);
        let version = version.split('+').next().unwrap_or_default();
        version.split_once('-').map_or((version, None), |(core, before)| (core, Some(before)))
    };
    let ((a, a_before), (b, b_before)) = (parts(a), parts(b));
    words(a, b).then_with(|| match (a_before, b_before) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => identifiers(a, b),
    })
}

/// Without the `v` of tags.
fn plain(version: &str) -> &str {
    version.strip_prefix(['v', 'V', '=']).unwrap_or(version)
}

/// Numbers come before words; more identifiers come after fewer.
fn identifiers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (one, other) = (a.next(), b.next());
        let (Some(one), Some(other)) = (one, other) else {
            return one.is_some().cmp(&other.is_some());
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let order = match (is_number(one), is_number(other)) {
            (true, true) => numbers(one, other),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Words that come before a release, in this order. Some are written with their first letter.
const BEFORE: [&[&str]; 5] =
    [&["dev", "snapshot"], &["a", "alpha"], &["b", "beta"], &["m", "milestone", "pre", "preview"], &["rc", "c", "cr"]];
/// Words that mean the release itself.
const RELEASE: [&str; 3] = ["final", "ga", "release"];

/// What a version is made of, first that which comes before the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'v> {
    Before(usize),
    End,
    Other(&'v str),
    Number(&'v str),
}

impl<'v> Word<'v> {
    fn of(text: &'v str) -> Self {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Number(text);
        }
        let is = |name: &&str| text.eq_ignore_ascii_case(name);
        let before = BEFORE.iter().position(|names| names.iter().any(is));
        before.map_or_else(|| if RELEASE.iter().any(is) { Self::End } else { Self::Other(text) }, Self::Before)
    }

    fn is_zero(self) -> bool {
        matches!(self, Self::Number(digits) if digits.bytes().all(|b| b == b'0'))
    }

    fn rank(self) -> u8 {
        match self {
            Self::Before(_) => 0,
            Self::End => 1,
            Self::Other(_) => 2,
            Self::Number(_) => 3,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Before(a), Self::Before(b)) => a.cmp(&b),
            (Self::Other(a), Self::Other(b)) => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()),
            (Self::Number(a), Self::Number(b)) => numbers(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Number by number and word by word. Zeros after the last number count as nothing: `1.0` and `1` are equal, `1.0.rc1` and `1rc1` too.
pub(super) fn words(a: &str, b: &str) -> Ordering {
    // Python's epoch.
    let epoch = |version| str::split_once(version, '!').unwrap_or(("", version));
    let ((a_epoch, a), (b_epoch, b)) = (epoch(plain(a)), epoch(plain(b)));
    let (a, b) = (split(a), split(b));
    let each = (0..a.len().max(b.len())).map(|place| {
        let (one, other) = (a.get(place).copied().unwrap_or(Word::End), b.get(place).copied().unwrap_or(Word::End));
        one.compare(other)
    });
    numbers(a_epoch, b_epoch).then_with(|| each.fold(Ordering::Equal, Ordering::then))
}

fn split(version: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut rest = version;
    loop {
        rest = leading(rest, |c| !c.is_alphanumeric()).1;
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let (text, after) = leading(rest, |c| c.is_alphanumeric() && c.is_ascii_digit() == digits);
        rest = after;
        let word = if text.is_empty() { Word::End } else { Word::of(text) };
        if !matches!(word, Word::Number(_)) {
            let kept = words.iter().rposition(|word| !word.is_zero()).map_or(0, |last| last + 1);
            words.truncate(kept);
        }
        if text.is_empty() {
            return words;
        }
        if word != Word::End {
            words.push(word);
        }
    }
}
