//! Finds out whether an image was built on another one, by the digests of its unpacked layers.

use porthole_core::{
    digest::Digest,
    image::{Image, Layer},
};

/// The lowest layers that an image has in common with another one, which it may have been built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseBoundary {
    /// How many of the lowest layers unpack to the same in both.
    pub shared: u32,
    /// How many layers the other image has.
    pub layers: u32,
}

impl BaseBoundary {
    /// Compares the layers of an image with those of another, from the bottom.
    pub fn of(image: &Image, base: &Image) -> Self {
        Self::between(&LayerIdentity::of(image), &LayerIdentity::of(base))
    }

    /// Compares the identities of the layers of two images, from the bottom.
    pub fn between(image: &[LayerIdentity], base: &[LayerIdentity]) -> Self {
        let shared = image.iter().zip(base).take_while(|(own, other)| own == other).count();
        Self { shared: shared as u32, layers: base.len() as u32 }
    }

    /// Whether the image has every layer of the other below its own: it was built on it, or on one with the same layers.
    pub fn is_proved(self) -> bool {
        self.layers > 0 && self.shared == self.layers
    }
}

/// Identity of a layer: its diff_id, or the digest of its blob where the configuration states none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerIdentity {
    /// Digest of its archive.
    Archive(Digest),
    /// Digest of its blob, where no diff_id is stated.
    Blob(Digest),
}

impl LayerIdentity {
    /// Returns the identities of the layers of an image, bottom first.
    pub fn of(image: &Image) -> Vec<Self> {
        let identity = |layer: &Layer| layer.diff_id.map_or(Self::Blob(layer.descriptor.digest), Self::Archive);
        image.layers.iter().map(identity).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(texts: &[&str]) -> Vec<LayerIdentity> {
        texts.iter().map(|text| LayerIdentity::Archive(Digest::sha256(text.as_bytes()))).collect()
    }

    #[test]
    fn a_base_has_all_of_its_layers_below() {
        let image = layers(&["a", "b", "c"]);
        for (base, shared, proved) in [
            (&["a", "b"][..], 2, true),
            (&["a", "b", "c"], 3, true),
            (&["a", "x"], 1, false),
            (&["b"], 0, false),
            (&["a", "b", "c", "d"], 3, false),
            (&[], 0, false),
        ] {
            let found = BaseBoundary::between(&image, &layers(base));
            assert_eq!(
                (found.shared, found.layers, found.is_proved()),
                (shared, base.len() as u32, proved),
                "{base:?}"
            );
        }
    }
}
