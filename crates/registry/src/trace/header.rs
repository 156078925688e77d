//! Fields of requests and answers as they may be shown.
//!
//! The values of fields that are known to hold no secret are shown; of URLs and challenges, the parts that hold none;
//! of all other fields, only the name.

use crate::{challenge, policy};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A field of a head, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceField {
    /// Its name, in lower case.
    pub name: HeaderName,
    /// Its value, with `***` in place of what may be secret.
    pub value: String,
}

/// All fields in their order.
pub(super) fn fields(headers: &HeaderMap) -> Vec<TraceField> {
    headers.iter().map(|(name, value)| TraceField { name: name.clone(), value: shown(name, value) }).collect()
}

fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    match name.as_str() {
        "location" | "content-location" | "referer" => address(&text),
        "link" => link(&text),
        "www-authenticate" | "proxy-authenticate" => challenges(value.as_bytes()),
        known if !value.is_sensitive() && is_harmless(known) => text.into_owned(),
        _ => HIDDEN.to_owned(),
    }
}

fn is_harmless(name: &str) -> bool {
    HARMLESS.contains(&name) || HARMLESS_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// A URL or a part of one, without user, password, query values and fragment.
fn address(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let url = policy::redact(url);
    let Some((scheme, rest)) = url.split_once("//") else { return url };
    let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}//{HIDDEN}{}", &rest[at..]),
        None => url,
    }
}

/// `Link` (RFC 8288) with its URLs between `<` and `>`.
fn link(value: &str) -> String {
    let Some((url, rest)) = value.strip_prefix('<').and_then(|value| value.split_once('>')) else {
        return HIDDEN.to_owned();
    };
    match rest.split_once(',') {
        // Registries send one link only.
        Some((first, _)) => format!("<{}>{first}, {HIDDEN}", address(url)),
        None => format!("<{}>{rest}", address(url)),
    }
}

fn challenges(value: &[u8]) -> String {
    let one = |challenge: challenge::Challenge| {
        let parameters: Vec<String> = challenge
            .parameters
            .iter()
            .map(|(name, value)| match name.as_str() {
                "realm" => format!("{name}=\"{}\"", address(value)),
                "service" | "scope" | "error" | "error_description" | "charset" => format!("{name}=\"{value}\""),
                _ => format!("{name}=\"{HIDDEN}\""),
            })
            .collect();
        let token = challenge.token68.map(|_| HIDDEN.to_owned());
        let rest: Vec<String> = token.into_iter().chain(parameters).collect();
        format!("{} {}", challenge.scheme, rest.join(",")).trim_end().to_owned()
    };
    challenge::parse(value).into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The texts of `Warning: 299 - "…"` (distribution specification, "Warnings"), each once.
pub fn warnings(fields: &[TraceField]) -> Vec<String> {
    let mut texts = Vec::new();
    for field in fields.iter().filter(|field| field.name == header::WARNING) {
        let Some(quoted) = field.value.trim().strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"')) else {
            continue;
        };
        let mut text = String::new();
        let mut rest = quoted.chars();
        while let Some(char) = rest.next() {
            text.extend(if char == '\\' { rest.next() } else { Some(char) });
        }
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

const HIDDEN: &str = "***";

const HARMLESS: [&str; 38] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "docker-content-digest",
    "docker-distribution-api-version",
    "docker-ratelimit-source",
    "etag",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "keep-alive",
    "last-modified",
    "range",
    "retry-after",
    "server",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "warning",
    "x-cache",
    "x-content-type-options",
    "x-request-id",
    "x-served-by",
];
const HARMLESS_BEGINNINGS: [&str; 4] = ["oci-", "ratelimit", "x-ratelimit", "access-control-"];

#[cfg(test)]
mod tests {
    use super::*;

    fn show(name: &'static str, value: &str) -> String {
        shown(&HeaderName::from_static(name), &HeaderValue::from_str(value).unwrap())
    }

    #[test]
    fn secrets_are_hidden_and_what_helps_is_shown() {
        for (name, value, expected) in [
            ("authorization", "Bearer canary", "***"),
            ("cookie", "session=canary", "***"),
            ("set-cookie", "session=canary", "***"),
            ("x-amz-security-token", "canary", "***"),
            ("content-range", "bytes 0-1/2", "bytes 0-1/2"),
            ("oci-subject", "sha256:0", "sha256:0"),
            ("ratelimit-remaining", "76;w=21600", "76;w=21600"),
            ("location", "https://u:canary@a.b/x?sig=canary&n=5#canary", "https://***@a.b/x?sig=***&n=5"),
            ("location", "/v2/a/blobs/uploads/1?_state=canary", "/v2/a/blobs/uploads/1?_state=***"),
            ("location", "https://a.b/@x", "https://a.b/@x"),
            (
                "link",
                "</v2/a/tags/list?n=5&last=b&key=canary>; rel=\"next\"",
                "</v2/a/tags/list?n=5&last=b&key=***>; rel=\"next\"",
            ),
            ("link", "canary", "***"),
            (
                "www-authenticate",
                "Bearer realm=\"https://a.b/token?key=canary\",service=\"s\",scope=\"repository:a:pull\",x=\"canary\"",
                "bearer realm=\"https://a.b/token?key=***\",service=\"s\",scope=\"repository:a:pull\",x=\"***\"",
            ),
            ("www-authenticate", "Negotiate Y2FuYXJ5", "negotiate ***"),
            ("www-authenticate", "Basic realm=\"a\", Bearer realm=\"b\"", "basic realm=\"a\", bearer realm=\"b\""),
        ] {
            assert_eq!(show(name, value), expected, "{name}: {value}");
        }
        let mut sensitive = HeaderValue::from_static("canary");
        sensitive.set_sensitive(true);
        assert_eq!(shown(&header::ACCEPT, &sensitive), "***");
    }

    #[test]
    fn warnings_are_read_as_the_specification_writes_them() {
        let read = |values: &[&str]| {
            let field = |value: &&str| TraceField { name: header::WARNING, value: (*value).to_owned() };
            warnings(&values.iter().map(field).collect::<Vec<_>>())
        };
        let texts = read(&[r#"299 - "gone \"soon\"""#, r#"299 - "gone \"soon\"""#, r#"299 - "two""#]);
        assert_eq!(texts, [r#"gone "soon""#, "two"]);
        assert!(read(&["199 - \"x\"", "299 host \"x\"", "299 - x", "299 - \"\"", "299 - \"", ""]).is_empty());
    }
}
