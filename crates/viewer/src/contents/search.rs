//! Searches the files of a layer.

use crate::{
    probe::{FoundFile, FoundLine, LayerProbe, LineEncoding, ProbeFound},
    protocol::{ProbeSums, SearchQuery},
};
use porthole_contents::secrets::mask_line;
use porthole_core::tar::Entry;
use porthole_inspect::search::{
    ContentHit, ContentSearch, Error, FileHits, HELD_HITS, PathGlob, PatternKind, PatternOptions, SearchPattern,
    TextEncoding,
};

/// A search, or the error in the pattern or the glob.
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
        let hits = self.take_hits().into_iter().map(twin).collect();
        let file = |file: FileHits| FoundFile { path: file.path.to_vec(), content: file.content, lines: file.lines };
        ProbeFound { hits, files: self.take_files().into_iter().map(file).collect(), sums, ..ProbeFound::default() }
    }
}

/// A line with its secrets masked: secrets do not leave the worker.
fn twin(ContentHit { path, content, mut line }: ContentHit) -> FoundLine {
    if let Some(masked) = mask_line(&path, &line.text, line.range.clone(), line.cut) {
        (line.text, line.range) = (masked.text, masked.range);
    }
    FoundLine {
        path: path.to_vec(),
        content,
        number: line.number,
        offset: line.offset,
        range: (line.range.start as u32, line.range.end as u32),
        text: line.text,
        cut: line.cut,
        encoding: match line.encoding {
            TextEncoding::Bytes => LineEncoding::Bytes,
            TextEncoding::Utf16Le => LineEncoding::Utf16Le,
            TextEncoding::Utf16Be => LineEncoding::Utf16Be,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::tar::Kind;

    #[test]
    fn secrets_of_lines_stay_in_the_worker() {
        // Generated letters, so that this file contains no secret.
        let token: String = (0..36_u8).map(|place| char::from(b"aB3dE6gH9jK2m"[usize::from(place % 13)])).collect();
        let query = SearchQuery { pattern: "make".into(), ..SearchQuery::default() };
        let mut search = search(&query).unwrap_or_else(|error| panic!("{error}"));
        let text = format!("GH=ghp_{token} make all\n");
        let entry = Entry { size: text.len() as u64, ..Entry::new("app/run", Kind::File) };
        assert!(LayerProbe::begin(&mut search, &entry));
        LayerProbe::push(&mut search, text.as_bytes());
        LayerProbe::end(&mut search);
        let found = LayerProbe::take(&mut search);
        let [line] = found.hits.as_slice() else { panic!("{} lines", found.hits.len()) };
        assert_eq!(String::from_utf8_lossy(&line.text), "GH=******** make all");
        assert_eq!(&line.text[line.range.0 as usize..line.range.1 as usize], b"make");
    }
}
