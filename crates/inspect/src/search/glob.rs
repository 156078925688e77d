//! Globs of paths.

use super::{
    Error, PatternOptions, SearchPattern,
    pattern::{compile, parse},
};
use regex_automata::Input;

/// A glob as a regular expression: `*` and `?` stay within a name, `**` does not.
pub fn glob_expression(glob: &str) -> String {
    let mut regex = String::new();
    let mut rest = glob.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `**/` also stands for no directory at all.
                regex.push_str(if rest.next_if_eq(&'/').is_some() { "(?:.*/)?" } else { ".*" });
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                regex.push('[');
                if rest.next_if(|&next| matches!(next, '!' | '^')).is_some() {
                    regex.push('^');
                }
                for inner in rest.by_ref() {
                    match inner {
                        ']' => break,
                        '\\' | '[' | '&' | '~' | '^' => regex.extend(['\\', inner]),
                        _ => regex.push(inner),
                    }
                }
                regex.push(']');
            }
            '\\' | '.' | '+' | '(' | ')' | '|' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~' => {
                regex.extend(['\\', character]);
            }
            _ => regex.push(character),
        }
    }
    regex
}

/// Which files are searched: a glob of names, or of whole paths if it has a `/`. Paths are bytes, and case counts.
#[derive(Clone, Debug)]
pub struct PathGlob {
    pattern: SearchPattern,
    whole: bool,
}

impl PathGlob {
    /// Reads a glob. A leading `/` is the root of the image.
    ///
    /// # Errors
    ///
    /// [`Error::Glob`].
    pub fn new(glob: &str) -> Result<Self, Error> {
        let expression = format!(r"(?s)\A{}\z", glob_expression(glob.trim_start_matches('/')));
        let hir = parse(&expression, PatternOptions::default()).map_err(|_| Error::Glob(glob.to_owned()))?;
        Ok(Self { pattern: compile(&[hir])?, whole: glob.contains('/') })
    }

    /// Whether a clean path fits.
    pub fn fits(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        self.pattern.regex.is_match(Input::new(if self.whole { path } else { name }))
    }
}
