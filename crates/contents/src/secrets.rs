//! Secrets in files and in configurations of images: private keys, tokens, passwords.
//!
//! [`scan`] finds them in a text. [`SecretCollector`] does so for the files of a layer while it is read, and
//! [`ContentFates`](porthole_core::tree::ContentFates) says whether a later layer deleted such a file: its bytes are still downloadable. [`of_config`] reads environment, labels
//! and history. Values are [`SecretValue`]s, which no `Debug` and no `Display` shows.

mod binary;
mod collect;
mod config;
mod credentials;
mod found;
mod keys;
mod line;
mod mask;
mod rule;
mod services;
mod shape;
mod tokens;
mod value;
mod wide;

pub use self::{
    collect::{FileSecret, FileSecrets, SecretCollector, TooLargeToScan},
    config::{ConfigPlace, ConfigSecret, of_config, of_image, redact},
    found::Confidence,
    line::{MaskedLine, mask_line},
    mask::SecretMask,
    rule::{RULES, SecretRule},
    value::SecretValue,
};
use aho_corasick::{AhoCorasick, MatchKind};
use found::Found;
use std::{ops::Range, sync::OnceLock};

/// Where a text comes from.
#[derive(Clone, Copy, Debug)]
pub enum TextOrigin<'p> {
    /// A file with this clean path.
    File(&'p [u8]),
    /// A line of a file with this clean path. Rules that need the rest of the file are applied as if it matched.
    Line(&'p [u8]),
    /// Environment, labels and instructions: short texts that a person wrote.
    Config,
}

/// A secret in a text.
#[derive(Clone, Debug)]
pub struct SecretMatch {
    /// The rule that found it.
    pub rule: &'static SecretRule,
    /// How certain it is.
    pub confidence: Confidence,
    /// The line on which it starts, counted from 1.
    pub line: usize,
    /// Where the secret itself is in the text.
    pub range: Range<usize>,
    /// The secret itself, masked when it is shown.
    pub value: SecretValue,
}

/// Finds the secrets of a text, in their order. Of rules that find the same bytes, the most certain one counts.
pub fn scan(text: &[u8], origin: TextOrigin<'_>) -> Vec<SecretMatch> {
    let mut all: Vec<(&'static SecretRule, Found)> = Vec::new();
    for hit in automaton().find_overlapping_iter(text) {
        let rule = &RULES[rule_of(hit.pattern().as_usize())];
        all.extend((rule.find)(text, hit.start()..hit.end(), origin).map(|found| (rule, found)));
    }
    all.sort_by(|(_, a), (_, b)| (b.confidence, a.range.start).cmp(&(a.confidence, b.range.start)));
    let mut kept: Vec<(&'static SecretRule, Found)> = Vec::new();
    for (rule, found) in all {
        let overlaps =
            |(_, other): &(_, Found)| other.range.start < found.range.end && found.range.start < other.range.end;
        if !kept.iter().any(overlaps) && kept.len() < crate::limits::SECRETS_OF_A_FILE {
            kept.push((rule, found));
        }
    }
    kept.sort_by_key(|(_, found)| found.range.start);
    let (mut line, mut counted) = (1, 0);
    let secret = |(rule, Found { range, confidence }): (&'static SecretRule, Found)| {
        line += memchr::memchr_iter(b'\n', &text[counted..range.start]).count();
        counted = range.start;
        let confidence = if is_example(origin) { confidence.lower() } else { confidence };
        SecretMatch { rule, confidence, line, value: SecretValue::new(&text[range.clone()]), range }
    };
    kept.into_iter().map(secret).collect()
}

/// Finds the secrets of a file with this clean path: of a text, also in UTF-16 with a byte order mark, whose ranges are then those of the
/// text in UTF-8; and of a file that is a private key in a binary format. `None` for any other file.
pub fn scan_file(path: &[u8], bytes: &[u8]) -> Option<Vec<SecretMatch>> {
    let origin = TextOrigin::File(path);
    if let Some(found) = binary::find(path, bytes) {
        let confidence = if is_example(origin) { found.confidence.lower() } else { found.confidence };
        return Some(vec![SecretMatch { confidence, ..found }]);
    }
    if wide::is_marked(bytes) {
        return wide::decoded(bytes).map(|text| scan(&text, origin));
    }
    let is_text = memchr::memchr(0, &bytes[..bytes.len().min(collect::HEAD)]).is_none();
    is_text.then(|| scan(bytes, origin))
}

/// Whether the text is a file in a directory for examples or tests.
pub(crate) fn is_example(origin: TextOrigin<'_>) -> bool {
    const NAMES: [&[u8]; 13] = [
        b"test",
        b"tests",
        b"__tests__",
        b"testing",
        b"testdata",
        b"fixtures",
        b"fixture",
        b"example",
        b"examples",
        b"sample",
        b"doc",
        b"docs",
        b"man",
    ];
    match origin {
        TextOrigin::File(path) | TextOrigin::Line(path) => {
            path.split(|&b| b == b'/').any(|part| NAMES.contains(&part)) || is_test(path)
        }
        TextOrigin::Config => false,
    }
}

/// Whether the name of the file is one that Go, Python or JavaScript give to tests.
fn is_test(path: &[u8]) -> bool {
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let within = |part: &[u8]| memchr::memmem::find(name, part).is_some_and(|at| at > 0);
    let code = [b".go".as_slice(), b".py", b".js", b".ts"].iter().any(|end| name.ends_with(end));
    code && (within(b"_test.") || within(b".test.") || within(b".spec.") || name.starts_with(b"test_"))
}

/// Finds the keywords of all rules in one pass.
fn automaton() -> &'static AhoCorasick {
    static AUTOMATON: OnceLock<AhoCorasick> = OnceLock::new();
    AUTOMATON.get_or_init(|| {
        let keys = RULES.iter().flat_map(|rule| rule.keys);
        let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(keys);
        built.unwrap_or_else(|_| unreachable!("a constant list of short keywords (this is a bug in porthole)"))
    })
}

/// The rule to which a keyword belongs.
fn rule_of(pattern: usize) -> usize {
    let mut left = pattern;
    RULES.iter().position(|rule| left.checked_sub(rule.keys.len()).map(|rest| left = rest).is_none()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
