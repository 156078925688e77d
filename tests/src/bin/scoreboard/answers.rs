//! The answers of a hostile registry: for each a name, the requests that get it, and the bytes sent.

use crate::mean::{Deed, MANIFEST, body, head};
use porthole_testkit::image::{Built, Compression};
use std::sync::LazyLock;

/// Which requests an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Manifest,
    Config,
    Layer,
    Upload,
}

impl Target {
    pub(crate) fn is(self, image: &Built, method: &str, path: &str) -> bool {
        match self {
            Self::Manifest => path.contains("/manifests/") && method != "HEAD",
            Self::Config => path.ends_with(&image.config.digest) && method == "GET",
            Self::Layer => path.ends_with(&image.layers[0].blob.digest) && method == "GET",
            Self::Upload => matches!(method, "POST" | "PUT" | "PATCH") && path.contains("/blobs/uploads/"),
        }
    }
}

/// Makes an answer from the correct body, the registry's address, and the address of another host.
type Make = fn(Vec<u8>, &str, &str) -> Deed;

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) target: Target,
    make: Make,
    status: u16,
}

impl Answer {
    pub(crate) fn deed(&self, image: &Built, path: &str, authority: &str, elsewhere: &str) -> Deed {
        let good = body(image, path).unwrap_or_default();
        match self.status {
            0 => (self.make)(good.to_vec(), authority, elsewhere),
            status => Deed::Bytes([head(status, &[], 5), b"words".to_vec()].concat()),
        }
    }
}

/// All answers, for every target to which they apply.
pub(crate) fn all() -> Vec<Answer> {
    let mut answers = Vec::new();
    let targets = [Target::Manifest, Target::Config, Target::Layer, Target::Upload];
    let make_none: Make = |_, _, _| Deed::Bytes(Vec::new());
    for target in targets {
        for status in STATUSES {
            answers.push(Answer {
                name: format!("{target:?}: status {status}"),
                target,
                make: make_none,
                status: *status,
            });
        }
        for (name, make) in BODIES {
            answers.push(Answer { name: format!("{target:?}: {name}"), target, make: *make, status: 0 });
        }
    }
    for (name, make) in DOCUMENTS {
        answers.push(Answer { name: format!("manifest: {name}"), target: Target::Manifest, make: *make, status: 0 });
    }
    answers
}

const STATUSES: &[u16] = &[
    100, 204, 205, 206, 300, 304, 305, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 416, 418, 425, 429, 451, 500,
    501, 502, 503, 504, 511, 599, 999,
];

fn ok(headers: &[(&str, &str)], bytes: Vec<u8>) -> Deed {
    Deed::Bytes([head(200, headers, bytes.len()), bytes].concat())
}

fn raw(text: &str) -> Deed {
    Deed::Bytes(text.as_bytes().to_vec())
}

fn redirect(to: &str) -> Deed {
    Deed::Bytes(head(307, &[("Location", to)], 0))
}

const BODIES: &[(&str, Make)] = &[
    ("connection closed", |_, _, _| Deed::Bytes(Vec::new())),
    ("silence", |_, _, _| Deed::Stall(Vec::new())),
    ("half a head, then silence", |_, _, _| Deed::Stall(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
    ("no HTTP", |_, _, _| raw("\x16\x03\x01\x02\x00\x01")),
    ("HTTP/0.9", |body, _, _| Deed::Bytes(body)),
    ("empty body", |_, _, _| ok(&[], Vec::new())),
    ("half the body", |body, _, _| Deed::Bytes([head(200, &[], body.len()), body[..body.len() / 2].to_vec()].concat())),
    ("half the body, then silence", |body, _, _| {
        Deed::Stall([head(200, &[], body.len()), body[..body.len() / 2].to_vec()].concat())
    }),
    ("a byte at a time", |body, _, _| Deed::Drip(head(200, &[], body.len()), body)),
    ("a head a byte at a time", |body, _, _| Deed::Drip(Vec::new(), [head(200, &[], body.len()), body].concat())),
    ("without an end", |_, _, _| Deed::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 64 << 10])),
    ("chunks without an end", |_, _, _| {
        Deed::Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), b"1\r\n \r\n".repeat(1000))
    }),
    ("headers without an end", |_, _, _| Deed::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1000))),
    ("one more byte", |body, _, _| ok(&[], [body, vec![b' ']].concat())),
    ("a bit flipped", |mut body, _, _| {
        if let Some(byte) = body.last_mut() {
            *byte ^= 1;
        }
        ok(&[("Content-Type", MANIFEST)], body)
    }),
    ("another digest in the header", |body, _, _| {
        ok(&[("Docker-Content-Digest", &format!("sha256:{}", "0".repeat(64)))], body)
    }),
    ("a web page", |_, _, _| ok(&[("Content-Type", "text/html")], b"<html><title>Sign in</title>".to_vec())),
    ("a negative length", |body, _, _| {
        Deed::Bytes([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(), body].concat())
    }),
    ("two lengths", |body, _, _| ok(&[("Content-Length", "1")], body)),
    ("a length beyond memory", |body, _, _| {
        Deed::Bytes([b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec(), body].concat())
    }),
    ("broken chunks", |_, _, _| raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")),
    ("a chunk beyond memory", |_, _, _| {
        raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}")
    }),
    ("a header of 300 KB", |body, _, _| ok(&[("X", &"y".repeat(300_000))], body)),
    ("5 000 headers", |body, _, _| ok(&vec![("X", "y"); 5000], body)),
    ("control characters in a header", |body, _, _| ok(&[("Warning", "299 - \"\u{1b}]0;x\u{7}\u{9b}31m\"")], body)),
    ("gzip without end", |_, _, _| {
        static PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| Compression::Gzip.compress(&vec![0; 200 << 20]));
        ok(&[("Content-Encoding", "gzip")], PACKED.clone())
    }),
    ("an unknown coding", |body, _, _| ok(&[("Content-Encoding", "br")], body)),
    ("another range", |body, _, _| {
        Deed::Bytes([head(206, &[("Content-Range", "bytes 5-9/10")], body.len()), body].concat())
    }),
    ("a redirect without a place", |_, _, _| Deed::Bytes(head(302, &[], 0))),
    ("a redirect to itself", |_, authority, _| redirect(&format!("http://{authority}/v2/a/b/manifests/1"))),
    ("a redirect to a file", |_, _, _| redirect("file:///etc/passwd")),
    ("a redirect elsewhere", |_, _, elsewhere| redirect(&format!("http://{elsewhere}/x"))),
    ("a redirect with credentials in it", |_, _, elsewhere| redirect(&format!("http://keeper:x@{elsewhere}/x"))),
    ("a challenge that leads elsewhere", |_, _, elsewhere| {
        let realm = format!("Bearer realm=\"http://{elsewhere}/token\",service=\"s\"");
        Deed::Bytes(head(401, &[("WWW-Authenticate", &realm)], 0))
    }),
    ("a challenge of a file", |_, _, _| {
        Deed::Bytes(head(401, &[("WWW-Authenticate", "Bearer realm=\"file:///etc/passwd\"")], 0))
    }),
    ("a wait of a thousand years", |_, _, _| Deed::Bytes(head(429, &[("Retry-After", "31536000000")], 0))),
    ("words with control characters", |_, _, _| {
        let words = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b]0;x\\u0007 \\u202e\\u009b31m\"}]}";
        Deed::Bytes([head(403, &[], words.len()), words.as_bytes().to_vec()].concat())
    }),
];

fn document(text: &str) -> Deed {
    ok(&[("Content-Type", MANIFEST)], text.as_bytes().to_vec())
}

fn with_layer(layer: &str) -> Deed {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let config =
        format!("{{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"{empty}\",\"size\":0}}");
    document(&format!("{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{config},\"layers\":[{layer}]}}"))
}

const DOCUMENTS: &[(&str, Make)] = &[
    ("no JSON", |_, _, _| document("nothing")),
    ("an array", |_, _, _| document("[]")),
    ("nested 200 000 deep", |_, _, _| document(&"[".repeat(200_000))),
    ("a number of a million digits", |_, _, _| document(&format!("{{\"schemaVersion\":{}}}", "9".repeat(1_000_000)))),
    ("not UTF-8", |_, _, _| ok(&[("Content-Type", MANIFEST)], b"{\"a\":\"\xff\xfe\"}".to_vec())),
    ("keys twice", |_, _, _| document("{\"schemaVersion\":2,\"schemaVersion\":1,\"layers\":[],\"layers\":{}}")),
    ("a size below zero", |_, _, _| {
        with_layer("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:00\",\"size\":-1}")
    }),
    ("a size beyond every disk", |_, _, _| {
        let digest = "0".repeat(64);
        with_layer(&format!(
            "{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:{digest}\",\"size\":9223372036854775807}}"
        ))
    }),
    ("a digest that is a path", |_, _, _| {
        with_layer(
            "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:../../../../etc/passwd\",\"size\":1}",
        )
    }),
    ("100 000 layers", |_, _, _| {
        let digest = "0".repeat(64);
        let layer = format!(
            "{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:{digest}\",\"size\":1}}"
        );
        with_layer(&vec![layer; 20_000].join(","))
    }),
    ("control characters in a type", |_, _, _| {
        with_layer("{\"mediaType\":\"a/\\u001b]0;x\\u0007\",\"digest\":\"\\u001b[31m\",\"size\":1}")
    }),
    ("an old schema", |_, _, _| document("{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[]}")),
];
