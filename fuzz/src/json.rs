use porthole_core::{
    archive,
    config::ImageConfig,
    image::Image,
    layout,
    manifest::{Document, Raw},
};
use porthole_registry::endpoint::tags;

/// Parses documents: no panic, and the raw bytes stay unchanged.
pub fn json(data: &[u8]) {
    let raw = Raw::trust_on_first_use(data.to_vec());
    let _ = ImageConfig::parse(&raw);
    let _ = archive::parse_manifest(data);
    let _ = layout::check_version(data);
    let _ = layout::parse_index(data.to_vec());
    let _ = tags::read(data);
    let Ok(document) = Document::parse(raw.clone(), None) else { return };
    assert_eq!(document.raw().digest(), raw.digest());
    if let Document::Manifest(manifest) = document {
        let _ = Image::assemble(manifest, raw);
    }
}
