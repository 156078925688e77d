//! Search patterns, compiled.

use super::{Error, PROGRAM_BYTES, wide};
use regex_automata::meta::{Config, Regex};
use regex_syntax::{
    ParserBuilder,
    hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look},
};

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatternKind {
    /// A regular expression, in the syntax of the crate `regex` without Unicode classes: nearly that of `grep -E`.
    #[default]
    Expression,
    /// The bytes themselves, as `grep -F`.
    Literal,
}

/// Options of a pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatternOptions {
    /// How it is read.
    pub kind: PatternKind,
    /// Whether ASCII letters match in either case.
    pub ignore_case: bool,
    /// Whether text in UTF-16, of either byte order, matches as well.
    pub utf16: bool,
}

/// How the text of a match is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    /// The bytes of the pattern itself.
    Bytes,
    /// UTF-16, little endian.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
}

/// A compiled pattern. A line feed in its text separates alternatives, as in `grep`. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct SearchPattern {
    pub(super) regex: Regex,
}

impl SearchPattern {
    /// Compiles a pattern. The search takes time linear in the data, whatever the pattern.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn new(text: &str, options: PatternOptions) -> Result<Self, Error> {
        let alternatives = text.split('\n').map(|line| parse(line, options)).collect::<Result<Vec<_>, _>>()?;
        let narrow = within_line(Hir::alternation(alternatives));
        let mut all = vec![narrow];
        if options.utf16 {
            for encoding in [TextEncoding::Utf16Le, TextEncoding::Utf16Be] {
                let wide = wide::widen(&all[0], encoding == TextEncoding::Utf16Be)?;
                all.push(within_line(wide));
            }
        }
        compile(&all)
    }
}

/// Compiles expressions into one program.
pub(super) fn compile(all: &[Hir]) -> Result<SearchPattern, Error> {
    let config = Config::new().nfa_size_limit(Some(PROGRAM_BYTES)).utf8_empty(false);
    // Nothing else can fail: the expressions are parsed, and have few patterns and captures.
    let regex = Regex::builder().configure(config).build_many_from_hir(all);
    regex.map(|regex| SearchPattern { regex }).map_err(|_| Error::TooLarge { limit: PROGRAM_BYTES })
}

/// Reads one alternative.
pub(super) fn parse(text: &str, options: PatternOptions) -> Result<Hir, Error> {
    let escaped;
    let text = match options.kind {
        PatternKind::Expression => text,
        PatternKind::Literal => {
            escaped = regex_syntax::escape(text);
            &escaped
        }
    };
    let mut builder = ParserBuilder::new();
    builder.unicode(false).utf8(false).multi_line(true).nest_limit(NESTING).case_insensitive(options.ignore_case);
    builder.build().parse(text).map_err(|error| {
        let (why, at) = match &error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.column),
            error => (error.to_string(), 1),
        };
        Error::Syntax { why, at }
    })
}

/// Deepest nesting of groups in an expression.
const NESTING: u32 = 100;

/// Confines an expression to a line: it never matches a line feed, and `\A` and `\z` match at the ends of the line. A
/// search in many lines at once then finds in each line what a search in that line alone would.
fn within_line(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(Class::Bytes(mut class)) => {
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Class(Class::Unicode(mut class)) => {
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Look(Look::Start) => Hir::look(Look::StartLF),
        HirKind::Look(Look::End) => Hir::look(Look::EndLF),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(within_line(*repetition.sub));
            Hir::repetition(repetition)
        }
        // No caller uses groups, and without them the program is smaller.
        HirKind::Capture(capture) => within_line(*capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(within_line).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(within_line).collect()),
    }
}
