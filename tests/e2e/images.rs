//! The images for all tests, pushed once to a storage folder that all registries serve.

use porthole_tests::{
    images::{self, DEBIAN, DEBIAN_ZSTD, PLATFORM_TAGS, PLATFORMS, SAMPLE},
    program::fixtures,
    servers::Storage,
    truth::Truth,
};
use std::sync::OnceLock;

/// Names of the images in the storage folder.
pub(crate) const SEVEN_LAYERS: &str = "porthole/debian:latest";
pub(crate) const SEVEN_LAYERS_ZSTD: &str = "porthole/debian:zstd";
pub(crate) const THREE_PLATFORMS: &str = "porthole/platforms:latest";
/// A repository that the token server allows without a password, and one that it does not.
pub(crate) const FOR_EVERYONE: &str = "public/debian:latest";
pub(crate) const FOR_KEEPERS: &str = "private/sample:latest";

/// The storage folder with all images.
pub(crate) fn storage() -> &'static Storage {
    static STORAGE: OnceLock<Storage> = OnceLock::new();
    STORAGE.get_or_init(|| {
        let fixtures = fixtures();
        let layout = |image| images::layout(&fixtures, image);
        let (debian, zstd, platforms, sample) =
            (layout(DEBIAN), layout(DEBIAN_ZSTD), layout(PLATFORMS), layout(SAMPLE));
        let storage = Storage::kept(fixtures.join("storage"));
        storage
            .push(&[
                (&debian, "latest", SEVEN_LAYERS),
                (&zstd, "latest", SEVEN_LAYERS_ZSTD),
                (&platforms, "latest", THREE_PLATFORMS),
                (&debian, "latest", FOR_EVERYONE),
                (&sample, "latest", FOR_KEEPERS),
            ])
            .expect("the images can be pushed; `cargo xtask fixtures` makes them");
        storage
    })
}

/// umoci's tree of the image of seven layers.
pub(crate) fn debian() -> Truth {
    walk(DEBIAN, "latest")
}

/// umoci's tree of the sample.
pub(crate) fn sample() -> Truth {
    walk(SAMPLE, "latest")
}

/// One platform of the multi-platform image.
pub(crate) struct ForPlatform {
    /// As written in the index.
    pub(crate) platform: &'static str,
    /// As users write it: `arm64` implies `v8`.
    pub(crate) called: &'static str,
    pub(crate) manifest: String,
    /// umoci's tree of it.
    pub(crate) truth: Truth,
}

pub(crate) fn platforms() -> impl Iterator<Item = ForPlatform> {
    PLATFORM_TAGS.iter().map(|&(platform, tag)| ForPlatform {
        platform,
        called: if platform == "linux/arm64/v8" { "linux/arm64" } else { platform },
        manifest: images::manifest_digest(&fixtures(), PLATFORMS, tag)
            .expect("`cargo xtask fixtures` makes the images"),
        truth: walk(PLATFORMS, tag),
    })
}

fn walk(image: &str, tag: &str) -> Truth {
    Truth::walk(&images::truth(&fixtures(), image, tag)).expect("`cargo xtask fixtures` makes the images")
}
