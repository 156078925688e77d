//! Registrable domains, by the Public Suffix List.

/// The registrable domain of a name: the public suffix and one label more. `None` for a name that is a public suffix itself.
///
/// Both parts of the list count, so two customers of one cloud are different sites: the registrable domain of
/// `a.s3.amazonaws.com` is itself.
pub(super) fn registrable(name: &str) -> Option<&str> {
    let labels: Vec<&str> = name.rsplit('.').collect();
    let suffix = suffix_labels(&labels);
    let length: usize = labels.get(..=suffix)?.iter().map(|label| label.len() + 1).sum();
    name.get(name.len() + 1 - length..)
}

/// How many labels, last first, make up the public suffix.
///
/// Walks the list, a tree with one space of indent per level: as long as labels match, the depth of the deepest rule is kept.
fn suffix_labels(labels: &[&str]) -> usize {
    // A top-level domain that the list does not name is a suffix: its default rule is `*`.
    let mut longest = 1;
    let mut matched = 0;
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let label = line.trim_start_matches(' ');
        let depth = line.len() - label.len();
        if depth > matched {
            continue;
        }
        // The children of the matched label have ended: nothing deeper can follow. A wildcard sorts first, so that a
        // name may still win.
        if depth < matched {
            break;
        }
        let Some(wanted) = labels.get(depth) else { break };
        if label == "*" {
            longest = longest.max(depth + 1);
        } else if label.strip_prefix('!') == Some(*wanted) {
            return depth;
        } else if label.strip_prefix('-') == Some(*wanted) {
            matched = depth + 1;
        } else if label == *wanted {
            matched = depth + 1;
            longest = longest.max(depth + 1);
        }
    }
    longest
}

const LIST: &str = include_str!("public_suffixes.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_a_sorted_tree() {
        let mut path: Vec<&str> = Vec::new();
        for line in LIST.lines().filter(|line| !line.starts_with('#')) {
            let label = line.trim_start_matches(' ');
            let depth = line.len() - label.len();
            assert!(depth <= path.len(), "an indent without its parent: {line}");
            let name = label.trim_start_matches(['-', '!']);
            assert!(
                name == "*"
                    || name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{line}"
            );
            if let Some(sibling) = path.get(depth) {
                assert!(*sibling < name, "out of order: {line}");
            }
            path.truncate(depth);
            path.push(name);
        }
    }

    #[test]
    fn the_examples_of_the_list() {
        for (name, expected) in [
            ("com", None),
            ("example.com", Some("example.com")),
            ("a.b.example.com", Some("example.com")),
            ("uk.com", None),
            ("b.example.uk.com", Some("example.uk.com")),
            ("ac.jp", None),
            ("a.b.test.ac.jp", Some("test.ac.jp")),
            ("kyoto.jp", None),
            ("ide.kyoto.jp", None),
            ("a.b.ide.kyoto.jp", Some("b.ide.kyoto.jp")),
            ("c.kobe.jp", None),
            ("a.b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("city.kobe.jp", Some("city.kobe.jp")),
            ("www.city.kobe.jp", Some("city.kobe.jp")),
            ("ck", None),
            ("test.ck", None),
            ("b.test.ck", Some("b.test.ck")),
            ("www.ck", Some("www.ck")),
            ("www.www.ck", Some("www.ck")),
            ("k12.ak.us", None),
            ("test.k12.ak.us", Some("test.k12.ak.us")),
            ("unlisted", None),
            ("b.example.unlisted", Some("example.unlisted")),
            ("xn--85x722f.com.cn", Some("xn--85x722f.com.cn")),
            ("a.xn--55qx5d.cn", Some("a.xn--55qx5d.cn")),
            ("a.s3.amazonaws.com", Some("a.s3.amazonaws.com")),
            ("s3.amazonaws.com", None),
            ("x.amazonaws.com", Some("amazonaws.com")),
            ("a.github.io", Some("a.github.io")),
            ("auth.docker.io", Some("docker.io")),
        ] {
            assert_eq!(registrable(name), expected, "{name}");
        }
    }
}
