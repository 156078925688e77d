//! `porthole copy`

use std::{ffi::OsString, io::Write, path::Path, time::Instant};

use clap::Args;
use porthole_core::reference::Reference;
use porthole_transfer::pull::Platforms;
use serde_json::json;

use super::{history, push};
use crate::{
    argument::SourceArgument,
    destination::{self, Destination, Pulling, Written},
    error::Error,
    output::print_json,
    session::Session,
    source::Spec,
    ui::{safe, size},
};

/// Copy an image between registries, the store, layouts and archives
///
/// Bytes are verified and copied unchanged. A copy between registries uses no disk; within one registry blobs are mounted. An image from
/// a registry for an archive is downloaded into the store first, so that an interrupted copy can be resumed; it stays there until
/// `porthole gc`. An existing OCI layout is extended; an archive is replaced when the new one is complete.
///
/// All images of an index are copied, so that its digest stays the same, unless --platform names one. A Docker archive holds one platform,
/// and zstd layers are stored uncompressed in it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole copy alpine:3.22 registry.example.com/alpine:3.22
  porthole copy --referrers ghcr.io/a/b:1 ghcr.io/me/b:1        with its signatures
  porthole copy --platform linux/arm64 alpine oci:layout:arm64  one image, without the index
  porthole copy docker-archive:image.tar oci-archive:image.oci.tar
  porthole copy oci:layout:1.0 store:app:1.0")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Destination: reference, `store:[NAME]`, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`
    #[arg(value_name = "DEST")]
    destination: OsString,
    /// Reach the source's registry by plain HTTP
    #[arg(long)]
    src_plain_http: bool,
    /// Reach the destination's registry by plain HTTP
    #[arg(long)]
    dest_plain_http: bool,
    /// User and password for the source's registry, in place of those that are kept
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with = "anonymous")]
    src_creds: Option<String>,
    /// User and password for the destination's registry, in place of those that are kept
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with = "anonymous")]
    dest_creds: Option<String>,
    #[command(flatten)]
    way: push::Way,
}

/// Applies the options for one side of a copy. Refuses them if that side is not a registry.
fn introduce(
    session: &Session<'_>,
    side: &str,
    reference: Option<&Reference>,
    plain: bool,
    credentials: Option<&str>,
) -> Result<(), Error> {
    if !plain && credentials.is_none() {
        return Ok(());
    }
    let Some(reference) = reference else {
        return Err(Error::usage(format!("--{side}-plain-http and --{side}-creds are for a registry")));
    };
    if plain {
        session.allow_plain(reference);
    }
    if let Some(credentials) = credentials {
        let (user, password) = credentials
            .split_once(':')
            .filter(|(user, password)| !user.is_empty() && !password.is_empty())
            .ok_or_else(|| Error::usage(format!("expected USER:PASSWORD in --{side}-creds")))?;
        session.give_credentials(reference, porthole_credentials::typed(user, password)?)?;
    }
    Ok(())
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let spec = arguments.source.spec()?;
    let destination = Destination::parse(&arguments.destination, Path::exists)?;
    let from = if let Spec::Registry(reference) = &spec { Some(reference) } else { None };
    introduce(session, "src", from, arguments.src_plain_http, arguments.src_creds.as_deref())?;
    let to = if let Destination::Registry(reference) = &destination { Some(reference) } else { None };
    introduce(session, "dest", to, arguments.dest_plain_http, arguments.dest_creds.as_deref())?;
    let destination = match destination {
        Destination::Registry(to) => return push::send(&spec, to, &arguments.way, session),
        destination => destination,
    };
    let jobs = arguments.way.check_local()?;
    let platforms = destination.platforms(session);
    let started = Instant::now();
    let written = match &spec {
        Spec::Registry(reference) => {
            let alone = matches!(platforms, Platforms::One(_));
            let (follow, stop) = Default::default();
            let pulling = Pulling { reference, platforms, jobs, alone, follow, stop };
            destination::pull(session, &pulling, &destination)?.0
        }
        spec => destination::send(session, spec, &platforms, jobs, &destination)?,
    };
    if matches!(destination, Destination::Store { .. }) {
        // With --platform, only one image of an index was copied, and the reference does not point to that.
        let pulled = match &spec {
            Spec::Registry(reference) if session.wanted_platform().is_none() => Some(reference),
            _ => None,
        };
        history::stored(session, pulled, &written)?;
    }
    tell(&written, arguments, started.elapsed().as_secs_f64(), session)
}

fn tell(written: &Written, arguments: &Arguments, seconds: f64, session: &Session<'_>) -> Result<(), Error> {
    let Written { name, root, moved, present, missing, replaced } = written;
    let destination = arguments.destination.to_string_lossy();
    if let Some(before) = replaced {
        session.ui.note(format_args!("{} was {before}", safe(name.as_deref().unwrap_or_default())));
    }
    if *missing > 0 {
        session
            .ui
            .note(format_args!("the source lacks {missing} of the images that its index lists, and so does the copy"));
    }
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(
            &mut out,
            &json!({
                "destination": destination,
                "name": name,
                "digest": root.digest.to_string(),
                "media_type": root.media_type.as_str(),
                "moved": moved,
                "present": present,
                "missing": missing,
                "seconds": (seconds * 1000.0).round() / 1000.0,
            }),
        )?;
    } else {
        writeln!(out, "{}", safe(&destination))?;
        writeln!(out, "digest    {}", root.digest)?;
        writeln!(out, "copied {}, {} were there already, {seconds:.1} s", size(*moved), size(*present))?;
    }
    Ok(out.flush()?)
}
