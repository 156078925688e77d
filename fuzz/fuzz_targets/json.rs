//! No document makes a parser panic, and none is read without end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use porthole_core::{
    archive,
    config::ImageConfig,
    image::Image,
    layout,
    manifest::{Document, Raw},
};

fuzz_target!(|data: &[u8]| {
    let raw = Raw::trust_on_first_use(data.to_vec());
    let _ = ImageConfig::parse(&raw);
    let _ = archive::parse_manifest(data);
    let _ = layout::check_version(data);
    let _ = layout::parse_index(data.to_vec());
    if let Ok(Document::Manifest(manifest)) = Document::parse(raw.clone(), None) {
        let _ = Image::assemble(manifest, raw);
    }
});
