//! The images of a layout or an archive, and the choice of one by name.

use super::{IMAGE_NAME, REF_NAME};
use crate::{
    descriptor::Descriptor,
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    reference::Reference,
};

/// An image of a layout or an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// All names of the image. The first one is displayed.
    pub names: Vec<String>,
    /// The descriptor of its index or manifest.
    pub root: Descriptor,
}

impl NamedImage {
    /// An entry of `index.json`, with the names that its annotations give it.
    pub(super) fn from_entry(root: Descriptor) -> Self {
        let annotation = |key| root.annotations.get(key).filter(|name| !name.is_empty()).cloned();
        let names = [REF_NAME, IMAGE_NAME].into_iter().filter_map(annotation).collect();
        Self { names, root }
    }

    /// The name to display: the first name, else the digest.
    pub fn label(&self) -> String {
        self.names.first().cloned().unwrap_or_else(|| self.root.digest.to_string())
    }
}

/// Finds the image that `name` stands for: one of its names, its digest, or a reference that equals one of its names in full
/// (`nginx` for `docker.io/library/nginx:latest`). `None` stands for the only image.
///
/// # Errors
///
/// [`ChoiceError`] if no image or more than one matches.
pub fn find_image<'i>(images: &'i [NamedImage], name: Option<&str>) -> Result<&'i NamedImage, ChoiceError> {
    let Some(name) = name else {
        return match one_of(images.iter()) {
            Ok(Some(only)) => Ok(only),
            Ok(None) => Err(ChoiceError::Empty),
            Err(_) => Err(ChoiceError::Several { available: labels(images) }),
        };
    };
    let ways: [&dyn Fn(&NamedImage) -> bool; 3] = [
        &|image| image.names.iter().any(|known| known == name),
        &|image| image.root.digest.to_string() == name,
        &|image| {
            name.parse::<Reference>()
                .is_ok_and(|name| image.names.iter().any(|known| known.parse() == Ok(name.clone())))
        },
    ];
    for is_named in ways {
        match one_of(images.iter().filter(|image| is_named(image))) {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(found),
            Err(found) => {
                let digests = found.iter().map(|image| image.root.digest.to_string()).collect();
                return Err(ChoiceError::SameName { name: name.to_owned(), digests });
            }
        }
    }
    Err(ChoiceError::NoSuchName { name: name.to_owned(), available: labels(images) })
}

/// Returns the only image; entries with one digest count once. `Err` has the images if there are several.
fn one_of<'i>(images: impl Iterator<Item = &'i NamedImage>) -> Result<Option<&'i NamedImage>, Vec<&'i NamedImage>> {
    let mut found: Vec<&NamedImage> = Vec::new();
    for image in images {
        if found.iter().all(|other| other.root.digest != image.root.digest) {
            found.push(image);
        }
    }
    match found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(found),
    }
}

fn labels(images: &[NamedImage]) -> Vec<String> {
    images.iter().map(NamedImage::label).collect()
}

/// Why a name does not select one image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// No image has the name.
    #[error("no image is named `{name}`; available: {}", list(available))]
    NoSuchName {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// No name was given, and there are several images.
    #[error("several images: name one of {}", list(available))]
    Several {
        /// Their names, or digests where they have none.
        available: Vec<String>,
    },
    /// Several images have the name.
    #[error("several images are named `{name}`: {}", list(digests))]
    SameName {
        /// The name that several images have.
        name: String,
        /// Their digests. Each selects one of the images.
        digests: Vec<String>,
    },
    /// There are no images.
    #[error("layout has no images")]
    Empty,
}

impl Classify for ChoiceError {
    fn failure(&self) -> Failure {
        match self {
            Self::NoSuchName { .. } | Self::Empty => Failure::new(FailureClass::NotFound, Blame::Input),
            Self::Several { available } => Failure::input().hint(Hint::ChooseImage { available: available.clone() }),
            Self::SameName { .. } => Failure::input().hint(Hint::UseDigest),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, media_type::MediaType};

    fn image(content: &str, names: &[&str]) -> NamedImage {
        let root = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(content.as_bytes()), 1);
        NamedImage { names: names.iter().map(|&name| name.to_owned()).collect(), root }
    }

    #[test]
    fn a_name_a_digest_or_a_reference_means_an_image() {
        let images = [image("a", &["docker.io/library/nginx:latest"]), image("b", &["v2", "v3"]), image("c", &[])];
        let digest = images[2].root.digest.to_string();
        let cases = [("docker.io/library/nginx:latest", 0), ("nginx", 0), ("v2", 1), ("v3", 1), (digest.as_str(), 2)];
        for (name, expected) in cases {
            assert_eq!(find_image(&images, Some(name)), Ok(&images[expected]), "{name}");
        }
        let error = find_image(&images, Some("v4")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no image is named `v4`; available: docker.io/library/nginx:latest, v2, {digest}")
        );
        assert!(matches!(find_image(&images, None), Err(ChoiceError::Several { available }) if available.len() == 3));
        assert_eq!(find_image(&[], None), Err(ChoiceError::Empty));
    }

    #[test]
    fn an_image_that_is_listed_twice_is_one() {
        let images = [image("a", &["v1"]), image("a", &["v2"])];
        assert_eq!(find_image(&images, None), Ok(&images[0]));
        let images = [image("a", &["v1"]), image("b", &["v1"])];
        let error = find_image(&images, Some("v1")).unwrap_err();
        assert!(matches!(error, ChoiceError::SameName { digests, .. } if digests.len() == 2));
    }
}
