use super::LayerNumber;
use crate::digest::Digest;
use std::fmt;

/// A layer as errors name it. The number counts within one image; the digest names the blob wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedLayer {
    /// Its number in the image.
    pub number: LayerNumber,
    /// Digest of its blob; `None` for a layer that belongs to no image.
    pub digest: Option<Digest>,
}

impl fmt::Display for NamedLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number, f)
    }
}

/// The digests of the blobs of layers by their indexes, as text: what JSON prints beside the number of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobDigests(Vec<Option<String>>);

impl BlobDigests {
    /// The digest of the layer at this index. `None` for a layer that belongs to no image.
    pub fn find(&self, layer: u32) -> Option<&str> {
        self.0.get(layer as usize)?.as_deref()
    }

    /// The digests of these layers, in their order; empty if they belong to no image.
    pub fn all(&self, layers: &[u32]) -> Vec<String> {
        layers.iter().filter_map(|layer| self.find(*layer)).map(str::to_owned).collect()
    }
}

/// From the digest of each layer, bottom first.
impl FromIterator<Option<Digest>> for BlobDigests {
    fn from_iter<T: IntoIterator<Item = Option<Digest>>>(digests: T) -> Self {
        Self(digests.into_iter().map(|digest| digest.map(|digest| digest.to_string())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn a_layer_is_named_by_number_and_digest() {
        let digest = Digest::sha256(b"layer");
        let layer = NamedLayer { number: LayerNumber::of_index(1), digest: Some(digest) };
        assert_eq!(Failure::malformed().in_layer(layer).layer, Some(layer));
        assert_eq!(layer.to_string(), "2");
    }

    #[test]
    fn digests_stand_in_the_order_of_the_numbers() {
        let [a, b] = [b"a", b"b"].map(|bytes| Digest::sha256(bytes));
        let digests = BlobDigests::from_iter([Some(a), Some(b)]);
        assert_eq!((digests.find(1), digests.find(2)), (Some(b.to_string().as_str()), None));
        assert_eq!(digests.all(&[1, 0]), [b.to_string(), a.to_string()]);
        assert_eq!(BlobDigests::from_iter([None]).all(&[0]), [""; 0]);
    }
}
