//! Seeds of each target: the test vectors and a few documents.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::{error::Error, io::Read as _};

use crate::corpus::Input;

/// Maximum size of a seed: larger inputs slow the fuzzer down without adding coverage.
const LARGEST: usize = 64 << 10;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The seeds of a target. Their names start with `seed-`.
///
/// # Errors
///
/// The vectors are damaged.
pub fn of(target: &str) -> Result<Vec<Input>, Box<dyn Error>> {
    let mut inputs = match target {
        "reference" => references(),
        "digest" => texts(&[DIGEST, "sha512:00", "a/../b", "\\x00\\\\"]),
        "relay" => texts(&[
            "GET /v2/library/nginx/manifests/latest?ns=docker.io HTTP/1.1\r\nHost: 127.0.0.1:8090\r\nAccept: application/json\r\nRange: bytes=0-9",
            "GET /v2/ghcr.io/a/b/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\nHost: evil.example",
            "GET /v2/%2e%2e/%2e%2e/blobs/../x?ns=a.example%40b.example\r\nHost: localhost.\r\nAuthorization: a\r\nAuthorization: b",
            "GET /v2/r.example.com_5000/a/b/tags/list?n=2&last=x%0d%0ay\r\nHost: relay.example.com",
            "GET http://169.254.169.254/latest/meta-data HTTP/1.1",
            "POST /token?ns=docker.io&scope=repository:a/b:pull\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "x\r\nWWW-Authenticate: Bearer realm=\"https://auth.example/token\",service=\"s\",scope=\"repository:a/b:pull\"\r\nWWW-Authenticate: Basic realm=\"<script>\"\r\nContent-Type: text/html\r\nLink: </v2/a/tags/list?n=2&last=%3E>; rel=next\r\nSet-Cookie: a=b\r\nLocation: http://evil.example/",
            "x\r\nLink: <?ns=evil.example&n=2&last=x>; rel=\"next\"\r\nContent-Type: application/vnd.oci.image.index.v1+json; charset=utf-8",
        ]),
        "challenge" => texts(&[
            r#"Bearer realm="https://auth.example/token",service="s",scope="repository:a/b:pull,push""#,
            r#"Negotiate abc==, Basic realm="a \"b\"", charset=UTF-8"#,
        ]),
        "link" => texts(&[
            r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
            r#"<https://other.example/?a>; title=x; rel="prev next", </c>; rel=next"#,
            "https://cdn.example:444/a?b#c",
            "//127.0.0.1/a",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ]),
        "content_range" => texts(&["bytes 5-9/10", "bytes 0-0/*", "bytes */10"]),
        "json" => documents(),
        "gzip" => streams(|name| !name.starts_with("zst"))?,
        "zstd" | "zstd_differential" => streams(|name| name.starts_with("zst"))?,
        "layer" | "seek" => [streams(|_| true)?, packed()?].concat(),
        "tar" | "differential" | "tree" => archives()?,
        "whiteouts" => texts(&["\x00\x00\u{7f}\x06", "aBcDeFgHiJkLmNoPqRsTuVwXyZ"]),
        "toc" => prepared(),
        "packages" => texts(&[
            "Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (2)\n\nP:a\nV:1\nF:b\nR:c\n",
            r#"{"name":"a","version":"1","packages":[{"name":"a/b","version":"1"}],"libraries":{"A/1":{"type":"package"}}}"#,
            "Name: a\nVersion: 1\nLicense: MIT\n\n",
            "s.name = \"a\".freeze\ns.version = \"1\"\n",
        ]),
        "bills" => texts(&[
            r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"a","versionInfo":"1","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/debian/a%2Bb@1:2?epoch=1#c"}]}]}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"a","components":[{"name":"b"}]},{"type":"file","name":"c"}]}"#,
            r#"{"predicateType":"https://spdx.dev/Document","predicate":{"Data":{"packages":[{"name":"a"}]}}}"#,
            "pkg:npm/%40scope/a@1.0?arch=x#sub/path",
        ]),
        "rpm" => databases()?,
        "secrets" => texts(&[
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            "https://user:pa55-w0rd@host.net/ //r/:_authToken=0123456789 _password = \"x\" root:$6$a$b:1:2\n",
            r#"{"auths":{"r":{"auth":"YTpiY2RlZmc="}},"type":"service_account","private_key":""}"#,
            "AKIA ghp_ glpat- xoxb-1-2 eyJhbGciOiJIUzI1NiJ9.e30.x aws_secret_access_key= sk-T3BlbkFJ hf_ npm_ token: PASSWORD=x",
        ]),
        "artifact" => texts(&[
            "GGUF\x03\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0general.name\x08\0\0\0\x01\0\0\0\0\0\0\0m\x01\0\0\0\0\0\0\0x\x09\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0abcd",
            "\0asm\x01\0\0\0",
            r#"{"spdxVersion":"SPDX-2.3","name":"a","packages":[]}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":"a"}}}"#,
            r#"{"critical":{"image":{"docker-manifest-digest":"sha256:0"},"identity":{"docker-reference":"a"}}}"#,
            r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"p","subject":[{"name":"a"}]}"#,
        ]),
        "policy" => texts(&[
            r#"{"rules":[{"images":"r.example:5000/team","keys":["-----BEGIN PUBLIC KEY-----\n"],"trusted_root":{"a":1.5e3}}]}"#,
            r#"{"rules":[{"images":"*","identities":[{"identity_regexp":"^a","issuer":"b"}]},{"images":"docker.io/nginx","keys":["k"]}]}"#,
            r#"{"rules":[{"images":"[::1]:443/a","certificates":["c"],"subjects":["CN=a"],"timestamp_authorities":[],"signing_authorities":["s"]}]}"#,
        ]),
        "evidence" => evidence(),
        _ => Vec::new(),
    };
    inputs.retain(|(_, bytes)| bytes.len() <= LARGEST);
    for (name, _) in &mut inputs {
        name.insert_str(0, "seed-");
    }
    Ok(inputs)
}

fn texts(texts: &[&str]) -> Vec<Input> {
    texts.iter().enumerate().map(|(number, text)| (number.to_string(), text.as_bytes().to_vec())).collect()
}

fn evidence() -> Vec<Input> {
    let bundles: [(&str, &[u8]); 4] = [
        ("notation", include_bytes!("../../crates/signature/tests/notation/es256.json")),
        ("message", include_bytes!("../../crates/signature/tests/vectors/cosign-v3-blob.sigstore.json")),
        ("envelope", include_bytes!("../../crates/signature/tests/vectors/conda-attestation.sigstore.json")),
        ("key", include_bytes!("../../crates/signature/tests/vectors/managed-key/bundle.sigstore.json")),
    ];
    let key = include_bytes!("../../crates/signature/tests/keys/rsa2048.pub");
    let mut payload = include_bytes!("../../crates/signature/tests/keys/payload.json").to_vec();
    payload.push(0);
    payload.extend_from_slice(include_bytes!("../../crates/signature/tests/keys/p256.sig"));
    let bundles = bundles.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    bundles.chain([("public-key".to_owned(), key.to_vec()), ("payload".to_owned(), payload)]).collect()
}

fn databases() -> Result<Vec<Input>, Box<dyn Error>> {
    let packed: [(&str, &[u8]); 4] = [
        ("log", include_bytes!("../../crates/contents/tests/vectors/rpm/shrunk.sqlite-wal.gz")),
        ("sqlite", include_bytes!("../../crates/contents/tests/vectors/rpm/small.sqlite.gz")),
        ("ndb", include_bytes!("../../crates/contents/tests/vectors/rpm/Packages.db.gz")),
        ("bdb", include_bytes!("../../crates/contents/tests/vectors/rpm/Packages.gz")),
    ];
    let mut inputs = Vec::new();
    for (name, packed) in packed {
        let mut bytes = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut bytes)?;
        inputs.push((name.to_owned(), bytes));
    }
    Ok(inputs)
}

fn references() -> Vec<Input> {
    let lines: Vec<&str> = include_str!("../../crates/core/tests/vectors/references.tsv").lines().collect();
    texts(&lines.iter().map(|line| line.split('\t').next().unwrap_or_default()).collect::<Vec<_>>())
}

fn streams(wanted: impl Fn(&str) -> bool) -> Result<Vec<Input>, Box<dyn Error>> {
    let mut inputs = Vec::new();
    for line in include_str!("../../crates/core/tests/vectors/streams.jsonl").lines() {
        let row: Value = serde_json::from_str(line)?;
        let name = text(&row, "name")?;
        if wanted(name) {
            inputs.push((name.to_owned(), STANDARD.decode(text(&row, "data_b64")?)?));
        }
    }
    Ok(inputs)
}

/// The archives of the vectors, with names.
///
/// # Errors
///
/// The vectors are damaged.
pub fn archives() -> Result<Vec<Input>, Box<dyn Error>> {
    let unpacked = |(name, packed): Input| {
        let mut archive = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut archive)?;
        Ok((name, archive))
    };
    packed()?.into_iter().map(unpacked).collect()
}

/// The archives compressed with gzip.
fn packed() -> Result<Vec<Input>, Box<dyn Error>> {
    let mut inputs = Vec::new();
    for line in include_str!("../../crates/core/tests/vectors/tar.jsonl").lines() {
        let row: Value = serde_json::from_str(line)?;
        inputs.push((text(&row, "id")?.replace('/', "-"), STANDARD.decode(text(&row, "tar_gz_b64")?)?));
    }
    Ok(inputs)
}

/// Layers with a table of contents, each after the byte that selects its format, and a table of contents alone.
fn prepared() -> Vec<Input> {
    let toc = r#"{"version":1,"entries":[{"type":"dir","name":"a/","mode":493,"modtime":"2023-11-14T22:13:21.5Z"},
        {"type":"reg","name":"a/b","size":5,"offset":9,"endOffset":90,"chunkSize":2,"xattrs":{"user.a":"Yg=="}},
        {"type":"chunk","name":"a/b","offset":30,"innerOffset":7,"chunkOffset":2,"chunkType":"zeros"},
        {"type":"hardlink","name":"c","linkName":"a/b"},{"type":"char","name":"d","devMajor":1,"devMinor":3}]}"#;
    let layers: [(u8, &[u8]); 4] = [
        (0, include_bytes!("../../crates/core/tests/vectors/prepared/stargz-snapshotter-0.12.tar.gz")),
        (1, include_bytes!("../../crates/core/tests/vectors/prepared/stargz-snapshotter-0.12.tar.zst")),
        (1, include_bytes!("../../crates/core/tests/vectors/prepared/skopeo-1.9.3.tar.zst")),
        (2, toc.as_bytes()),
    ];
    let input = |(number, (kind, bytes)): (usize, (u8, &[u8]))| (number.to_string(), [&[kind], bytes].concat());
    layers.into_iter().enumerate().map(input).collect()
}

fn text<'r>(row: &'r Value, key: &str) -> Result<&'r str, String> {
    row[key].as_str().ok_or_else(|| format!("a row without {key}"))
}

fn documents() -> Vec<Input> {
    let descriptor =
        format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{DIGEST}","size":1}}"#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{descriptor},"layers":[{descriptor}]}}"#
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{descriptor}]}}"#
    );
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{DIGEST}"]}},"history":[{{"created_by":"COPY"}}]}}"#
    );
    let archived = r#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l.tar"]}]"#;
    texts(&[&manifest, &index, &config, archived, r#"{"imageLayoutVersion":"1.0.0"}"#, r#"{"tags":["a"]}"#])
}
