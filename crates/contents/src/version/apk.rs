//! apk's order (`man 5 apk-package`): numbers, a letter, suffixes such as `_rc1` or `_p2`, a commit, and a revision `-r3`.

use super::{leading, numbers};
use std::cmp::Ordering;

/// Suffixes that come before a version without one.
const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
/// Suffixes that come after it.
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// What a version is made of, in the order of the parts. The number beside a suffix is its place in the list.
#[derive(Clone, Copy)]
enum Part<'v> {
    Before(usize, &'v str),
    End,
    Revision(&'v str),
    Commit(&'v str),
    After(usize, &'v str),
    Letter(char),
    Number(&'v str),
}

impl Part<'_> {
    fn rank(self) -> u8 {
        match self {
            Self::Before(..) => 0,
            Self::End => 1,
            Self::Revision(_) => 2,
            Self::Commit(_) => 3,
            Self::After(..) => 4,
            Self::Letter(_) => 5,
            Self::Number(_) => 6,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Before(a, a_number), Self::Before(b, b_number))
            | (Self::After(a, a_number), Self::After(b, b_number)) => {
                a.cmp(&b).then_with(|| numbers(a_number, b_number))
            }
            (Self::Revision(a), Self::Revision(b)) => numbers(a, b),
            (Self::Commit(a), Self::Commit(b)) => a.cmp(b),
            (Self::Letter(a), Self::Letter(b)) => a.cmp(&b),
            // As after a decimal point: 1.05 is before 1.5.
            (Self::Number(a), Self::Number(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => numbers(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((a_number, mut a), (b_number, mut b)) = (leading(a, is_digit), leading(b, is_digit));
    let mut order = numbers(a_number, b_number);
    while order.is_eq() {
        let (a_part, b_part);
        (a_part, a) = next(a);
        (b_part, b) = next(b);
        order = a_part.compare(b_part);
        if matches!((a_part, b_part), (Part::End, Part::End)) {
            // Texts that are not versions of apk are ordered too.
            return a.cmp(b);
        }
    }
    order
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn next(version: &str) -> (Part<'_>, &str) {
    if let Some(rest) = version.strip_prefix('.') {
        let (number, rest) = leading(rest, is_digit);
        return (Part::Number(number), rest);
    }
    if let Some((number, rest)) = version.strip_prefix("-r").map(|rest| leading(rest, is_digit)) {
        return (Part::Revision(number), rest);
    }
    if let Some(rest) = version.strip_prefix('~') {
        let (commit, rest) = leading(rest, |c| c.is_ascii_hexdigit());
        return (Part::Commit(commit), rest);
    }
    if let Some(rest) = version.strip_prefix('_') {
        let (name, rest) = leading(rest, |c| c.is_ascii_lowercase());
        let (number, rest) = leading(rest, is_digit);
        let place = |names: &[&str]| names.iter().position(|of| *of == name);
        return match (place(&BEFORE), place(&AFTER)) {
            (Some(place), _) => (Part::Before(place, number), rest),
            (_, Some(place)) => (Part::After(place, number), rest),
            _ => (Part::End, version),
        };
    }
    match version.chars().next() {
        Some(letter) if letter.is_ascii_lowercase() => (Part::Letter(letter), &version[1..]),
        _ => (Part::End, version),
    }
}
