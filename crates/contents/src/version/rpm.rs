//! rpm's order (`rpmvercmp`, rpm's `docs/man/rpm-version.7`): epoch, version, release, each by its numbers and words.

use super::{epoch, leading, numbers};
use std::cmp::Ordering;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((a_epoch, a), (b_epoch, b)) = (epoch(a), epoch(b));
    let release = |version| str::rsplit_once(version, '-').unwrap_or((version, ""));
    let ((a, a_release), (b, b_release)) = (release(a), release(b));
    numbers(a_epoch, b_epoch).then_with(|| part(a, b)).then_with(|| part(a_release, b_release))
}

pub(super) fn part(mut a: &str, mut b: &str) -> Ordering {
    let counts = |character: char| character.is_ascii_alphanumeric() || character == '~' || character == '^';
    loop {
        (a, b) = (leading(a, |c| !counts(c)).1, leading(b, |c| !counts(c)).1);
        // `~` is before the end, `^` is after it but before all else.
        let rank = |text: &str| match text.chars().next() {
            Some('~') => 0,
            None => 1,
            Some('^') => 2,
            Some(_) => 3,
        };
        let order = rank(a).cmp(&rank(b));
        if order.is_ne() || a.is_empty() {
            return order;
        }
        if rank(a) != 3 {
            (a, b) = (&a[1..], &b[1..]);
            continue;
        }
        let digits = a.starts_with(|c: char| c.is_ascii_digit());
        let kind = |c: char| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let ((a_word, a_rest), (b_word, b_rest)) = (leading(a, kind), leading(b, kind));
        let order = match (digits, b_word) {
            // A number is after a word.
            (true, "") => Ordering::Greater,
            (false, "") => Ordering::Less,
            (true, _) => numbers(a_word, b_word),
            (false, _) => a_word.cmp(b_word),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}
