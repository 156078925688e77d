//! Parses the argument that names an image source.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use porthole_core::{digest::Digest, reference::Reference};
use porthole_inspect::local::LocalFormat;

use crate::{error::Error, reference};

/// A parsed image source that is not opened yet.
#[derive(Debug, PartialEq)]
pub(crate) enum Spec {
    Registry(Reference),
    /// A path. `format` is `None` if the format is detected from the content.
    Local {
        path: PathBuf,
        format: Option<LocalFormat>,
        name: Option<String>,
    },
    Layer(PathBuf),
    /// An image of the local store.
    Store {
        name: String,
    },
}

impl Spec {
    /// Parses a source. `exists` returns whether a path exists.
    pub(crate) fn parse(text: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<Self, Error> {
        let bytes = text.as_bytes();
        // Helm writes references as `oci://REGISTRY/…`. So text with a registry's name after the slashes is not a directory.
        if let Some(named) = bytes.strip_prefix(b"oci://")
            && !exists(&path_of(&bytes[b"oci:".len()..]))
            && reference::parse(OsStr::from_bytes(named))
                .is_ok_and(|reference| named.starts_with(reference.registry().as_bytes()))
        {
            return reference::parse(text).map(Self::Registry);
        }
        for (prefix, format) in PREFIXES {
            if let Some(rest) = bytes.strip_prefix(prefix.as_bytes()) {
                return local(prefix, rest, format, &exists);
            }
        }
        if let Some(path) = bytes.strip_prefix(b"layer:") {
            return match path {
                [] => Err(Error::usage("expected a file after `layer:`")),
                path => Ok(Self::Layer(path_of(path))),
            };
        }
        if let Some(name) = bytes.strip_prefix(b"store:") {
            return match std::str::from_utf8(name) {
                Ok(name) if !name.is_empty() => Ok(Self::Store { name: name.to_owned() }),
                _ => Err(Error::usage("expected a name after `store:`")),
            };
        }
        let path = Path::new(text);
        // No reference begins with a dot or a slash; `-` is standard input.
        if matches!(bytes, b"-" | [b'.' | b'/', ..]) {
            return Ok(Self::Local { path: path.to_owned(), format: None, name: None });
        }
        match reference::parse(text) {
            Ok(reference) => Ok(Self::Registry(reference)),
            Err(_) if exists(path) => Ok(Self::Local { path: path.to_owned(), format: None, name: None }),
            Err(error) => Err(error),
        }
    }
}

const PREFIXES: [(&str, LocalFormat); 4] = [
    ("oci:", LocalFormat::OciLayout),
    ("oci-archive:", LocalFormat::OciArchive),
    ("docker-archive:", LocalFormat::DockerArchive),
    ("dir:", LocalFormat::SkopeoDirectory),
];

/// Parses `PATH[:NAME]` or `PATH@DIGEST`. Names of images contain colons, so the path ends at the first colon, unless the whole
/// text is an existing path.
fn local(prefix: &str, rest: &[u8], format: LocalFormat, exists: &impl Fn(&Path) -> bool) -> Result<Spec, Error> {
    let (path, name) = match rest.iter().position(|&b| b == b':') {
        Some(colon) if !exists(&path_of(rest)) => {
            let end = at_digest(rest).unwrap_or(colon).min(colon);
            (&rest[..end], Some(&rest[end + 1..]))
        }
        _ => (rest, None),
    };
    if path.is_empty() {
        return Err(Error::usage(format!("expected a path after `{prefix}`")));
    }
    let name = name.filter(|name| !name.is_empty()).map(|name| String::from_utf8_lossy(name).into_owned());
    Ok(Spec::Local { path: path_of(path), format: Some(format), name })
}

/// Returns the position of the `@` if the text ends with `@` and a digest.
fn at_digest(text: &[u8]) -> Option<usize> {
    let at = text.iter().rposition(|&b| b == b'@')?;
    std::str::from_utf8(&text[at + 1..]).ok()?.parse::<Digest>().ok()?;
    Some(at)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, existing: &str) -> Result<Spec, String> {
        Spec::parse(OsStr::new(text), |path| path == Path::new(existing)).map_err(|error| error.to_string())
    }

    fn local(path: &str, format: Option<LocalFormat>, name: Option<&str>) -> Result<Spec, String> {
        Ok(Spec::Local { path: path.into(), format, name: name.map(str::to_owned) })
    }

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn sources_are_told_apart() {
        for (text, existing, expected) in [
            (
                "https://quay.io/repository/a/b",
                "",
                Err("invalid reference: expected no URL scheme, got `https://`: `https://quay.io/repository/a/b`"
                    .to_owned()),
            ),
            (
                "hub.docker.com/r/a/b",
                "",
                Err("invalid reference: expected a registry, got a page of `hub.docker.com`: `hub.docker.com/r/a/b`"
                    .to_owned()),
            ),
            ("a/", "a/", local("a/", None, None)),
            ("nginx", "nginx", Ok(Spec::Registry("docker.io/library/nginx:latest".parse().unwrap()))),
            ("image.tar", "image.tar", Ok(Spec::Registry("docker.io/library/image.tar:latest".parse().unwrap()))),
            ("./image.tar", "", local("./image.tar", None, None)),
            ("/tmp/x", "", local("/tmp/x", None, None)),
            ("Image.tar", "Image.tar", local("Image.tar", None, None)),
            ("oci:dir", "dir", local("dir", Some(LocalFormat::OciLayout), None)),
            ("oci:dir:1.0", "dir", local("dir", Some(LocalFormat::OciLayout), Some("1.0"))),
            (&format!("oci:dir@{DIGEST}"), "dir", local("dir", Some(LocalFormat::OciLayout), Some(DIGEST))),
            (&format!("oci:a@b@{DIGEST}"), "a@b", local("a@b", Some(LocalFormat::OciLayout), Some(DIGEST))),
            (&format!("oci:dir:{DIGEST}"), "dir", local("dir", Some(LocalFormat::OciLayout), Some(DIGEST))),
            ("oci:dir@sha256:12", "dir", local("dir@sha256", Some(LocalFormat::OciLayout), Some("12"))),
            ("oci:a:b", "a:b", local("a:b", Some(LocalFormat::OciLayout), None)),
            ("oci:dir:", "dir", local("dir", Some(LocalFormat::OciLayout), None)),
            ("oci-archive:x.tar:a", "", local("x.tar", Some(LocalFormat::OciArchive), Some("a"))),
            ("docker-archive:x.tar:a:1", "", local("x.tar", Some(LocalFormat::DockerArchive), Some("a:1"))),
            ("-", "", local("-", None, None)),
            ("docker-archive:-:a:1", "", local("-", Some(LocalFormat::DockerArchive), Some("a:1"))),
            ("dir:x", "x", local("x", Some(LocalFormat::SkopeoDirectory), None)),
            ("layer:x.tar.gz", "", Ok(Spec::Layer("x.tar.gz".into()))),
            ("store:nginx:1", "", Ok(Spec::Store { name: "nginx:1".to_owned() })),
            ("store:", "", Err("expected a name after `store:`".to_owned())),
            ("oci:", "", Err("expected a path after `oci:`".to_owned())),
            (
                "oci://r.example/a",
                "",
                Err("invalid reference: expected no URL scheme, got `oci://`: `oci://r.example/a`".to_owned()),
            ),
            ("oci://r.example/a", "//r.example/a", local("//r.example/a", Some(LocalFormat::OciLayout), None)),
            ("oci:///tmp/a", "", local("///tmp/a", Some(LocalFormat::OciLayout), None)),
            ("oci://tmp/a", "", local("//tmp/a", Some(LocalFormat::OciLayout), None)),
            ("layer:", "", Err("expected a file after `layer:`".to_owned())),
            ("Image.tar", "", Err("invalid repository: expected lower case, got `Image.tar`: `Image.tar`".to_owned())),
        ] {
            assert_eq!(parse(text, existing), expected, "{text}");
        }
    }
}
