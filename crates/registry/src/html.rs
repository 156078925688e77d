//! HTML pages in place of an answer: a captive portal, a login page or a proxy answers instead of the registry.

use crate::{body::content_length, quote::quote};
use http::{HeaderMap, header};
use std::fmt;

/// What an error shows of an HTML page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its title on one printable line, if it has one.
    pub title: Option<String>,
}

impl Page {
    /// Recognises a page in a body, or in the start of one. JSON, an archive or a signature is never taken for a page.
    pub fn find(body: &[u8]) -> Option<Self> {
        is_markup(body).then(|| Self { title: title(body) })
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.title {
            Some(title) => write!(f, "an HTML page with the title `{title}`"),
            None => f.write_str("an HTML page"),
        }
    }
}

/// Header of a relay's answer: the `Content-Type` of a blob, if the registry gave it the type of a page. The relay
/// itself sends blobs as bytes.
pub const UPSTREAM_TYPE: http::HeaderName = http::HeaderName::from_static("porthole-upstream-type");

/// Whether a `Content-Type` says HTML.
pub fn is_html(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

/// Whether the head of an answer says that its body is HTML. A relay sends every blob as `application/octet-stream`, and names the
/// registry's type in a header of its own.
pub fn is_announced(headers: &HeaderMap, relayed: bool) -> bool {
    let is_page = |name| headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(is_html);
    is_page(header::CONTENT_TYPE) || relayed && is_page(UPSTREAM_TYPE)
}

/// Whether an answer has the length of the blob or of the requested part. Its body may then be the blob although it looks like a page:
/// the digest decides.
pub fn is_right_length(headers: &HeaderMap, expected: u64, size: u64) -> bool {
    content_length(headers).is_some_and(|length| length == expected || length == size)
}

/// Whether a body starts as HTML does. A byte order mark, white space, an XML declaration and comments before it are
/// skipped.
fn is_markup(body: &[u8]) -> bool {
    let mut rest = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    while let Some(end) = [(&b"<!--"[..], &b"-->"[..]), (b"<?xml", b"?>")]
        .into_iter()
        .find_map(|(open, close)| rest.starts_with(open).then(|| find(rest, close).map(|at| at + close.len())))
    {
        let Some(behind) = end.and_then(|end| rest.get(end..)) else { return false };
        rest = behind.trim_ascii_start();
    }
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| starts_with(rest, tag))
}

fn title(body: &[u8]) -> Option<String> {
    let start = (0..body.len()).find(|at| starts_with(&body[*at..], "<title"))?;
    let rest = &body[start..];
    let text = rest.get(find(rest, b">")? + 1..)?;
    let text = &text[..find(text, b"<")?];
    let text = String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| quote(&text))
}

fn starts_with(bytes: &[u8], tag: &str) -> bool {
    bytes.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_documents() {
        for (body, expected) in [
            (
                "<!DOCTYPE html><html><head><title>Sign in\n to it</title>",
                Some("an HTML page with the title `Sign in to it`"),
            ),
            ("\u{feff}\n <HTML lang=en><head><TITLE lang=en>A</TITLE>", Some("an HTML page with the title `A`")),
            ("<!-- portal --> <?xml version=\"1.0\"?><!doctype HTML>", Some("an HTML page")),
            ("<html><title></title>", Some("an HTML page")),
            ("<html><title>\u{1b}]0;x", Some("an HTML page")),
            ("<html><title>\u{1b}]0;x</title>", Some("an HTML page with the title `\\x1b]0;x`")),
            ("<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code></Error>", None),
            ("<!-- never closed", None),
            ("{\"tags\":[\"<html>\"]}", None),
            ("Sign in <html>", None),
            ("", None),
        ] {
            assert_eq!(Page::find(body.as_bytes()).map(|page| page.to_string()).as_deref(), expected, "{body}");
        }
        assert!(is_html("Text/HTML; charset=utf-8") && is_html("application/xhtml+xml"));
        assert!(!is_html("text/plain") && !is_html("application/json"));
    }
}
