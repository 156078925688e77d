//! The filter over the file tree: text, a glob or a regular expression.

use porthole_core::path;
use porthole_inspect::search::glob_expression;
use regex_lite::{Regex, RegexBuilder};
use std::borrow::Cow;

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
    Name(Regex),
    /// An expression for the path, and what the last name of every such path begins with, in lower case. Most names do not, and then
    /// the path need not be made.
    Path(Regex, String),
    /// The expression is not valid, or a list is not known: nothing fits.
    Invalid(String),
}

impl PathFilter {
    /// Reads a filter. Never fails: an invalid expression gives a filter with an error that no path fits.
    pub(crate) fn new(typed: &str) -> Self {
        let typed = typed.trim();
        if typed.is_empty() {
            return Self::All;
        }
        if let Some(expression) = expression(typed) {
            return compile(expression).map_or_else(Self::Invalid, |regex| Self::Path(regex, String::new()));
        }
        if !typed.contains(['*', '?', '[']) {
            return Self::Text(typed.to_lowercase());
        }
        let glob = typed.trim_start_matches('/');
        let compiled = compile(&format!("^{}$", glob_expression(glob)));
        match compiled {
            Ok(regex) if glob.contains('/') => Self::Path(regex, start_of_name(glob)),
            Ok(regex) => Self::Name(regex),
            Err(why) => Self::Invalid(why),
        }
    }

    /// Whether a node of a tree fits, mostly without its whole path: `above` says whether its parent fits, `name` is the last
    /// component of `path`, which has no leading slash.
    pub(crate) fn names(&self, above: bool, name: &[u8], path: impl FnOnce() -> Vec<u8>) -> bool {
        match self {
            Self::All => true,
            // Every path below contains what this path contains.
            Self::Text(text) => {
                above
                    || match text.rsplit_once('/') {
                        None => contains(name, text),
                        // The match ends in the name, or it would be one of the parent.
                        Some((_, end)) => begins(name, end) && contains(&path(), text),
                    }
            }
            Self::Name(regex) => regex.is_match(&path::escape(name)),
            Self::Path(regex, start) => begins(name, start) && regex.is_match(&path::escape(&path())),
            Self::Invalid(_) => false,
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

/// What the last name begins with in every path that a glob matches, in lower case. Empty where that is not obvious: `[/]` and `**` may
/// match the last slash of a path.
fn start_of_name(glob: &str) -> String {
    let (folder, name) = glob.rsplit_once('/').unwrap_or(("", glob));
    let folder = folder.strip_suffix("**").filter(|rest| rest.is_empty() || rest.ends_with('/')).unwrap_or(folder);
    if folder.contains('[') || folder.ends_with("**") || name.contains("**") {
        return String::new();
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte);
    name.bytes().take_while(plain).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

fn compile(expression: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(expression).case_insensitive(true).size_limit(PROGRAM).build();
    built.map_err(|error| format!("not a valid expression: {error}"))
}

/// Whether the shown form of a path, or of `/path`, contains lower-case text.
fn contains(path: &[u8], text: &str) -> bool {
    let shown = path::escape(path);
    if text.is_ascii() && shown.is_ascii() {
        let (shown, text) = (shown.as_bytes(), text.as_bytes());
        return match text.split_first() {
            Some((b'/', rest)) if starts(shown, rest) => true,
            _ => shown.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text)),
        };
    }
    let shown: Cow<'_, str> = Cow::Owned(shown.to_lowercase());
    text.strip_prefix('/').is_some_and(|rest| shown.starts_with(rest)) || shown.contains(text)
}

/// Whether the shown form of a name begins with lower-case text.
fn begins(name: &[u8], text: &str) -> bool {
    let shown = path::escape(name);
    if text.is_ascii() && shown.is_ascii() {
        return starts(shown.as_bytes(), text.as_bytes());
    }
    shown.to_lowercase().starts_with(text)
}

fn starts(shown: &[u8], text: &[u8]) -> bool {
    shown.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
}

/// Bytes that a compiled expression may take.
const PROGRAM: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a whole path fits, without a walk to it.
    fn fits(filter: &PathFilter, path: &str) -> bool {
        match filter {
            PathFilter::Text(text) => contains(path.as_bytes(), text),
            filter => {
                let name = path.rsplit('/').next().unwrap_or(path);
                filter.names(false, name.as_bytes(), || path.as_bytes().to_vec())
            }
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
            assert_eq!(fits(&filter, path), expected, "{typed} and {path}");
            // As a walk from the root finds it.
            let (mut above, mut whole) = (false, String::new());
            for name in path.split('/') {
                whole.push_str(if whole.is_empty() { "" } else { "/" });
                whole.push_str(name);
                above = filter.names(above, name.as_bytes(), || whole.clone().into_bytes());
                assert_eq!(above, fits(&filter, &whole), "{typed} and {whole}");
            }
        }
    }

    #[test]
    fn an_invalid_expression_says_so() {
        assert!(PathFilter::new("/(/").problem().is_some());
        assert!(PathFilter::new(r"/\w{1000}{1000}/").problem().is_some(), "too large");
        assert_eq!(PathFilter::new("a(").problem(), None);
        assert!(PathFilter::new(" ").is_all());
    }
}
