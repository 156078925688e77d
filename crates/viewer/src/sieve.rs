//! The filter over the file tree: text, a glob or a regular expression.

mod automaton;
mod descent;

use automaton::Automaton;
pub(crate) use descent::Descent;
use porthole_inspect::search::glob_expression;
use regex_lite::{Regex, RegexBuilder};

/// A filter as typed.
///
/// | typed | keeps |
/// | --- | --- |
/// | `ssl` | paths that contain the text; `/ssl` only at the beginning of a name |
/// | `*.pem`, `lib?.so` | names that the glob matches; with a `/` inside, whole paths (`usr/**/x`) |
/// | `/\.so(\.\d+)*$/` | paths that the regular expression matches somewhere |
///
/// Case is ignored. Paths are matched as they are shown, with escapes.
#[derive(Debug, Default)]
pub(crate) enum PathFilter {
    /// Empty: everything fits.
    #[default]
    All,
    /// Text to be contained, in lower case.
    Text(String),
    /// An expression for the name alone.
    Name(Expression),
    /// An expression for the path.
    Path(Expression),
    /// The expression is not valid, or a list is not known: nothing fits.
    Invalid(String),
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    /// What decides, and all there is where the automaton would be too large.
    regex: Regex,
    automaton: Option<Automaton>,
}

impl PathFilter {
    /// Reads a filter. Never fails: an invalid expression gives a filter with an error that no path fits.
    pub(crate) fn new(typed: &str) -> Self {
        let typed = typed.trim();
        if typed.is_empty() {
            return Self::All;
        }
        if let Some(expression) = expression(typed) {
            return compile(expression).map_or_else(Self::Invalid, Self::Path);
        }
        if !typed.contains(['*', '?', '[']) {
            return Self::Text(typed.to_lowercase());
        }
        let glob = typed.trim_start_matches('/');
        let compiled = compile(&format!("^{}$", glob_expression(glob)));
        match compiled {
            Ok(expression) if glob.contains('/') => Self::Path(expression),
            Ok(expression) => Self::Name(expression),
            Err(why) => Self::Invalid(why),
        }
    }

    /// Whether every path fits.
    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Why nothing fits, in words.
    pub(crate) fn problem(&self) -> Option<&str> {
        match self {
            Self::Invalid(why) => Some(why),
            _ => None,
        }
    }
}

/// What is between the slashes of `/…/`, if it looks like an expression; `/etc/` is text.
fn expression(typed: &str) -> Option<&str> {
    let inner = typed.strip_prefix('/')?.strip_suffix('/')?;
    inner.contains(['\\', '^', '$', '|', '(', '+', '*', '?', '[']).then_some(inner)
}

fn compile(expression: &str) -> Result<Expression, String> {
    let built = RegexBuilder::new(expression).case_insensitive(true).size_limit(PROGRAM).build();
    let regex = built.map_err(|error| format!("not a valid expression: {error}"))?;
    Ok(Expression { regex, automaton: Automaton::new(expression) })
}

/// Bytes that a compiled expression may take.
const PROGRAM: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::path;

    /// Whether a filter names a path, as a walk from the root finds it.
    fn fits(filter: &PathFilter, path: &[u8]) -> bool {
        fits_in(&mut Descent::new(filter, 100), &mut Vec::new(), path)
    }

    /// Whether a filter names one of many paths. Names are numbered by their places in the list.
    fn fits_in(descent: &mut Descent<'_>, names: &mut Vec<Vec<u8>>, path: &[u8]) -> bool {
        let (mut place, mut end) = (descent.root(), 0);
        for name in path.split(|&byte| byte == b'/') {
            let top = end == 0;
            end += name.len() + usize::from(!top);
            let number = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_vec());
                names.len() - 1
            });
            place = descent.enter(place, top, (number, name), || path[..end].to_vec());
        }
        place.fits()
    }

    /// The same by the definition of a filter, from the whole path.
    fn fits_by_definition(filter: &PathFilter, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        match filter {
            PathFilter::All => true,
            PathFilter::Text(text) => format!("/{}", path::escape(path)).to_lowercase().contains(text),
            PathFilter::Name(expression) => expression.regex.is_match(&path::escape(name)),
            PathFilter::Path(expression) => expression.regex.is_match(&path::escape(path)),
            PathFilter::Invalid(_) => false,
        }
    }

    #[test]
    fn text_globs_and_expressions() {
        let rows = [
            ("", "etc/passwd", true),
            ("PASS", "etc/passwd", true),
            ("tc/pas", "etc/passwd", true),
            ("etc/", "etc/ssl/x", true),
            ("É/x", "srv/é/xyz", true),
            ("/etc", "etc/passwd", true),
            ("/etc/", "etc/passwd", true),
            ("/pass", "etc/passwd", true),
            ("/asswd", "etc/passwd", false),
            ("É", "srv/été", true),
            (r"\x0a", "a\nb", true),
            ("*.pem", "etc/ssl/Cert.PEM", true),
            ("*.pem", "etc/ssl.pem/x", false),
            ("c?rt.*", "etc/ssl/cert.pem", true),
            ("etc/*", "etc/ssl/cert.pem", false),
            ("/etc/**", "etc/ssl/cert.pem", true),
            ("usr/**/x", "usr/x", true),
            ("usr/**/x", "usr/a/b/x", true),
            ("USR/**/lib-X*.So", "usr/a/Lib-xyz.so", true),
            ("usr/**/lib-x*", "usr/a/b/lib", false),
            ("usr/x[yz]", "usr/xy", true),
            ("usr/**", "usr/lib/any", true),
            ("usr/lib**so", "usr/lib/x.so", true),
            ("usr/x**/y", "usr/xy", true),
            ("usr/x**/y", "usr/xa/y", true),
            ("usr[/]lib", "usr/lib", true),
            ("u/[a/b]c", "u/bc", true),
            ("usr/k*", "usr/\u{212a}x", false),
            ("[!a-c]*", "etc/deb", true),
            ("[!a-c]*", "etc/bed", false),
            (r"/\.so(\.\d+)*$/", "lib/libc.so.6", true),
            (r"/^etc\/[^\/]+$/", "etc/ssl/cert.pem", false),
            ("/(/", "anything(", false),
        ];
        for (typed, path, expected) in rows {
            let filter = PathFilter::new(typed);
            for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
                let part = &path.as_bytes()[..end];
                let by_definition = fits_by_definition(&filter, part);
                assert_eq!(fits(&filter, part), by_definition, "{typed} and {}", &path[..end]);
            }
            assert_eq!(fits(&filter, path.as_bytes()), expected, "{typed} and {path}");
        }
    }

    #[test]
    fn an_invalid_expression_says_so() {
        assert!(PathFilter::new("/(/").problem().is_some());
        assert!(PathFilter::new(r"/\w{1000}{1000}/").problem().is_some(), "too large");
        assert_eq!(PathFilter::new("a(").problem(), None);
        assert!(PathFilter::new(" ").is_all());
    }

    /// Pieces that filters and paths are made of.
    const FILTERS: &[&str] = &[
        "a",
        "B",
        "/",
        ".",
        "é",
        "K",
        "*",
        "**",
        "?",
        "[ab]",
        "[!a]",
        "[^/]",
        "[a-c]",
        "\\.",
        "\\d",
        "\\W",
        "(a|b)",
        "+",
        "{2}",
        "^",
        "$",
        "\\b",
        "\\B",
        "(?-i)a",
        "|",
        "[[:alpha:]]",
        "x?",
        "\\/",
        "-",
        "_",
    ];
    const NAMES: &[&[u8]] = &[
        b"a",
        b"A",
        b"b",
        b"bb",
        b".",
        b"-",
        b"_a",
        b"\n",
        b"\xff",
        b"\\",
        "\u{e9}".as_bytes(),
        "\u{c9}".as_bytes(),
        "\u{212a}".as_bytes(),
        "\u{3a3}".as_bytes(),
        b"x1",
        b"c",
    ];

    #[test]
    fn a_walk_down_a_tree_finds_what_the_definition_says() {
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let (mut found, mut automata) = (0, 0);
        for _ in 0..4_000 {
            let inner: String = (0..=next(5)).map(|_| FILTERS[next(FILTERS.len())]).collect();
            let typed = if next(2) == 0 { inner } else { format!("/{inner}/") };
            let filter = PathFilter::new(&typed);
            if let PathFilter::Name(expression) | PathFilter::Path(expression) = &filter {
                automata += u32::from(expression.automaton.is_some());
            }
            let (mut descent, mut names) = (Descent::new(&filter, 100), Vec::new());
            for _ in 0..20 {
                let name = |next: &mut dyn FnMut(usize) -> usize| {
                    (0..=next(2) / 2).flat_map(|_| NAMES[next(NAMES.len())]).copied().collect::<Vec<u8>>()
                };
                let path = (0..=next(4)).map(|_| name(&mut next)).collect::<Vec<_>>().join(&b'/');
                let by_definition = fits_by_definition(&filter, &path);
                found += u32::from(by_definition);
                let fits = fits_in(&mut descent, &mut names, &path);
                assert_eq!(fits, by_definition, "{typed} and {}", path.escape_ascii());
            }
        }
        assert!(found > 3_000 && automata > 500, "{found} {automata}");
    }
}
