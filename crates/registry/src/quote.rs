//! Text of strangers in errors.

use porthole_core::path;

/// A stranger's text, safe to print: escaped, on one line, at most 200 characters.
pub(crate) fn quote(text: &str) -> String {
    let escaped = path::escape(text.as_bytes());
    match escaped.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", escaped.get(..end).unwrap_or_default()),
        None => escaped.into_owned(),
    }
}

const LONGEST_QUOTE: usize = 200;
