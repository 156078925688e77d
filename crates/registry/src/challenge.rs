//! `WWW-Authenticate`, as RFC 9110 section 11.6.1 writes it and as registries do.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// One challenge: a scheme with its parameters, or with a bare token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Scheme in lower case: `bearer`, `basic`, `negotiate` …
    pub scheme: String,
    /// Parameters in their order, names in lower case, quotes and escapes resolved.
    pub parameters: Vec<(String, String)>,
    /// The bare token of schemes such as `Negotiate`.
    pub token68: Option<String>,
}

impl Challenge {
    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges of a response, in order, over any number of headers. Bytes that fit no grammar are skipped.
pub fn parse_headers(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().flat_map(|value| parse(value.as_bytes())).collect()
}

/// Parses the challenges of one header value. Never fails: any bytes give some list.
pub fn parse(value: &[u8]) -> Vec<Challenge> {
    let mut input = Input { bytes: value, at: 0 };
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        input.skip(|byte| is_space(byte) || byte == b',');
        let Some(first) = input.peek() else { return challenges };
        let name = input.take(is_token);
        if name.is_empty() {
            // No token can start here: drop the byte, and a quoted string as a whole.
            if first == b'"' {
                drop(input.quoted())
            } else {
                input.at += 1
            }
            continue;
        }
        if let (Some(value), Some(challenge)) = (input.parameter_value(), challenges.last_mut()) {
            challenge.parameters.push((lower(name), value));
            continue;
        }
        let mut challenge = Challenge { scheme: lower(name), ..Challenge::default() };
        input.skip(is_space);
        challenge.token68 = input.token68();
        challenges.push(challenge);
    }
}

struct Input<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Input<'b> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, matches: impl Fn(u8) -> bool) {
        self.take(matches);
    }

    fn take(&mut self, matches: impl Fn(u8) -> bool) -> &'b [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !matches(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Reads `= value` after a parameter's name. Nothing is consumed if there is no `=`.
    fn parameter_value(&mut self) -> Option<String> {
        let start = self.at;
        self.skip(is_space);
        if self.peek() != Some(b'=') {
            self.at = start;
            return None;
        }
        self.at += 1;
        self.skip(is_space);
        if self.peek() == Some(b'"') {
            return Some(self.quoted());
        }
        // Unquoted values are tokens by the grammar; registries also write URLs.
        Some(text(self.take(|byte| !is_space(byte) && byte != b',')))
    }

    /// A quoted string; one that is never closed ends with the input.
    fn quoted(&mut self) -> String {
        self.at += 1;
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    value.extend(self.peek());
                    self.at += 1;
                }
                _ => value.push(byte),
            }
        }
        text(&value)
    }

    /// Reads a bare token after a scheme: it fills the element up to the next comma. Nothing is consumed if it is a
    /// parameter.
    fn token68(&mut self) -> Option<String> {
        let start = self.at;
        let token = self.take(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let padding = self.take(|byte| byte == b'=');
        self.skip(is_space);
        if !token.is_empty() && matches!(self.peek(), None | Some(b',')) {
            return Some(text(token) + &text(padding));
        }
        self.at = start;
        None
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lower(bytes: &[u8]) -> String {
    text(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> String {
        let one = |challenge: Challenge| {
            let parameters: Vec<String> =
                challenge.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{}[{}]{}", challenge.scheme, parameters.join(";"), challenge.token68.unwrap_or_default())
        };
        parse(value.as_bytes()).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn challenges_in_one_header() {
        for (value, expected) in [
            (
                r#"Bearer realm="https://a/t",service="s",scope="repository:a/b:pull""#,
                "bearer[realm=https://a/t;service=s;scope=repository:a/b:pull]",
            ),
            (
                r#"Basic realm="a, b", charset=UTF-8, Bearer realm="r""#,
                "basic[realm=a, b;charset=UTF-8] bearer[realm=r]",
            ),
            (r#"Negotiate, Basic realm="x""#, "negotiate[] basic[realm=x]"),
            ("Negotiate abc==, NTLM", "negotiate[]abc== ntlm[]"),
            (r#"bearer REALM = "r" , Service=s"#, "bearer[realm=r;service=s]"),
            (r#"Bearer realm="a\"b\\c",error="x""#, r#"bearer[realm=a"b\c;error=x]"#),
            ("Bearer realm=https://a/t?x=y,service=s", "bearer[realm=https://a/t?x=y;service=s]"),
            (r#"Bearer realm="unterminated"#, "bearer[realm=unterminated]"),
            (r#", ,Bearer realm="r",,scope="s","#, "bearer[realm=r;scope=s]"),
            ("Bearer", "bearer[]"),
            ("", ""),
            ("realm=\"x\"", "realm[]"),
            ("\"stray\" Basic realm=x", "basic[realm=x]"),
            (r#"Bearer realm="r" scope="two""#, "bearer[realm=r;scope=two]"),
        ] {
            assert_eq!(show(value), expected, "{value}");
        }
    }

    #[test]
    fn any_bytes_end() {
        let mut state = 7;
        for _ in 0..20_000 {
            let alphabet = b"Bb \t,=\"\\a/:\x00\xff-";
            let bytes: Vec<u8> = (0..24)
                .map(|_| {
                    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648_u64;
                    alphabet[(state >> 16) as usize % alphabet.len()]
                })
                .collect();
            parse(&bytes);
        }
    }

    #[test]
    fn all_headers_count() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer realm=y".parse().unwrap());
        let schemes: Vec<String> = parse_headers(&headers).into_iter().map(|challenge| challenge.scheme).collect();
        assert_eq!(schemes, ["basic", "bearer"]);
    }
}
