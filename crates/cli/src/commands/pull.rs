//! `porthole pull`

mod follow;

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use porthole_transfer::pull::Platforms;
use serde_json::json;

use super::{history, unpack::How};
use crate::{
    destination::{self, Destination, Kind, Pulling},
    error::Error,
    output::print_json,
    reference,
    session::Session,
    ui::{safe, size},
};

/// Download an image into the store, an OCI layout or an archive
///
/// Every byte is verified and kept unchanged. Blobs that the store has are not downloaded again, and an interrupted pull is resumed by the
/// same command. The image gets its name when it is complete.
///
/// An image for an archive is downloaded into the store first, where it stays until `porthole gc`; the archive appears when it is
/// complete. An existing OCI layout is extended.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole pull nginx                         into the store, as docker.io/library/nginx:latest
  porthole pull nginx:1.27 oci:layout:1.27    into an OCI layout
  porthole pull nginx docker-archive:nginx.tar  for `docker load`
  porthole pull --all-platforms alpine        every image of the index
  porthole pull --unpack rootfs alpine        and write its files, as `porthole unpack` does
  porthole ls store:nginx                     then look at it")]
pub(crate) struct Arguments {
    /// Reference of the image
    #[arg(value_name = "REF")]
    reference: OsString,
    /// Destination: `store:[NAME]`, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]` [default: the store,
    /// under the name of the reference]
    #[arg(value_name = "DEST")]
    destination: Option<OsString>,
    /// Download every image of an index (the default)
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// Also unpack the image into this directory while it downloads; the directory appears when it is verified and complete
    #[arg(long, value_name = "DIR", conflicts_with = "all_platforms")]
    unpack: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    /// Number of concurrent blob requests; a large blob uses several
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference::parse(&arguments.reference)?;
    let destination = match &arguments.destination {
        None => Destination::Store { name: None },
        Some(text) => Destination::parse(text, Path::exists)?,
    };
    if matches!(destination, Destination::Registry(_)) {
        return Err(Error::usage("expected a destination on this machine: `porthole copy` copies between registries"));
    }
    if arguments.all_platforms && matches!(destination, Destination::Archive { kind: Kind::Docker, .. }) {
        return Err(Error::usage("a Docker archive holds one platform: oci-archive:FILE has room for all"));
    }
    if arguments.how.is_given() && arguments.unpack.is_none() {
        return Err(Error::usage("--devices, --rootless and --no-same-owner are for --unpack DIR"));
    }
    let platforms = if arguments.all_platforms { Platforms::All } else { Platforms::One(session.platform()) };
    let (follow, stop) = Default::default();
    let jobs = usize::from(arguments.jobs);
    let pulling = Pulling { reference: &reference, platforms, jobs, alone: false, follow, stop };
    let started = Instant::now();
    let ((written, pulled), unpacked) = match &arguments.unpack {
        None => (destination::pull(session, &pulling, &destination)?, None),
        Some(directory) => {
            let (pulled, unpacked) = follow::unpack(session, &pulling, &destination, directory, &arguments.how)?;
            (pulled, Some(unpacked))
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let name = written.name.clone().unwrap_or_default();
    if matches!(destination, Destination::Store { .. }) {
        history::stored(session, Some(&reference), &written)?;
    }
    if let Some(before) = written.replaced {
        session.ui.note(format_args!("{} was {before}", safe(&name)));
    }
    if let Some(unpacked) = unpacked.as_ref().filter(|_| !session.ui.json) {
        unpacked.tell(session);
    }
    let mut out = session.ui.out();
    if session.ui.json {
        let manifests: Vec<_> = pulled
            .manifests
            .iter()
            .map(|(descriptor, manifest)| {
                json!({
                    "digest": descriptor.digest.to_string(),
                    "platform": descriptor.platform.as_ref().map(ToString::to_string),
                    "config": manifest.value.config.digest.to_string(),
                    "layers": manifest.value.layers.len(),
                })
            })
            .collect();
        print_json(
            &mut out,
            &json!({
                "reference": reference.to_string(),
                "name": name,
                "digest": pulled.root.digest.to_string(),
                "media_type": pulled.root.media_type.as_str(),
                "manifests": manifests,
                "fetched": pulled.fetched,
                "saved": pulled.saved,
                "seconds": (seconds * 1000.0).round() / 1000.0,
                "unpacked": unpacked,
            }),
        )?;
    } else {
        writeln!(out, "{}", safe(&name))?;
        for (descriptor, manifest) in &pulled.manifests {
            if descriptor.digest == pulled.root.digest {
                writeln!(out, "manifest  {}", descriptor.digest)?;
            } else {
                writeln!(out, "index     {}", pulled.root.digest)?;
                let platform = descriptor.platform.as_ref().map(|platform| format!("  {platform}")).unwrap_or_default();
                writeln!(out, "manifest  {}{}", descriptor.digest, safe(&platform))?;
            }
            writeln!(out, "config    {}", manifest.value.config.digest)?;
        }
        writeln!(out, "fetched {}, {} were here already, {seconds:.1} s", size(pulled.fetched), size(pulled.saved))?;
    }
    Ok(out.flush()?)
}
