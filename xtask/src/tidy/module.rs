//! What a Rust file imports and defines, read from its tokens.
//!
//! This is not a Rust parser: it knows `mod`, `use`, items at the top level and paths, which is enough to see which
//! file uses which. Code under `#[cfg(test)]` is left out.

use super::source;
use std::collections::BTreeSet;

/// An import: the name in this file, and the path it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// `*` for all names.
    pub(super) name: String,
    pub(super) path: Vec<String>,
    /// Whether other files can use the name through this one.
    pub(super) exported: bool,
}

/// A struct, enum or trait that other files can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) line: usize,
    /// `pub`, not `pub(crate)` or `pub(super)`.
    pub(super) public: bool,
}

#[derive(Debug, Default)]
pub(super) struct Module {
    /// Child modules in files of their own.
    pub(super) children: BTreeSet<String>,
    /// Those of them that exist only for tests.
    pub(super) tests: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Names of top-level items.
    pub(super) items: BTreeSet<String>,
    pub(super) types: Vec<Type>,
    /// Paths of two or more segments, outside `use`.
    pub(super) paths: Vec<Vec<String>>,
    /// All identifiers outside `use`.
    pub(super) words: BTreeSet<String>,
}

impl Module {
    pub(super) fn read(source: &str) -> Self {
        let tokens = tokens(&source::code(source));
        let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, module: Self::default() };
        while reader.at < tokens.len() {
            reader.step();
        }
        reader.module
    }
}

/// A token and its line.
type Token = (String, usize);

/// Splits code into identifiers, `::` and single characters.
fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let length = match first {
                _ if word > 0 => word,
                ':' if rest.starts_with("::") => 2,
                '\'' => 1 + rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - 1),
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                tokens.push((rest[..length].to_owned(), index + 1));
            }
            rest = &rest[length..];
        }
    }
    tokens
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    module: Module,
}

impl Reader<'_> {
    fn token(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |(token, _)| token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |(_, line)| *line)
    }

    fn step(&mut self) {
        match self.token(0) {
            "#" if self.matches(&["#", "[", "cfg", "(", "test", ")", "]"]) => self.skip_test(),
            "{" => {
                self.depth += 1;
                self.at += 1;
            }
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.at += 1;
            }
            "use" => self.read_use(),
            "mod" if self.token(2) == ";" => {
                self.module.children.insert(self.token(1).to_owned());
                self.at += 3;
            }
            "struct" | "enum" | "trait" | "union" | "fn" | "const" | "static" | "type" if self.depth == 0 => {
                self.item()
            }
            "macro_rules" => {
                self.module.items.insert(self.token(2).to_owned());
                self.at += 3;
            }
            word if is_word(word) => self.path(),
            _ => self.at += 1,
        }
    }

    fn matches(&self, wanted: &[&str]) -> bool {
        wanted.iter().enumerate().all(|(ahead, wanted)| self.token(ahead) == *wanted)
    }

    /// Skips the item behind `#[cfg(test)]`.
    fn skip_test(&mut self) {
        self.at += 7;
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "mod" if depth == 0 && self.token(2) == ";" => {
                    self.module.tests.insert(self.token(1).to_owned());
                }
                "{" | "(" | "[" => depth += 1,
                closing @ ("}" | ")" | "]") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && closing == "}" {
                        self.at += 1;
                        return;
                    }
                }
                ";" if depth == 0 => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Visibility of the item at this token: exported at all, and `pub` without restriction.
    fn visibility(&self) -> (bool, bool) {
        let before = |back: usize| self.at.checked_sub(back).map_or("", |at| self.tokens[at].0.as_str());
        let mut back = 1;
        while ["unsafe", "async", "const"].contains(&before(back)) {
            back += 1;
        }
        match before(back) {
            "pub" => (true, true),
            ")" if before(back + 3) == "pub" => (true, false),
            ")" if before(back + 4) == "pub" => (true, false),
            _ => (false, false),
        }
    }

    fn item(&mut self) {
        let (keyword, name) = (self.token(0).to_owned(), self.token(1).to_owned());
        if is_word(&name) && name != "fn" && name != "_" {
            let (exported, public) = self.visibility();
            if exported && ["struct", "enum", "trait"].contains(&keyword.as_str()) {
                self.module.types.push(Type { name: name.clone(), line: self.line(), public });
            }
            self.module.items.insert(name);
            self.at += 1;
        }
        self.at += 1;
    }

    fn read_use(&mut self) {
        let (exported, _) = self.visibility();
        self.at += 1;
        self.tree(&mut Vec::new(), exported);
        while self.at < self.tokens.len() && self.token(0) != ";" {
            self.at += 1;
        }
        self.at += 1;
    }

    /// Reads one branch of a `use` tree below `prefix`.
    fn tree(&mut self, prefix: &mut Vec<String>, exported: bool) {
        let depth = prefix.len();
        loop {
            match self.token(0).to_owned().as_str() {
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | "") {
                        self.tree(prefix, exported);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    break;
                }
                "::" => self.at += 1,
                "*" => {
                    self.at += 1;
                    self.module.imports.push(Import { name: "*".to_owned(), path: prefix.clone(), exported });
                    break;
                }
                word if is_word(word) => {
                    self.at += 1;
                    if !(word == "self" && depth > 0) {
                        prefix.push(word.to_owned());
                    }
                    if self.token(0) == "::" {
                        continue;
                    }
                    let mut name = prefix.last().cloned().unwrap_or_default();
                    if self.token(0) == "as" {
                        self.token(1).clone_into(&mut name);
                        self.at += 2;
                    }
                    self.module.imports.push(Import { name, path: prefix.clone(), exported });
                    break;
                }
                _ => break,
            }
        }
        prefix.truncate(depth);
    }

    fn path(&mut self) {
        let mut path = vec![self.token(0).to_owned()];
        let after_colons = self.at > 0 && self.tokens[self.at - 1].0 == "::";
        self.at += 1;
        while self.token(0) == "::" && is_word(self.token(1)) {
            path.push(self.token(1).to_owned());
            self.at += 2;
        }
        self.module.words.extend(path.iter().cloned());
        if path.len() > 1 && !after_colons {
            self.module.paths.push(path);
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(name: &str, path: &str, exported: bool) -> Import {
        Import { name: name.into(), path: path.split("::").map(str::to_owned).collect(), exported }
    }

    #[test]
    fn use_trees_are_flattened() {
        let module = Module::read(
            "pub use a::{B, c::{self, D as E}};\nuse crate::f::*;\npub(crate) use super::g;\nuse self::h::I;\n",
        );
        assert_eq!(
            module.imports,
            [
                import("B", "a::B", true),
                import("c", "a::c", true),
                import("E", "a::c::D", true),
                import("*", "crate::f", false),
                import("g", "super::g", true),
                import("I", "self::h::I", false),
            ]
        );
    }

    #[test]
    fn items_children_types_and_paths_are_read() {
        let module = Module::read(
            "mod a;\npub struct B { c: a::C }\npub(crate) enum D {}\ntrait E { fn f() -> super::G; }\n\
             const fn h() { x.y(); crate::i::J::k() }\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod t { use l::M; }\n",
        );
        assert_eq!(module.children.iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(module.tests.iter().collect::<Vec<_>>(), ["tests"]);
        assert_eq!(module.items.iter().collect::<Vec<_>>(), ["B", "D", "E", "h"]);
        let types: Vec<_> = module.types.iter().map(|found| (found.name.as_str(), found.line, found.public)).collect();
        assert_eq!(types, [("B", 2, true), ("D", 3, false)]);
        let paths: Vec<_> = module.paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["a::C", "super::G", "crate::i::J::k"]);
        assert_eq!(module.imports, []);
    }
}
