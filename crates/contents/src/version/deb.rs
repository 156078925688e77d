//! dpkg's order (`man 7 deb-version`): epoch, upstream version, revision.

use super::{epoch, leading, numbers};
use std::cmp::Ordering;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((a_epoch, a), (b_epoch, b)) = (epoch(a), epoch(b));
    let revision = |version| str::rsplit_once(version, '-').unwrap_or((version, ""));
    let ((a, a_revision), (b, b_revision)) = (revision(a), revision(b));
    numbers(a_epoch, b_epoch).then_with(|| part(a, b)).then_with(|| part(a_revision, b_revision))
}

/// Alternates between non-digits and numbers.
fn part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let ((a_text, a_rest), (b_text, b_rest)) = (leading(a, is_text), leading(b, is_text));
        let ((a_number, a_rest), (b_number, b_rest)) = (leading(a_rest, is_digit), leading(b_rest, is_digit));
        let order = text(a_text, b_text).then_with(|| numbers(a_number, b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn is_text(character: char) -> bool {
    !is_digit(character)
}

/// `~` is before the end, letters are before other characters.
fn text(a: &str, b: &str) -> Ordering {
    let rank = |character: Option<char>| match character {
        Some('~') => (0, '~'),
        None => (1, ' '),
        Some(letter) if letter.is_ascii_alphabetic() => (2, letter),
        Some(other) => (3, other),
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (a, b) = (a.next(), b.next());
        let order = rank(a).cmp(&rank(b));
        if order.is_ne() || a.is_none() {
            return order;
        }
    }
}
