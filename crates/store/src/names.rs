//! Which image a name means.

use crate::Error;
use porthole_core::{descriptor::Descriptor, reference::Reference};

/// An image of a source: every name it goes by, the one to show first, and its root.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) names: Vec<String>,
    pub(crate) descriptor: Descriptor,
}

/// The root descriptor that a name means; no name means the only image there is.
pub(crate) fn find(images: &[Named], name: Option<&str>) -> Result<Descriptor, Error> {
    let Some(name) = name else {
        return match one_of(images.iter()) {
            Ok(Some(only)) => Ok(only.descriptor.clone()),
            Ok(None) => Err(Error::Empty),
            Err(_) => Err(Error::Several { available: available(images) }),
        };
    };
    let ways: [&dyn Fn(&Named) -> bool; 3] = [
        &|image| image.names.iter().any(|known| known == name),
        &|image| image.descriptor.digest.to_string() == name,
        // `nginx` for an image that calls itself `docker.io/library/nginx:latest`, and the other way round.
        &|image| {
            name.parse::<Reference>()
                .is_ok_and(|name| image.names.iter().any(|known| known.parse() == Ok(name.clone())))
        },
    ];
    for is_named in ways {
        match one_of(images.iter().filter(|image| is_named(image))) {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(found.descriptor.clone()),
            Err(found) => {
                let digests = found.iter().map(|image| image.descriptor.digest.to_string()).collect();
                return Err(Error::SameName { name: name.to_owned(), digests });
            }
        }
    }
    Err(Error::NoSuchName { name: name.to_owned(), available: available(images) })
}

/// The only image, however often it is listed; all of them if they are several.
fn one_of<'i>(images: impl Iterator<Item = &'i Named>) -> Result<Option<&'i Named>, Vec<&'i Named>> {
    let mut found: Vec<&Named> = Vec::new();
    for image in images {
        if found.iter().all(|other| other.descriptor.digest != image.descriptor.digest) {
            found.push(image);
        }
    }
    match found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(found),
    }
}

fn available(images: &[Named]) -> Vec<String> {
    let name = |image: &Named| image.names.first().cloned().unwrap_or_else(|| image.descriptor.digest.to_string());
    images.iter().map(name).collect()
}
