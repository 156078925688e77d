//! Lines that a search found, kept to be saved as the command line prints them.

use crate::{
    pretty::visible_bytes,
    probe::{FoundFile, FoundLine, LineEncoding},
    protocol::{ProbeSums, SearchHit},
};
use porthole_core::{
    layer::BlobDigests,
    path,
    tree::{ContentFates, FileTree},
};
use porthole_inspect::{
    report::SearchRow,
    search::{ContentHit, FileHits, HELD_HITS, LayerHits, MatchedLine, TextEncoding},
};
use std::collections::BTreeMap;

/// The lines that a search found in the layers read so far.
#[derive(Default)]
pub(crate) struct HitList {
    layers: BTreeMap<u32, FoundHits>,
    /// Lines that are kept.
    held: usize,
}

#[derive(Default)]
struct FoundHits {
    lines: Vec<FoundLine>,
    files: Vec<FoundFile>,
}

impl HitList {
    /// Takes the lines of a layer. The first [`HELD_HITS`] lines are kept, bottom layer first.
    pub(crate) fn add(&mut self, layer: u32, lines: Vec<FoundLine>, files: Vec<FoundFile>) {
        if lines.is_empty() && files.is_empty() {
            return;
        }
        self.held += lines.len();
        let of = self.layers.entry(layer).or_default();
        of.lines.extend(lines);
        of.files.extend(files);
        for of in self.layers.values_mut().rev() {
            let over = self.held.saturating_sub(HELD_HITS).min(of.lines.len());
            of.lines.truncate(of.lines.len() - over);
            self.held -= over;
        }
    }

    /// Discards the lines of a layer that could not be verified.
    pub(crate) fn lose(&mut self, layer: u32) {
        self.held -= self.layers.remove(&layer).map_or(0, |of| of.lines.len());
    }

    /// The rows of `porthole search`: lines, then files with what became of them, then `sums` of each layer. `place` says where the tree
    /// says that a content starts.
    pub(crate) fn rows<'d>(
        &self,
        tree: &FileTree,
        digests: &'d BlobDigests,
        sums: &[(u32, ProbeSums)],
        place: impl Fn(u32, u64, &str) -> u64,
    ) -> Vec<SearchRow<'d>> {
        let lines = self.layers.iter().flat_map(|(layer, of)| of.lines.iter().map(move |line| (*layer, line)));
        let mut rows: Vec<_> = lines.map(|(layer, line)| SearchRow::of_hit(layer, digests, &hit(line))).collect();
        let printed = rows.len() as u64;
        let files = || {
            self.layers.iter().flat_map(|(layer, of)| of.files.iter().map(move |file| (*layer, file))).map(
                |(layer, file)| {
                    let content = place(layer, file.content, &path::escape(&file.path));
                    (layer, FileHits { path: file.path.as_slice().into(), content, lines: file.lines })
                },
            )
        };
        let fates = ContentFates::of(tree, files().map(|(layer, file)| (layer, file.content)));
        rows.extend(files().map(|(layer, file)| SearchRow::of_file(layer, digests, &file, Some(&fates))));
        let layers: Vec<_> = sums.iter().map(|(layer, sums)| self.sums(*layer, sums)).collect();
        rows.push(SearchRow::of_end(layers.iter(), printed));
        rows
    }

    fn sums(&self, layer: u32, sums: &ProbeSums) -> LayerHits {
        let file =
            |file: &FoundFile| FileHits { path: file.path.as_slice().into(), content: file.content, lines: file.lines };
        LayerHits {
            files: self.layers.get(&layer).map(|of| of.files.iter().map(file).collect()).unwrap_or_default(),
            lines: sums.found,
            searched: sums.searched,
            bytes: sums.bytes,
        }
    }
}

/// What was found, from its twin.
fn hit(line: &FoundLine) -> ContentHit {
    let (start, end) = line.range;
    ContentHit {
        path: line.path.as_slice().into(),
        content: line.content,
        line: MatchedLine {
            number: line.number,
            offset: line.offset,
            range: start as usize..end as usize,
            text: line.text.clone(),
            cut: line.cut,
            encoding: match line.encoding {
                LineEncoding::Bytes => TextEncoding::Bytes,
                LineEncoding::Utf16Le => TextEncoding::Utf16Le,
                LineEncoding::Utf16Be => TextEncoding::Utf16Be,
            },
        },
    }
}

/// A line as it is shown.
pub(crate) fn shown(line: &FoundLine) -> SearchHit {
    let (start, end) = line.range;
    let (before, rest) = line.text.split_at((start as usize).min(line.text.len()));
    let (matched, after) = rest.split_at((end.saturating_sub(start) as usize).min(rest.len()));
    // In a program, a text ends at its zero byte: the line is cut there.
    let text = before.iter().rposition(|byte| *byte == 0).map_or(0, |zero| zero + 1);
    let first = character(before, before.len().saturating_sub(BEFORE)).max(text);
    let text = after.iter().position(|byte| *byte == 0).unwrap_or(after.len());
    let (shown, far) = (character(matched, MATCHED), character(after, AFTER).min(text));
    let mark = |cut: bool| if cut { "…" } else { "" };
    SearchHit {
        content: line.content,
        path: path::escape(&line.path).into_owned(),
        line: line.number,
        before: format!("{}{}", mark(line.cut.0 || first > 0), visible_bytes(&before[first..])),
        matched: format!("{}{}", visible_bytes(&matched[..shown]), mark(shown < matched.len())),
        after: format!("{}{}", visible_bytes(&after[..far]), mark(line.cut.1 || far < after.len())),
        encoding: match line.encoding {
            LineEncoding::Bytes => None,
            LineEncoding::Utf16Le => Some("UTF-16LE".into()),
            LineEncoding::Utf16Be => Some("UTF-16BE".into()),
        },
    }
}

/// The start of the character of UTF-8 at a place, or the end of the text.
fn character(text: &[u8], at: usize) -> usize {
    let at = at.min(text.len());
    let inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (at..=text.len()).take(4).find(|at| !inside(at)).unwrap_or(at)
}

/// Bytes that are shown of a line before its match, of the match, and after it.
const BEFORE: usize = 80;
const MATCHED: usize = 240;
const AFTER: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str, text: String, range: (u32, u32)) -> FoundLine {
        let (path, text) = (path.into(), text.into_bytes());
        let (cut, encoding) = ((false, true), LineEncoding::Utf16Be);
        FoundLine { path, content: 7, number: 1, offset: 200, range, text, cut, encoding }
    }

    #[test]
    fn a_long_line_is_shown_around_its_match() {
        let text = format!("{}needle{}", "é".repeat(100), "ü".repeat(100));
        let hit = shown(&line("a\n", text, (200, 206)));
        assert_eq!((hit.before, hit.after), (format!("…{}", "é".repeat(40)), format!("{}…", "ü".repeat(80))));
        assert_eq!(
            (hit.matched.as_str(), hit.path.as_str(), hit.encoding.as_deref()),
            ("needle", r"a\x0a", Some("UTF-16BE"))
        );
        assert_eq!([character("é".as_bytes(), 1), character(b"\x80\x80\x80\x80\x80", 1), character(b"", 9)], [2, 1, 0]);
    }

    #[test]
    fn a_line_of_a_program_is_the_text_between_zero_bytes() {
        let hit = shown(&line("a", "\u{7f}ELF\0\0Copyright %s needle, Inc.\0\0x".into(), (20, 26)));
        assert_eq!(hit.before + &hit.matched + &hit.after, "…Copyright %s needle, Inc.…");
        let hit = shown(&line("a", "needle".into(), (0, 6)));
        assert_eq!(hit.before + &hit.matched + &hit.after, "needle…");
    }

    #[test]
    fn the_lines_of_lower_layers_are_held() {
        let mut list = HitList::default();
        let lines = |path: &str, count| vec![line(path, "x".into(), (0, 1)); count];
        list.add(1, lines("above", HELD_HITS), Vec::new());
        list.add(0, lines("below", 3), Vec::new());
        let held = |list: &HitList, layer| list.layers.get(&layer).map_or(0, |of: &FoundHits| of.lines.len());
        assert_eq!((held(&list, 0), held(&list, 1)), (3, HELD_HITS - 3));
        list.lose(1);
        assert_eq!(list.held, 3);
    }
}
