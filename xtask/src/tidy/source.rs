//! Splits Rust source into code, comments and string literals.

/// What a piece of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tokens other than strings. String literals are left out.
    Code,
    /// The text of a comment, without its marker.
    Comment,
    /// The content of a string literal, with escapes as written.
    Text,
}

/// One comment, one string literal, or the code between two of them.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    /// Line on which the piece starts, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// Splits source. Consecutive line comments are separate pieces.
pub(super) fn split(source: &str) -> Vec<Piece> {
    let mut splitter = Splitter { rest: source, line: 1, code: String::new(), start: 1, pieces: Vec::new() };
    while splitter.step() {}
    splitter.end_code();
    splitter.pieces
}

/// The code of a file, with blanks in place of comments and strings, so that lines keep their numbers.
pub(super) fn code(source: &str) -> String {
    let mut code = String::new();
    let mut line = 1;
    for piece in split(source) {
        while line < piece.line {
            code.push('\n');
            line += 1;
        }
        if piece.kind == Kind::Code {
            line += piece.text.matches('\n').count();
            code.push_str(&piece.text);
        } else {
            code.push(' ');
        }
    }
    code
}

struct Splitter<'s> {
    rest: &'s str,
    line: usize,
    code: String,
    /// Line on which `code` starts.
    start: usize,
    pieces: Vec<Piece>,
}

impl Splitter<'_> {
    fn step(&mut self) -> bool {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return false };
        let in_word = self.code.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if let Some(comment) = rest.strip_prefix("//") {
            let text = comment.lines().next().unwrap_or_default();
            self.piece(Kind::Comment, text.trim_start_matches(['/', '!']), 2 + text.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let length = comment.find("*/").unwrap_or(comment.len());
            self.piece(Kind::Comment, &comment[..length], (length + 4).min(rest.len()));
        } else if let Some((text, length)) = raw_string(rest).filter(|_| !in_word) {
            self.piece(Kind::Text, text, length);
        } else if let Some(string) = rest.strip_prefix('"') {
            let length = end_of(string, '"');
            self.piece(Kind::Text, &string[..length], (length + 2).min(rest.len()));
        } else if let Some(length) = character(rest) {
            self.take(length);
        } else {
            self.take(first.len_utf8());
        }
        true
    }

    /// Moves bytes to the code piece.
    fn take(&mut self, length: usize) {
        if self.code.is_empty() {
            self.start = self.line;
        }
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.code.push_str(taken);
        self.rest = rest;
    }

    fn piece(&mut self, kind: Kind, text: &str, length: usize) {
        self.end_code();
        self.pieces.push(Piece { kind, line: self.line, text: text.to_owned() });
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }

    fn end_code(&mut self) {
        if !self.code.is_empty() {
            let text = std::mem::take(&mut self.code);
            self.pieces.push(Piece { kind: Kind::Code, line: self.start, text });
        }
    }
}

/// Content and total length of a raw string at the start of `rest`.
fn raw_string(rest: &str) -> Option<(&str, usize)> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let text = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text.find(&end).unwrap_or(text.len());
    Some((&text[..length], (rest.len() - text.len() + length + end.len()).min(rest.len())))
}

/// Length of a character literal at the start of `rest`. A lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let text = rest.strip_prefix('\'')?;
    let first = text.chars().next()?;
    if first == '\\' {
        return Some((end_of(text, '\'') + 2).min(rest.len()));
    }
    text[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

/// Position of the closing quote of a literal with escapes.
fn end_of(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, found) in text.char_indices() {
        if found == quote && !escaped {
            return at;
        }
        escaped = found == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(source: &str) -> Vec<(Kind, usize, String)> {
        split(source).into_iter().map(|piece| (piece.kind, piece.line, piece.text)).collect()
    }

    #[test]
    fn comments_and_strings_are_separated_from_code() {
        let source = "/// One.\nfn f<'a>(c: char) { g(\"two \\\" three\", '\"', '\\''); } // four\n";
        assert_eq!(
            pieces(source),
            [
                (Kind::Comment, 1, " One.".into()),
                (Kind::Code, 1, "\nfn f<'a>(c: char) { g(".into()),
                (Kind::Text, 2, "two \\\" three".into()),
                (Kind::Code, 2, ", '\"', '\\''); } ".into()),
                (Kind::Comment, 2, " four".into()),
                (Kind::Code, 2, "\n".into()),
            ]
        );
    }

    #[test]
    fn raw_strings_end_at_their_own_quote() {
        let source = "let a = r#\"x \" // y\"#; /* z\n */ attr";
        assert_eq!(
            pieces(source),
            [
                (Kind::Code, 1, "let a = ".into()),
                (Kind::Text, 1, "x \" // y".into()),
                (Kind::Code, 1, "; ".into()),
                (Kind::Comment, 1, " z\n ".into()),
                (Kind::Code, 2, " attr".into()),
            ]
        );
    }

    #[test]
    fn code_keeps_its_line_numbers() {
        assert_eq!(code("// a\n\"b\nc\" d\n/* e\nf */ g"), " \n \n d\n \n g");
    }
}
