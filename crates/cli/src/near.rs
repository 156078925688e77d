//! Suggestions for a name that was misspelled.

use porthole_core::hint::Hint;

/// Maximum number of names in a hint.
pub(crate) const MOST: usize = 3;
/// Maximum length of names that are compared letter by letter, in bytes.
const LONGEST: usize = 64;

/// Returns the edit distance of two names (Levenshtein), ignoring case. `None` if it is more than a third of the longer name.
pub(crate) fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    if a.len().max(b.len()) > LONGEST {
        return (a == b).then_some(0);
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().filter(|distance| distance * 3 <= a.len().max(b.len()))
}

/// Returns the tags that are nearest to the typed one. First those that differ only by `v` or `V` at the start, then those
/// where one is a prefix of the other, as `1.29` is of `1.29.3`, then those with a small [`distance`].
pub(crate) fn tags<'t>(typed: &str, tags: &'t [String]) -> Vec<&'t str> {
    let bare = |tag: &'t str| tag.strip_prefix(['v', 'V']).unwrap_or(tag);
    let wanted = typed.strip_prefix(['v', 'V']).unwrap_or(typed);
    let rank = |tag: &'t str| {
        let begins_alike = |longer: &str, shorter: &str| {
            longer.strip_prefix(shorter).is_some_and(|rest| !shorter.is_empty() && rest.starts_with(['.', '-', '_']))
        };
        if bare(tag) == wanted {
            Some((0, 0))
        } else if begins_alike(bare(tag), wanted) || begins_alike(wanted, bare(tag)) {
            Some((1, tag.len()))
        } else {
            distance(typed.as_bytes(), tag.as_bytes()).map(|distance| (2, distance))
        }
    };
    let mut found: Vec<_> = tags.iter().filter_map(|tag| Some((rank(tag)?, tag.as_str()))).collect();
    found.sort_unstable();
    found.into_iter().take(MOST).map(|(_, tag)| tag).collect()
}

/// A hint that suggests these names, which the caller has quoted.
pub(crate) fn hint(names: &[String]) -> Option<Hint> {
    (!names.is_empty()).then(|| Hint::Text(format!("did you mean {}?", names.join(" or "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_similar_or_not() {
        for (a, b, expected) in [
            ("passwd", "passwd", Some(0)),
            ("Passwd", "passwd", Some(0)),
            ("passwrd", "passwd", Some(1)),
            ("paswd", "passwd", Some(1)),
            ("pwd", "passwd", None),
            ("a", "b", None),
            ("", "", Some(0)),
            ("", "a", None),
            ("kitten", "sitting", None),
            ("os-relase", "os-release", Some(1)),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_tags_come_first() {
        let all = ["1.29", "1.29.3", "1.29.3-alpine", "1.30", "latest", "v2.0", "stable"].map(str::to_owned);
        for (typed, expected) in [
            ("v1.29", &["1.29", "1.29.3", "1.29.3-alpine"][..]),
            ("2.0", &["v2.0"]),
            ("1.29.3.1", &["1.29", "1.29.3"]),
            ("lastest", &["latest"]),
            ("main", &[]),
            ("1", &["1.29", "1.30", "1.29.3"]),
        ] {
            assert_eq!(tags(typed, &all), expected, "{typed}");
        }
    }
}
