//! The Public Suffix List as the tree that `porthole-registry` embeds.

mod punycode;

use crate::{Result, workspace::Workspace};
use std::{collections::BTreeMap, fs, path::Path};

const TREE: &str = "crates/registry/src/policy/public_suffixes.txt";
const VERSION: &str = "// VERSION: ";

/// Rewrites the tree from `public_suffix_list.dat`. Prints its version.
///
/// # Errors
///
/// The list cannot be read, or has no version; the tree cannot be written.
pub(crate) fn write(workspace: &Workspace, list: &Path) -> Result {
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    fs::write(workspace.root.join(TREE), tree(&text)?)?;
    println!("{TREE}: version {}", version(&text)?);
    Ok(())
}

/// A label, and the labels to its left.
#[derive(Default)]
struct Node {
    /// The mark of a rule that ends here.
    rule: Option<Rule>,
    below: BTreeMap<String, Self>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Suffix,
    Exception,
}

fn tree(list: &str) -> Result<String> {
    let mut root = Node::default();
    // A rule ends at the first white space (https://publicsuffix.org/list/, "Format").
    let rules = list.lines().filter(|line| !line.starts_with("//")).filter_map(|line| line.split_whitespace().next());
    for rule in rules {
        let (rule, kind) = match rule.strip_prefix('!') {
            Some(rule) => (rule, Rule::Exception),
            None => (rule, Rule::Suffix),
        };
        let mut node = &mut root;
        for label in rule.rsplit('.') {
            node = node.below.entry(punycode::label(label)).or_default();
        }
        node.rule = Some(kind);
    }
    // The default rule is `*`.
    root.below.retain(|_, node| node.rule != Some(Rule::Suffix) || !node.below.is_empty());
    let mut out = HEAD.replace("VERSION", version(list)?);
    root.print(0, &mut out);
    Ok(out)
}

fn version(list: &str) -> Result<&str> {
    Ok(list.lines().find_map(|line| line.strip_prefix(VERSION)).ok_or("expected a line `// VERSION: …`")?.trim())
}

impl Node {
    fn print(&self, depth: usize, out: &mut String) {
        for (label, node) in &self.below {
            let mark = match node.rule {
                Some(Rule::Suffix) => "",
                Some(Rule::Exception) => "!",
                None => "-",
            };
            out.extend([&" ".repeat(depth), mark, label, "\n"]);
            node.print(depth + 1, out);
        }
    }
}

const HEAD: &str = "\
# The Public Suffix List (https://publicsuffix.org/list/), version VERSION, rewritten as a tree
# by `cargo xtask suffixes public_suffix_list.dat`.
#
# This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.
# If a copy of the MPL was not distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.
#
# One label a line, last label first, one space of indent for each label to its right, siblings sorted, non-ASCII labels in their
# xn-- form. `-label` only leads to rules below it, `!label` is an exception, `*` is any label. Top-level domains with no rule below
# them are left out: the default rule covers them.
";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;

    #[test]
    fn rules_become_a_sorted_tree() {
        let list = "\
// VERSION: 2026-01-02_03-04-05_UTC
// ===BEGIN ICANN DOMAINS===
com
uk
co.uk
*.ck
!www.ck
中国
公司.cn  trailing text
// ===BEGIN PRIVATE DOMAINS===
b.x.example
a.x.example
";
        let tree = tree(list).unwrap();
        assert!(tree.contains("version 2026-01-02_03-04-05_UTC,"));
        let rules: Vec<_> = tree.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = ["-ck", " *", " !www", "-cn", " xn--55qx5d", "-example", " -x", "  a", "  b", "uk", " co"];
        assert_eq!(rules, expected);
        assert!(super::tree("com\n").is_err(), "a list without a version");
    }

    #[test]
    fn the_tree_in_the_repository_is_as_this_would_write_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = fs::read_to_string(root.join(TREE)).unwrap();
        let (head, _) = HEAD.split_once("VERSION").unwrap();
        assert!(tree.starts_with(head), "run `cargo xtask suffixes`");
        assert!(root.join("crates/registry/src/policy/public_suffixes.LICENSE").is_file());
    }
}
