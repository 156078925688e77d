use crate::{
    Error, docker,
    index::{Archive, Span},
    layout::Directory,
};
use porthole_core::{
    archive::MANIFEST_FILE,
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::Limits,
    manifest::{Document, Raw},
};
use std::{
    collections::HashMap,
    fmt,
    io::{Cursor, Read, Seek, SeekFrom},
    path::Path,
};

/// An image source on disk: an OCI layout directory, an OCI layout in a tar, or a docker-archive.
///
/// Blobs are found by digest and may be opened as often as wanted, from any offset. The images of a docker-archive have no
/// manifests of their own; they are given one made from `manifest.json`, the same bytes for the same archive.
pub struct Local {
    source: Source,
    format: Format,
    images: Vec<NamedImage>,
    limits: Limits,
}

/// What a source on disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// An OCI image layout in a directory.
    OciLayout,
    /// An OCI image layout in a tar.
    OciArchive,
    /// What `docker save` writes. Newer ones are OCI layouts too.
    DockerArchive,
}

enum Source {
    Directory(Directory),
    Archive { archive: Archive, manifests: HashMap<Digest, Vec<u8>>, blobs: HashMap<Digest, Span> },
}

impl Local {
    /// Opens an image source and recognises what it is; an archive that is an OCI layout as well as a docker-archive is
    /// read as the former.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is none of them, broken, or compressed as a whole.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_within(path, None, Limits::default())
    }

    /// Opens an image source, of a format if it is said to be of one, within limits that a user has set.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`open_as`](Self::open_as).
    pub fn open_within(path: &Path, format: Option<Format>, limits: Limits) -> Result<Self, Error> {
        match format {
            None => Self::recognise(path, limits),
            Some(Format::OciLayout) => {
                let (directory, images) = Directory::open(path, &limits)?;
                Ok(Self { source: Source::Directory(directory), format: Format::OciLayout, images, limits })
            }
            Some(format) => Self::from_archive(Archive::open(path)?, format, limits),
        }
    }

    fn recognise(path: &Path, limits: Limits) -> Result<Self, Error> {
        if path.metadata().map_err(Error::io(path))?.is_dir() {
            return Self::open_within(path, Some(Format::OciLayout), limits);
        }
        let archive = Archive::open(path)?;
        let has = |name: &str| archive.find(name.as_bytes()).is_some();
        let format = match (has(LAYOUT_FILE) && has(INDEX_FILE), has(MANIFEST_FILE)) {
            (true, _) => Format::OciArchive,
            (false, true) => Format::DockerArchive,
            (false, false) => {
                return Err(Error::NotAnImage {
                    path: path.to_owned(),
                    got: "an archive without index.json or manifest.json",
                });
            }
        };
        Self::from_archive(archive, format, limits)
    }

    /// Opens an image source that is said to be of a format.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and if it is not of that format.
    pub fn open_as(path: &Path, format: Format) -> Result<Self, Error> {
        Self::open_within(path, Some(format), Limits::default())
    }

    fn from_archive(archive: Archive, format: Format, limits: Limits) -> Result<Self, Error> {
        let not_an_image = |got| Error::NotAnImage { path: archive.path().to_owned(), got };
        let manifest = archive.find(MANIFEST_FILE.as_bytes());
        if format == Format::DockerArchive {
            let manifest = manifest.ok_or_else(|| not_an_image("an archive without manifest.json"))?;
            let docker::Contents { images, manifests, blobs } = docker::read(&archive, manifest, &limits)?;
            return Ok(Self { source: Source::Archive { archive, manifests, blobs }, format, images, limits });
        }
        let documents = [LAYOUT_FILE, INDEX_FILE].map(|name| archive.find(name.as_bytes()));
        let [Some(oci_layout), Some(index_json)] = documents else {
            return Err(not_an_image("an archive without oci-layout and index.json"));
        };
        let read = |span| archive.read_small(span, limits.manifest_bytes);
        let refused = |source| Error::Layout { path: archive.path().to_owned(), source };
        let images = layout::read_images(&read(oci_layout)?, read(index_json)?, &limits).map_err(refused)?;
        let blobs = archive.files().filter_map(|(name, span)| Some((layout::blob_digest(name)?, span))).collect();
        Ok(Self { source: Source::Archive { archive, manifests: HashMap::new(), blobs }, format, images, limits })
    }

    /// The limits that it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the source is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Names with the root descriptors that they stand for, in the order of the source: the annotation
    /// `org.opencontainers.image.ref.name`, or each of a docker-archive's `RepoTags`. `None` = an image without a name.
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        let mut all = Vec::new();
        for NamedImage { names, root } in &self.images {
            // A layout's second name is the first one in full.
            let count = if self.format == Format::DockerArchive { names.len() } else { 1 };
            all.extend(names.iter().take(count).map(|name| (Some(name.clone()), root.clone())));
            if names.is_empty() {
                all.push((None, root.clone()));
            }
        }
        all
    }

    /// The root descriptor of a name: as [`names`](Self::names) lists it, a reference in full where that is known, or a
    /// digest. `None` = the only image there is.
    ///
    /// # Errors
    ///
    /// [`Error::Choice`], with the names to choose from.
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, Error> {
        Ok(layout::find_image(&self.images, name)?.root.clone())
    }

    /// A whole index or manifest, checked against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is not there, other bytes, or no such document.
    pub fn read_document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let raw = self.read_small(descriptor)?;
        Document::parse_within(raw, Some(descriptor.media_type.as_str()), &self.limits)
            .map_err(|source| Error::Document { digest: descriptor.digest, source })
    }

    /// A whole small blob, such as a configuration, checked against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is not there, other bytes, or larger than [`Limits::manifest_bytes`].
    pub fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let Descriptor { digest, size, .. } = *descriptor;
        let limit = self.limits.manifest_bytes;
        if size > limit {
            return Err(Error::TooLarge { digest, limit, got: size });
        }
        let mut bytes = Vec::new();
        match (self.open_blob(&digest, 0), &descriptor.data) {
            (Ok((_, reader)), _) => {
                reader.take(size + 1).read_to_end(&mut bytes).map_err(Error::io(digest.to_string()))?;
            }
            (Err(Error::BlobNotFound { .. }), Some(data)) => bytes.clone_from(data),
            (Err(error), _) => return Err(error),
        }
        Ok(Raw::verify(bytes, &digest, Some(size))?)
    }

    /// Opens a blob: its size in bytes, and a reader that starts at `offset` and ends with the blob. What it reads has not
    /// been checked.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is not there, or ends before `offset`.
    pub fn open_blob(&self, digest: &Digest, offset: u64) -> Result<(u64, Box<dyn Read + Send>), Error> {
        match &self.source {
            Source::Directory(directory) => {
                let (mut file, size, path) = directory.open_blob(digest)?;
                let left = size.checked_sub(offset).ok_or(Error::Offset { size, offset })?;
                file.seek(SeekFrom::Start(offset)).map_err(Error::io(path))?;
                Ok((size, Box::new(file.take(left))))
            }
            Source::Archive { archive, manifests, blobs } => {
                if let Some(bytes) = manifests.get(digest) {
                    let size = bytes.len() as u64;
                    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
                    let rest = rest.ok_or(Error::Offset { size, offset })?.to_vec();
                    return Ok((size, Box::new(Cursor::new(rest))));
                }
                let span = *blobs.get(digest).ok_or(Error::BlobNotFound { digest: *digest })?;
                Ok((span.size, Box::new(archive.read(span, offset)?)))
            }
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("format", &self.format).field("images", &self.images).finish_non_exhaustive()
    }
}
