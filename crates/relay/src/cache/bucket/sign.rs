//! Signatures of requests to an object store: AWS Signature Version 4, in the form that S3 takes (one chunk, signed by header).
//!
//! The steps are those of "Authenticating Requests: Using the Authorization Header" in Amazon's S3 API reference.

use porthole_core::{
    calendar,
    digest::{self, Digest},
};
use ring::hmac::{self, HMAC_SHA256};

/// The key that signs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) key: String,
    pub(super) secret: String,
    /// Of temporary credentials: a header of the request, which is signed with it.
    pub(super) token: Option<String>,
}

/// What is signed of a request.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Encoded as [`encode_path`] does.
    pub(super) path: &'a str,
    /// Encoded, and sorted by name.
    pub(super) query: &'a str,
    /// Names in lower case, sorted; `host` and `x-amz-content-sha256` must be among them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body in hexadecimal digits, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// In the place of the hash of a body that is not known before it is sent.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A time as the signature has it.
pub(super) struct Stamp {
    /// `20130524`
    day: String,
    /// `20130524T000000Z`
    pub(super) text: String,
}

impl Stamp {
    /// The second since 1970.
    pub(super) fn at(seconds: u64) -> Self {
        let text = calendar::iso(i64::try_from(seconds).unwrap_or(i64::MAX)).replace(['-', ':'], "");
        let day = text.split('T').next().unwrap_or_default().to_owned();
        Self { day, text }
    }
}

/// The value of `Authorization`.
pub(super) fn authorization(signed: &Signed<'_>, credentials: &Credentials, region: &str, stamp: &Stamp) -> String {
    let Signed { method, path, query, headers, payload } = signed;
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
    let scope = format!("{}/{region}/s3/aws4_request", stamp.day);
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", stamp.text, Digest::sha256(canonical.as_bytes()).hex());
    let first = format!("AWS4{}", credentials.secret).into_bytes();
    let steps = [stamp.day.as_str(), region, "s3", "aws4_request", &text];
    let signature = steps.iter().fold(first, |key, step| hmac(&key, step));
    let signature = digest::hex(&signature);
    format!("AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}", credentials.key)
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// A path as the signature and the request have it: all but unreserved characters and `/` escaped.
pub(super) fn encode_path(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
    const DATE: (&str, &str) = ("x-amz-date", "20130524T000000Z");

    /// The examples of Amazon's S3 API reference, "Signature Calculations for the Authorization Header".
    #[test]
    fn the_published_examples_have_their_signatures() {
        let credentials = Credentials {
            key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let content = Digest::sha256(b"Welcome to Amazon S3.").hex();
        let none = ("x-amz-content-sha256", EMPTY);
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            HOST,
            ("x-amz-content-sha256", &content),
            DATE,
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        let rows: [(&str, &str, &str, &[_], &str); 4] = [
            (
                "GET",
                "/test.txt",
                "",
                &[HOST, ("range", "bytes=0-9"), none, DATE],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            ("PUT", "/test$file.text", "", &put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
            (
                "GET",
                "/",
                "lifecycle=",
                &[HOST, none, DATE],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/",
                "max-keys=2&prefix=J",
                &[HOST, none, DATE],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ];
        for (method, path, query, headers, signature) in rows {
            let payload = if method == "PUT" { &content } else { EMPTY };
            let signed = Signed { method, path: &encode_path(path), query, headers, payload };
            let value = authorization(&signed, &credentials, "us-east-1", &Stamp::at(1_369_353_600));
            let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders={},Signature={signature}",
                names.join(";")
            );
            assert_eq!(value, expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn times_and_paths_are_written_as_signed() {
        assert_eq!(Stamp::at(1_440_938_160).text, "20150830T123600Z");
        assert_eq!(encode_path("/a/[::1]:5000/x-1"), "/a/%5B%3A%3A1%5D%3A5000/x-1");
    }
}
