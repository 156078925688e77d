//! Differences between two texts, line by line.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};
use std::ops::Range;

/// How two contents differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentDiff {
    /// They are the same bytes.
    Same,
    /// Both are text, and these lines differ.
    Lines(Vec<DiffHunk>),
    /// At least one of them is not text.
    Binary,
}

/// Neighbouring changes, with a few lines around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffHunk {
    /// Lines of the first text: number of the first, counted from 1, and how many.
    pub before: (u64, u64),
    /// Lines of the second text.
    pub after: (u64, u64),
    /// The lines, in order.
    pub lines: Vec<DiffLine>,
}

/// A line without its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// Which text has it.
    pub side: LineSide,
    /// The line. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// Whether it is the last line of a text that does not end with a line feed.
    pub unended: bool,
}

/// The text that a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineSide {
    /// The line is in both texts.
    Both,
    /// Only in the first.
    Before,
    /// Only in the second.
    After,
}

/// Compares two contents.
pub fn content_diff(before: &[u8], after: &[u8]) -> ContentDiff {
    if before == after {
        return ContentDiff::Same;
    }
    if !is_text(before) || !is_text(after) {
        return ContentDiff::Binary;
    }
    let (old, new) = (lines(before), lines(after));
    // This variant of Myers' algorithm bounds its work on texts that have little in common.
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    let hunks = group_diff_ops(operations, CONTEXT).into_iter();
    ContentDiff::Lines(hunks.filter_map(|operations| hunk(&operations, &old, &new)).collect())
}

/// Whether bytes are shown as text: there is no NUL near the start.
pub fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(SNIFFED).any(|&byte| byte == 0)
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
}

fn hunk(operations: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) -> Option<DiffHunk> {
    let (first, last) = (operations.first()?, operations.last()?);
    let mut lines = Vec::new();
    for operation in operations {
        let (tag, before, after) = operation.as_tag_tuple();
        match tag {
            DiffTag::Equal => add(&mut lines, LineSide::Both, &new[after]),
            DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                add(&mut lines, LineSide::Before, &old[before]);
                add(&mut lines, LineSide::After, &new[after]);
            }
        }
    }
    let before = first.old_range().start..last.old_range().end;
    let after = first.new_range().start..last.new_range().end;
    Some(DiffHunk { before: numbers(before), after: numbers(after), lines })
}

fn add(lines: &mut Vec<DiffLine>, side: LineSide, texts: &[&[u8]]) {
    for text in texts {
        let (line, unended) = match text.strip_suffix(b"\n") {
            Some(line) => (line, false),
            None => (*text, true),
        };
        lines.push(DiffLine { side, text: String::from_utf8_lossy(line).into_owned(), unended });
    }
}

/// As a unified diff writes a range: an empty one has the number of the line before it.
fn numbers(range: Range<usize>) -> (u64, u64) {
    let first = range.start + usize::from(!range.is_empty());
    (first as u64, range.len() as u64)
}

/// Lines around a change.
const CONTEXT: usize = 3;
const SNIFFED: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(before: &str, after: &str) -> String {
        let ContentDiff::Lines(hunks) = content_diff(before.as_bytes(), after.as_bytes()) else {
            panic!("two texts that differ")
        };
        let mut text = String::new();
        for DiffHunk { before, after, lines } in hunks {
            text += &format!("@@ -{},{} +{},{} @@\n", before.0, before.1, after.0, after.1);
            for line in lines {
                let sign = match line.side {
                    LineSide::Both => ' ',
                    LineSide::Before => '-',
                    LineSide::After => '+',
                };
                text += &format!("{sign}{}{}\n", line.text, if line.unended { "$" } else { "" });
            }
        }
        text
    }

    #[test]
    fn hunks_are_those_of_diff_u() {
        let numbers = |skip: &[u32]| -> String {
            (1..=20).filter(|number| !skip.contains(number)).map(|number| format!("{number}\n")).collect()
        };
        assert_eq!(
            unified(&numbers(&[3]), &numbers(&[18])),
            "@@ -1,5 +1,6 @@\n 1\n 2\n+3\n 4\n 5\n 6\n@@ -14,6 +15,5 @@\n 15\n 16\n 17\n-18\n 19\n 20\n"
        );
        assert_eq!(unified("a\nb\n", "a\nc"), "@@ -1,2 +1,2 @@\n a\n-b\n+c$\n");
        assert_eq!(unified("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(unified("a", "a\n"), "@@ -1,1 +1,1 @@\n-a$\n+a\n");
    }

    #[test]
    fn what_is_no_text_is_not_compared_by_lines() {
        assert_eq!(content_diff(b"a\0b", b"a\0b"), ContentDiff::Same);
        assert_eq!(content_diff(b"a\0b", b"a\0c"), ContentDiff::Binary);
        assert_eq!(content_diff(b"text", b"a\0c"), ContentDiff::Binary);
        assert!(matches!(content_diff(b"\xff", b"\xfe"), ContentDiff::Lines(_)));
    }

    #[test]
    fn many_lines_without_anything_in_common_end() {
        let text = |seed: u64| -> Vec<u8> {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 40
            };
            (0..20_000).flat_map(|_| format!("{}\n", next()).into_bytes()).collect()
        };
        let ContentDiff::Lines(hunks) = content_diff(&text(1), &text(2)) else { panic!("two texts") };
        let count = |side| hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.side == side).count();
        let both = count(LineSide::Both);
        assert_eq!(count(LineSide::Before), count(LineSide::After));
        assert!(both < 1_000, "{both}");
    }
}
