//! From names to images, over registries and other sources.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    failure::{Classify, FailureClass},
    hint::Hint,
    limits::Limits,
    manifest::Document,
    platform::Platform,
    reference::Reference,
};
use porthole_inspect::resolve::{Error, PlatformChoice, ResolveStep, ResolvedImage, resolve};
use porthole_registry::{Options, Registry, client::RemoteImage};
use porthole_source::{Capability, ImageSource, SourceKind, Unsupported};
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Content, Family, Image, Layer, index_of},
    registry::{Internet, Site},
    source::MemoryImage,
};
use std::sync::Arc;

fn image(architecture: &str) -> porthole_testkit::image::Built {
    let layer = Layer::new("COPY a /").file("a", architecture);
    Image::new().platform("linux", architecture, None).layer(layer).build()
}

fn linux(architecture: &str) -> Platform {
    Platform::new("linux", architecture, None)
}

/// An image below `depth` indexes, each of which lists the next.
fn nested(depth: u32) -> Content {
    let image = image("amd64");
    let mut content = Content::default();
    content.add_image(&image);
    let mut entry = image.descriptor();
    let mut root = image.manifest.clone();
    for _ in 0..depth {
        root = index_of(Family::Oci, vec![entry]);
        content.add_blob(root.clone());
        entry = root.descriptor();
        entry["platform"] = image.descriptor()["platform"].clone();
    }
    content.add_root("1", root);
    content
}

fn registry(content: &Content, limits: Limits) -> (Internet, RemoteImage<Arc<Registry<Internet>>>) {
    let internet = Internet::new();
    internet.site("r.example.com", Site::new().repository("a/b", content.clone()));
    let client = Registry::new(internet.clone(), Options { limits, ..Options::default() });
    let reference: Reference = "r.example.com/a/b:1".parse().unwrap();
    (internet, RemoteImage::new(Arc::new(client), reference))
}

fn resolved<S: ImageSource>(
    source: &S,
    choice: &PlatformChoice,
) -> (Vec<&'static str>, Result<ResolvedImage, Error<S::Error>>) {
    let mut steps = Vec::new();
    let outcome = block_on(resolve(source, choice, &mut |step| {
        steps.push(match step {
            ResolveStep::Document(Document::Index(_)) => "index",
            ResolveStep::Document(Document::Manifest(_)) => "document",
            ResolveStep::Chosen(_) => "chosen",
            ResolveStep::Manifest(_) => "manifest",
            ResolveStep::Config(_) => "config",
            _ => "other",
        });
    }));
    (steps, outcome)
}

#[test]
fn the_chain_of_proof_is_told_step_by_step() {
    let choice = PlatformChoice::fallback(linux("arm64"));
    let content = Content::of_index("1", &[image("amd64"), image("arm64")]);
    let (internet, remote) = registry(&content, Limits::default());
    let (steps, outcome) = resolved(&remote, &choice);
    let outcome = outcome.unwrap();
    assert_eq!(steps, ["index", "chosen", "manifest", "config"]);
    assert_eq!(outcome.image.config.platform, Some(linux("arm64")));
    assert!(matches!(outcome.index, Some(Document::Index(_))));
    assert_eq!(outcome.chosen.unwrap().digest, *outcome.image.manifest.raw.digest());
    assert_eq!(internet.log().len(), 3);
    assert_eq!(resolved(&MemoryImage::new(content, "1"), &choice).0, steps);
    let (steps, outcome) = resolved(&MemoryImage::new(nested(0), "1"), &choice);
    assert_eq!(steps, ["document", "manifest", "config"]);
    assert!(outcome.unwrap().index.is_none());
}

#[test]
fn entries_without_a_platform_are_chosen_by_their_configurations() {
    let images = [image("amd64"), image("arm64")];
    let mut content = Content::default();
    images.iter().for_each(|image| {
        content.add_image(image);
    });
    let undeclared = images.iter().map(|image| image.manifest.descriptor()).collect();
    content.add_root("1", index_of(Family::Oci, undeclared));
    let source = MemoryImage::new(content, "1");
    for architecture in ["arm64", "amd64"] {
        for choice in [PlatformChoice::named(linux(architecture)), PlatformChoice::fallback(linux(architecture))] {
            let outcome = resolved(&source, &choice).1.unwrap();
            assert_eq!(outcome.image.config.platform, Some(linux(architecture)));
        }
    }
    let error = resolved(&source, &PlatformChoice::named(linux("s390x"))).1.unwrap_err();
    assert_eq!(error.to_string(), "no image for platform linux/s390x; available: linux/amd64, linux/arm64");
    assert!(resolved(&source, &PlatformChoice::fallback(linux("s390x"))).1.is_ok());
}

#[test]
fn a_list_of_schema_1_says_so() {
    let old = Blob::new(
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec(),
    );
    let mut entry = old.descriptor();
    entry["platform"] = image("amd64").descriptor()["platform"].clone();
    let mut content = Content::default();
    content.add_blob(old);
    content.add_root("1", index_of(Family::Oci, vec![entry]));
    let (_, remote) = registry(&content, Limits::default());
    let error = resolved(&remote, &PlatformChoice::named(linux("amd64"))).1.unwrap_err();
    assert!(error.to_string().contains("got Docker's schema 1"), "{error}");
}

#[test]
fn a_platform_that_was_named_is_never_another_one() {
    let content = Content::of_index("1", &[image("amd64"), image("arm64")]);
    for (content, available) in [(content, "linux/amd64, linux/arm64"), (nested(0), "linux/amd64")] {
        let named = PlatformChoice::named(linux("s390x"));
        let (_, error) = resolved(&MemoryImage::new(content.clone(), "1"), &named);
        let error = error.unwrap_err();
        assert!(matches!(&error, Error::Platform(_)), "{error}");
        assert!(error.to_string().contains(available), "{error}");
        let available = available.split(", ").map(str::to_owned).collect();
        assert_eq!(error.failure().hints, [Hint::ChoosePlatform { available }]);
        let (_, remote) = registry(&content, Limits::default());
        assert_eq!(resolved(&remote, &named).1.unwrap_err().to_string(), error.to_string());
    }
    // Where there is nothing to choose from, the platform that no one named does not matter.
    assert!(resolved(&MemoryImage::new(nested(0), "1"), &PlatformChoice::fallback(linux("s390x"))).1.is_ok());
}

#[test]
fn the_limit_of_nesting_is_the_source_s() {
    let choice = PlatformChoice::fallback(linux("amd64"));
    for (depth, limit, fits) in
        [(0, 0, true), (1, 0, false), (1, 1, true), (2, 1, false), (9, 8, false), (12, 20, true)]
    {
        let mut limits = Limits::default();
        limits.index_depth = limit;
        let content = nested(depth);
        let memory = resolved(&MemoryImage::new(content.clone(), "1").within(limits), &choice).1.map(drop);
        let remote = resolved(&registry(&content, limits).1, &choice).1.map(drop);
        assert_eq!((memory.is_ok(), remote.is_ok()), (fits, fits), "{depth} within {limit}");
        if let Err(error) = remote {
            assert!(matches!(error, Error::Nesting(_)), "{error}");
        }
    }
}

#[test]
fn an_error_at_a_limit_names_it() {
    let error: Error<Unsupported> = Error::Nesting(porthole_registry::plan::descent::Nesting { limit: 8 });
    let Error::Nesting(nesting) = error else { panic!("it was made so") };
    assert_eq!(nesting.to_string(), "indexes within indexes: expected at most 8 (limit index_depth), each listed once");
    struct Never;
    impl Classify for Never {
        fn failure(&self) -> porthole_core::failure::Failure {
            porthole_core::failure::Failure::bug()
        }
    }
    let failure = Error::<Never>::Nesting(nesting).failure();
    assert_eq!(failure.kind, FailureClass::Limit);
    assert_eq!(failure.hints, [Hint::raise("index_depth", 8, 0)]);
}

#[test]
fn what_is_missing_or_cannot_be_is_said_by_type() {
    let choice = PlatformChoice::fallback(linux("amd64"));
    let mut content = nested(1);
    let config = image("amd64").config.digest;
    content.blobs.remove(&config);
    let (_, error) = resolved(&MemoryImage::new(content, "1"), &choice);
    let Err(Error::Source(porthole_source::Error::NotFound { what: "config", digest })) = error else {
        panic!("expected a config that is missing")
    };
    assert_eq!(digest.to_string(), config);
    let (steps, error) = resolved(&MemoryImage::bare(b"layer".to_vec()), &choice);
    assert!(steps.is_empty());
    assert!(matches!(
        error.unwrap_err(),
        Error::Source(porthole_source::Error::Unsupported(Unsupported {
            source_kind: SourceKind::Layer,
            what: Capability::Documents
        }))
    ));
}
