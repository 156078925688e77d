//! File names of an artifact's blobs.

use crate::{descriptor::Descriptor, path};

/// Returns the file name of an artifact's blob: its title (`org.opencontainers.image.title`, a path), else the start of its
/// digest with the extension of its media type.
pub(super) fn file_name(descriptor: &Descriptor) -> String {
    let title = descriptor.annotations.get(TITLE).filter(|title| !path::clean(title.as_bytes()).is_empty());
    title.cloned().unwrap_or_else(|| {
        let digest = descriptor.digest.to_string();
        let hex = digest.rsplit(':').next().unwrap_or_default();
        format!("{}{}", hex.get(..DIGITS).unwrap_or(hex), extension(descriptor.media_type.as_str()))
    })
}

/// The extension that content of a media type usually has, with its dot; empty if none is known.
fn extension(media_type: &str) -> &'static str {
    let media_type = media_type.to_ascii_lowercase();
    let ends = |end: &&(&str, _)| media_type.ends_with(end.0);
    EXTENSIONS.iter().find(ends).map_or("", |(_, extension)| extension)
}

const TITLE: &str = "org.opencontainers.image.title";
const DIGITS: usize = 12;
/// Suffixes of media types with their extensions. The first match counts.
const EXTENSIONS: [(&str, &str); 22] = [
    ("cyclonedx+json", ".cdx.json"),
    ("spdx+json", ".spdx.json"),
    ("+json", ".json"),
    ("/json", ".json"),
    ("cyclonedx+xml", ".cdx.xml"),
    ("+xml", ".xml"),
    ("/xml", ".xml"),
    ("yaml", ".yaml"),
    ("rego", ".rego"),
    (".prov", ".prov"),
    ("wasm", ".wasm"),
    ("gguf", ".gguf"),
    ("gguf.v3", ".gguf"),
    ("ollama.image.model", ".gguf"),
    ("safetensors", ".safetensors"),
    ("tar+gzip", ".tar.gz"),
    ("tar+zstd", ".tar.zst"),
    ("tar", ".tar"),
    ("gzip", ".gz"),
    ("zip", ".zip"),
    ("text/plain", ".txt"),
    ("markdown", ".md"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, media_type::MediaType};

    fn named(media_type: &str, title: Option<&str>) -> String {
        let media_type = MediaType::parse(media_type).unwrap();
        let mut descriptor = Descriptor::new(media_type, Digest::sha256(b""), 0);
        descriptor.annotations.extend(title.map(|title| (TITLE.to_owned(), title.to_owned())));
        file_name(&descriptor)
    }

    #[test]
    fn a_title_counts_and_else_digest_and_type() {
        for (media_type, title, expected) in [
            ("text/plain", Some("docs/read me.txt"), "docs/read me.txt"),
            ("text/plain", Some("../.."), "e3b0c44298fc.txt"),
            ("application/spdx+json", None, "e3b0c44298fc.spdx.json"),
            ("application/vnd.docker.ai.gguf.v3", None, "e3b0c44298fc.gguf"),
            ("application/vnd.docker.ai.gguf", Some(""), "e3b0c44298fc.gguf"),
            ("application/vnd.cncf.helm.chart.provenance.v1.prov", None, "e3b0c44298fc.prov"),
            ("application/octet-stream", None, "e3b0c44298fc"),
        ] {
            assert_eq!(named(media_type, title), expected, "{media_type} {title:?}");
        }
    }
}
