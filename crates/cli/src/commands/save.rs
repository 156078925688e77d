//! `porthole save`

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
};

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
/// Blobs are verified. The file appears when it is complete. An OCI archive has every byte unchanged. In a Docker archive zstd layers are
/// stored uncompressed, because not every program that loads such archives reads zstd; diff_ids stay the same. An image from a registry
/// is downloaded into the store first, so that an interrupted download can be resumed; it stays there until `porthole gc`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole save nginx -o nginx.tar
  porthole save store:app:1.0 store:app:latest store:db -o all.tar      several names, several images
  porthole save store:nginx -o nginx.tar --format oci-archive
  porthole save --all-platforms nginx -o nginx.tar --format oci-archive
  porthole save nginx -o - | ssh host docker load")]
pub(crate) struct Arguments {
    #[arg(value_name = "SRC", required = true, help = SOURCES)]
    sources: Vec<OsString>,
    /// Archive to write; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Format of the archive
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: Format,
    /// Save every image of an index, which only an OCI archive can hold
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
    if arguments.output.as_os_str() == "-" {
        if io::stdout().is_terminal() {
            return Err(Error::usage("expected a file or a pipe for the archive, got a terminal"));
        }
        destination::save(session, &specs, &platforms, kind, None)?;
        return Ok(());
    }
    let bytes = destination::save(session, &specs, &platforms, kind, Some(&arguments.output))?;
    session.ui.note(format_args!("{}: {}", safe(&arguments.output.to_string_lossy()), size(bytes)));
    Ok(())
}
