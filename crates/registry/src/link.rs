//! `Link` (RFC 8288 section 3), as far as pages of a list need it.

use http::{HeaderMap, header};

/// One link: its target and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The URI reference between `<` and `>`, unchanged.
    pub target: String,
    /// Parameters in their order, names in lower case, quotes and escapes resolved; one without a value has an empty one.
    pub parameters: Vec<(String, String)>,
}

impl Link {
    /// Whether `rel` names this relation, in any case. Only the first `rel` counts (section 3.3).
    pub fn has_relation(&self, relation: &str) -> bool {
        let rel = self.parameters.iter().find(|(name, _)| name == "rel");
        // Some servers write `rel='next'`, where the quotes are part of the value.
        rel.is_some_and(|(_, names)| {
            let mut names = names.trim_matches('\'').split_ascii_whitespace();
            names.any(|name| name.eq_ignore_ascii_case(relation))
        })
    }
}

/// All links of a response, in order, over any number of headers. Bytes that fit no grammar are skipped.
pub fn parse_headers(headers: &HeaderMap) -> Vec<Link> {
    headers.get_all(header::LINK).iter().flat_map(|value| parse(value.as_bytes())).collect()
}

/// Parses the links of one header value. Never fails: bytes before the next `<` are skipped, and a target that is never
/// closed is not a link. Without any `<`, the target ends at the first `;`: some servers forget the brackets.
pub fn parse(value: &[u8]) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = value;
    if let (None, Some(end)) = (position(value, b"<>"), position(value, b";")) {
        let (target, mut behind) = value.split_at(end);
        let parameters = std::iter::from_fn(|| next_parameter(&mut behind)).collect();
        return vec![Link { target: text(target.trim_ascii()), parameters }];
    }
    while let Some(open) = position(rest, b"<") {
        let inside = rest.get(open + 1..).unwrap_or_default();
        let Some(close) = position(inside, b">") else { break };
        let (target, behind) = inside.split_at(close);
        let mut link = Link { target: text(target), parameters: Vec::new() };
        rest = behind.get(1..).unwrap_or_default();
        while let Some(parameter) = next_parameter(&mut rest) {
            link.parameters.push(parameter);
        }
        links.push(link);
    }
    links
}

/// Reads `; name=value`. Nothing is consumed if the rest does not begin with `;`.
fn next_parameter(rest: &mut &[u8]) -> Option<(String, String)> {
    let mut ahead = rest.trim_ascii_start().strip_prefix(b";")?.trim_ascii_start();
    // `;;` is an empty parameter, which the grammar allows.
    while let Some(behind) = ahead.strip_prefix(b";") {
        ahead = behind.trim_ascii_start();
    }
    let (name, behind) = ahead.split_at(position(ahead, b"=;,<").unwrap_or(ahead.len()));
    *rest = behind;
    let name = text(name.trim_ascii()).to_ascii_lowercase();
    let Some(behind) = behind.strip_prefix(b"=") else {
        return (!name.is_empty()).then_some((name, String::new()));
    };
    let behind = behind.trim_ascii_start();
    let (value, behind) = match behind.strip_prefix(b"\"") {
        Some(quoted) => read_quoted(quoted),
        None => {
            let (value, behind) = behind.split_at(position(behind, b";,").unwrap_or(behind.len()));
            (text(value.trim_ascii()), behind)
        }
    };
    *rest = behind;
    Some((name, value))
}

/// Reads a quoted string after its opening quote. Returns it and the rest; a string that is never closed ends with the
/// input.
fn read_quoted(mut rest: &[u8]) -> (String, &[u8]) {
    let mut value = Vec::new();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => break,
            b'\\' => {
                value.extend(rest.first());
                rest = rest.get(1..).unwrap_or_default();
            }
            byte => value.push(*byte),
        }
    }
    (text(&value), rest)
}

fn position(bytes: &[u8], any_of: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| any_of.contains(byte))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> String {
        let one = |link: Link| {
            let parameters: Vec<String> =
                link.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}[{}]", link.target, parameters.join(";"))
        };
        parse(value.as_bytes()).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn links_in_one_header() {
        for (value, expected) in [
            (r#"</v2/x/tags/list?last=t&n=2>; rel="next""#, "/v2/x/tags/list?last=t&n=2[rel=next]"),
            ("<https://a.b/?last=t>;rel=next", "https://a.b/?last=t[rel=next]"),
            ("/v2/x/tags/list?last=t ; rel=next", "/v2/x/tags/list?last=t[rel=next]"),
            (r#"</a>; rel="prev", </b> ; title=x ; REL="Next""#, "/a[rel=prev] /b[title=x;rel=Next]"),
            (r#"</a,b;c>; title="<x>, \"y\"; rel=prev"; rel=next"#, "/a,b;c[title=<x>, \"y\"; rel=prev;rel=next]"),
            ("</a>;;; rel=next;", "/a[rel=next]"),
            ("</a>; anchor; rel = next", "/a[anchor=;rel=next]"),
            ("</a> </b>; rel=next", "/a[] /b[rel=next]"),
            (r#"</a>; rel="next"#, "/a[rel=next]"),
            ("stray </a>, , <>; rel=next", "/a[] [rel=next]"),
            ("</a", ""),
            ("", ""),
        ] {
            assert_eq!(show(value), expected, "{value}");
        }
    }

    #[test]
    fn relations() {
        let has = |value: &str| parse(value.as_bytes()).iter().any(|link| link.has_relation("next"));
        assert!(has(r#"</a>; rel="prev NEXT""#));
        assert!(has("</a>; rel='prev next'"), "quotes of another language");
        assert!(!has("</a>; rel=prev; rel=next"), "only the first counts");
        assert!(!has(r#"</a>; title="rel=next""#));
        assert!(!has("</a>; rel=nextish"));
    }

    #[test]
    fn any_bytes_end() {
        let mut state = 7;
        for _ in 0..20_000 {
            let alphabet = b"<>;,=\"\\ \trel/\x00\xff";
            let bytes: Vec<u8> = (0..24)
                .map(|_| {
                    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648_u64;
                    alphabet[(state >> 16) as usize % alphabet.len()]
                })
                .collect();
            parse(&bytes);
        }
    }
}
