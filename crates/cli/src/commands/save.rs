//! `porthole save`

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    argument::SOURCES,
    destination::{self, Kind},
    error::Error,
    session::Session,
    source::Spec,
    ui::{safe, size},
};
use porthole_transfer::pull::Platforms;

/// Write images into an archive, for `docker load`, podman, skopeo and others
///
/// Blobs are verified on the way. The file appears when it is complete. In an OCI archive every byte is as it was; in a
/// Docker archive layers with zstd are unpacked, because not all that load such archives know it, and diff_ids stay the same.
/// What comes from a registry comes through the store, so that it is taken up where it was cut off; there it stays until
/// `porthole gc`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole save nginx -o nginx.tar
  porthole save store:app:1.0 store:app:latest store:db -o all.tar      several names, several images
  porthole save store:nginx -o nginx.tar --format oci-archive
  porthole save --all-platforms nginx -o nginx.tar --format oci-archive")]
pub(crate) struct Arguments {
    #[arg(value_name = "SRC", required = true, help = SOURCES)]
    sources: Vec<OsString>,
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
    let kind = match arguments.format {
        Format::DockerArchive => Kind::Docker,
        Format::OciArchive => Kind::Oci,
    };
    let platforms = if arguments.all_platforms { Platforms::All } else { Platforms::One(session.platform()) };
    let specs = arguments.sources.iter().map(|source| Spec::parse(source, std::path::Path::exists));
    let specs = specs.collect::<Result<Vec<_>, _>>()?;
    let bytes = destination::save(session, &specs, &platforms, kind, &arguments.output)?;
    session.ui.note(format_args!("{}: {}", safe(&arguments.output.to_string_lossy()), size(bytes)));
    Ok(())
}
