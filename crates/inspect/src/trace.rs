//! Annotates a record of exchanges: what a name means, which image was chosen, which digest is which layer.

use crate::resolve::ResolveStep;
use porthole_core::{manifest::Document, reference::Reference};
use porthole_registry::trace::Recorder;

/// Notes what a name means.
pub fn record_name(recorder: &Recorder, reference: &Reference) {
    let [registry, host, repository] = [reference.registry(), reference.api_host(), reference.repository()];
    let at = if host == registry { String::new() } else { format!(", whose API is at {host}") };
    let what = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("digest {digest}"),
        (None, tag) => format!("tag {}", tag.unwrap_or("latest")),
    };
    recorder.note(format!("the name means: registry {registry}{at}; repository {repository}; {what}"));
}

/// Notes a step from a name to its image, and names the digests in it: index, manifest, configuration, layers.
pub fn record_step(recorder: &Recorder, step: &ResolveStep) {
    match step {
        ResolveStep::Document(Document::Index(index)) => recorder.name(index.raw.digest(), "the index"),
        ResolveStep::Document(document) | ResolveStep::Manifest(document) => {
            recorder.name(document.raw().digest(), "the manifest");
            if let Document::Manifest(manifest) = document {
                recorder.name(manifest.value.config.digest, "the configuration");
                let layers = &manifest.value.layers;
                for (number, layer) in (1..).zip(layers) {
                    recorder.name(layer.digest, format!("layer {number} of {}", layers.len()));
                }
            }
        }
        ResolveStep::Chosen(entry) => {
            let platform = entry.platform.as_ref().map(ToString::to_string);
            recorder.name(entry.digest, format!("the manifest for {}", platform.as_deref().unwrap_or("this platform")));
            if let Some(platform) = platform {
                recorder.note(format!("the image for {platform} is chosen from the index"));
            }
        }
        ResolveStep::Config(_) => {}
    }
}
