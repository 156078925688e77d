//! Images in files: OCI layouts as directories and as archives, docker-archives, directories of `skopeo copy`, and the blob of
//! a single layer.
//!
//! Nothing here opens a path. The caller brings a [`Place`]: a directory or a file on disk, or what a person dropped on a
//! page. [`Images`] lists the images in it; [`Images::image`] is one of them as an [`ImageSource`](porthole_source::ImageSource).
//!
//! No link is followed out of a layout. Documents are verified against the descriptors that name them before they are parsed.

mod archive;
mod bare;
mod both;
mod dir;
mod docker;
mod error;
mod image;
mod single;
mod unpack;

pub use self::{
    archive::{Archive, Window},
    bare::BareLayer,
    error::Error,
    image::{BlobFile, LocalImage},
    unpack::{unpack, whole_compression},
};
use porthole_core::{
    archive::MANIFEST_FILE,
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::Limits,
    manifest::{Document, Raw},
    media_type::MediaType,
};
use porthole_source::{BlobFiles, FileImage, Files, OpenError, Place, ReadAt, SourceKind, has_tag, read_up_to};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// Value of `got` in [`Error::NotAnImage`]: an archive that describes no image, such as that of a layer or of a root
/// file system.
pub const NO_DESCRIPTION: &str = "an archive without index.json or manifest.json";

/// The images of a layout or an archive.
///
/// Blobs are found by digest and may be opened any number of times. The images of a docker-archive have no manifests of
/// their own. They get one made from `manifest.json`: the same bytes for the same archive.
pub struct Images<D, F> {
    files: Place<D, Archive<F>>,
    format: LocalFormat,
    images: Vec<NamedImage>,
    /// Descriptor of `index.json`, if its entries have no names and are for different platforms: it is then the index
    /// of one image.
    whole: Option<Descriptor>,
    /// Documents that were made for a docker-archive or a layer, and the `index.json` that `whole` describes.
    made: HashMap<Digest, Arc<[u8]>>,
    /// Paths of blobs that are not at [`layout::blob_path`].
    paths: HashMap<Digest, String>,
    limits: Limits,
}

/// How images are stored in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalFormat {
    /// An OCI image layout in a directory.
    OciLayout,
    /// An OCI image layout in a tar.
    OciArchive,
    /// The format of `docker save`. Since Docker 25 such an archive is an OCI layout too.
    DockerArchive,
    /// A directory that `skopeo copy … dir:DIR` writes: one image.
    SkopeoDirectory,
    /// The blob of a single layer, see [`Images::of_layer`].
    Layer,
}

impl<D: Files, F: ReadAt> Images<D, F> {
    /// Opens a source of images. `name` stands for it in errors. Without an `expected` format, the format is detected.
    /// An archive that is both an OCI layout and a docker-archive holds the images of both: those of the layout, and
    /// those that only `manifest.json` lists.
    ///
    /// # Errors
    ///
    /// [`Error`] if the source has no known format or not the expected one, if it is broken, or if it is an archive
    /// that is compressed as a whole.
    pub async fn open(
        place: Place<D, F>,
        name: &str,
        expected: Option<LocalFormat>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let files = match place {
            Place::Directory(directory) => Place::Directory(directory),
            Place::File(file) => Place::File(Archive::scan(file, name, &limits).await?),
        };
        let opening = Opening { name, limits: &limits };
        let format = match (&files, expected) {
            (_, Some(format)) => format,
            (Place::Directory(directory), None) => recognise_directory(directory).await,
            (Place::File(archive), None) => opening.recognise(archive)?,
        };
        let both =
            expected.is_none() && matches!(&files, Place::File(archive) if archive.find(MANIFEST_FILE).is_some());
        match (&files, format) {
            (Place::Directory(_), LocalFormat::OciLayout) | (Place::File(_), LocalFormat::OciArchive) => {
                let (images, index) = opening.layout(&files).await?;
                let (made, paths) = (HashMap::new(), HashMap::new());
                let mut all = Self { files, format, images, whole: None, made, paths, limits };
                if both {
                    all.join(&opening).await?;
                }
                all.take_as_one(index);
                Ok(all)
            }
            (Place::File(archive), LocalFormat::DockerArchive) => {
                let docker::Contents { images, made, paths } = docker::read(archive, &opening).await?;
                Ok(Self { files, format, images, whole: None, made, paths, limits })
            }
            (Place::Directory(directory), LocalFormat::SkopeoDirectory) => {
                let docker::Contents { images, made, paths } = dir::read(directory, &opening).await?;
                Ok(Self { files, format, images, whole: None, made, paths, limits })
            }
            (Place::Directory(_), _) => Err(opening.not_an_image("a directory")),
            (Place::File(_), LocalFormat::OciLayout | LocalFormat::SkopeoDirectory | LocalFormat::Layer) => {
                Err(opening.not_an_image("something that is not a directory"))
            }
        }
    }

    /// Makes several entries without names, each for a platform of its own, one image: the bytes of `index.json` are
    /// its index.
    fn take_as_one(&mut self, index: Vec<u8>) {
        let mut platforms = HashSet::new();
        let is_one = self.images.iter().all(|image| {
            let Some(platform) = &image.root.platform else { return false };
            // Attestations are for the platform `unknown/unknown`, and there may be several.
            image.names.is_empty() && (platform.os == "unknown" || platforms.insert(platform))
        });
        if is_one && self.images.len() > 1 {
            let whole = Descriptor::new(MediaType::OCI_INDEX, Digest::sha256(&index), index.len() as u64);
            self.made.insert(whole.digest, index.into());
            self.whole = Some(whole);
        }
    }

    /// How the images are stored.
    pub fn format(&self) -> LocalFormat {
        self.format
    }

    /// The limits that apply to every document.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Names with the root descriptors that they stand for, in the order of the source: the annotation
    /// `org.opencontainers.image.ref.name`, or each of a docker-archive's `RepoTags`. `None` = an image without a name.
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        let mut all = Vec::new();
        for NamedImage { names, root } in &self.images {
            // The second name of a layout's image is the full reference of the first.
            let count = if self.format == LocalFormat::DockerArchive { names.len() } else { 1 };
            all.extend(names.iter().take(count).map(|name| (Some(name.clone()), root.clone())));
            if names.is_empty() {
                all.push((None, root.clone()));
            }
        }
        all
    }

    /// Returns the root descriptor of a name: one that [`names`](Self::names) lists, a full reference, or a digest.
    /// `None` means the only image. A layout with an entry without a name for each platform has one image.
    ///
    /// # Errors
    ///
    /// [`Error::Choice`] with the names to choose from.
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, Error> {
        if let (None, Some(whole)) = (name, &self.whole) {
            return Ok(whole.clone());
        }
        Ok(layout::find_image(&self.images, name)?.root.clone())
    }

    /// Returns one of the images as a source. `root` is its descriptor, as [`find`](Self::find) returns it.
    pub fn image(self: &Arc<Self>, root: Descriptor) -> LocalImage<D, F> {
        FileImage::new(Arc::clone(self), root)
    }

    /// Reads an index or a manifest, and verifies it against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, does not match its descriptor, or is no such document.
    pub async fn read_document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        Ok(BlobFiles::read_document(self, descriptor).await?)
    }

    /// Reads a small blob, such as a configuration, and verifies it against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, does not match its descriptor, or is larger than [`Limits::manifest_bytes`].
    pub async fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        Ok(self.read_verified("blob", descriptor).await?)
    }

    /// Opens a blob. Its bytes are not verified.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, or not a file of the layout.
    pub async fn open_blob(&self, digest: &Digest) -> Result<BlobFile<D::File, Window<F>>, Error> {
        Ok(self.open_file(digest).await?)
    }
}

impl<D: Files, F: ReadAt> BlobFiles for Images<D, F> {
    type File = BlobFile<D::File, Window<F>>;
    type Error = Error;

    fn kind(&self) -> SourceKind {
        self.format.kind()
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn roots(&self) -> Vec<Descriptor> {
        self.names().into_iter().map(|(_, root)| root).collect()
    }

    fn tagged(&self, tag: &str) -> Option<Descriptor> {
        let has_it = |(name, _): &(Option<String>, Descriptor)| name.as_deref().is_some_and(|name| has_tag(name, tag));
        self.names().into_iter().find(has_it).map(|(_, root)| root)
    }

    async fn open_file(&self, digest: &Digest) -> Result<Self::File, porthole_source::Error> {
        if let Some(bytes) = self.made.get(digest) {
            return Ok(BlobFile::Memory(Arc::clone(bytes)));
        }
        let path = match (self.paths.get(digest), self.format) {
            (Some(path), _) => path.clone(),
            (None, LocalFormat::DockerArchive | LocalFormat::Layer) => {
                return Err(porthole_source::Error::NotFound { what: "blob", digest: *digest });
            }
            (None, LocalFormat::SkopeoDirectory) => dir::blob_path(digest),
            (None, _) => layout::blob_path(digest),
        };
        let opened = match &self.files {
            Place::Directory(directory) => directory.open(&path).await.map(BlobFile::Directory),
            Place::File(archive) => archive.open(&path).await.map(BlobFile::Archive),
        };
        opened.map_err(porthole_source::Error::opening(digest))
    }
}

impl<D, F> fmt::Debug for Images<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("format", &self.format).field("images", &self.images).finish_non_exhaustive()
    }
}

impl LocalFormat {
    fn kind(self) -> SourceKind {
        match self {
            Self::OciLayout | Self::SkopeoDirectory => SourceKind::Layout,
            Self::OciArchive => SourceKind::OciArchive,
            Self::DockerArchive => SourceKind::DockerArchive,
            Self::Layer => SourceKind::Layer,
        }
    }
}

/// Name and limits of the source that is being opened.
struct Opening<'o> {
    name: &'o str,
    limits: &'o Limits,
}

impl Opening<'_> {
    fn recognise<F: ReadAt>(&self, archive: &Archive<F>) -> Result<LocalFormat, Error> {
        let has = |name: &str| archive.find(name).is_some();
        match (has(LAYOUT_FILE) && has(INDEX_FILE), has(MANIFEST_FILE)) {
            (true, _) => Ok(LocalFormat::OciArchive),
            (false, true) => Ok(LocalFormat::DockerArchive),
            (false, false) => Err(self.not_an_image(docker::without_manifest(archive).unwrap_or(NO_DESCRIPTION))),
        }
    }

    /// The images of a layout, and its `index.json`.
    async fn layout<D: Files, F: ReadAt>(
        &self,
        files: &Place<D, Archive<F>>,
    ) -> Result<(Vec<NamedImage>, Vec<u8>), Error> {
        let (oci_layout, index_json) = match files {
            Place::Directory(directory) => {
                let absent = "a directory without oci-layout and index.json";
                let oci_layout = self.document(directory, LAYOUT_FILE, absent).await?;
                (oci_layout, self.document(directory, INDEX_FILE, absent).await?)
            }
            Place::File(archive) => {
                let absent = "an archive without oci-layout and index.json";
                let oci_layout = self.document(archive, LAYOUT_FILE, absent).await?;
                (oci_layout, self.document(archive, INDEX_FILE, absent).await?)
            }
        };
        let images = layout::read_images(&oci_layout, index_json.clone(), self.limits)
            .map_err(|source| Error::Layout { name: self.name.to_owned(), source })?;
        Ok((images, index_json))
    }

    /// Reads a document at the top of the source, at most one byte more than [`Limits::manifest_bytes`]: the parser
    /// refuses a longer one.
    async fn document<A: Files>(&self, files: &A, path: &str, absent: &'static str) -> Result<Vec<u8>, Error> {
        let file = match files.open(path).await {
            Ok(file) => file,
            Err(OpenError::NotFound) => return Err(self.not_an_image(absent)),
            Err(error) => return Err(Error::opening(format!("{}/{path}", self.name))(error)),
        };
        let limit = self.limits.manifest_bytes.saturating_add(1);
        read_up_to(&file, limit).await.map_err(Error::read(format!("{}/{path}", self.name)))
    }

    fn not_an_image(&self, got: &'static str) -> Error {
        Error::NotAnImage { name: self.name.to_owned(), got }
    }

    fn inconsistent(&self, what: String) -> Error {
        Error::Inconsistent { name: self.name.to_owned(), what }
    }
}

/// Recognises a directory of `skopeo copy`; any other directory is taken for a layout.
async fn recognise_directory<D: Files>(directory: &D) -> LocalFormat {
    let is_other = directory.open(LAYOUT_FILE).await.is_err()
        && directory.open(MANIFEST_FILE).await.is_ok()
        && directory.open(dir::VERSION_FILE).await.is_ok();
    if is_other { LocalFormat::SkopeoDirectory } else { LocalFormat::OciLayout }
}
