//! Searches the files of a layer.

use crate::{
    pretty::visible_bytes,
    probe::{LayerProbe, ProbeFound},
    protocol::{ProbeSums, SearchHit, SearchQuery},
};
use porthole_core::{path, tar::Entry};
use porthole_inspect::search::{
    ContentHit, ContentSearch, Error, HELD_HITS, PathGlob, PatternKind, PatternOptions, SearchPattern, TextEncoding,
};

/// A search, or what is wrong with the pattern or the glob.
pub(super) fn probe(query: &SearchQuery) -> Result<Box<dyn LayerProbe>, String> {
    search(query).map(|search| Box::new(search) as Box<dyn LayerProbe>).map_err(|error| error.to_string())
}

fn search(query: &SearchQuery) -> Result<ContentSearch, Error> {
    let kind = if query.expression { PatternKind::Expression } else { PatternKind::Literal };
    let options = PatternOptions { kind, ignore_case: query.ignore_case, utf16: query.utf16 };
    let pattern = SearchPattern::new(&query.pattern, options)?;
    let glob = (!query.glob.is_empty()).then(|| PathGlob::new(&query.glob)).transpose()?;
    Ok(ContentSearch::new(&pattern, glob, HELD_HITS))
}

impl LayerProbe for ContentSearch {
    fn begin(&mut self, entry: &Entry) -> bool {
        self.begin(entry)
    }

    fn push(&mut self, data: &[u8]) {
        self.push(data);
    }

    fn end(&mut self) {
        self.end();
    }

    fn take(&mut self) -> ProbeFound {
        let (searched, bytes) = self.searched();
        let sums = ProbeSums { found: self.lines(), files: self.files(), searched, bytes };
        ProbeFound { hits: self.take_hits().iter().map(twin).collect(), sums, ..ProbeFound::default() }
    }
}

fn twin(hit: &ContentHit) -> SearchHit {
    let line = &hit.line;
    let (before, rest) = line.text.split_at(line.range.start);
    let (matched, after) = rest.split_at(line.range.len());
    let first = character(before, before.len().saturating_sub(BEFORE));
    let (shown, far) = (character(matched, MATCHED), character(after, AFTER));
    let mark = |cut: bool| if cut { "…" } else { "" };
    SearchHit {
        content: hit.content,
        path: path::escape(&hit.path).into_owned(),
        line: line.number,
        before: format!("{}{}", mark(line.cut.0 || first > 0), visible_bytes(&before[first..])),
        matched: format!("{}{}", visible_bytes(&matched[..shown]), mark(shown < matched.len())),
        after: format!("{}{}", visible_bytes(&after[..far]), mark(line.cut.1 || far < after.len())),
        encoding: match line.encoding {
            TextEncoding::Bytes => None,
            TextEncoding::Utf16Le => Some("UTF-16LE".into()),
            TextEncoding::Utf16Be => Some("UTF-16BE".into()),
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
    use porthole_inspect::search::MatchedLine;

    #[test]
    fn a_long_line_is_shown_around_its_match() {
        let text = format!("{}needle{}", "é".repeat(100), "ü".repeat(100));
        let line = MatchedLine {
            number: 1,
            offset: 200,
            range: 200..206,
            text: text.into_bytes(),
            cut: (false, true),
            encoding: TextEncoding::Utf16Be,
        };
        let hit = twin(&ContentHit { path: b"a\n".as_slice().into(), content: 7, line });
        assert_eq!((hit.before, hit.after), (format!("…{}", "é".repeat(40)), format!("{}…", "ü".repeat(80))));
        assert_eq!(
            (hit.matched.as_str(), hit.path.as_str(), hit.encoding.as_deref()),
            ("needle", r"a\x0a", Some("UTF-16BE"))
        );
        assert_eq!([character("é".as_bytes(), 1), character(b"\x80\x80\x80\x80\x80", 1), character(b"", 9)], [2, 1, 0]);
    }
}
