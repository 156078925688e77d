//! References, compared with Docker's reference library. Also runs as wasm.

#![allow(clippy::unwrap_used)]

use porthole_core::{
    digest::Digest,
    failure::Classify,
    reference::{Error, Reference, Rule},
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const VECTORS: &str = include_str!("vectors/references.tsv");
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Unescapes a column: `\\ \t \n \r \xNN` each stand for one byte.
fn unescape(column: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = column.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().expect("an escape has a letter") {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'x' => {
                    let digits = [rest.next(), rest.next()].map(|digit| digit.expect("an escape has two digits"));
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                literal => literal,
            },
            byte => byte,
        });
    }
    bytes
}

#[test]
fn every_row_of_the_vectors() {
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in VECTORS.split('\n').filter(|row| !row.is_empty() && !row.starts_with('#')).skip(1) {
        let (input, expected) = row.split_once('\t').expect("a row has two columns");
        let got = match Reference::parse_bytes(&unescape(input)) {
            Ok(reference) => {
                let canonical = reference.to_string();
                assert_eq!(canonical.parse::<Reference>().unwrap().to_string(), canonical, "{input}");
                canonical
            }
            Err(_) => "ERROR".to_owned(),
        };
        rows += 1;
        if got.as_bytes() != unescape(expected) {
            wrong.push(format!("{input}: expected {expected}, got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 565);
}

#[test]
fn hostile_inputs_are_refused() {
    let dashes = "-".repeat(50_000);
    for text in [
        "a/".repeat(50_000),
        "a.".repeat(50_000),
        format!("a{dashes}b"),
        format!("a{dashes}"),
        "A".repeat(100_000),
        format!("a.{dashes}/b"),
        format!("a:{}", "t".repeat(100_000)),
        format!("a@sha256:{}", "0".repeat(100_000)),
        format!("a@{}", "a+".repeat(50_000)),
        "[".repeat(100_000),
        ":".repeat(100_000),
        "@".repeat(100_000),
    ] {
        let error = text.parse::<Reference>().unwrap_err().to_string();
        assert!(error.len() < 500, "{} bytes of error", error.len());
    }
}

/// `a.b` is a host and `a_b` a namespace. `a_b.c` is neither, and Docker's library keeps it as the first component of
/// the name.
#[test]
fn a_first_component_that_looks_like_a_host_but_is_not_valid() {
    let reference: Reference = "my_host.example/x".parse().unwrap();
    assert_eq!(reference.to_string(), "my_host.example/x:latest");
    assert_eq!((reference.registry(), reference.repository()), ("my_host.example", "x"));
    assert!(format!("my_host.example/{}", "x".repeat(239)).parse::<Reference>().is_ok());
    assert!(format!("my_host.example/{}", "x".repeat(240)).parse::<Reference>().is_err());
    assert!(format!("my-host.example/{}", "x".repeat(255)).parse::<Reference>().is_ok());
    assert!("my_host.example:80/x".parse::<Reference>().is_err());
    assert!("my___host.example/x".parse::<Reference>().is_err());
}

#[test]
fn the_parts_of_a_reference() {
    let reference: Reference = "nginx".parse().unwrap();
    assert_eq!(reference.registry(), "docker.io");
    assert_eq!(reference.api_host(), "registry-1.docker.io");
    assert_eq!(reference.repository(), "library/nginx");
    assert_eq!((reference.tag(), reference.digest()), (Some("latest"), None));
    assert_eq!((reference.target(), reference.familiar()), ("latest".to_owned(), "nginx:latest".to_owned()));

    let both: Reference = format!("ghcr.io/a/b:1@{DIGEST}").parse().unwrap();
    assert_eq!((both.registry(), both.api_host(), both.repository()), ("ghcr.io", "ghcr.io", "a/b"));
    assert_eq!((both.tag(), both.digest()), (Some("1"), Some(&DIGEST.parse::<Digest>().unwrap())));
    assert_eq!(both.target(), DIGEST);
    assert_eq!(both.to_string(), format!("ghcr.io/a/b@{DIGEST}"));
    assert_eq!(both.familiar(), format!("ghcr.io/a/b:1@{DIGEST}"));

    let pinned = reference.with_digest(DIGEST.parse().unwrap());
    assert_eq!(pinned.to_string(), format!("docker.io/library/nginx@{DIGEST}"));
    assert_eq!(pinned.familiar(), format!("nginx:latest@{DIGEST}"));

    let only_digest: Reference = format!("nginx@{DIGEST}").parse().unwrap();
    assert_eq!(only_digest.tag(), None);
    assert_eq!("library/a/b".parse::<Reference>().unwrap().familiar(), "library/a/b:latest");
    assert_eq!("docker.io/user/a".parse::<Reference>().unwrap().familiar(), "user/a:latest");
}

#[test]
fn errors_name_the_part_and_the_rule() {
    let error = |text: &str| text.parse::<Reference>().unwrap_err();
    let said = |text: &str| {
        let error = error(text);
        let hint = error.failure().hints.pop().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{error}{hint}")
    };
    for (text, expected) in [
        ("", "invalid reference: expected a name, got nothing"),
        (
            "https://ghcr.io/a/b",
            "invalid reference: expected no URL scheme, got `https://`; write `ghcr.io/a/b`, without `https://`",
        ),
        (
            "docker://busybox",
            "invalid reference: expected no URL scheme, got `docker://`; write `busybox`, without `docker://`",
        ),
        (
            " nginx\n",
            "invalid reference: expected no white space around it, got ` nginx\\n`; \
             remove the white space before and after the reference",
        ),
        (
            "Nginx",
            "invalid repository: expected lower case, got `Nginx`; repositories are written in lower case: `nginx`",
        ),
        (
            "ghcr.io/",
            "invalid repository: expected text, got ``; \
             write the repository after the registry, as in `registry.example/name`",
        ),
        ("ghcr.io/a//b", "invalid repository: expected text between the slashes, got `a//b`"),
        ("a/-b", "invalid repository: expected `.`, `_`, `__` or `-` only between letters or digits, got `a/-b`"),
        (
            "my_host:5000/x",
            "invalid registry: expected a host of letters, digits, `.` and inner `-`, got `my_host:5000`",
        ),
        ("localhost:http/x", "invalid registry: expected a port in digits, got `localhost:http`"),
        ("nginx:", "invalid tag: expected text, got ``; write a tag after the `:`, or leave the `:` out"),
        ("nginx:-1", "invalid tag: expected a letter, a digit or `_` at the start, got `-1`"),
        ("nginx:a b", "invalid tag: expected letters, digits, `_`, `.` and `-`, got `a b`"),
        ("nginx@sha256:ab", "invalid reference: malformed digest: expected 64 hex digits for sha256, got 2"),
        (
            "nginx@md5:00000000000000000000000000000000",
            "invalid reference: unsupported digest algorithm: expected sha256, sha384 or sha512, got `md5`",
        ),
    ] {
        assert_eq!(said(text), expected, "{text:?}");
    }
    assert_eq!(error(&"a".repeat(249)), Error::RepositoryLength { length: 257 });
    assert_eq!(error(&format!("a:{}", "t".repeat(129))), Error::TagLength { length: 129 });
    assert_eq!(error(&"0".repeat(64)), Error::Identifier);
    assert!(matches!(error("[fe80::1%eth0]:5000/x"), Error::Registry { rule: Rule::Address, .. }));
    assert!(matches!(error("nginx\u{200b}"), Error::Repository { rule: Rule::RepositoryCharacter, .. }));
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Reference::parse_bytes(&bytes);
        }

        #[test]
        fn near_misses_are_read_or_refused_but_stay_what_they_are(text in "[a-zA-Z0-9._:/@\\[\\]-]{0,40}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let again: Reference = reference.to_string().parse().unwrap();
                prop_assert_eq!(again.to_string(), reference.to_string());
                prop_assert_eq!(reference.familiar().parse::<Reference>().unwrap(), reference);
            }
        }

        #[test]
        fn what_is_composed_by_the_grammar_is_read_in_its_parts(
            registry in "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}\\.[a-z]{2,4}(:[0-9]{1,5})?",
            repository in "[a-z0-9]{1,5}((\\.|_|__|-{1,4})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,5}){0,3}",
            tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}",
        ) {
            let reference: Reference = format!("{registry}/{repository}:{tag}@{DIGEST}").parse().unwrap();
            prop_assert_eq!(reference.registry(), registry);
            prop_assert_eq!(reference.repository(), repository);
            prop_assert_eq!(reference.tag(), Some(tag.as_str()));
        }
    }
}
