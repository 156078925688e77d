//! Destinations of images: a registry, the store, a layout or an archive.

mod write;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use porthole_core::reference::Reference;
use porthole_inspect::local::LocalFormat;
use porthole_store::Store;
use porthole_transfer::pull::Platforms;

pub(crate) use self::write::{Pulling, Written, pull, save, send};
use crate::{error::Error, session::Session, source::Spec};

/// A parsed destination that is not opened yet.
#[derive(Debug, PartialEq)]
pub(crate) enum Destination {
    Registry(Reference),
    /// The local store. In each variant, a `name` of `None` keeps the name that the image has in its source.
    Store {
        name: Option<String>,
    },
    Layout {
        path: PathBuf,
        name: Option<String>,
    },
    Archive {
        kind: Kind,
        path: PathBuf,
        name: Option<String>,
    },
}

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Oci,
    Docker,
}

impl Destination {
    /// Parses a destination. `exists` returns whether a path exists.
    pub(crate) fn parse(text: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<Self, Error> {
        if text == "store:" {
            return Ok(Self::Store { name: None });
        }
        Ok(match Spec::parse(text, exists)? {
            Spec::Registry(reference) => Self::Registry(reference),
            Spec::Store { name } => Self::Store { name: Some(name) },
            Spec::Local { path, format: Some(LocalFormat::OciLayout), name } => Self::Layout { path, name },
            Spec::Local { path, format: Some(_), .. } if path == Path::new("-") => {
                return Err(Error::usage(
                    "expected a file for the archive, got `-`: `porthole save -o -` writes an archive to standard output",
                ));
            }
            Spec::Local { path, format: Some(LocalFormat::OciArchive), name } => {
                Self::Archive { kind: Kind::Oci, path, name }
            }
            Spec::Local { path, format: Some(LocalFormat::DockerArchive), name } => {
                Self::Archive { kind: Kind::Docker, path, name }
            }
            Spec::Local { path, .. } => {
                let path = path.display();
                return Err(Error::usage(format!(
                    "expected what to make of `{path}`: oci:{path}, oci-archive:{path} or docker-archive:{path}"
                )));
            }
            Spec::Layer(_) => return Err(Error::usage("expected a destination, got a layer")),
        })
    }

    /// Returns which images of an index to write: the one of `--platform` if that is given. Otherwise all, or the default
    /// platform's image if the destination holds only one for each name.
    pub(crate) fn platforms(&self, session: &Session<'_>) -> Platforms {
        match (session.wanted_platform(), self) {
            (Some(platform), _) => Platforms::One(platform.clone()),
            (None, Self::Archive { kind: Kind::Docker, .. }) => Platforms::One(session.platform()),
            (None, _) => Platforms::All,
        }
    }

    /// Opens the store that receives the blobs: a layout itself, otherwise the local store. An archive is written from the
    /// local store.
    fn store(&self, session: &Session<'_>) -> Result<Store, Error> {
        match self {
            Self::Layout { path, .. } => Ok(Store::open(path)?),
            _ => session.store(),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Registry(_) => None,
            Self::Store { name } | Self::Layout { name, .. } | Self::Archive { name, .. } => name.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_told_apart() {
        let archive = |kind, path: &str, name: Option<&str>| {
            Ok(Destination::Archive { kind, path: path.into(), name: name.map(str::to_owned) })
        };
        for (text, expected) in [
            ("a.example/b:1", Ok(Destination::Registry("a.example/b:1".parse().unwrap()))),
            ("store:", Ok(Destination::Store { name: None })),
            ("store:b:1", Ok(Destination::Store { name: Some("b:1".into()) })),
            ("oci:dir", Ok(Destination::Layout { path: "dir".into(), name: None })),
            ("oci:dir:1", Ok(Destination::Layout { path: "dir".into(), name: Some("1".into()) })),
            ("oci-archive:x.tar:a:1", archive(Kind::Oci, "x.tar", Some("a:1"))),
            ("docker-archive:x.tar", archive(Kind::Docker, "x.tar", None)),
            ("./x", Err("expected what to make of `./x`: oci:./x, oci-archive:./x or docker-archive:./x")),
            (
                "oci-archive:-",
                Err(
                    "expected a file for the archive, got `-`: `porthole save -o -` writes an archive to standard output",
                ),
            ),
            ("layer:x", Err("expected a destination, got a layer")),
        ] {
            let got = Destination::parse(OsStr::new(text), |_| false).map_err(|error| error.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "{text}");
        }
    }
}
