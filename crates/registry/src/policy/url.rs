//! URLs that a server names.

use super::host::{Authority, Error as HostError, Origin, Scheme};
use std::fmt;

/// An absolute `http` or `https` URL without user information and fragment.
///
/// Parsing is stricter than a browser's, and what is sent is printed from the parsed parts: the host that was judged is the host that is
/// reached, whichever client opens the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    origin: Origin,
    /// From the first slash, query included.
    target: String,
}

impl Url {
    /// Reads an absolute URL. A fragment is dropped.
    ///
    /// # Errors
    /// [`Error`]: another scheme, user information, white space, control or non-ASCII characters, a backslash, or no valid host.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_characters(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(Error::Relative)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(Error::Scheme),
        };
        let rest = rest.strip_prefix("//").ok_or(Error::Relative)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Error::UserInformation);
        }
        let origin = Origin::new(scheme, Authority::parse(authority)?);
        Ok(Self::from_parts(origin, target))
    }

    /// A URL of an origin, from its first slash on.
    pub(crate) fn from_parts(origin: Origin, target: &str) -> Self {
        let slash = if target.starts_with('/') { "" } else { "/" };
        Self { origin, target: format!("{slash}{}", encode(target)) }
    }

    /// Resolves a reference (a `Location`, a `Link`) against this URL (RFC 3986 section 5.2; dot segments are left to the server).
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, reference: &str) -> Result<Self, Error> {
        let reference = reference.split('#').next().unwrap_or(reference);
        let colon = reference.find(':').unwrap_or(usize::MAX);
        if colon < reference.find(['/', '?', '\\']).unwrap_or(usize::MAX) {
            return Self::parse(reference);
        }
        let scheme = self.origin.scheme.as_str();
        if reference.starts_with('/') && !reference.starts_with("//") {
            check_characters(reference)?;
            return Ok(Self::from_parts(self.origin.clone(), reference));
        }
        if reference.starts_with("//") {
            return Self::parse(&format!("{scheme}:{reference}"));
        }
        let (path, _) = self.split_target();
        let base = match reference.bytes().next() {
            None => &self.target,
            Some(b'?') => path,
            Some(_) => &path[..path.rfind('/').map_or(0, |slash| slash + 1)],
        };
        Self::parse(&format!("{}{base}{reference}", self.origin))
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query, without the question mark.
    pub fn split_target(&self) -> (&str, Option<&str>) {
        self.target.split_once('?').map_or((self.target.as_str(), None), |(path, query)| (path, Some(query)))
    }

    /// This URL with more query parameters after those it has; names and values are percent-encoded.
    pub fn with_query<'q>(&self, parameters: impl IntoIterator<Item = (&'q str, &'q str)>) -> Self {
        let mut target = self.target.clone();
        for (name, value) in parameters {
            let last = target.chars().next_back();
            target.push_str(match (target.contains('?'), last) {
                (false, _) => "?",
                (true, Some('?' | '&')) => "",
                (true, _) => "&",
            });
            target.push_str(&component(name));
            target.push('=');
            target.push_str(&component(value));
        }
        Self { origin: self.origin.clone(), target }
    }

    /// The same URL for an HTTP client.
    ///
    /// # Errors
    /// [`Error::TooLong`]: an HTTP client takes everything else that this type allows.
    pub fn to_uri(&self) -> Result<http::Uri, Error> {
        self.to_string().parse().map_err(|_| Error::TooLong)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target)
    }
}

/// The URL as logs and errors may show it: query values, which may be signatures, are left out.
pub fn redact(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let names: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("ns" | "scope" | "service" | "n" | "last" | "digest" | "mount" | "from", _)) => pair.to_owned(),
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        })
        .collect();
    format!("{path}?{}", names.join("&"))
}

fn check_characters(text: &str) -> Result<(), Error> {
    match text.bytes().find(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
        Some(byte) => Err(Error::Character(byte)),
        None => Ok(()),
    }
}

/// Percent-encodes the characters that a browser encodes and the `http` crate refuses.
fn encode(target: &str) -> String {
    let mut text = String::with_capacity(target.len());
    for c in target.chars() {
        match c {
            '"' | '<' | '>' | '`' | '{' | '}' | '^' => text.push_str(&format!("%{:02X}", u32::from(c))),
            _ => text.push(c),
        }
    }
    text
}

/// Percent-encodes a query name or value; `:`, `/` and `,` are kept, so that scopes stay readable.
fn component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Why a URL is refused, whatever it points at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It has no scheme and no host.
    #[error("expected an absolute URL")]
    Relative,
    /// Neither `http` nor `https`.
    #[error("expected a URL with the scheme http or https")]
    Scheme,
    /// It has a user before the host (`user@host`).
    #[error("expected a URL without user information")]
    UserInformation,
    /// White space, control, non-ASCII, or a backslash.
    #[error("expected a URL of visible ASCII characters, got the byte 0x{0:02x}")]
    Character(u8),
    /// Longer than an HTTP client takes.
    #[error("expected a shorter URL")]
    TooLong,
    /// No valid host.
    #[error(transparent)]
    Host(#[from] HostError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_is_strict() {
        for (text, same) in [
            ("https://a.b", "https://a.b/"),
            ("HTTPS://A.b:443/x?y#z", "https://a.b/x?y"),
            ("http://a.b:80?q", "http://a.b/?q"),
            ("https://[::1]:5000/v2/", "https://[::1]:5000/v2/"),
            ("https://a.b/{x}", "https://a.b/%7Bx%7D"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()), Ok(same.to_owned()), "{text}");
            assert!(Url::parse(text).is_ok_and(|url| url.to_uri().is_ok()), "{text}");
        }
        for text in [
            "",
            "/x",
            "//a.b/x",
            "a.b/x",
            "https:/a.b",
            "https:a.b",
            "https:///x",
            "https://",
            "https://u@a.b/",
            "https://u:p@a.b/",
            "https://a.b\\@c.d/",
            "https://a.b/\n",
            " https://a.b/",
            "ftp://a.b/",
            "javascript:alert(1)",
            "data:,x",
            "https://a.b:0/",
            "https://a.b:/",
            "https://é.fr/",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn references_are_resolved() {
        let base = Url::parse("https://a.b/v2/x/tags/list?n=1").unwrap();
        for (reference, result) in [
            ("https://c.d/e", "https://c.d/e"),
            ("//c.d/e", "https://c.d/e"),
            ("/e?f", "https://a.b/e?f"),
            ("?last=x:1", "https://a.b/v2/x/tags/list?last=x:1"),
            ("list2", "https://a.b/v2/x/tags/list2"),
            ("", "https://a.b/v2/x/tags/list?n=1"),
            ("/a:b", "https://a.b/a:b"),
        ] {
            assert_eq!(base.join(reference).map(|url| url.to_string()), Ok(result.to_owned()), "{reference}");
        }
        for reference in ["\\\\c.d", "javascript:x", "file:///etc/passwd", "//u@c.d", "a\\b"] {
            assert!(base.join(reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn queries_are_appended_not_overwritten() {
        let url = Url::parse("https://a.b/token?service=x&").unwrap();
        let url = url.with_query([("scope", "repository:a/b:pull"), ("account", "a&b c")]);
        assert_eq!(url.to_string(), "https://a.b/token?service=x&scope=repository:a/b:pull&account=a%26b%20c");
    }

    #[test]
    fn query_values_are_not_shown() {
        assert_eq!(redact("https://a.b/c?ns=d&X-Sig=secret&flag"), "https://a.b/c?ns=d&X-Sig=***&***");
    }
}
