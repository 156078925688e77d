//! The images every test looks at: pushed once into a storage that all registries serve.

use porthole_tests::{
    images::{self, DEBIAN, DEBIAN_ZSTD, PLATFORM_TAGS, PLATFORMS, SAMPLE},
    program::fixtures,
    servers::Storage,
    truth::Truth,
};
use std::sync::OnceLock;

/// The names under which the images lie in the storage.
pub(crate) const SEVEN_LAYERS: &str = "porthole/debian:latest";
pub(crate) const SEVEN_LAYERS_ZSTD: &str = "porthole/debian:zstd";
pub(crate) const THREE_PLATFORMS: &str = "porthole/platforms:latest";
/// What the token server lets everyone pull, and what it does not.
pub(crate) const FOR_EVERYONE: &str = "public/debian:latest";
pub(crate) const FOR_KEEPERS: &str = "private/sample:latest";

/// The storage with all of them.
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

/// What umoci makes of the image of seven layers.
pub(crate) fn debian() -> Truth {
    walk(DEBIAN, "latest")
}

/// What umoci makes of the sample.
pub(crate) fn sample() -> Truth {
    walk(SAMPLE, "latest")
}

/// One platform of the image for several.
pub(crate) struct ForPlatform {
    /// As its index spells it.
    pub(crate) platform: &'static str,
    /// As people say it: v8 is what arm64 means.
    pub(crate) called: &'static str,
    pub(crate) manifest: String,
    /// What umoci makes of it.
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
