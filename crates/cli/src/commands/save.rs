//! `porthole save`

use std::{
    collections::HashSet,
    fs::{File, Permissions},
    io::{BufWriter, Read, Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use porthole_core::{
    decode::{Decoder, MIN_OUTPUT},
    descriptor::Descriptor,
    digest::{Digest, Hasher, Mismatch, Verifier},
    image::Layer,
    layer::Finding,
    manifest::Document,
    media_type::{Compression, Role},
};
use porthole_store::{DockerArchive, OciArchive};
use tempfile::NamedTempFile;

use super::SourceArgument;
use crate::{
    error::{Error, WrongLayer},
    session::Session,
    source::{Source, Spec},
    ui::{safe, size},
};

/// Write an image into an archive, for `docker load`, podman, skopeo and others
///
/// Blobs are verified on the way. The file appears when it is complete. In an OCI archive every byte is as it was; in a
/// Docker archive layers with zstd are unpacked, because not all that load such archives know it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole save nginx -o nginx.tar
  porthole save store:nginx -o nginx.tar --format oci-archive
  porthole save --all-platforms nginx -o nginx.tar --format oci-archive")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// The archive to be written
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// What kind of archive
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: Format,
    /// Every image of an index; only an OCI archive can hold them
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    DockerArchive,
    OciArchive,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    if arguments.all_platforms && arguments.format == Format::DockerArchive {
        return Err(Error::usage("a Docker archive holds one platform: add --format oci-archive"));
    }
    let spec = arguments.source.spec()?;
    let source = Source::open(&spec, session)?;
    let name = name(&spec);
    let output = unfinished(&arguments.output)?;
    let out = BufWriter::with_capacity(1 << 20, output.as_file());
    match arguments.format {
        Format::OciArchive => save_layout(&source, session, arguments.all_platforms, name.as_deref(), out)?,
        Format::DockerArchive => save_docker(&source, session, name.as_deref(), out)?,
    }
    output.as_file().sync_all()?;
    let bytes = output.as_file().metadata()?.len();
    output.persist(&arguments.output).map_err(|error| Error::Write(error.error))?;
    session.ui.note(format_args!("{}: {}", safe(&arguments.output.to_string_lossy()), size(bytes)));
    Ok(())
}

/// What the image is called, where the source tells.
fn name(spec: &Spec) -> Option<String> {
    match spec {
        Spec::Registry(reference) => reference.tag().map(|_| reference.to_string()),
        // A layout may call an image by its tag alone, which is no reference.
        Spec::Local { name, .. } => name.clone().filter(|name| name.contains(['/', ':'])),
        Spec::Store { name } => Some(name.clone()),
        Spec::Layer(_) => None,
    }
}

fn save_layout<W: Write>(
    source: &Source,
    session: &Session<'_>,
    all_platforms: bool,
    name: Option<&str>,
    out: W,
) -> Result<(), Error> {
    let mut archive = OciArchive::new(out)?;
    let root = if all_platforms { source.document()? } else { source.manifest(session)? };
    let mut seen = HashSet::new();
    let mut pending = vec![root.clone()];
    while let Some(document) = pending.pop() {
        archive.document(document.raw())?;
        match document {
            Document::Index(index) => {
                for entry in index.value.manifests.iter().filter(|entry| seen.insert(entry.digest)) {
                    pending.push(source.child(entry)?);
                }
            }
            Document::Manifest(manifest) => {
                for blob in [&manifest.value.config].into_iter().chain(&manifest.value.layers) {
                    let mut reader = source.open_layer(Some(blob))?;
                    archive.blob(blob, |buffer| reader.read(buffer))?;
                }
            }
        }
    }
    let raw = root.raw();
    let root = Descriptor::new(root.media_type().clone(), *raw.digest(), raw.size());
    archive.finish(&root, name)?;
    Ok(())
}

fn save_docker<W: Write>(source: &Source, session: &Session<'_>, name: Option<&str>, out: W) -> Result<(), Error> {
    let image = source.image(session, &mut |_| {})?.image;
    if !image.is_image() {
        return Err(Error::usage("a Docker archive holds images: this is an artifact; add --format oci-archive"));
    }
    let mut archive = DockerArchive::new(out, &image.config_raw)?;
    for layer in &image.layers {
        let Descriptor { digest, size, ref media_type, .. } = layer.descriptor;
        match media_type.role() {
            Role::Layer(Compression::Zstd) => {
                let (mut unpacked, digest, size) = unpack(source, session, layer)?;
                archive.layer(&digest, size, false, |buffer| unpacked.read(buffer).map_err(Error::Write))?;
            }
            Role::Layer(compression) => {
                let mut reader = source.open_layer(Some(&layer.descriptor))?;
                archive.layer(&digest, size, compression == Compression::Gzip, |buffer| reader.read(buffer))?;
            }
            _ => return Err(Error::NoFiles { layer: layer.index, media_type: media_type.clone() }),
        }
    }
    archive.finish(&tags(name))?;
    Ok(())
}

/// The references to be written into a Docker archive, as Docker shows them. A digest is none.
fn tags(name: Option<&str>) -> Vec<String> {
    let reference = name.and_then(|name| name.parse::<porthole_core::reference::Reference>().ok());
    reference
        .filter(|reference| reference.digest().is_none())
        .map(|reference| reference.familiar())
        .into_iter()
        .collect()
}

/// A file beside the one that is asked for, which goes away unless it becomes that one.
fn unfinished(path: &Path) -> Result<NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // What is left of it after the umask.
    let everyone = Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().prefix(".porthole-").permissions(everyone).tempfile_in(folder);
    file.map_err(|source| Error::Store(porthole_store::Error::Write { path: path.to_owned(), source }))
}

/// The unpacked archive of a layer in a file without a name, its digest and its size.
fn unpack(source: &Source, session: &Session<'_>, layer: &Layer) -> Result<(File, Digest, u64), Error> {
    let mismatch = |mismatch| Error::Store(porthole_store::Error::Mismatch(mismatch));
    let mut reader = source.open_layer(Some(&layer.descriptor))?;
    let mut verifier = Verifier::new(&layer.descriptor.digest, layer.descriptor.size);
    let mut decoder = Decoder::new(Compression::Zstd, &session.limits);
    let mut hasher = Hasher::new(layer.diff_id.unwrap_or(layer.descriptor.digest).algorithm());
    let mut file = tempfile::tempfile()?;
    let (mut input, mut output) = (vec![0; MIN_OUTPUT], vec![0; 2 * MIN_OUTPUT]);
    loop {
        let length = reader.read(&mut input)?;
        let mut rest = &input[..length];
        verifier.update(rest).map_err(mismatch)?;
        if length == 0 {
            break;
        }
        loop {
            let step = decoder.decode(rest, &mut output).map_err(|error| broken(layer, error))?;
            rest = &rest[step.read..];
            let unpacked = &output[..step.written];
            hasher.update(unpacked);
            file.write_all(unpacked)?;
            if step.starved {
                break;
            }
        }
    }
    verifier.finish().map_err(mismatch)?;
    decoder.finish().map_err(|error| broken(layer, error))?;
    let got = hasher.finish();
    match layer.diff_id {
        Some(expected) if expected != got => return Err(mismatch(Mismatch::Digest { expected, got })),
        _ => {}
    }
    file.rewind()?;
    Ok((file, got, decoder.written()))
}

fn broken(layer: &Layer, error: porthole_core::decode::Error) -> Error {
    Error::Layers(vec![WrongLayer { layer: layer.index, findings: vec![Finding::Decode(error)] }])
}
